package classify

import (
	"net/netip"

	"avbeacon/capture"
)

// shared is the range of carrier-grade NAT (RFC 6598).
var shared = netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)

// DefaultHome lists the ranges that are the site's own where Options.Home names none: private (RFC 1918, RFC 4193),
// link-local, loopback and carrier-grade NAT's.
func DefaultHome() []netip.Prefix {
	var list []netip.Prefix
	for _, p := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "169.254.0.0/16", "fe80::/10", "127.0.0.0/8", "::1/128"} {
		list = append(list, netip.MustParsePrefix(p))
	}
	return append(list, shared)
}

// home says whether an address is the site's own.
func (c *Classifier) home(a netip.Addr) bool {
	if c.opt.Home == nil {
		return a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() || shared.Contains(a)
	}
	for _, p := range c.opt.Home {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// sides gives client and server of an Observation.
func sides(obs *capture.Observation) (client, server netip.AddrPort) {
	if obs.FromClient || obs.Kind == capture.Contact {
		return obs.Src, obs.Dst
	}
	return obs.Dst, obs.Src
}

// subject gives the host that an Observation says something about: the private or configured side where only the client
// is, else the side that opened the flow. It is nil where a stranger calls in, and where there is no usable address.
func (c *Classifier) subject(obs *capture.Observation) *host {
	client, server := sides(obs)
	a := client.Addr()
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
		return nil
	}
	if !c.home(a) && c.home(server.Addr()) {
		return nil
	}
	if obs.Marks&capture.ForClient != 0 {
		if h := c.clientOf(obs); h != nil {
			return h
		}
	}
	h := c.hosts.get(a, obs)
	h.see(obs, a)
	return h
}

// called gives the host on the server's side, nil where it is of no interest: the site's own, and those outside that
// have opened flows before.
func (c *Classifier) called(server netip.Addr, obs *capture.Observation) *host {
	if !server.IsValid() || server.IsMulticast() || server.IsUnspecified() {
		return nil
	}
	if c.home(server) {
		return c.hosts.get(server, nil)
	}
	if c.hosts.byAddr.stranger(server) {
		return nil
	}
	return c.hosts.find(server)
}
