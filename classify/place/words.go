package place

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"avbeacon/feeds"
)

// unroutableWords names the kind of an address that has no location.
func unroutableWords(a netip.Addr) string {
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

// sharedByProvider is the range of carrier-grade NAT (RFC 6598).
var sharedByProvider = netip.MustParsePrefix("100.64.0.0/10")

// levelWords explains the level in a sentence; at holds the counted votes by claim.
func (l *Location) levelWords(at [3][]Vote, votes int) string {
	var parts []string
	switch l.Level {
	case M3:
		parts = append(parts, fmt.Sprintf("Moscow per %d of %d databases: %s", len(at[moscow]), votes, voteNames(at[moscow])))
	case M2:
		parts = append(parts, "Moscow per "+voteNames(at[moscow]))
	case M1:
		parts = append(parts, "disputed: Moscow per "+voteNames(at[moscow]))
	case N:
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
	return strings.Join(parts, "; ") + aloneWords(l.Level, votes)
}

// aloneWords explains a level that a single database limits.
func aloneWords(l Level, votes int) string {
	switch {
	case votes != 1:
		return ""
	case l == M2:
		return " (only one database has an answer, so M2 is the highest level possible)"
	case l == R1:
		return " (only one database has an answer, so R1 is the highest level possible without Moscow)"
	}
	return ""
}

// voteList lists each vote with its location.
func voteList(votes []Vote) string {
	list := make([]string, len(votes))
	for i, v := range votes {
		list[i] = v.where() + " per " + v.name()
	}
	return strings.Join(list, "; ")
}

// where names the location of one vote.
func (v *Vote) where() string {
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

func voteNames(votes []Vote) string {
	list := make([]string, len(votes))
	for i, v := range votes {
		list[i] = v.name()
	}
	return strings.Join(list, ", ")
}

func (v *Vote) name() string { return v.Database + ofDate(v.Date) }

func ofDate(date string) string {
	if date == "" {
		return " (undated)"
	}
	return " of " + date
}

// networkWords names the network, and a country of registration that differs from the location.
func (l *Location) networkWords() string {
	var b strings.Builder
	if l.ASN != 0 {
		fmt.Fprintf(&b, "; network AS%d %s", l.ASN, l.Owner)
	}
	if l.Registered != "" && l.Registered != l.Country {
		fmt.Fprintf(&b, "; registered in %s (registration is not location)", l.Registered)
	}
	return strings.TrimRight(b.String(), " ")
}

// staleDays is the age, in days, above which place data is reported as old.
const staleDays = 60

// Stale returns one sentence for each database that is more than 60 days old at now, or undated.
func Stale(list []feeds.Database, now time.Time) []string {
	var notes []string
	for _, d := range list {
		built, err := time.Parse(time.DateOnly, d.Date)
		if err != nil {
			notes = append(notes, fmt.Sprintf("Place database %s is undated.", d.Name))
			continue
		}
		if days := int(now.Sub(built).Hours() / 24); days > staleDays {
			notes = append(notes, fmt.Sprintf("Place database %s of %s is %d days old. Networks move: use a newer one (--geo) where it matters.",
				d.Name, d.Date, days))
		}
	}
	return notes
}
