package feeds

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync/atomic"
)

// MoscowID is the GeoNames number of the city of Moscow (geonames.org/524901). It is not the region of Moscow (524925).
const MoscowID = 524901

// Places is an immutable set of open place databases. It may be used by many goroutines; a caller that exchanges one
// set for another closes the old one itself, after its last Locate has returned.
type Places struct {
	bases []*base
}

// Database describes one open database, for reports and for `avbeacon version`.
type Database struct {
	Name        string // as the maker calls it; the file's name where the file does not say
	Maker       string // who made it, "" if neither type nor file name says
	Date        string // YYYY-MM-DD of the build
	File        string // path as given, "" for the embedded one
	SHA256      string // of the embedded one; "" for files
	Type        string // the file's database_type
	Extract     bool   // holds Russia and the vendors' networks only: no record means 'not Russia'
	Country     bool   // has the countries of addresses
	City        bool   // has their cities
	ASN         bool   // has the number and owner of their networks
	IPv4, IPv6  bool   // address families that it can be asked for
	Attribution string // the sentence that the data's licence asks for, "" where none is known
}

// Network says what a network is for, as far as the embedded data knows.
type Network uint8

// The kinds of network.
const (
	NetworkUnknown  Network = iota
	NetworkVendor           // an antivirus vendor's own
	NetworkCDN              // one address, many places
	NetworkResolver         // a public resolver, mostly anycast
	NetworkProxy            // a security gateway in the cloud
)

// Opinion is one database's answer for one address. It is a value and stays valid after Close.
type Opinion struct {
	Database   string // Database.Name
	Maker      string // Database.Maker
	Date       string // Database.Date
	Country    string // ISO 3166 alpha-2 of the place, "" where the database names none
	City       string // as the maker spells it, "" where unknown
	GeonameID  uint32 // GeoNames number of the city, 0 where none is given
	Radius     uint16 // accuracy in km, 0 where unknown
	Lat, Lon   float64
	HasPoint   bool   // Lat and Lon are valid
	Registered string // ISO country of registration, which is not a location
	Anycast    bool   // the maker marks the address as anycast
	Network    Network
	ASN        uint32
	Owner      string // of the network
	// NotCovered: a database that holds all of Russia has no record here, so by its data the address is not in Russia.
	NotCovered bool
	Extract    bool // Database.Extract
}

// Places reports whether the opinion says anything of where the address is.
func (o *Opinion) Places() bool { return o.Country != "" || o.NotCovered }

// OpenPlaces opens every file, mapped into memory where the system can (so replace it by renaming: what is written over a
// file that is open cannot be read until it is opened again), and the embedded data where asked. One bad file
// fails the whole set, and the error names each bad file with its reason. No file and no embedded data give an empty set.
func OpenPlaces(files []string, embedded bool) (*Places, error) {
	p := &Places{}
	var bad []error
	for _, file := range files {
		b, err := openFile(file)
		if err != nil {
			bad = append(bad, fmt.Errorf("place database %s: %w", file, err))
			continue
		}
		p.bases = append(p.bases, b)
	}
	if embedded {
		b, err := openEmbedded()
		if err != nil {
			bad = append(bad, fmt.Errorf("embedded place data: %w", err))
		} else {
			p.bases = append(p.bases, b)
		}
	}
	if len(bad) > 0 {
		return nil, errors.Join(append(bad, p.Close())...)
	}
	return p, nil
}

// Close frees the databases. No Locate may run beside it or after it.
func (p *Places) Close() error {
	var all []error
	for _, b := range p.bases {
		all = append(all, b.reader.Close())
	}
	return errors.Join(all...)
}

// Databases lists what is open: the files in the order given, then the embedded data.
func (p *Places) Databases() []Database {
	list := make([]Database, len(p.bases))
	for i, b := range p.bases {
		list[i] = b.about
	}
	return list
}

// DecodeErrors counts the records that could not be read. Such a record is no opinion, and nothing else stops.
func (p *Places) DecodeErrors() uint64 {
	var n uint64
	for _, b := range p.bases {
		n += b.broken.Load()
	}
	return n
}

// Locate asks every database that covers the address family and returns what they say, in the order of Databases. A
// database without a record for the address is left out, except an extract, which then says NotCovered. Addresses that
// no database can place (private, local, multicast, documentation) yield nothing.
func (p *Places) Locate(a netip.Addr) []Opinion {
	a = Plain(a)
	if !Routable(a) {
		return nil
	}
	list := make([]Opinion, 0, len(p.bases))
	for _, b := range p.bases {
		if o := b.locate(a); o != nil {
			list = append(list, *o)
		}
	}
	return list
}

// nat64 is the well-known prefix of RFC 6052 section 2.1: the last four bytes are the IPv4 address that is meant.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Plain returns the address that is meant: without zone, IPv4 where it is IPv4 inside IPv6 (mapped, or NAT64's).
func Plain(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() && nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// unrouted are the ranges beside those that net/netip knows which never are a place on the Internet: the special-purpose
// registries of RFC 6890, RFC 6598 (shared address space), RFC 7526 (anycast 6to4 relays, given up), and RFC 5737, RFC 3849
// and RFC 9637 (documentation).
var unrouted = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("3fff::/20"),
}

// allocated is all of IPv6 that is given out as global unicast (RFC 4291 section 2.4, IANA's registry).
var allocated = netip.MustParsePrefix("2000::/3")

// Routable reports whether the address can be anywhere on the Internet at all.
func Routable(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !allocated.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(unrouted, func(p netip.Prefix) bool { return p.Contains(a) })
}

// cacheSlots bounds the decoded records that are kept for each database: a newer record takes the slot of an older one
// whose offset falls together with its own. A power of two.
const cacheSlots = 1 << 12

// cached is one decoded record of the cache.
type cached struct {
	offset  uintptr
	opinion Opinion
}

// locate returns what the database says of a, nil where it says nothing. The result is shared: callers copy it. Where the
// file was cut short under its mapping, by a copy written over it, reading it faults: that is a record that cannot be read.
func (b *base) locate(a netip.Addr) (o *Opinion) {
	defer survive(debug.SetPanicOnFault(true), func() { b.broken.Add(1) })
	return b.look(a)
}

// survive is deferred where mapped memory is read: it calls failed after a fault, lets other panics pass, and sets the
// goroutine's panic on faults as it was.
func survive(was bool, failed func()) {
	debug.SetPanicOnFault(was)
	e := recover()
	if _, fault := e.(interface{ Addr() uintptr }); fault {
		failed()
	} else if e != nil {
		panic(e)
	}
}

func (b *base) look(a netip.Addr) *Opinion {
	if a.Is4() && !b.about.IPv4 || a.Is6() && !b.about.IPv6 {
		return nil
	}
	r := b.reader.Lookup(a)
	if r.Err() != nil {
		b.broken.Add(1)
		return nil
	}
	if !r.Found() {
		return b.absent
	}
	offset := r.Offset()
	slot := &b.cache[offset&(cacheSlots-1)]
	if c := slot.Load(); c != nil && c.offset == offset {
		return &c.opinion
	}
	c := &cached{offset: offset}
	if err := b.decode(r, &c.opinion); err != nil {
		b.broken.Add(1)
		return nil
	}
	slot.Store(c)
	return &c.opinion
}

// slots is the cache of a base, read and written without a lock.
type slots [cacheSlots]atomic.Pointer[cached]
