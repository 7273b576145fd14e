package classify

import (
	"net/netip"
	"slices"
	"strings"

	"avbeacon/feeds"
)

// PlaceLevel is a step of the ladder: how well the databases agree that an address is in Moscow, or in Russia.
type PlaceLevel uint8

// The steps. One database alone can reach M2 at most.
const (
	PlaceNone PlaceLevel = iota // nobody asked
	PlaceX                      // the location says nothing: anycast, content network, no country, no address of the Internet
	PlaceN                      // not Russia
	PlaceR1                     // Russia without Moscow, by one maker
	PlaceR2                     // Russia without Moscow, by two or more makers
	PlaceM1                     // Moscow by one or more, another country by another
	PlaceM2                     // Moscow by one maker, the others Russia or silent
	PlaceM3                     // Moscow by two or more makers, and nobody says another country
)

// String gives the level in the report's words, "" for PlaceNone.
func (l PlaceLevel) String() string {
	return [...]string{"", "X", "N", "R1", "R2", "M1", "M2", "M3"}[min(l, PlaceM3)]
}

// Place is where an address is, as graded evidence.
type Place struct {
	Level      PlaceLevel
	Words      string      // a sentence that can be checked: databases, dates, what they say
	Country    string      // ISO 3166 alpha-2, "" where none can be named
	City       string      // "" where none can be named
	Registered string      // ISO country of registration; it never counted
	ASN        uint32      // number of the network, 0 where unknown
	Owner      string      // of the network
	By         []PlaceVote // what each database says of the place, those that count first
	Claimed    PlaceLevel  // what the databases said; valid iff Refuted is set
	Refuted    *Refutation // nil: not refuted
}

// PlaceVote is what one database says.
type PlaceVote struct {
	Database, Maker, Date string
	Country, City         string
	GeonameID             uint32
	RadiusKM              uint16  // 0 where unknown
	Lat, Lon              float64 // degrees; valid iff HasPoint. They never decide on the ladder
	HasPoint              bool
	NotRussia             bool // a database of all Russia has no record of the address
	Counted               bool // false: another build of the same maker counts
	claim                 claim
}

// claim is what a vote comes to on the ladder.
type claim uint8

const (
	elsewhere claim = iota
	russia
	moscow
)

// trustedRadius is the largest accuracy radius in km with which a record for Moscow still speaks of Moscow.
const trustedRadius = 100

// Placer gives the place of any address by a set of databases, which must stay open as long as it is used.
func Placer(p *feeds.Places) func(netip.Addr) Place {
	return func(a netip.Addr) Place { return Ladder(a, p.Locate(a)) }
}

// Ladder grades what the databases say of address a. One vote a maker, its newest build. Registration never votes, nor
// do coordinates. The order of the opinions does not change the level.
func Ladder(a netip.Addr, opinions []feeds.Opinion) Place {
	var p Place
	a = feeds.Plain(a)
	if !feeds.Routable(a) {
		p.Level, p.Words = PlaceX, nowhereWords(a)+": no place"
		return p
	}
	p.network(opinions)
	p.By = votes(opinions)
	counted := p.counted()
	switch spread := meaningless(opinions); {
	case spread != "":
		p.Level, p.Words = PlaceX, spread+": location not meaningful"
	case len(counted) == 0:
		p.Level, p.Words = PlaceX, "no database names a country: location unknown"
	default:
		p.grade(counted)
	}
	p.Words += p.networkWords()
	return p
}

// network takes number, owner and registration from the first database that knows them.
func (p *Place) network(opinions []feeds.Opinion) {
	for i := range opinions {
		o := &opinions[i]
		if p.ASN == 0 && o.ASN != 0 {
			p.ASN, p.Owner = o.ASN, o.Owner
		}
		if p.Registered == "" {
			p.Registered = o.Registered
		}
	}
}

// meaningless says why the place of the address says nothing, "" where it does.
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

// votes lists what the databases say of the place, with one counted vote a maker, and those first.
func votes(opinions []feeds.Opinion) []PlaceVote {
	var list []PlaceVote
	for i := range opinions {
		if opinions[i].Places() {
			list = append(list, voteOf(&opinions[i]))
		}
	}
	for i := range list {
		list[i].Counted = countsFor(list, i)
	}
	slices.SortStableFunc(list, func(v, w PlaceVote) int { return falseFirst(w.Counted, v.Counted) })
	return list
}

// falseFirst compares two booleans, false first.
func falseFirst(v, w bool) int {
	switch {
	case v == w:
		return 0
	case w:
		return -1
	}
	return 1
}

func voteOf(o *feeds.Opinion) PlaceVote {
	v := PlaceVote{
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

// voter names whose vote it is: the maker; a database of unknown maker speaks for itself.
func (v *PlaceVote) voter() string {
	if v.Maker == "" {
		return "\x00" + v.Database
	}
	return v.Maker
}

// countsFor reports whether vote i is its voter's. That is the newest; where the newest says only 'not in Russia', the newest
// that names the country, if that is not Russia.
func countsFor(list []PlaceVote, i int) bool {
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

// newer reports whether v is to count rather than w, of the same voter: the later build; of one day, one with a record
// rather than none; else whatever does not depend on the order of the files.
func (v *PlaceVote) newer(w *PlaceVote) bool {
	switch {
	case v.Date != w.Date:
		return v.Date > w.Date
	case v.NotRussia != w.NotRussia:
		return w.NotRussia
	}
	return v.rank() > w.rank()
}

// rank orders builds of one maker and one day that differ: the one that says more of the place first.
func (v *PlaceVote) rank() string {
	detail := "0"
	if v.City != "" {
		detail = "1"
	}
	return detail + string('0'+rune(v.claim)) + v.Country + "\x00" + v.City + "\x00" + v.Database
}

func (p *Place) counted() []PlaceVote {
	n := 0
	for n < len(p.By) && p.By[n].Counted {
		n++
	}
	return p.By[:n]
}

// grade sets the level and what goes with it. Databases of unknown maker can contradict, but two agree only if their
// makers are known to differ.
func (p *Place) grade(counted []PlaceVote) {
	at := byClaim(counted)
	switch {
	case len(at[moscow]) > 0 && len(at[elsewhere]) > 0:
		p.Level = PlaceM1
	case makersOf(at[moscow]) >= 2:
		p.Level = PlaceM3
	case len(at[moscow]) > 0:
		p.Level = PlaceM2
	case makersOf(at[russia]) >= 2:
		p.Level = PlaceR2
	case len(at[russia]) > 0:
		p.Level = PlaceR1
	default:
		p.Level = PlaceN
	}
	switch {
	case len(at[moscow]) > 0:
		p.Country, p.City = "RU", "Moscow"
	case len(at[russia]) > 0:
		p.Country, p.City = "RU", russianCity(at[russia])
	default:
		p.Country, p.City = leading(at[elsewhere])
	}
	p.Words = p.levelWords(at, len(counted))
}

// byClaim sorts votes by what they come to.
func byClaim(votes []PlaceVote) (at [3][]PlaceVote) {
	for _, v := range votes {
		at[v.claim] = append(at[v.claim], v)
	}
	return at
}

// makersOf counts the known makers; unknown ones together are worth no more than one, and nothing beside a known one.
func makersOf(votes []PlaceVote) int {
	n := 0
	for _, v := range votes {
		if v.Maker != "" {
			n++
		}
	}
	return max(n, min(1, len(votes)))
}

// russianCity gives the city that a database names in Russia, other than a Moscow that it is too unsure of.
func russianCity(votes []PlaceVote) string {
	for _, v := range votes {
		if v.City != "" && v.GeonameID != feeds.MoscowID && !strings.HasPrefix(v.City, "Moscow") {
			return v.City
		}
	}
	return ""
}

// leading gives the country that most votes name, the first of equals, and the first city named there.
func leading(votes []PlaceVote) (country, city string) {
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
