package siem

import (
	"strings"

	"avbeacon/internal/alert"
)

// appendLEEF appends a line of IBM's Log Event Extended Format, 1.0 or 2.0 (QRadar DSM guide, "LEEF"): a header parted by
// "|", then key=value pairs. The format has no escapes: the delimiter becomes a space in values, "|" a slash in the header.
func appendLEEF(dst []byte, a *alert.Alert, o *EncodeOptions, p portion) []byte {
	delimiter := o.LEEFDelimiter
	if o.LEEFVersion == "1.0" {
		delimiter = '\t'
	}
	dst = append(append(append(dst, "LEEF:"...), o.LEEFVersion...), "|Avbeacon|avbeacon|"...)
	dst = leefHeader(dst, or(a.Version, "unknown"), 31)
	dst = append(leefHeader(append(dst, '|'), class(a.Event), 255), '|')
	if o.LEEFVersion != "1.0" {
		dst = append(leefDelimiter(dst, delimiter), '|')
	}
	c := &pairs{dst: dst, start: len(dst), text: p.text, between: delimiter}
	leefKnown(c, a, o)
	leefOurs(c, a, p)
	if c.cut || p.less {
		c.add("truncated", "1", 1)
	}
	return c.dst
}

func leefHeader(dst []byte, s string, size int) []byte {
	dst, _ = appendClean(dst, strings.ReplaceAll(s, "|", "/"), size)
	return dst
}

// leefDelimiter names the delimiter: a mark stands for itself, a tab and the "|" that ends the field are in hexadecimal.
func leefDelimiter(dst []byte, c byte) []byte {
	switch c {
	case '\t':
		return append(dst, "x09"...)
	case '|':
		return append(dst, "x7C"...)
	}
	return append(dst, c)
}

// leefKnown writes the attributes whose keys QRadar knows. A time of 13 digits needs no devTimeFormat.
func leefKnown(c *pairs, a *alert.Alert, o *EncodeOptions) {
	to := first(a)
	c.add("cat", "avbeacon", 64)
	c.milli("devTime", moment(a))
	c.number("sev", uint64(gradeOf(a).leef))
	if ip := address(a.Host.Address); ip.IsValid() {
		c.exact("src", ip.String())
	}
	c.exact("srcMAC", hardware(a.Host.MAC))
	c.add("identHostName", a.Host.Name, 255)
	if ip := address(to.Address); ip.IsValid() {
		c.exact("dst", ip.String())
	}
	c.number("dstPort", uint64(to.Port))
	c.add("proto", strings.ToUpper(to.Transport), 31)
	c.add("policy", a.Policy, 255)
	c.add("sensor", sensor(a, o), 255)
}

// leefOurs writes our own attributes; none has the name of a predefined one.
func leefOurs(c *pairs, a *alert.Alert, p portion) {
	to := first(a)
	c.exact("alertId", a.ID)
	c.exact("findingId", a.Finding)
	c.add("event", string(a.Event), 64)
	c.exact("title", kindOf(a.Event).title)
	c.add("severityName", a.Severity.String(), 16)
	c.add("alertState", string(a.State), 64)
	c.add("findingState", a.FindingState, 64)
	c.add("ruleName", a.Rule, 255)
	c.add("vendor", a.Vendor.Name, 128)
	c.add("vendorKey", a.Vendor.Key, 64)
	c.add("vendorCountry", a.Vendor.Country, 64)
	c.add("productName", productText(a.Vendor), 255)
	c.add("verdict", a.Verdict, 64)
	c.add("hostRole", a.HostRole, 64)
	c.add("dhost", firstName(to), 255)
	c.add("asn", decimal(uint64(to.ASN)), 20)
	c.add("owner", to.Owner, 255)
	c.add("place", placeText(to), 1023)
	c.add("country", to.Country, 8)
	c.number("count", a.Seen)
	c.number("findings", uint64(max(a.Count, 0)))
	c.milli("firstSeen", a.First)
	c.milli("lastSeen", a.Last)
	c.milli("created", a.Made)
	c.join("beacon", "", beaconTexts(a, p), 4000)
	c.join("evidence", "", evidenceTexts(a, p), 4000)
	c.join("hosts", "", hosts(a, p), 4000)
	c.add("why", a.Why, 1023)
	c.add("note", a.Note, 1023)
	c.add("message", a.Message, 1023)
}
