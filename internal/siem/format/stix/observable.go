package stix

import (
	"cmp"
	"crypto/sha1" // UUID version 5 is made of it (RFC 9562 5.5); nothing depends on its strength
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
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
		panic("stix: name space " + space + " is not hexadecimal") // it is a constant of this file
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
	return `"` + string(format.Escaped([]byte(s), 0, `"\`)) + `"`
}

// stixPattern is what an indicator looks for, and the name or address in words: the first name, else the address.
func stixPattern(to alert.Destination) (pattern, name string) {
	if name = hostName(format.FirstName(to)); name != "" {
		return "[domain-name:value = '" + string(format.Escaped([]byte(name), 0, `'\`)) + "']", name
	}
	ip := format.Address(to.Address)
	if !ip.IsValid() {
		return "", ""
	}
	return "[" + format.Family(ip) + "-addr:value = '" + ip.String() + "']", ip.String()
}

// hostName is a name as an observable has it: clean, and at most 255 bytes.
func hostName(s string) string { return format.Clean(s, 255) }

// observables writes addresses, names and connections, and returns their ids.
func (b *bundle) observables(a *alert.Alert, p format.Portion) []string {
	var seen []string
	host := b.address(a.Host.Address)
	seen = format.AddOnce(seen, host)
	seen = format.AddOnce(seen, b.value("mac-addr", format.Hardware(a.Host.MAC)))
	for i := range a.Destinations[:p.Destinations] {
		to := &a.Destinations[i]
		ip, name := b.address(to.Address), b.value("domain-name", hostName(format.FirstName(*to)))
		seen = format.AddOnce(seen, b.traffic(host, cmp.Or(ip, name), to), ip, name)
	}
	for _, h := range format.Hosts(a, p) {
		if ip, ok := format.ParseAddress(h); ok {
			seen = format.AddOnce(seen, b.address(ip))
		}
	}
	return seen
}

// address writes an address as an observable.
func (b *bundle) address(a netip.Addr) string {
	if a = format.Address(a); !a.IsValid() {
		return ""
	}
	return b.value(format.Family(a)+"-addr", a.String())
}

// value writes an observable that is one value, and returns its id; "" for no value.
func (b *bundle) value(kind, s string) string {
	if s == "" {
		return ""
	}
	id := observableID(kind, `{"value":`+canonical(s)+`}`)
	if b.begin(kind, id) {
		b.Whole("value", s)
		b.End()
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
		b.Word("src_ref", from)
		b.Word("dst_ref", to)
		b.Integer("dst_port", int64(d.Port))
		b.Words("protocols", protocols...)
		b.End()
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
	layers := []string{cmp.Or(format.Family(d.Address), "ipv4")}
	if format.ProtocolNumber(d.Transport) != 0 {
		layers = append(layers, d.Transport)
	}
	return layers
}
