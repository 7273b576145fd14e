// Package place grades where an address is. Opinions of place databases (feeds) go in; a Location comes out: a level on a
// ladder from "not Russia" to "Moscow by two makers", the votes behind it and a sentence that can be checked. A round-trip
// time can refute a Location, never confirm one.
//
// Start with Grade. This file holds the ladder and its votes, query.go what a policy asks of a Location, refute.go round
// trips and geometry, words.go the sentences.
package place

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"avbeacon/feeds"
)

// Level is a step of the ladder: how well the databases agree that an address is in Moscow, or in Russia.
type Level uint8

// The levels. A single database reaches M2 at most.
const (
	None Level = iota // no database was asked
	X                 // a location means nothing here: anycast, content network, no country, not an Internet address
	N                 // not Russia
	R1                // Russia without Moscow, by one maker
	R2                // Russia without Moscow, by two or more makers
	M1                // Moscow by one or more makers, another country by another
	M2                // Moscow by one maker, Russia or nothing by the others
	M3                // Moscow by two or more makers, another country by none
)

// String returns the level as reports print it, "" for None.
func (l Level) String() string {
	return [...]string{"", "X", "N", "R1", "R2", "M1", "M2", "M3"}[min(l, M3)]
}

// Location is where an address is, as graded evidence.
type Location struct {
	Level      Level
	Words      string      // a sentence that can be checked: databases, their dates and what they say
	Country    string      // ISO 3166 alpha-2, "" if none can be named
	City       string      // "" if none can be named
	Registered string      // ISO country of registration; it never counts
	ASN        uint32      // number of the network, 0 if unknown
	Owner      string      // of the network
	Votes      []Vote      // what each database says of the location; those that count come first
	Claimed    Level       // the level by the databases alone; valid iff Refuted is set
	Refuted    *Refutation // nil: not refuted
}

// Vote is what one database says.
type Vote struct {
	Database, Maker, Date string
	Country, City         string
	GeonameID             uint32
	RadiusKM              uint16  // 0 if unknown
	Lat, Lon              float64 // degrees; valid iff HasPoint. They never count on the ladder
	HasPoint              bool
	NotRussia             bool // a database that covers all of Russia has no record of the address
	Counted               bool // false: another build of the same maker counts
	claim                 claim
}

// claim is what a vote counts for on the ladder.
type claim uint8

const (
	elsewhere claim = iota
	russia
	moscow
)

// trustedRadius is the largest accuracy radius, in km, with which a record for Moscow still counts for Moscow.
const trustedRadius = 100

// Locator returns a function that grades any address by a set of databases. They must stay open while it is in use.
func Locator(p *feeds.Places) func(netip.Addr) Location {
	return func(a netip.Addr) Location { return Grade(a, p.Locate(a)) }
}

// Grade grades what the databases say of address a. Each maker has one vote, that of its newest build. Neither the country
// of registration nor coordinates vote. The order of the opinions does not change the level.
func Grade(a netip.Addr, opinions []feeds.Opinion) Location {
	var l Location
	a = feeds.Plain(a)
	if !feeds.Routable(a) {
		l.Level, l.Words = X, unroutableWords(a)+": no place"
		return l
	}
	for i := range opinions {
		o := &opinions[i]
		if l.ASN == 0 && o.ASN != 0 {
			l.ASN, l.Owner = o.ASN, o.Owner
		}
		l.Registered = cmp.Or(l.Registered, o.Registered)
	}
	l.Votes = votes(opinions)
	counted := l.counted()
	switch spread := meaningless(opinions); {
	case spread != "":
		l.Level, l.Words = X, spread+": location not meaningful"
	case len(counted) == 0:
		l.Level, l.Words = X, "no database names a country: location unknown"
	default:
		l.climb(counted)
	}
	l.Words += l.networkWords()
	return l
}

// meaningless returns why no location is meaningful for the address, "" if one is.
func meaningless(opinions []feeds.Opinion) string {
	for i := range opinions {
		switch o := &opinions[i]; {
		case o.Anycast:
			return "anycast address per " + o.Database + ofDate(o.Date)
		case o.Network == feeds.NetworkCDN:
			return "content delivery network"
		case o.Network == feeds.NetworkResolver:
			return "public resolver's network"
		}
	}
	return ""
}

// votes lists what the databases say. One vote a maker is counted; counted votes come first.
func votes(opinions []feeds.Opinion) []Vote {
	var list, others []Vote
	for i := range opinions {
		if opinions[i].Places() {
			others = append(others, voteOf(&opinions[i]))
		}
	}
	for i := range others {
		if others[i].Counted = counts(others, i); others[i].Counted {
			list = append(list, others[i])
		}
	}
	return append(list, slices.DeleteFunc(others, func(v Vote) bool { return v.Counted })...)
}

func voteOf(o *feeds.Opinion) Vote {
	v := Vote{
		Database: o.Database, Maker: o.Maker, Date: o.Date,
		Country: o.Country, City: o.City, GeonameID: o.GeonameID, RadiusKM: o.Radius, NotRussia: o.NotCovered,
		Lat: o.Lat, Lon: o.Lon, HasPoint: o.HasPoint,
	}
	switch {
	case o.IsMoscow() && o.Radius <= trustedRadius:
		v.claim = moscow
	case o.Country == "RU":
		v.claim = russia
	}
	return v
}

// voter names whose vote it is: the maker's. A database of unknown maker votes for itself.
func (v *Vote) voter() string {
	if v.Maker == "" {
		return "\x00" + v.Database
	}
	return v.Maker
}

// counts reports whether vote i is its voter's. The newest build counts. If the newest only says "not in Russia", the newest
// build that names a country counts instead, if that country is not Russia: it says more and contradicts nothing.
func counts(list []Vote, i int) bool {
	voter, best, named := list[i].voter(), -1, -1
	for j := range list {
		v := &list[j]
		if v.voter() != voter {
			continue
		}
		if best < 0 || v.newer(&list[best]) {
			best = j
		}
		if v.claim == elsewhere && !v.NotRussia && (named < 0 || v.newer(&list[named])) {
			named = j
		}
	}
	if list[best].NotRussia && named >= 0 {
		best = named
	}
	return i == best
}

// newer reports whether v counts rather than w, of the same voter: the later build; on the same day, one that has a record;
// then an order that does not depend on the order of the files.
func (v *Vote) newer(w *Vote) bool {
	switch {
	case v.Date != w.Date:
		return v.Date > w.Date
	case v.NotRussia != w.NotRussia:
		return w.NotRussia
	}
	return v.rank() > w.rank()
}

// rank orders different builds of one maker and one day: the one that says more of the location ranks higher.
func (v *Vote) rank() string {
	detail := "0"
	if v.City != "" {
		detail = "1"
	}
	return detail + string('0'+rune(v.claim)) + v.Country + "\x00" + v.City + "\x00" + v.Database
}

// counted returns the counted votes, which lead the list.
func (l *Location) counted() []Vote {
	n := 0
	for n < len(l.Votes) && l.Votes[n].Counted {
		n++
	}
	return l.Votes[:n]
}

// climb sets the level, the country and the city by the counted votes. A database of unknown maker can contradict others, but
// two agree only if their makers are known to differ.
func (l *Location) climb(counted []Vote) {
	var at [3][]Vote // by claim
	for _, v := range counted {
		at[v.claim] = append(at[v.claim], v)
	}
	switch {
	case len(at[moscow]) > 0 && len(at[elsewhere]) > 0:
		l.Level = M1
	case makers(at[moscow]) >= 2:
		l.Level = M3
	case len(at[moscow]) > 0:
		l.Level = M2
	case makers(at[russia]) >= 2:
		l.Level = R2
	case len(at[russia]) > 0:
		l.Level = R1
	default:
		l.Level = N
	}
	switch {
	case len(at[moscow]) > 0:
		l.Country, l.City = "RU", "Moscow"
	case len(at[russia]) > 0:
		l.Country, l.City = "RU", russianCity(at[russia])
	default:
		l.Country, l.City = leading(at[elsewhere])
	}
	l.Words = l.levelWords(at, len(counted))
}

// makers counts the known makers. All unknown ones together count as one, and as none beside a known one.
func makers(votes []Vote) int {
	n := 0
	for _, v := range votes {
		if v.Maker != "" {
			n++
		}
	}
	return max(n, min(1, len(votes)))
}

// russianCity returns the city that a database names in Russia, except a Moscow whose radius is too large to count.
func russianCity(votes []Vote) string {
	for _, v := range votes {
		if v.City != "" && v.GeonameID != feeds.MoscowID && !strings.HasPrefix(v.City, "Moscow") {
			return v.City
		}
	}
	return ""
}

// leading returns the country with most votes, the first of equals, and the first city named there.
func leading(votes []Vote) (country, city string) {
	most := 0
	for _, v := range votes {
		n := 0
		for _, w := range votes {
			if w.Country == v.Country {
				n++
			}
		}
		if v.Country != "" && n > most {
			country, most = v.Country, n
		}
	}
	for _, v := range votes {
		if v.Country == country && v.City != "" {
			return country, v.City
		}
	}
	return country, ""
}
