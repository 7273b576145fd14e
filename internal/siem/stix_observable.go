package siem

import (
	"crypto/sha1" // UUID version 5 is made of it (RFC 9562 5.5); nothing depends on its strength
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"avbeacon/internal/alert"
)

// Name spaces of UUIDs: that of STIX 2.1 (2.9) for cyber observables, whose ids every producer makes in the same way, and
// our own for the rest.
const (
	stixSpace = "00abedb4aa42466c9c01fed23315a9b7"
	ourSpace  = "6d6f3c0e2f0b5b0c9a3e5e1b7c1f4a52"
)

// uuid5 is the UUID version 5 of a name (RFC 9562 5.5). space is in hexadecimal without hyphens.
func uuid5(space, name string) string {
	raw, err := hex.DecodeString(space)
	if err != nil {
		panic("siem: name space " + space + " is not hexadecimal") // it is a constant of this file
	}
	sum := sha1.Sum(append(raw, name...))
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func ourID(kind, name string) string { return uuid5(ourSpace, kind+"\n"+name) }

// observableID is the id of a cyber observable by the properties that identify it, as canonical JSON (RFC 8785).
func observableID(kind, properties string) string {
	return kind + "--" + uuid5(stixSpace, properties)
}

// canonical is a clean text as RFC 8785 writes it.
func canonical(s string) string {
	return `"` + string(escaped([]byte(s), 0, `"\`)) + `"`
}

// whole writes a text however small the record is to be: a pattern that is cut would be another one.
func (d *document) whole(name, s string) {
	text := d.text
	d.text = mostText
	d.short(name, s, mostText)
	d.text = text
}

// stixPattern is what an indicator looks for, and the name or address in words: the first name, else the address.
func stixPattern(to alert.Destination) (pattern, name string) {
	if name = hostName(firstName(to)); name != "" {
		return "[domain-name:value = '" + string(escaped([]byte(name), 0, `'\`)) + "']", name
	}
	ip := address(to.Address)
	if !ip.IsValid() {
		return "", ""
	}
	return "[" + family(ip) + "-addr:value = '" + ip.String() + "']", ip.String()
}

// hostName is a name as it stands in an observable: clean, and at most 255 bytes.
func hostName(s string) string { return clean(s, 255) }

// observables writes addresses, names and connections, and gives their ids.
func (b *bundle) observables(a *alert.Alert, p portion) []string {
	var seen set
	host := b.address(a.Host.Address)
	seen.add(host)
	seen.add(b.value("mac-addr", hardware(a.Host.MAC)))
	for i := range a.Destinations[:p.destinations] {
		to := &a.Destinations[i]
		ip, name := b.address(to.Address), b.value("domain-name", hostName(firstName(*to)))
		seen.add(b.traffic(host, or(ip, name), to), ip, name)
	}
	for _, h := range hosts(a, p) {
		if ip, ok := parseAddress(h); ok {
			seen.add(b.address(ip))
		}
	}
	return seen.list
}

// address writes an address as an observable.
func (b *bundle) address(a netip.Addr) string {
	if a = address(a); !a.IsValid() {
		return ""
	}
	return b.value(family(a)+"-addr", a.String())
}

// value writes an observable that is one value, and gives its id; "" for no value.
func (b *bundle) value(kind, s string) string {
	if s == "" {
		return ""
	}
	id := observableID(kind, `{"value":`+canonical(s)+`}`)
	if b.begin(kind, id) {
		b.whole("value", s)
		b.end()
	}
	return id
}

// traffic writes a connection between two observables.
func (b *bundle) traffic(from, to string, d *alert.Destination) string {
	if from == "" && to == "" {
		return ""
	}
	protocols := stixProtocols(d)
	id := observableID("network-traffic", trafficProperties(from, to, d.Port, protocols))
	if b.begin("network-traffic", id) {
		b.word("src_ref", from)
		b.word("dst_ref", to)
		b.integer("dst_port", int64(d.Port))
		b.refs("protocols", protocols)
		b.end()
	}
	return id
}

// trafficProperties are the identifying properties of a connection, sorted by name as RFC 8785 asks.
func trafficProperties(from, to string, port uint16, protocols []string) string {
	var members []string
	if port != 0 {
		members = append(members, `"dst_port":`+strconv.Itoa(int(port)))
	}
	if to != "" {
		members = append(members, `"dst_ref":"`+to+`"`)
	}
	members = append(members, `"protocols":["`+strings.Join(protocols, `","`)+`"]`)
	if from != "" {
		members = append(members, `"src_ref":"`+from+`"`)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// stixProtocols are the layers of a connection that are known, outermost first. STIX asks for at least one.
func stixProtocols(d *alert.Destination) []string {
	layers := []string{or(family(d.Address), "ipv4")}
	if protocolNumber(d.Transport) != 0 {
		layers = append(layers, d.Transport)
	}
	return layers
}
