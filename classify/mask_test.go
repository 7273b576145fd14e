package classify

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"
	"avbeacon/feeds"

	"github.com/stretchr/testify/require"
)

// bearing returns values with an identifier in them for the masks whose sample has none.
var bearing = map[string]string{
	`^(AVGINET|AVGDM|AVGSETUP)`:                    "AVGINET9-WVSXX86 90 BUILD=707 LIC=9I-ASXNN-X4WGW",
	`(^|&)act-(pid|pv|pcid|lic-[a-z]+|local|ksn)=`: "act-pid=kis&act-pcid=FEEDFACE01",
	`^\*[A-Za-z0-9+/]{60,}={0,2}$`:                 "*" + strings.Repeat("QUJD", 20) + "==",
	`^\{[0-9A-Fa-f-]{36}\}$`:                       "{01234567-89AB-CDEF-0123-456789ABCDEF}",
	`^/R/[A-Za-z0-9_=-]{20,}$`:                     "/R/TENANTtenantTENANTtenant",
	`^E[A-Z]{2,5} Update \(Windows`:                "ESS Update (Windows; U; 32bit; VDB 15881; APP eea; HWF: 01AB-23CD)",
	`^AntiVir-NGUpd/`:                              "AntiVir-NGUpd/10.0.0.37 (PERS; WKS; 0123456789abcdef0123456789abcdef01234567)",
}

// identified returns a value that the entry matches, and the identifiers in it.
func identified(t *testing.T, e *feeds.Entry) (value string, ids []string) {
	value = e.Sample
	switch {
	case bearing[e.Pattern] != "":
		value = bearing[e.Pattern]
	case e.Signal == feeds.SignalHeader:
		value = "SECRET-0123456789"
	case e.Signal == feeds.SignalName && e.Match == feeds.Suffix:
		value = "acmetenant9." + e.Pattern
	case value == "":
		value = e.Pattern
	}
	e.Hide(value, func(id string) string {
		ids = append(ids, id)
		return "-"
	})
	require.NotEmpty(t, ids, "no identifier in %q for %s %s", value, e.Vendor.Key, e.Pattern)
	return value, ids
}

// everyWay shows a value of an entry in each way that the wire has.
func everyWay(c *Classifier, e *feeds.Entry, value string) {
	host := ""
	if len(e.Hosts) > 0 {
		host = e.Hosts[0]
	}
	at := day
	add := func(change func(o *capture.Observation)) {
		at = at.Add(time.Hour)
		o := helloTo(host, at, int(at.Sub(day)/time.Hour))
		o.Kind, o.Proto, o.Hello = capture.Request, capture.HTTP, nil
		o.Req = &wire.Request{Method: "GET", URI: "/", Host: host}
		change(o)
		c.Observe(o)
	}
	switch e.Signal {
	case feeds.SignalUserAgent:
		add(func(o *capture.Observation) { o.Req.UserAgent = value })
		add(func(o *capture.Observation) { o.Req.UserAgent, o.Marks = value, capture.BareAddress })
	case feeds.SignalQuery:
		add(func(o *capture.Observation) { o.Req.URI = "/?" + value })
	case feeds.SignalPath:
		add(func(o *capture.Observation) { o.Req.URI = value })
	case feeds.SignalHeader:
		add(func(o *capture.Observation) { o.Req.Headers = []wire.Header{{Name: e.Pattern, Value: value}} })
	case feeds.SignalName:
		add(func(o *capture.Observation) { o.Name, o.Req.Host = value, value })
		add(func(o *capture.Observation) {
			o.Name, o.Req.Method, o.Req.URI, o.Marks = value, "CONNECT", value+":443", capture.ConnectProxy
		})
		add(func(o *capture.Observation) { o.Kind, o.Proto, o.Name, o.Req = capture.Hello, capture.TLS, value, nil })
		add(func(o *capture.Observation) { // a server's certificate, sent without a server name
			o.Kind, o.Proto, o.Name, o.Req, o.FromClient, o.Src, o.Dst = capture.Cert, capture.TLS, value, nil, false, o.Dst, o.Src
			o.Cert = &wire.Certificate{SubjectCN: value, SAN: []string{value}}
		})
		for _, qtype := range []string{"A", "MX"} {
			add(func(o *capture.Observation) {
				o.Kind, o.Proto, o.Name, o.Req = capture.Lookup, capture.DNS, value, nil
				o.DNS = &wire.DNS{ID: 1, RD: true, Questions: []wire.DNSQuestion{{Name: value, QType: qtype}}}
			})
		}
		for _, m := range []capture.Marks{capture.NameDerived, capture.NameDerived | capture.NameOther} {
			add(func(o *capture.Observation) {
				o.Kind, o.Proto, o.Name, o.Req, o.Marks = capture.Contact, capture.TCP, value, nil, m
				o.Flow = &capture.FlowRecord{First: at, Last: at, Outcome: capture.Established, Final: true}
			})
		}
	}
}

// whole prints all that a caller gets, whatever the field.
func whole(c *Classifier) string {
	var b strings.Builder
	for _, f := range c.Findings() {
		fmt.Fprintf(&b, "%+v\n", *f)
	}
	for _, r := range c.Remarks() {
		fmt.Fprintf(&b, "%s %s\n", r.Host, r.Words)
	}
	return b.String()
}

// No identifier that the catalogue knows of leaves the classifier, whichever way it came.
func TestIdentifiersStayHidden(t *testing.T) {
	cat := embedded(t)
	n := 0
	for e := range cat.Entries() {
		if e.Mask == "" || e.Vendor == nil {
			continue
		}
		n++
		value, ids := identified(t, e)
		c := New(Options{Catalog: cat, IDKey: []byte("k")})
		everyWay(c, e, value)
		text := whole(c)
		require.NotEmpty(t, text, "%s %s: %q shows nothing", e.Vendor.Key, e.Pattern, value)
		for _, id := range ids {
			require.NotContains(t, strings.ToLower(text), strings.ToLower(id), "%s %s", e.Vendor.Key, e.Pattern)
		}
	}
	require.Greater(t, n, 20)
}

// What no rule knows is hidden by its look: in scenarios with identifiers none shows in any field.
func TestIdentifiersOfScenarios(t *testing.T) {
	text, err := os.ReadFile("testdata/licence_numbers.txt")
	require.NoError(t, err)
	s, err := parseScenario(string(text))
	require.NoError(t, err)
	c := New(Options{Catalog: embedded(t), IDKey: []byte("k")})
	s.run(c)
	out := whole(c)
	require.Contains(t, out, "~")
	for _, id := range []string{"ASXNN", "0123456789", "deadbeef", "FEEDFACE"} {
		require.NotContains(t, out, id)
	}
}

// The same identifier is the same hash, so that two hosts with one licence can be recognised.
func TestHashesAreKeyed(t *testing.T) {
	a, b := masker{key: []byte("a")}, masker{key: []byte("b")}
	require.Equal(t, a.hide("x"), a.hide("x"))
	require.NotEqual(t, a.hide("x"), a.hide("y"))
	require.NotEqual(t, a.hide("x"), b.hide("x"))
}

// A customer's label under a region that the catalogue does not list is hidden all the same; a name that it lists stays.
func TestTenantOfUnknownRegion(t *testing.T) {
	m := masker{key: []byte("0123456789abcdef")}
	catchAll := &feeds.Entry{Match: feeds.Suffix, Pattern: "trendmicro.com"}
	require.Equal(t, m.hide("acme")+".xdr.us.trendmicro.com", m.name(catchAll, "acme.xdr.us.trendmicro.com"))
	require.Equal(t, "www.trendmicro.com", m.name(catchAll, "www.trendmicro.com"))
	require.Equal(t, "upload.xdr.trendmicro.com", m.name(&feeds.Entry{Match: feeds.Exact, Pattern: "upload.xdr.trendmicro.com"}, "upload.xdr.trendmicro.com"))
}
