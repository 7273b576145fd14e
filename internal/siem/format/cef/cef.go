// Package cef writes alerts as lines of key=value pairs: ArcSight's CEF and IBM's LEEF, which differ in header and escapes.
package cef

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
)

// CEF returns the format cef.
func CEF() format.Format {
	return format.Format{Name: "cef", Text: true, Size: format.LineSize, Least: 2 << 10, Append: appendCEF}
}

// appendCEF appends a line of ArcSight's Common Event Format, version 0 ("Implementing ArcSight CEF", revision 25): a
// header of seven fields parted by "|", then key=value pairs.
func appendCEF(dst []byte, a *alert.Alert, o *format.Options, p format.Portion) []byte {
	dst = append(dst, "CEF:0|Avbeacon|avbeacon"...)
	for _, field := range []struct {
		text string
		size int
	}{{cmp.Or(a.Version, "unknown"), 31}, {format.Code(a.Event), 1023}, {format.Title(a.Event), 512}} {
		dst = cefHeader(append(dst, '|'), field.text, field.size)
	}
	dst = append(strconv.AppendInt(append(dst, '|'), [...]int64{1, 3, 6, 8, 10}[format.Level(a)], 10), '|')
	c := &pairs{dst: dst, start: len(dst), text: p.Text, between: ' ', special: `\=`}
	cefWhen(c, a)
	cefWho(c, a, o)
	cefWhere(c, a)
	cefWhat(c, a, p)
	c.add("reason", a.Why, 1023)
	c.add("msg", a.Message, 1023)
	if c.cut || p.Less {
		c.labelled("cn3", "truncated", "1", 8)
	}
	return c.dst
}

// cefHeader appends a field of the header. There is no "|" in it that had to be escaped: readers disagree on the escape.
func cefHeader(dst []byte, s string, size int) []byte {
	start := len(dst)
	dst, _ = format.AppendClean(dst, strings.ReplaceAll(s, "|", "/"), size)
	return format.Escaped(dst, start, `\`)
}

// cefWhen writes times and identifiers. CEF has no key for when an alert was made, so it takes a custom date with a label.
func cefWhen(c *pairs, a *alert.Alert) {
	c.milli("rt", format.Moment(a))
	c.milli("start", a.First)
	c.milli("end", a.Last)
	if format.Known(a.Made) {
		c.exact("deviceCustomDate1Label", "created")
		c.milli("deviceCustomDate1", a.Made)
	}
	c.exact("externalId", a.ID)
	c.number("cnt", a.Seen)
	c.add("cat", "avbeacon", 1023)
	c.add("act", string(a.Event), 63)
}

// cefWho writes the sensor and the host: src is always the machine inside, whoever sent the packet.
func cefWho(c *pairs, a *alert.Alert, o *format.Options) {
	c.add("dvchost", format.Sensor(a, o), 100)
	c.add("deviceExternalId", a.Sensor, 255)
	cefAddress(c, "src", "c6a2", "Source IPv6 Address", a.Host.Address)
	c.exact("smac", format.Hardware(a.Host.MAC))
	c.add("shost", a.Host.Name, 1023)
}

// cefWhere writes the first destination, which represents all. deviceDirection 1 is outbound.
func cefWhere(c *pairs, a *alert.Alert) {
	to := format.First(a)
	if len(a.Destinations) > 0 {
		c.add("deviceDirection", "1", 1)
	}
	cefAddress(c, "dst", "c6a3", "Destination IPv6 Address", to.Address)
	c.number("dpt", uint64(to.Port))
	c.add("dhost", format.FirstName(to), 1023)
	c.add("proto", strings.ToUpper(to.Transport), 31)
	c.labelled("cs4", "place", format.PlaceText(to), 4000)
	c.labelled("cn1", "dstAsn", format.Decimal(uint64(to.ASN)), 20)
	c.add("avbDstCountry", to.Country, 8)
	c.add("avbDstOwner", to.Owner, 255)
}

// cefAddress writes an IPv4 address under the one key, an IPv6 address under the other, which has a label.
func cefAddress(c *pairs, v4, v6, label string, a netip.Addr) {
	switch a = format.Address(a); {
	case a.Is4():
		c.exact(v4, a.String())
	case a.Is6():
		c.exact(v6+"Label", label)
		c.exact(v6, a.String())
	}
}

// cefWhat writes the finding. CEF has six custom strings and two flex strings; what is left over has keys of our own, from avb on.
func cefWhat(c *pairs, a *alert.Alert, p format.Portion) {
	c.labelled("cs1", "vendor", a.Vendor.Name, 4000)
	c.labelled("cs2", "product", format.ProductText(a.Vendor), 4000)
	c.labelled("cs3", "verdict", a.Verdict, 4000)
	c.join("cs5", "evidence", format.EvidenceTexts(a, p), 4000)
	c.labelled("cs6", "rule", a.Rule, 4000)
	if a.Finding != "" {
		c.exact("flexString1Label", "finding")
		c.exact("flexString1", a.Finding)
	}
	c.labelled("flexString2", "hostRole", a.HostRole, 1023)
	c.labelled("cn2", "findings", format.Decimal(uint64(max(a.Count, 0))), 20)
	c.add("avbVendorKey", a.Vendor.Key, 64)
	c.add("avbVendorCountry", a.Vendor.Country, 64)
	c.add("avbPolicy", a.Policy, 255)
	c.add("avbState", string(a.State), 64)
	c.add("avbFindingState", a.FindingState, 64)
	c.join("avbBeacon", "", format.BeaconTexts(a, p), 4000)
	c.join("avbHosts", "", format.Hosts(a, p), 4000)
	c.add("avbNote", a.Note, 1023)
}

// pairs appends key=value pairs. An empty value is left out with its key.
type pairs struct {
	dst     []byte
	start   int    // of the first pair in dst
	text    int    // bytes of a value at most
	between byte   // pairs
	special string // bytes of a value that get a backslash; "": there are no escapes, between is replaced by a space
	cut     bool
}

// add writes a value of at most size bytes, without blanks at its ends.
func (c *pairs) add(key, value string, size int) { c.write(key, value, min(size, c.text)) }

// exact writes an identifier or address, which is never shortened to make a record smaller.
func (c *pairs) exact(key, value string) { c.write(key, value, format.MostID) }

func (c *pairs) write(key, value string, size int) {
	if c.special == "" {
		value = strings.ReplaceAll(value, string(c.between), " ")
	}
	if value = strings.Trim(value, " "); value == "" {
		return
	}
	if len(c.dst) > c.start {
		c.dst = append(c.dst, c.between)
	}
	c.dst = append(append(c.dst, key...), '=')
	start := len(c.dst)
	var cut bool
	c.dst, cut = format.AppendClean(c.dst, value, size)
	c.cut = c.cut || cut
	c.dst = format.Escaped(c.dst, start, c.special)
}

// labelled writes a value whose key says nothing: the key with Label behind it says what it is.
func (c *pairs) labelled(key, label, value string, size int) {
	if strings.Trim(value, " ") != "" {
		c.exact(key+"Label", label)
		c.add(key, value, size)
	}
}

// join writes texts as one value, as many as size bytes hold. label is "" for a key that says what it is.
func (c *pairs) join(key, label string, list []string, size int) {
	text, all := format.Joined(list, size)
	c.cut = c.cut || !all
	if label != "" && text != "" {
		c.exact(key+"Label", label)
	}
	c.write(key, text, size)
}

// number writes a number that is not 0.
func (c *pairs) number(key string, n uint64) { c.exact(key, format.Decimal(n)) }

// milli writes a time that is known in milliseconds since 1970.
func (c *pairs) milli(key string, t time.Time) {
	if format.Known(t) {
		c.exact(key, strconv.FormatInt(t.UnixMilli(), 10))
	}
}
