package feeds

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
)

// Catalog is what is known about vendors: an immutable snapshot, safe for concurrent use.
type Catalog struct {
	vendors  []*Vendor
	entries  []*Entry
	date     string
	sum      func() string
	names    nameTable
	networks networkTable
	ports    []*Entry
	tcpPorts portSet
	udpPorts portSet
	signs    [SignalResolver + 1][]*Entry // by Signal: those that are matched as expressions
	headers  map[string][]*Entry          // by lower-case name
	tools    []tool
	browsers []tool
}

// build joins files without errors into a catalogue.
func build(files []catalogFile) *Catalog {
	c := &Catalog{headers: map[string][]*Entry{}}
	for _, f := range files {
		if f.vendor != nil {
			c.vendors = append(c.vendors, f.vendor)
		}
		c.tools = append(c.tools, f.tools...)
		c.browsers = append(c.browsers, f.browsers...)
		for _, l := range f.entries {
			e := l.Entry
			c.add(&e)
		}
	}
	slices.SortFunc(c.vendors, func(a, b *Vendor) int { return cmp.Compare(a.Key, b.Key) })
	c.finish()
	c.sum = sync.OnceValue(c.digest)
	return c
}

// finish builds the tables that need all entries.
func (c *Catalog) finish() {
	c.names.finish()
	c.networks.finish()
}

// add puts an entry into the table of its kind.
func (c *Catalog) add(e *Entry) {
	c.entries = append(c.entries, e)
	c.date = max(c.date, e.Date)
	switch e.Signal {
	case SignalName:
		c.names.add(e)
	case SignalASN, SignalAddress, SignalResolver:
		c.networks.add(e)
	case SignalPort, SignalLANPort:
		c.ports = append(c.ports, e)
		if e.TCP {
			c.tcpPorts.add(e)
		}
		if e.UDP {
			c.udpPorts.add(e)
		}
	case SignalHeader:
		key := strings.ToLower(e.Pattern)
		c.headers[key] = append(c.headers[key], e)
	default:
		c.signs[e.Signal] = append(c.signs[e.Signal], e)
	}
}

// Date returns the newest date of an entry, YYYY-MM-DD, "" where there is no entry.
func (c *Catalog) Date() string { return c.date }

// SHA256 returns the digest in hex of the catalogue's content. It does not depend on order and layout of the files.
func (c *Catalog) SHA256() string { return c.sum() }

// Len returns the number of entries.
func (c *Catalog) Len() int { return len(c.entries) }

// Vendors returns the vendors by key. The slice is the caller's, the vendors are shared.
func (c *Catalog) Vendors() []*Vendor { return slices.Clone(c.vendors) }

// Vendor returns the vendor of a key, nil if there is none.
func (c *Catalog) Vendor(key string) *Vendor {
	i, ok := slices.BinarySearchFunc(c.vendors, key, func(v *Vendor, k string) int { return cmp.Compare(v.Key, k) })
	if !ok {
		return nil
	}
	return c.vendors[i]
}

// Entries returns every entry in the order of the files and their lines.
func (c *Catalog) Entries() iter.Seq[*Entry] { return slices.Values(c.entries) }

// digest hashes one line for each entry, vendor and tool, sorted.
func (c *Catalog) digest() string {
	lines := make([]string, 0, len(c.entries)+len(c.vendors)+len(c.tools)+len(c.browsers))
	for _, v := range c.vendors {
		lines = append(lines, fmt.Sprintf("vendor\t%q\t%q\t%q\t%q\t%q\t%v", v.Key, v.Name, v.Country, v.Group, v.Note, v.Fallback))
	}
	for _, e := range c.entries {
		lines = append(lines, e.line())
	}
	for i, t := range c.tools { // the first that matches decides
		lines = append(lines, fmt.Sprintf("tool\t%d\t%q\t%q", i, t.Name, t.Pattern))
	}
	for i, t := range c.browsers {
		lines = append(lines, fmt.Sprintf("browser\t%d\t%q\t%q", i, t.Name, t.Pattern))
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, l := range lines {
		fmt.Fprintln(h, l)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// line returns everything that an entry says, except its place in a file.
func (e *Entry) line() string {
	vendor := ""
	if e.Vendor != nil {
		vendor = e.Vendor.Key
	}
	return fmt.Sprintf("entry\t%q\t%q\t%v\t%v\t%q\t%v\t%v\t%q\t%q\t%v\t%v\t%q\t%q\t%q\t%q\t%q\t%v\t%q\t%q\t%q\t%v\t%q\t%d\t%q\t%v\t%v\t%v",
		vendor, e.Mark, e.Signal, e.Match, e.Pattern, e.Role, e.Strength, e.Product, e.OEM, e.Builtin, e.Pool, e.Mask,
		e.Source, e.Date, e.Note, e.Licence, e.Confidence, e.Country, e.Wire, e.Sample, e.Need, e.Hosts, e.ASN, e.Owner,
		e.Prefixes, e.TXT, e.Installation)
}
