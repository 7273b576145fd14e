package classify

import (
	"errors"
	"fmt"
	"net/netip"
	"sort"
	"strconv"
	"strings"
	"time"

	"avbeacon/capture"
)

// A scenario is a text that an analyst can read: what hosts did, and what the classifier is to make of it.
//
//	home PREFIX...                      the site's own addresses (else the private ones)
//	at TIME [host ADDR] ACT             TIME is hh:mm[:ss], with d+ before it for later days (1+09:00)
//	every DURATION x N ACT              N times, beginning at the last time named
//	want finding [host=] [vendor=] ...  verdict role state contacts lookups oem product version, = or >=; reason~TEXT
//	want none [host=] [vendor=]         no such finding
//	want remark HOST TEXT               a remark about HOST holds TEXT
//	want hidden TEXT                    TEXT is nowhere in the findings and remarks
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
			return fmt.Errorf("%q is not a number of times", w[3])
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
	case "servfail":
		a.rcode = "SERVFAIL"
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
