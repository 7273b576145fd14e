package classify

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"avbeacon/feeds"
)

// nowhereWords says what kind of address it is that cannot be placed.
func nowhereWords(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "loopback address"
	case a.IsPrivate():
		return "private address"
	case a.IsLinkLocalUnicast():
		return "link-local address"
	case a.IsMulticast():
		return "multicast address"
	case sharedByProvider.Contains(a):
		return "shared address of a provider"
	}
	return "reserved address"
}

// sharedByProvider is the range that providers put between their customers and one public address (RFC 6598).
var sharedByProvider = netip.MustParsePrefix("100.64.0.0/10")

// levelWords tells the level as a sentence; at holds the counted votes by what they come to.
func (p *Place) levelWords(at [3][]PlaceVote, votes int) string {
	var parts []string
	switch p.Level {
	case PlaceM3:
		parts = append(parts, fmt.Sprintf("Moscow per %d of %d databases: %s", len(at[moscow]), votes, voteNames(at[moscow])))
	case PlaceM2:
		parts = append(parts, "Moscow per "+voteNames(at[moscow]))
	case PlaceM1:
		parts = append(parts, "disputed: Moscow per "+voteNames(at[moscow]))
	case PlaceN:
		if len(at[elsewhere]) == 1 && at[elsewhere][0].NotRussia {
			return "not Russia, per " + voteNames(at[elsewhere])
		}
		return "not Russia: " + voteList(at[elsewhere])
	}
	if len(at[russia]) > 0 {
		parts = append(parts, voteList(at[russia]))
	}
	if len(at[elsewhere]) > 0 {
		parts = append(parts, voteList(at[elsewhere]))
	}
	return strings.Join(parts, "; ") + aloneWords(p.Level, votes)
}

// aloneWords says what a single database can reach at most.
func aloneWords(l PlaceLevel, votes int) string {
	switch {
	case votes != 1:
		return ""
	case l == PlaceM2:
		return " (the only database that tells; one alone reaches M2 at most)"
	case l == PlaceR1:
		return " (the only database that tells; one alone reaches R1 at most where it does not say Moscow)"
	}
	return ""
}

// voteList tells every vote with its place.
func voteList(votes []PlaceVote) string {
	list := make([]string, len(votes))
	for i, v := range votes {
		list[i] = v.where() + " per " + v.name()
	}
	return strings.Join(list, "; ")
}

// where tells the place of one vote.
func (v *PlaceVote) where() string {
	switch {
	case v.NotRussia:
		return "no record in Russia"
	case v.claim == russia && v.GeonameID == feeds.MoscowID && v.RadiusKM > trustedRadius:
		return fmt.Sprintf("Russia, Moscow only within %d km,", v.RadiusKM)
	case v.claim == russia && v.City == "":
		return "Russia, city unknown,"
	case v.claim == russia:
		return "Russia (" + v.City + ")"
	case v.City == "":
		return v.Country
	}
	return v.Country + " (" + v.City + ")"
}

func voteNames(votes []PlaceVote) string {
	list := make([]string, len(votes))
	for i, v := range votes {
		list[i] = v.name()
	}
	return strings.Join(list, ", ")
}

func (v *PlaceVote) name() string { return v.Database + ofDate(v.Date) }

func ofDate(date string) string {
	if date == "" {
		return " (undated)"
	}
	return " of " + date
}

// networkWords adds whose network it is, and a registration that differs from the place.
func (p *Place) networkWords() string {
	var b strings.Builder
	if p.ASN != 0 {
		fmt.Fprintf(&b, "; network AS%d %s", p.ASN, p.Owner)
	}
	if p.Registered != "" && p.Registered != p.Country {
		fmt.Fprintf(&b, "; registered in %s, which says nothing of the place", p.Registered)
	}
	return strings.TrimRight(b.String(), " ")
}

// staleDays is the age from which place data is said to be old.
const staleDays = 60

// StalePlaces gives one sentence for every database that is older than 60 days at now, or bears no date.
func StalePlaces(list []feeds.Database, now time.Time) []string {
	var notes []string
	for _, d := range list {
		built, err := time.Parse(time.DateOnly, d.Date)
		if err != nil {
			notes = append(notes, fmt.Sprintf("The place data %s bears no date.", d.Name))
			continue
		}
		if days := int(now.Sub(built).Hours() / 24); days > staleDays {
			notes = append(notes, fmt.Sprintf("The place data %s of %s is %d days old; networks move, so give a newer database (--geo) where it matters.",
				d.Name, d.Date, days))
		}
	}
	return notes
}
