package classify

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/feeds"
	"avbeacon/internal/wire"

	"github.com/stretchr/testify/require"
)

// A scenario is a text that an analyst can read: what hosts did, and what the classifier is to make of it.
//
//	home PREFIX...                      the site's own addresses (else the private ones)
//	at TIME [host ADDR] ACT             TIME is hh:mm[:ss], with d+ before it for later days (1+09:00)
//	every DURATION x N ACT              N times, beginning at the last time named
//	want finding [host=] [vendor=] ...  verdict role state contacts lookups oem product version, = or >=; reason~TEXT
//	want none [host=] [vendor=]         no such finding
//	want remark HOST TEXT               a remark about HOST holds TEXT
//	want hidden TEXT                    TEXT stands nowhere in the findings and remarks
//
// ACTs: lookup NAME | hello NAME to ADDR | request URL | connect NAME to PROXY | flow to ADDR:PORT | answers ADDR | called by ADDR,
// each with words behind it that act.option explains.
type scenario struct {
	home   []netip.Prefix
	events []event
	wants  []want
}

type event struct {
	at  time.Time
	obs capture.Observation
}

type want struct {
	line   int
	kind   string
	fields []string
}

var day = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

// act is one thing that a host does.
type act struct {
	verb, name, url, agent  string
	host, to, by            netip.Addr
	port                    uint16
	qtype, rcode            string
	answer                  []netip.Addr
	rd0, aa, referral, mute bool
	udp, derived, other     bool
	via, absolute, open     bool
	outcome                 capture.Outcome
	alert, reset            bool
	headers                 []string
	body, out, in           string
	cn, issuer              string
	ttl                     uint8
	mac                     [6]byte
	hasMAC                  bool
}

type scenarioParser struct {
	s    scenario
	host netip.Addr
	at   time.Time
	n    int // distinct ports and ids
}

func parseScenario(text string) (*scenario, error) {
	p := &scenarioParser{at: day}
	for i, line := range strings.Split(text, "\n") {
		words, err := splitWords(line)
		if err == nil && len(words) > 0 {
			err = p.line(i+1, words)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	sort.SliceStable(p.s.events, func(i, j int) bool { return p.s.events[i].at.Before(p.s.events[j].at) })
	return &p.s, nil
}

// splitWords splits at blanks; "..." keeps them. Everything behind a # word is a comment.
func splitWords(line string) (words []string, err error) {
	for {
		line = strings.TrimLeft(line, " \t\r")
		if line == "" || line[0] == '#' {
			return words, nil
		}
		word := ""
		for line != "" && line[0] != ' ' && line[0] != '\t' {
			if line[0] != '"' {
				word, line = word+line[:1], line[1:]
				continue
			}
			in, rest, ok := strings.Cut(line[1:], `"`)
			if !ok {
				return nil, errors.New("a quote is not closed")
			}
			word, line = word+in, rest
		}
		words = append(words, word)
	}
}

func (p *scenarioParser) line(n int, w []string) error {
	switch {
	case w[0] == "home":
		for _, x := range w[1:] {
			pfx, err := netip.ParsePrefix(x)
			if err != nil {
				return err
			}
			p.s.home = append(p.s.home, pfx)
		}
		return nil
	case w[0] == "want" && len(w) > 1:
		p.s.wants = append(p.s.wants, want{line: n, kind: w[1], fields: w[2:]})
		return nil
	case w[0] == "at" && len(w) > 2:
		at, err := clock(w[1])
		if err != nil {
			return err
		}
		p.at = at
		return p.act(w[2:], at, 0, 1)
	case w[0] == "every" && len(w) > 4 && w[2] == "x":
		step, err := time.ParseDuration(w[1])
		if err != nil {
			return err
		}
		times, err := strconv.Atoi(w[3])
		if err != nil || times < 1 || times > 10000 {
			return fmt.Errorf("%q is no number of times", w[3])
		}
		return p.act(w[4:], p.at, step, times)
	}
	return fmt.Errorf("cannot read %q", strings.Join(w, " "))
}

func clock(s string) (time.Time, error) {
	days := 0
	if d, rest, ok := strings.Cut(s, "+"); ok {
		n, err := strconv.Atoi(d)
		if err != nil || n < 0 || n > 1000 {
			return day, fmt.Errorf("%q is no day", d)
		}
		days, s = n, rest
	}
	form := "15:04"
	if strings.Count(s, ":") == 2 {
		form = "15:04:05"
	}
	t, err := time.Parse(form, s)
	if err != nil {
		return day, err
	}
	return day.AddDate(0, 0, days).Add(t.Sub(t.Truncate(24 * time.Hour))), nil
}

func (p *scenarioParser) act(w []string, at time.Time, step time.Duration, times int) error {
	a, err := p.parseAct(w)
	if err != nil {
		return err
	}
	if !a.host.IsValid() {
		return errors.New("no host named yet")
	}
	if times*(len(a.headers)+1) > 20000 || len(p.s.events) > 200000 {
		return errors.New("too many events")
	}
	for i := range times {
		p.at = at.Add(time.Duration(i) * step)
		p.emit(a)
	}
	return nil
}

func (p *scenarioParser) parseAct(w []string) (a act, err error) {
	if w[0] == "host" && len(w) > 2 {
		if p.host, err = netip.ParseAddr(w[1]); err != nil {
			return a, err
		}
		w = w[2:]
	}
	a = act{verb: w[0], host: p.host, port: 443, qtype: "A", rcode: "NOERROR", outcome: capture.Established, ttl: 128}
	w = w[1:]
	switch a.verb {
	case "lookup", "hello", "connect":
		if len(w) == 0 {
			return a, errors.New("no name")
		}
		a.name, w = w[0], w[1:]
	case "request":
		if len(w) == 0 {
			return a, errors.New("no URL")
		}
		a.url, a.port, w = w[0], 80, w[1:]
	case "flow", "answers", "called":
	default:
		return a, fmt.Errorf("%q is nothing that a host does", a.verb)
	}
	for len(w) > 0 && err == nil {
		w, err = a.option(w)
	}
	return a, err
}

// option takes one option and gives the words behind it.
func (a *act) option(w []string) (rest []string, err error) {
	switch w[0] {
	case "rd0":
		a.rd0 = true
	case "aa":
		a.aa = true
	case "referral":
		a.referral = true
	case "unanswered":
		a.mute = true
	case "nxdomain":
		a.rcode = "NXDOMAIN"
	case "udp":
		a.udp = true
	case "derived":
		a.derived = true
	case "other":
		a.derived, a.other = true, true
	case "via":
		a.via = true
	case "absolute":
		a.absolute = true
	case "open":
		a.open = true
	case "noanswer":
		a.outcome = capture.NoAnswer
	case "refused":
		a.outcome = capture.Refused
	case "onesided":
		a.outcome = capture.OneSided
	case "midstream":
		a.outcome = capture.Midstream
	case "reset":
		a.reset = true
	case "alert":
		a.alert = true
	case "then":
	default:
		if len(w) < 2 {
			return nil, fmt.Errorf("%q needs a value, or is no option", w[0])
		}
		return w[2:], a.value(w[0], w[1])
	}
	return w[1:], nil
}

func (a *act) value(key, v string) (err error) {
	switch key {
	case "to":
		if ap, e := netip.ParseAddrPort(v); e == nil {
			a.to, a.port = ap.Addr(), ap.Port()
			return nil
		}
		a.to, err = netip.ParseAddr(v)
	case "by":
		a.by, err = netip.ParseAddr(v)
	case "answer":
		var x netip.Addr
		x, err = netip.ParseAddr(v)
		a.answer = append(a.answer, x)
	case "type":
		a.qtype = v
	case "agent":
		a.agent = v
	case "header":
		a.headers = append(a.headers, v)
	case "name":
		a.name = v
	case "body":
		a.body = v
	case "out":
		a.out = strings.ReplaceAll(v, `\0`, "\x00")
	case "in":
		a.in = strings.ReplaceAll(v, `\0`, "\x00")
	case "cn":
		a.cn = v
	case "issuer":
		a.issuer = v
	case "ttl":
		var n uint64
		n, err = strconv.ParseUint(v, 10, 8)
		a.ttl = uint8(n)
	case "mac":
		_, err = fmt.Sscanf(v, "%2x:%2x:%2x:%2x:%2x:%2x", &a.mac[0], &a.mac[1], &a.mac[2], &a.mac[3], &a.mac[4], &a.mac[5])
		a.hasMAC = true
	default:
		err = fmt.Errorf("%q is no option", key)
	}
	return err
}

var resolverAddr = netip.MustParseAddr("10.0.0.53")

func (p *scenarioParser) add(after time.Duration, o capture.Observation, a *act) {
	o.Time = p.at.Add(after)
	o.Frame = uint64(len(p.s.events) + 1)
	o.Host = capture.Host{Addr: o.Src.Addr(), MAC: a.mac, HasMAC: a.hasMAC, Own: a.hasMAC}
	if !o.FromClient {
		o.Host.Addr = o.Dst.Addr()
	}
	p.s.events = append(p.s.events, event{at: o.Time, obs: o})
}

func (p *scenarioParser) emit(a act) {
	p.n++
	src := netip.AddrPortFrom(a.host, uint16(20000+p.n%40000))
	if !a.to.IsValid() {
		a.to = netip.MustParseAddr("203.0.113.7")
		if a.verb == "lookup" || a.verb == "answers" {
			a.to = resolverAddr
		}
	}
	dst := netip.AddrPortFrom(a.to, a.port)
	o := capture.Observation{Src: src, Dst: dst, FromClient: true, Transport: capture.TCP, Proto: capture.TLS, Name: a.name}
	if a.udp {
		o.Transport = capture.UDP
	}
	switch a.verb {
	case "lookup":
		p.lookup(a, netip.AddrPortFrom(a.to, 53), src)
	case "answers":
		p.lookup(act{host: a.by, name: a.name, qtype: "A", rcode: "NOERROR"}, netip.AddrPortFrom(a.host, 53), netip.AddrPortFrom(a.by, src.Port()))
	case "hello":
		o.Kind, o.Hello = capture.Hello, &wire.ClientHello{SNI: a.name}
		if a.name == "-" {
			o.Name, o.Hello.SNI = "", ""
		}
		p.add(0, o, &a)
		p.certificate(a, o)
		p.end(a, o)
	case "request", "connect":
		p.request(a, o)
	case "flow":
		o.Proto = capture.ProtoNone
		p.end(a, o)
	case "called":
		o.Src, o.Dst = netip.AddrPortFrom(a.by, src.Port()), netip.AddrPortFrom(a.host, a.port)
		o.Proto = capture.ProtoNone
		p.end(a, o)
	}
}

func (p *scenarioParser) lookup(a act, server, client netip.AddrPort) {
	q := &wire.DNS{ID: uint16(p.n), RD: !a.rd0, Questions: []wire.DNSQuestion{{Name: a.name, QType: a.qtype, Class: 1}}}
	o := capture.Observation{Kind: capture.Lookup, Proto: capture.DNS, Transport: capture.UDP, FromClient: true, Src: client,
		Dst: server, Name: a.name, DNS: q}
	if a.rd0 {
		o.Marks = capture.NoRecursion
	}
	p.add(0, o, &a)
	if a.mute {
		return
	}
	r := *q
	r.Response, r.AA, r.Referral, r.RCode = true, a.aa, a.referral, a.rcode
	r.RA = !a.aa && !a.referral
	o.Kind, o.FromClient, o.Src, o.Dst, o.DNS, o.Addrs = capture.Answer, false, server, client, &r, a.answer
	p.add(20*time.Millisecond, o, &a)
}

func (p *scenarioParser) certificate(a act, o capture.Observation) {
	if a.cn == "" && a.issuer == "" {
		return
	}
	o.Kind, o.FromClient, o.Src, o.Dst, o.Name = capture.Cert, false, o.Dst, o.Src, a.cn
	o.Hello = nil
	o.Cert = &wire.Certificate{SubjectCN: a.cn, IssuerCN: a.issuer, SAN: []string{"dnl-01.geo.kaspersky.com"}}
	p.add(10*time.Millisecond, o, &a)
}

func (p *scenarioParser) request(a act, o capture.Observation) {
	host, path, _ := strings.Cut(strings.TrimPrefix(a.url, "http://"), "/")
	o.Kind, o.Proto, o.Name = capture.Request, capture.HTTP, host
	o.Req = &wire.Request{Method: "GET", URI: "/" + path, Host: host, UserAgent: a.agent}
	switch {
	case a.verb == "connect":
		o.Name, o.Marks = a.name, capture.ConnectProxy
		o.Req.Method, o.Req.URI, o.Req.Host = "CONNECT", a.name+":443", a.name
	case a.absolute:
		o.Req.URI = a.url
	}
	for _, h := range a.headers {
		name, value, _ := strings.Cut(h, ": ")
		o.Req.Headers = append(o.Req.Headers, wire.Header{Name: name, Value: value})
	}
	if _, err := netip.ParseAddr(host); err == nil && a.verb == "request" {
		o.Marks |= capture.BareAddress
	}
	if a.via {
		o.Req.Via, o.Marks = true, o.Marks|capture.ViaProxy
	}
	p.add(0, o, &a)
	if a.body != "" {
		r := o
		r.Kind, r.FromClient, r.Src, r.Dst, r.Name, r.Req = capture.Response, false, o.Dst, o.Src, "", nil
		r.Resp = &wire.Response{Status: 200, Body: []byte(a.body)}
		p.add(30*time.Millisecond, r, &a)
	}
	o.Req = nil
	p.end(a, o)
}

func (p *scenarioParser) end(a act, o capture.Observation) {
	o.Kind, o.Hello = capture.Contact, nil
	o.Marks &^= capture.ViaProxy
	if a.derived {
		o.Name, o.Marks = a.name, o.Marks|capture.NameDerived
	}
	if a.other {
		o.Marks |= capture.NameOther
	}
	f := &capture.FlowRecord{First: p.at, Last: p.at.Add(time.Second), Outcome: a.outcome, Final: !a.open, Proto: o.Proto, TTL: a.ttl,
		PacketsOut: 5, PacketsIn: 4, RTT: 30 * time.Millisecond}
	f.OutHeadLen, f.InHeadLen = uint8(copy(f.OutHead[:], a.out)), uint8(copy(f.InHead[:], a.in))
	if a.alert {
		f.TLSAlert, f.TLSAlertFromServer = 40, true
	}
	if a.reset {
		f.Reset, f.ResetByServer = true, true
	}
	if a.outcome != capture.Established {
		f.RTT = 0
	}
	o.Flow = f
	p.add(time.Second, o, &a)
}

func embedded(t testing.TB) *feeds.Catalog {
	t.Helper()
	c, err := feeds.Embedded()
	require.NoError(t, err)
	return c
}

func (s *scenario) run(c *Classifier) []*Finding {
	for i := range s.events {
		obs := s.events[i].obs
		c.Observe(&obs)
		for _, more := c.Next(); more; _, more = c.Next() {
		}
	}
	return c.Findings()
}

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 25)
	cat := embedded(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			s, err := parseScenario(string(text))
			require.NoError(t, err)
			require.NotEmpty(t, s.wants)
			c := New(Options{Catalog: cat, Home: s.home, IDKey: []byte("test")})
			found := s.run(c)
			for _, w := range s.wants {
				if why := w.check(found, c.Remarks()); why != "" {
					t.Errorf("%s:%d: want %s %s: %s\n%s", file, w.line, w.kind, strings.Join(w.fields, " "), why, show(found))
				}
			}
		})
	}
}

// check gives what is wrong, "" where nothing is.
func (w *want) check(found []*Finding, remarks []Remark) string {
	text := strings.Join(w.fields, " ")
	switch w.kind {
	case "hidden":
		if strings.Contains(show(found), text) || strings.Contains(showRemarks(remarks), text) {
			return "it is shown"
		}
		return ""
	case "remark":
		host, words, _ := strings.Cut(text, " ")
		if !slices.ContainsFunc(remarks, func(r Remark) bool { return r.Host.String() == host && strings.Contains(r.Words, words) }) {
			return "there are these:\n" + showRemarks(remarks)
		}
		return ""
	case "none":
		for _, f := range found {
			if all, err := fits(f, w.fields); all || err != nil {
				return fmt.Sprint("there is one; ", err)
			}
		}
		return ""
	case "finding":
		var near string
		for _, f := range found {
			all, err := fits(f, w.fields)
			if err != nil {
				return err.Error()
			}
			if all {
				return ""
			}
			near = "no finding fits"
		}
		return near + " of " + strconv.Itoa(len(found))
	}
	return "unknown kind of want"
}

func fits(f *Finding, fields []string) (bool, error) {
	for _, field := range fields {
		at := strings.IndexAny(field, "=>~")
		if at < 0 {
			return false, fmt.Errorf("%q has no = >= or ~", field)
		}
		ok, err := fit(f, field[:at], strings.TrimLeft(field[at:], ">=~"), field[at])
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func fit(f *Finding, key, v string, op byte) (bool, error) {
	number := func(n uint64) (bool, error) {
		x, err := strconv.ParseUint(v, 10, 64)
		return n == x || op == '>' && n >= x, err
	}
	switch key {
	case "host":
		return f.Host.Address.String() == v, nil
	case "vendor":
		return f.Vendor.Key == v, nil
	case "verdict":
		return f.Verdict.String() == v, nil
	case "role":
		return f.HostRole.String() == v, nil
	case "state":
		return f.State.String() == v, nil
	case "product":
		return f.Product == v, nil
	case "version":
		return f.ProductVersion == v, nil
	case "oem":
		return f.OEM != nil && f.OEM.In == v || f.OEM != nil && v == "yes", nil
	case "contacts":
		return number(f.Contacts)
	case "lookups":
		return number(f.Lookups)
	case "behind":
		return f.Behind != nil && f.Behind.AtLeast > 0, nil
	case "reason":
		return strings.Contains(strings.Join(f.Reasons, " "), v), nil
	case "evidence":
		for _, e := range f.Evidence {
			if e.Kind.String() == v {
				return true, nil
			}
		}
		return false, nil
	}
	return false, fmt.Errorf("%q is nothing that a finding has", key)
}

// showRemarks prints one remark a line: host and sentence.
func showRemarks(list []Remark) string {
	var b strings.Builder
	for i := range list {
		fmt.Fprintf(&b, "%s %s\n", list[i].Host, list[i].Words)
	}
	return b.String()
}

// show prints findings for a failed test, and for the search for what must be hidden.
func show(found []*Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s: %s, %s, %s, product %q %q, contacts %d, lookups %d\n", f.Host.Address, f.Vendor.Key, f.Verdict, f.HostRole,
			f.State, f.Product, f.ProductVersion, f.Contacts, f.Lookups)
		for _, r := range f.Reasons {
			fmt.Fprintf(&b, "    %s\n", r)
		}
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "  - %s %q %s %s supports=%v x%d %s\n", e.Kind, e.Value, e.Role, e.Strength, e.Supports, e.Count, e.Why)
		}
		for _, d := range f.Destinations {
			fmt.Fprintf(&b, "  > %s:%d %v\n", d.Address, d.Port, d.Names)
		}
	}
	return b.String()
}

func FuzzScenario(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && len(text) < 2000 {
			f.Add(string(text))
		}
	}
	cat, err := feeds.Embedded()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseScenario(text)
		if err != nil || len(s.events) > 3000 {
			return
		}
		c := New(Options{Catalog: cat, Home: s.home, MaxHosts: 16, MaxEvidence: 4, MaxDestinations: 4, MaxFlows: 8, MaxPending: 8})
		for _, x := range s.run(c) {
			require.NotEqual(t, NoVerdict, x.Verdict)
			require.NotEmpty(t, x.Reasons)
			require.LessOrEqual(t, len(x.Destinations), 4)
		}
		require.LessOrEqual(t, c.Stats().Hosts, 16)
	})
}
