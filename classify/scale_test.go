package classify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rule is one sentence of the scale and what shows it.
type rule struct {
	sentence string
	acts     string
	wants    []string // fields of a finding, or "none" and fields
}

const person = `agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"`

// verdictRules are the sentences about verdicts, in their order.
var verdictRules = []rule{
	{"two strong kinds in one session: path and User-Agent", `at 09:00 host 10.0.0.5 request http://192.0.2.9/index/u0607g.xml to 192.0.2.9:80 agent "*QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD=="`,
		[]string{"vendor=kaspersky verdict=installed"}},
	{"two strong kinds in one session: name and header", `at 09:00 host 10.0.0.5 request http://update.drweb.com/ to 192.0.2.9:80 header "X-DrWeb-SysHash: 12"`,
		[]string{"vendor=drweb verdict=installed"}},
	{"strong signs in two sessions, both flows", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com\nat 10:00 hello ds.kaspersky.com", []string{"verdict=installed"}},
	{"strong signs in two sessions, one of them a flow", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com\nat 10:00 hello ds.kaspersky.com", []string{"verdict=installed"}},
	{"two strong roles in DNS alone over two sessions", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com\nat 10:00 lookup s07.upd.kaspersky.com", []string{"verdict=installed"}},
	{"... unless the host asks as a resolver does", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com rd0\nat 10:00 lookup s07.upd.kaspersky.com rd0", []string{"verdict=possible role=resolver"}},
	{"two strong roles in DNS alone in one session are two roles, no more", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com\nat 09:00:20 lookup s07.upd.kaspersky.com", []string{"verdict=likely"}},
	{"one strong flow", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com", []string{"verdict=likely"}},
	{"one strong DNS query three times over two sessions", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com\nevery 10s x 2 lookup ds.kaspersky.com\nat 10:00 lookup ds.kaspersky.com", []string{"verdict=likely"}},
	{"... not in one session", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com\nevery 10s x 5 lookup ds.kaspersky.com", []string{"verdict=possible"}},
	{"... not two times", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com\nat 10:00 lookup ds.kaspersky.com", []string{"verdict=possible"}},
	{"two kinds of medium sign", "at 09:00 host 10.0.0.5 hello touch.kaspersky.com\nat 10:00 flow to 10.0.0.20:13000", []string{"host=10.0.0.5 verdict=likely"}},
	{"one kind of medium sign, however often", "at 09:00 host 10.0.0.5 hello touch.kaspersky.com\nevery 1h x 40 hello touch.kaspersky.com", []string{"verdict=possible"}},
	{"the role unknown is no second role", "at 09:00 host 10.0.0.5 hello touch.kaspersky.com\nat 10:00 hello crl.kaspersky.com", []string{"verdict=possible"}},
	{"one strong DNS query", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com", []string{"verdict=possible"}},
	{"a product built into the system", "at 09:00 host 10.0.0.5 hello wdcp.microsoft.com\nevery 1h x 9 hello wdcp.microsoft.com", []string{"verdict=possible"}},
	{"a product built into another product", "at 09:00 host 10.0.0.5 hello netgear-a1.2d7dd.cdn.bitdefender.net\nevery 1h x 9 hello netgear-a1.2d7dd.cdn.bitdefender.net",
		[]string{"vendor=bitdefender verdict=possible oem=yes"}},
	{"only what a person with a browser causes", "at 09:00 host 10.0.0.5 hello www.kaspersky.com\nevery 1s x 9 hello www.kaspersky.com", []string{"verdict=visit"}},
	{"weak evidence that is none of these makes no finding", "at 09:00 host 10.0.0.5 hello gc.kis.v2.scr.kaspersky-labs.com\nevery 1h x 9 flow to 77.74.178.1:443", []string{"none"}},
	{"a session ends after 30 s: 30 s is one", "at 09:00:00 host 10.0.0.5 hello ds.kaspersky.com\nat 09:00:30 hello ds.kaspersky.com", []string{"verdict=likely"}},
	{"a session ends after 30 s: 31 s are two", "at 09:00:00 host 10.0.0.5 hello ds.kaspersky.com\nat 09:00:31 hello ds.kaspersky.com", []string{"verdict=installed"}},
	{"... counted from the last start", "at 09:00:00 host 10.0.0.5 hello ds.kaspersky.com\nevery 20s x 9 hello ds.kaspersky.com", []string{"verdict=likely"}},
	{"a person's browser on the updater's path is medium", "at 09:00 host 10.0.0.5 request http://192.0.2.9/index/u0607g.xml to 192.0.2.9:80 " + person, []string{"verdict=possible"}},
	{"nine vendors are no list", strings.Join(lookups(9), "\n"), []string{"vendor=kaspersky verdict=likely"}},
	{"ten vendors within an hour and without flows are a list", strings.Join(lookups(10), "\n"), []string{"vendor=kaspersky verdict=possible reason~list", "none verdict=likely"}},
	{"a LAN port alone is medium", "at 09:00 host 10.0.0.5 flow to 10.0.0.20:13000\nevery 1h x 9 flow to 10.0.0.20:13000", []string{"host=10.0.0.5 verdict=possible"}},
	{"... strong with a second port of the vendor to the same server", "at 09:00 host 10.0.0.5 flow to 10.0.0.20:13000\nat 09:00 flow to 10.0.0.20:13111", []string{"host=10.0.0.5 verdict=likely"}},
	{"... not to another server", "at 09:00 host 10.0.0.5 flow to 10.0.0.20:13000\nat 09:00 flow to 10.0.0.21:14000", []string{"host=10.0.0.5 verdict=possible"}},
	{"... strong where that server calls the vendor", "at 09:00 host 10.0.0.5 flow to 10.0.0.20:13000\nat 09:30 host 10.0.0.20 hello ds.kaspersky.com", []string{"host=10.0.0.5 verdict=likely"}},
	{"a console port into the vendor's network is medium", "at 09:00 host 10.0.0.5 flow to 77.74.178.40:23100\nevery 1m x 9 flow to 77.74.178.40:23100", []string{"verdict=possible"}},
	{"... over hours likely", "at 09:00 host 10.0.0.5 flow to 77.74.178.40:23100\nat 11:00 flow to 77.74.178.40:23100", []string{"verdict=likely"}},
	{"... to anybody else nothing", "at 09:00 host 10.0.0.5 flow to 192.0.2.40:23100\nat 11:00 flow to 192.0.2.40:23100", []string{"none"}},
	{"an ephemeral port counts with the vendor's network", "at 09:00 host 10.0.0.5 flow to 91.228.166.45:53535", []string{"vendor=eset verdict=possible"}},
	{"... without name and network nothing", "at 09:00 host 10.0.0.5 flow to 192.0.2.45:53535\nevery 1h x 9 flow to 192.0.2.45:53535", []string{"none"}},
	{"an address alone is weak", "at 09:00 host 10.0.0.5 flow to 77.74.178.1:443\nevery 1h x 40 flow to 77.74.178.1:443", []string{"none"}},
	{"another host's DNS query names nothing", "at 09:00 host 10.0.0.5 flow to 192.0.2.1:443 name ds.kaspersky.com other\nevery 1h x 9 flow to 192.0.2.1:443 name ds.kaspersky.com other", []string{"none"}},
}

// lookups asks names of n vendors, and one vendor's often enough to be likely.
func lookups(n int) []string {
	names := []string{"ds.kaspersky.com", "update.geo.drweb.com", "update.eset.com", "shepherd.ff.avast.com", "upgrade.bitdefender.com",
		"ts01-b.cloudsink.net", "backup.avg.cz", "database.clamav.net", "sirius.mwbsys.com", "4.sophosxl.net"}
	out := []string{"at 09:00 host 10.0.0.5 lookup ds.kaspersky.com", "every 1m x 5 lookup ds.kaspersky.com"}
	for i, name := range names[:n] {
		out = append(out, fmt.Sprintf("at 09:%02d lookup %s", 10+i, name))
	}
	return out
}

// Tools cap at possible, whatever they fetch and however often.
func toolRules() (out []rule) {
	for _, ua := range []string{"Wget/1.21.3", "curl/8.5.0", "python-requests/2.31.0", "Python-urllib/3.11", "Go-http-client/1.1"} {
		act := fmt.Sprintf(`request http://dnl-01.geo.kaspersky.com/index/u0607g.xml to 77.74.178.1:80 agent %q`, ua)
		out = append(out, rule{"a known tool caps at possible: " + ua, "at 09:00 host 10.0.0.5 " + act + "\nevery 1h x 9 " + act, []string{"verdict=possible reason~tool"}})
	}
	return out
}

// stateRules are the sentences about states.
var stateRules = []rule{
	{"blocked: no success and three failures", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com noanswer\nevery 1h x 2 hello ds.kaspersky.com refused", []string{"state=blocked"}},
	{"two failures are not enough", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com noanswer\nat 10:00 hello ds.kaspersky.com refused", []string{"state=active"}},
	{"a reset in answer to the hello is a failure", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com reset\nevery 1h x 3 hello ds.kaspersky.com reset", []string{"state=blocked"}},
	{"a refused name is a failure", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com nxdomain\nevery 1h x 3 lookup ds.kaspersky.com nxdomain", []string{"state=blocked"}},
	{"a name that leads nowhere is one", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com answer 0.0.0.0\nevery 1h x 3 lookup ds.kaspersky.com answer 0.0.0.0", []string{"state=blocked"}},
	{"a success among the last 24 active hours", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com\nevery 1h x 23 hello ds.kaspersky.com noanswer", []string{"state=active"}},
	{"... is forgotten after them", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com\nevery 1h x 26 hello ds.kaspersky.com noanswer", []string{"state=blocked"}},
	{"one-sided flows are neither", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com onesided\nevery 1h x 9 hello ds.kaspersky.com onesided", []string{"state=active"}},
	{"flows that began before the capture are neither", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com midstream\nevery 1h x 9 hello ds.kaspersky.com midstream", []string{"state=active"}},
	{"quiet: 24 h without contact while the host is seen", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com\nevery 1h x 26 flow to 192.0.2.1:443", []string{"state=quiet"}},
	{"... not after 23 h", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com\nevery 1h x 24 flow to 192.0.2.1:443", []string{"state=active"}},
	{"... not while it sleeps", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com\nat 2+09:00 flow to 192.0.2.1:443", []string{"state=active"}},
	{"... not within six expected periods", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com\nevery 8h x 9 hello ds.kaspersky.com\nat 3+10:00 flow to 192.0.2.1:443\nevery 1h x 30 flow to 192.0.2.1:443", []string{"state=active"}},
	{"returned: contact after 48 h or more", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com\nevery 1h x 60 flow to 192.0.2.1:443\nat 2+22:00 hello ds.kaspersky.com", []string{"state=returned"}},
	{"... for 7 days", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com\nevery 1h x 60 flow to 192.0.2.1:443\nat 2+22:00 hello ds.kaspersky.com\nevery 12h x 16 hello ds.kaspersky.com", []string{"state=active"}},
	{"returned, by DNS queries where the tap sees nothing else", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com\nevery 1h x 60 lookup example.org\nat 2+22:00 lookup ds.kaspersky.com", []string{"state=returned"}},
}

// roleRules are the sentences about what a host is.
var roleRules = []rule{
	{"endpoint: speaks for itself", "at 09:00 host 10.0.0.5 hello ds.kaspersky.com", []string{"role=endpoint"}},
	{"unknown: too little seen", "at 09:00 host 10.0.0.5 lookup ds.kaspersky.com", []string{"role=unknown"}},
	{"resolver: answers DNS", "at 09:00 host 10.0.0.53 answers name example.org by 10.0.0.5\nevery 1m x 3 answers name example.org by 10.0.0.5\nat 09:05 hello ds.kaspersky.com\nat 10:00 hello ds.kaspersky.com",
		[]string{"host=10.0.0.53 role=resolver verdict=possible"}},
	{"resolver: asks with RD=0", "at 09:00 host 10.0.0.53 lookup ds.kaspersky.com rd0", []string{"role=resolver verdict=possible"}},
	{"proxy: CONNECT", "at 09:00 host 10.0.0.5 connect ds.kaspersky.com to 10.0.0.80:3128\nat 09:01 host 10.0.0.80 hello ds.kaspersky.com\nat 10:01 host 10.0.0.80 hello ds.kaspersky.com",
		[]string{"host=10.0.0.80 role=proxy verdict=possible", "host=10.0.0.5 verdict=likely"}},
	{"proxy: Via", "at 09:00 host 10.0.0.80 request http://s07.upd.kaspersky.com/ to 77.74.178.1:80 via\nat 10:00 request http://s07.upd.kaspersky.com/ to 77.74.178.1:80 via",
		[]string{"role=proxy verdict=possible"}},
	{"management: the vendor's server on the site", "at 09:00 host 10.0.0.5 flow to 10.0.0.20:13000\nat 09:01 flow to 10.0.0.20:13111\nat 09:02 host 10.0.0.20 hello ds.kaspersky.com\nat 10:02 host 10.0.0.20 hello ds.kaspersky.com",
		[]string{"host=10.0.0.20 role=management verdict=installed behind=yes"}},
	{"server: mainly called by others", "at 09:00 host 10.0.0.30 called by 10.0.0.5 to 10.0.0.30:445\nevery 10m x 12 called by 10.0.0.6 to 10.0.0.30:445\nat 09:05 hello ds.kaspersky.com\nat 10:05 hello ds.kaspersky.com",
		[]string{"host=10.0.0.30 role=server verdict=installed"}},
}

func TestScale(t *testing.T) {
	cat := embedded(t)
	for _, list := range [][]rule{verdictRules, toolRules(), stateRules, roleRules} {
		for _, r := range list {
			t.Run(r.sentence, func(t *testing.T) {
				s, err := parseScenario(r.acts)
				require.NoError(t, err)
				c := New(Options{Catalog: cat, IDKey: []byte("test")})
				found := s.run(c)
				for _, x := range r.wants {
					w := want{kind: "finding", fields: strings.Fields(x)}
					if w.fields[0] == "none" {
						w.kind, w.fields = "none", w.fields[1:]
					}
					if why := w.check(found, nil); why != "" {
						t.Errorf("want %s: %s\n%s", x, why, show(found))
					}
				}
			})
		}
	}
}
