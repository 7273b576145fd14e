package classify

import (
	"fmt"
	"slices"

	"avbeacon/feeds"
)

// What makes a resolver by sheer number: questions in one hour, and how many of them a flow. Where the capture holds
// hardly anything but DNS, missing flows say nothing, and the number must be that of a busy resolver.
const (
	manyAsked        = 100
	askedPerFlow     = 20
	manyAskedDNSOnly = 500
)

// roles gives what the host does, leading role first. It is empty where too little was seen.
func (c *Classifier) roles(h *host) []HostRole {
	d := &h.did
	var rs []HostRole
	add := func(is bool, r HostRole) {
		if is {
			rs = append(rs, r)
		}
	}
	add(c.resolver(d), HostResolver)
	add(d.proxied > 0 || d.via > 0 || d.relay.proxies(), HostProxy)
	add(c.manages(h), HostManagement)
	add(natted(d), HostNAT)
	add(d.accepted >= 3 && d.accepted >= 4*d.opened, HostServer)
	add(len(rs) == 0 && d.opened > 0, HostEndpoint)
	return rs
}

// manages says that the host took flows on two console ports of a vendor, on one from several machines, or on one while
// it calls that vendor itself.
func (c *Classifier) manages(h *host) bool {
	d := &h.did
	if d.consoles.n != 1 {
		return d.consoles.n > 0
	}
	return d.managed.n >= 2 || slices.ContainsFunc(h.tracks, func(t *track) bool { return t.vendor == d.console && t.calls() })
}

func (c *Classifier) resolver(d *habits) bool {
	if answers := d.answersGiven + d.answeredFlows; answers > 0 && (d.askers.n >= 2 || d.asked() > 0 || answers >= 3) || d.asksAsResolver() {
		return true
	}
	if (d.stream.even || d.flowStream.even) && d.asked() >= askedPerFlow*max(1, d.opened) {
		return true
	}
	if c.dnsAlone(d) {
		return d.mostAsked >= manyAskedDNSOnly
	}
	return d.mostAsked >= manyAsked && d.asked() >= askedPerFlow*max(1, d.opened)
}

// fewFlows is how many flows a capture has at most that holds DNS alone, but for strays.
const fewFlows = 5

// dnsAlone says that the capture holds hardly anything but DNS, by what the other hosts do: one that asks for all of them
// would tip the scales by itself.
func (c *Classifier) dnsAlone(d *habits) bool {
	all, own := max(c.traffic.lookups, c.traffic.flowLookups), uint64(d.asked())
	return c.traffic.flows < fewFlows || 10*c.traffic.flows < all-min(all, own)
}

// initialTTL gives the class of the value a packet started with: 32, 64, 128 or 255.
func initialTTL(ttl uint8) int {
	switch {
	case ttl <= 32:
		return 0
	case ttl <= 64:
		return 1
	case ttl <= 128:
		return 2
	}
	return 3
}

// behind estimates who stands behind a host of these roles; nil where it speaks for itself.
func behind(h *host, roles []HostRole) *Behind {
	if len(roles) == 0 {
		return nil
	}
	d := &h.did
	switch roles[0] {
	case HostResolver:
		return crowd(int(d.askers.n), "resolves names for other hosts", "queried it")
	case HostProxy:
		return crowd(int(d.clients.n), "is a proxy for other hosts", "used it")
	case HostManagement:
		return crowd(int(d.managed.n), "serves the vendor's product on the site", "connected to its console ports")
	case HostNAT:
		return behindNAT(d)
	}
	return nil
}

func crowd(n int, does, did string) *Behind {
	b := &Behind{Estimate: n, AtLeast: n, Words: does}
	switch {
	case n == len(smallSet{}.v):
		b.Words = fmt.Sprintf("%s; at least %d hosts %s", does, n, did)
	case n == 1:
		b.Words = fmt.Sprintf("%s; 1 host %s", does, did)
	case n > 1:
		b.Words = fmt.Sprintf("%s; %d hosts %s", does, n, did)
	}
	return b
}

// capsAt gives the verdict beyond which a host of this leading role cannot come.
func capsAt(r HostRole) Verdict {
	if r == HostResolver || r == HostProxy {
		return Possible
	}
	return Installed
}

// hasRole says whether a role counts as one of its own: what is unknown does not, and what a person does neither.
func hasRole(r feeds.Role) bool {
	return r != feeds.RoleUnknown && r != feeds.RoleWeb && r != feeds.RoleDownload
}
