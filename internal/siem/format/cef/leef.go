package cef

import (
	"cmp"
	"strings"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
	"avbeacon/internal/siem/format"
)

// LEEF returns the format leef.
func LEEF() format.Format {
	return format.Format{Name: "leef", Text: true, Size: format.LineSize, Least: 2 << 10, Check: checkLEEF, Append: appendLEEF}
}

// checkLEEF allows delimiters that no name, address or key contains: the format cannot escape them.
func checkLEEF(k setting.Check, o *format.Options) {
	k.At("leef").WordOrNone(o.LEEF, "2.0", "1.0")
	switch {
	case o.Delimiter != "" && o.LEEF == "1.0":
		k.At("delimiter").Fail("leef 1.0 always uses a tab")
	case len(o.Delimiter) > 1 && o.Delimiter != "tab":
		k.At("delimiter").Fail("%q is neither one character nor tab", o.Delimiter)
	case len(o.Delimiter) == 1 && !strings.Contains("\t^|~!#$%&*;", o.Delimiter): // letters, digits, and what keys and addresses have
		k.At("delimiter").Fail("%q may occur in names and addresses: use tab, or one of ^|~!#$%%&*;", o.Delimiter)
	}
}

// leefDelimiter is the byte between attributes.
func leefDelimiter(o *format.Options) byte {
	switch {
	case o.LEEF == "1.0" || o.Delimiter == "tab":
		return '\t'
	case o.Delimiter == "":
		return '^'
	}
	return o.Delimiter[0]
}

// appendLEEF appends a line of IBM's Log Event Extended Format, 1.0 or 2.0 (QRadar DSM guide, "LEEF"): a header parted by
// "|", then key=value pairs. The format has no escapes: the delimiter becomes a space in values, "|" a slash in the header.
func appendLEEF(dst []byte, a *alert.Alert, o *format.Options, p format.Portion) []byte {
	version, delimiter := cmp.Or(o.LEEF, "2.0"), leefDelimiter(o)
	dst = append(append(append(dst, "LEEF:"...), version...), "|Avbeacon|avbeacon|"...)
	dst = leefHeader(dst, cmp.Or(a.Version, "unknown"), 31)
	dst = append(leefHeader(append(dst, '|'), format.Code(a.Event), 255), '|')
	if version != "1.0" {
		dst = append(leefDelimiterName(dst, delimiter), '|')
	}
	c := &pairs{dst: dst, start: len(dst), text: p.Text, between: delimiter}
	leefKnown(c, a, o)
	leefOurs(c, a, p)
	if c.cut || p.Less {
		c.add("truncated", "1", 1)
	}
	return c.dst
}

func leefHeader(dst []byte, s string, size int) []byte {
	dst, _ = format.AppendClean(dst, strings.ReplaceAll(s, "|", "/"), size)
	return dst
}

// leefDelimiterName names the delimiter: a punctuation mark is written as itself, a tab and the "|" that ends the field are in hexadecimal.
func leefDelimiterName(dst []byte, c byte) []byte {
	switch c {
	case '\t':
		return append(dst, "x09"...)
	case '|':
		return append(dst, "x7C"...)
	}
	return append(dst, c)
}

// leefKnown writes the attributes whose keys QRadar knows. A time of 13 digits needs no devTimeFormat.
func leefKnown(c *pairs, a *alert.Alert, o *format.Options) {
	to := format.First(a)
	c.add("cat", "avbeacon", 64)
	c.milli("devTime", format.Moment(a))
	c.number("sev", [...]uint64{1, 3, 5, 8, 10}[format.Level(a)])
	if ip := format.Address(a.Host.Address); ip.IsValid() {
		c.exact("src", ip.String())
	}
	c.exact("srcMAC", format.Hardware(a.Host.MAC))
	c.add("identHostName", a.Host.Name, 255)
	if ip := format.Address(to.Address); ip.IsValid() {
		c.exact("dst", ip.String())
	}
	c.number("dstPort", uint64(to.Port))
	c.add("proto", strings.ToUpper(to.Transport), 31)
	c.add("policy", a.Policy, 255)
	c.add("sensor", format.Sensor(a, o), 255)
}

// leefOurs writes our own attributes; none has the name of a predefined one.
func leefOurs(c *pairs, a *alert.Alert, p format.Portion) {
	to := format.First(a)
	c.exact("alertId", a.ID)
	c.exact("findingId", a.Finding)
	c.add("event", string(a.Event), 64)
	c.exact("title", format.Title(a.Event))
	c.add("severityName", a.Severity.String(), 16)
	c.add("alertState", string(a.State), 64)
	c.add("findingState", a.FindingState, 64)
	c.add("ruleName", a.Rule, 255)
	c.add("vendor", a.Vendor.Name, 128)
	c.add("vendorKey", a.Vendor.Key, 64)
	c.add("vendorCountry", a.Vendor.Country, 64)
	c.add("productName", format.ProductText(a.Vendor), 255)
	c.add("verdict", a.Verdict, 64)
	c.add("hostRole", a.HostRole, 64)
	c.add("dhost", format.FirstName(to), 255)
	c.add("asn", format.Decimal(uint64(to.ASN)), 20)
	c.add("owner", to.Owner, 255)
	c.add("place", format.PlaceText(to), 1023)
	c.add("country", to.Country, 8)
	c.number("count", a.Seen)
	c.number("findings", uint64(max(a.Count, 0)))
	c.milli("firstSeen", a.First)
	c.milli("lastSeen", a.Last)
	c.milli("created", a.Made)
	c.join("beacon", "", format.BeaconTexts(a, p), 4000)
	c.join("evidence", "", format.EvidenceTexts(a, p), 4000)
	c.join("hosts", "", format.Hosts(a, p), 4000)
	c.add("why", a.Why, 1023)
	c.add("note", a.Note, 1023)
	c.add("message", a.Message, 1023)
}
