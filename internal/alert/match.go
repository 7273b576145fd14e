package alert

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// hostMatcher matches hosts by address, network, MAC or name.
type hostMatcher struct {
	addresses map[netip.Addr]bool
	networks  []netip.Prefix
	macs      map[string]bool
	names     map[string]bool
}

func newHostMatcher(list []string) (hostMatcher, error) {
	m := hostMatcher{addresses: map[netip.Addr]bool{}, macs: map[string]bool{}, names: map[string]bool{}}
	for i, word := range list {
		if err := m.add(word); err != nil {
			return m, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return m, nil
}

func (m *hostMatcher) add(word string) error {
	if a, err := netip.ParseAddr(word); err == nil && a.Zone() == "" {
		m.addresses[a.Unmap()] = true
		return nil
	}
	if p, err := netip.ParsePrefix(word); err == nil {
		if p.Addr().Is4In6() {
			return fmt.Errorf("%q is an IPv4 network in IPv6 form; write it as 10.0.0.0/8", word)
		}
		m.networks = append(m.networks, p.Masked())
		return nil
	}
	if a, err := net.ParseMAC(word); err == nil && len(a) == 6 {
		m.macs[a.String()] = true
		return nil
	}
	name := hostName(word)
	if !plausible(name) {
		return fmt.Errorf("%q is not an address, network, MAC or host name; write one, such as 10.0.0.5, 10.0.0.0/8, 02:00:5e:10:00:2a or pc17", word)
	}
	m.names[name] = true
	return nil
}

// hostName returns the form in which host names are compared.
func hostName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// plausible rejects mistyped addresses and networks: a host name has none of their characters, and if it has dots its last
// label is not a number.
func plausible(name string) bool {
	if name == "" || len(name) > 253 || strings.ContainsAny(name, " \t/*@:%,;\"'") {
		return false
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	return !strings.Contains(name, ".") || strings.Trim(last, "0123456789") != ""
}

func (m *hostMatcher) empty() bool {
	return len(m.addresses)+len(m.networks)+len(m.macs)+len(m.names) == 0
}

// matches says whether the list has the host, by its latest address, MAC or name.
func (m *hostMatcher) matches(h *Host) bool {
	a := h.Address.Unmap().WithZone("")
	if m.addresses[a] || h.MAC != "" && m.macs[h.MAC] {
		return true
	}
	for _, p := range m.networks {
		if p.Contains(a) {
			return true
		}
	}
	return h.Name != "" && len(m.names) > 0 && m.names[hostName(h.Name)]
}

// domain matches itself and all names below it. It is in lower case without a trailing dot; "" is the root, above every name.
type domain string

func newDomain(word string) (domain, error) {
	if word == "." {
		return "", nil
	}
	name := strings.ToLower(strings.TrimSuffix(word, "."))
	switch {
	case strings.HasPrefix(name, "*."):
		return "", fmt.Errorf("%q: write %s, which includes all names below it", word, name[2:])
	case name == "":
		return "", errors.New(`empty domain; write "." for every name`)
	case len(name) > 253 || strings.ContainsAny(name, " \t/*@:"):
		return "", fmt.Errorf("%q is not a domain; write example.com for it and all names below it", word)
	case strings.HasPrefix(name, ".") || strings.Contains(name, "..") || strings.HasSuffix(name, "."):
		return "", fmt.Errorf("%q has an empty label; write example.com", word)
	}
	return domain(name), nil
}

// holds says whether a name from a finding is the domain or below it. A dot after an odd number of backslashes is escaped: it
// is part of a label.
func (d domain) holds(name string) bool {
	if d == "" {
		return true
	}
	cut := len(name) - len(d)
	if cut < 0 || !strings.EqualFold(name[cut:], string(d)) {
		return false
	}
	if cut == 0 {
		return true
	}
	if name[cut-1] != '.' {
		return false
	}
	before := strings.TrimRight(name[:cut-1], `\`)
	return (cut-1-len(before))%2 == 0
}
