package feeds

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// networkTable finds addresses by their longest prefix.
type networkTable struct {
	lists    map[netip.Prefix][]*Entry
	table    bart.Table[network]
	interest bart.Lite // prefixes of vendors and of marked resolvers
}

// network is what is known about the addresses of one prefix, wider prefixes included.
type network struct {
	entries []*Entry // the longest prefix first
	as      *Entry   // the first of entries that is an autonomous system, or nil
}

func (t *networkTable) add(e *Entry) {
	if t.lists == nil {
		t.lists = map[netip.Prefix][]*Entry{}
	}
	for _, p := range e.Prefixes {
		t.lists[p] = append(t.lists[p], e)
		if e.Vendor != nil || e.Signal == SignalResolver {
			t.interest.Insert(p)
		}
	}
}

// finish adds to each prefix what the prefixes around it say, so that one lookup returns everything.
func (t *networkTable) finish() {
	var own bart.Table[[]*Entry]
	for p, list := range t.lists {
		own.Insert(p, list)
	}
	for p := range t.lists {
		var n network
		for _, list := range own.Supernets(p) { // itself first, then wider and wider
			n.entries = append(n.entries, list...)
		}
		if i := slices.IndexFunc(n.entries, func(e *Entry) bool { return e.Signal == SignalASN }); i >= 0 {
			n.as = n.entries[i]
		}
		t.table.Insert(p, n)
	}
	t.lists = nil
}

// Addr reports whether an address lies in a vendor's network or range, or is a marked resolver. It does not allocate.
func (c *Catalog) Addr(a netip.Addr) bool {
	return c.networks.interest.Contains(a.Unmap())
}

// MatchAddr returns the entries whose networks, ranges or resolvers hold an address, the longest prefix first. The result
// is shared and must not be changed.
func (c *Catalog) MatchAddr(a netip.Addr) []*Entry {
	n, _ := c.networks.table.Lookup(a.Unmap())
	return n.entries
}

// Network returns the autonomous system that holds an address, as far as the catalogue knows it, and its registrant.
func (c *Catalog) Network(a netip.Addr) (asn uint32, owner string, ok bool) {
	n, _ := c.networks.table.Lookup(a.Unmap())
	if n.as == nil {
		return 0, "", false
	}
	return n.as.ASN, n.as.Owner, true
}

// InNetwork reports whether an address lies in a network or range of one vendor.
func (c *Catalog) InNetwork(a netip.Addr, v *Vendor) bool {
	for _, e := range c.MatchAddr(a) {
		if v != nil && e.Vendor == v {
			return true
		}
	}
	return false
}
