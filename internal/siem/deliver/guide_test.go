package deliver

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/policy"
	"avbeacon/internal/siem/samples"
)

// site is where the guide's examples run: a folder in place of /etc/avbeacon and /var/log/avbeacon, with an authority and certificates.
type site struct {
	dir            string
	server, client TLS
}

func newSite(t *testing.T) site {
	t.Helper()
	ca := newAuthority(t, "site")
	s := site{dir: t.TempDir(), server: ca.sign(t, "siem.example.org", time.Hour), client: ca.sign(t, "sensor.example.org", time.Hour)}
	for name, from := range map[string]string{"ca.pem": ca.file, "sensor.pem": s.client.Cert, "sensor.key": s.client.Key} {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), text, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "soar.key"), []byte(hmacKey+"\n"), 0o600))
	t.Setenv("SPLUNK_HEC_TOKEN", hecToken)
	t.Setenv("ELASTIC_API_KEY", elasticKey)
	t.Setenv("OPENSEARCH_PASSWORD", "word")
	t.Setenv("SOAR_TOKEN", bearer)
	t.Setenv("KAFKA_PASSWORD", "word")
	return s
}

// sinks reads a block of a page as the daemon would.
func (s site) sinks(t *testing.T, page, block string) []Sink {
	t.Helper()
	return parsed(t, strings.NewReplacer("/etc/avbeacon", s.dir, "/var/log/avbeacon", s.dir).Replace(block))
}

// sink is the only one of a page's nth block of YAML.
func (s site) sink(t *testing.T, page string, n int) Sink {
	t.Helper()
	sinks := s.sinks(t, page, example(t, page, "yaml", n))
	require.Len(t, sinks, 1)
	return sinks[0]
}

// Every page's configurations are valid, its JSON and XML too, and it says what was run and what could not be.
func TestGuideIsWellFormed(t *testing.T) {
	here := newSite(t)
	for _, page := range []string{"splunk.md", "elastic.md", "qradar.md", "sentinel.md", "wazuh.md", "graylog.md", "webhook.md", "bus.md"} {
		text, err := os.ReadFile(filepath.Join("../docs", page))
		require.NoError(t, err)
		require.Contains(t, string(text), "\n## What was run\n", page)
		if page != "webhook.md" {
			require.Regexp(t, `\*\*[^*]+ (could not|could) be run\*\*`, string(text), page)
		}
		sinks := 0
		for _, m := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllSubmatch(text, -1) {
			switch string(m[1]) {
			case "yaml":
				for _, cfg := range here.sinks(t, page, string(m[2])) {
					cfg.TLS.ServerName = "siem.example.org"
					opened(t, cfg, Options{})
					sinks++
				}
			case "json":
				require.True(t, json.Valid(m[2]), "%s: %s", page, m[2])
			case "xml":
				requireXML(t, m[2])
			}
		}
		require.Positive(t, sinks, page)
		for _, m := range regexp.MustCompile(`\]\(([a-z]+\.md)\)`).FindAllSubmatch(text, -1) {
			require.FileExists(t, filepath.Join("../docs", string(m[1])), page)
		}
	}
}

func requireXML(t *testing.T, text []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else {
			require.NoError(t, err, "%s", text)
		}
	}
}

// The pages over HTTP, at another address and without TLS.
func TestGuideOverHTTP(t *testing.T) {
	here := newSite(t)
	for page, kind := range map[string]string{"splunk.md": "splunk", "elastic.md": "elastic", "webhook.md": "webhook"} {
		r := newHTTPReceiver(t, kind)
		r.acks = true
		cfg := here.sink(t, page, 0)
		cfg.HTTP.URL, cfg.TLS = served(t, r).URL, TLS{}
		delivered(t, opened(t, cfg, Options{}), samples.Numbered(0, 300))
		require.Equal(t, idRange(0, 300), r.all())
	}
}

// taken listens on loopback, with TLS where there is a configuration, and gives each line or frame of one connection.
func taken(t *testing.T, trust *tls.Config, split func(r *bufio.Reader) (string, error)) (port string, got <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	if trust != nil {
		l = tls.NewListener(l, trust)
	}
	lines := make(chan string, 1000)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for r := bufio.NewReader(conn); ; {
			one, err := split(r)
			if err != nil {
				return
			}
			lines <- one
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port, lines
}

func line(r *bufio.Reader) (string, error) {
	text, err := r.ReadString('\n')
	return strings.TrimSuffix(text, "\n"), err
}

// frame reads one message that is counted in octets.
func frame(r *bufio.Reader) (string, error) {
	var length int
	if _, err := fmt.Fscanf(r, "%d ", &length); err != nil {
		return "", err
	}
	text := make([]byte, length)
	_, err := io.ReadFull(r, text)
	return string(text), err
}

// firstTaken reads so many of what was taken.
func firstTaken(t *testing.T, got <-chan string, n int) []string {
	t.Helper()
	var all []string
	for len(all) < n {
		select {
		case one := <-got:
			all = append(all, one)
		case <-time.After(time.Minute):
			require.Failf(t, "too few came", "%d of %d", len(all), n)
		}
	}
	return all
}

// QRadar's and Graylog's listeners that end messages at a newline.
func TestGuideWithNewlines(t *testing.T) {
	here := newSite(t)
	for page, block := range map[string]int{"qradar.md": 0, "graylog.md": 1} {
		cfg := here.sink(t, page, block)
		port, got := taken(t, nil, line)
		cfg.Syslog.Address = "127.0.0.1:" + port
		delivered(t, opened(t, cfg, Options{Hostname: "tap01"}), samples.Numbered(0, 50))
		require.Equal(t, messages(t, cfg.Format, samples.Numbered(0, 50)), firstTaken(t, got, 50))
	}
}

// Graylog's listener over TLS: frames, and structured data that a parser of RFC 5424 reads.
func TestGuideGraylogOverTLS(t *testing.T) {
	here := newSite(t)
	cfg := here.sink(t, "graylog.md", 0)
	pair, err := tls.LoadX509KeyPair(here.server.Cert, here.server.Key)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(here.server.CA)
	require.NoError(t, err)
	require.True(t, pool.AppendCertsFromPEM(ca))
	port, got := taken(t, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}, frame)
	cfg.Syslog.Address, cfg.TLS.ServerName = "127.0.0.1:"+port, "siem.example.org"
	var batch []*alert.Alert
	for _, one := range samples.All() {
		batch = append(batch, one.Alert)
	}
	delivered(t, opened(t, cfg, Options{Hostname: "tap01"}), batch)
	for i, text := range firstTaken(t, got, len(batch)) {
		m, err := rfc5424.NewMachine().Parse([]byte(text))
		require.NoError(t, err, "%s", text)
		data := *m.(*rfc5424.SyslogMessage).StructuredData
		require.Equal(t, batch[i].ID, data["avbeacon@32473"]["id"])
	}
}

// relay runs a page's rsyslog with a listener in the place of what it forwards to.
func (s site) relay(t *testing.T, page, target, port string) Sink {
	t.Helper()
	sinks := regexp.MustCompile("(?s)```yaml\n").FindAllString(readGuide(t, page), -1)
	cfg := s.sink(t, page, len(sinks)-1)
	_, own, found := strings.Cut(cfg.Syslog.Address, ":")
	require.True(t, found)
	r := rsyslog(t, "", "")
	conf := strings.NewReplacer("/etc/rsyslog/ca.pem", s.server.CA, "/etc/rsyslog/server.pem", s.server.Cert, "/etc/rsyslog/server.key", s.server.Key,
		"/var/spool/rsyslog", r.dir, `port="`+own+`"`, `port="`+r.port+`"`, target, `target="127.0.0.1" port="`+port+`"`).Replace(example(t, page, "rsyslog", 0))
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "conf"), []byte(conf), 0o600))
	r.start(t)
	cfg.Syslog.Address, cfg.TLS.ServerName = r.address(), "siem.example.org"
	return cfg
}

func readGuide(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../docs", page))
	require.NoError(t, err)
	return string(text)
}

// QRadar behind a relay gets the lines that avbeacon made.
func TestGuideQRadarRelay(t *testing.T) {
	here := newSite(t)
	port, got := taken(t, nil, line)
	cfg := here.relay(t, "qradar.md", `target="qradar.example.org" port="514"`, port)
	delivered(t, opened(t, cfg, Options{Hostname: "tap01"}), samples.Numbered(0, 50))
	require.Equal(t, messages(t, "leef", samples.Numbered(0, 50)), firstTaken(t, got, 50))
}

// The agent of Azure Monitor gets CEF right behind a short header.
func TestGuideSentinelForwarder(t *testing.T) {
	here := newSite(t)
	port, got := taken(t, nil, line)
	cfg := here.relay(t, "sentinel.md", `target="127.0.0.1" port="28330"`, port)
	var batch []*alert.Alert
	for _, one := range samples.All() {
		batch = append(batch, one.Alert)
	}
	delivered(t, opened(t, cfg, Options{Hostname: "tap01"}), batch)
	enc := encoder(t, "cef")
	for i, text := range firstTaken(t, got, len(batch)) {
		want, err := enc.Append(nil, batch[i])
		require.NoError(t, err)
		header, cef, found := strings.Cut(text, " CEF:0|")
		require.True(t, found, text)
		require.Equal(t, string(want), "CEF:0|"+cef)
		require.Regexp(t, `^<16[0-7]>[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} tap01$`, header, "facility local4")
	}
}

// Wazuh's rules meet the lines of the file: the first for all alerts, and one for each severity.
func TestGuideWazuh(t *testing.T) {
	here := newSite(t)
	cfg := here.sink(t, "wazuh.md", 0)
	cfg.File.Path = filepath.Join(t.TempDir(), "alerts.ndjson")
	batch := samples.Numbered(0, 5)
	for i, a := range batch {
		a.Severity = policy.Severity(i)
	}
	delivered(t, opened(t, cfg, Options{}), batch)
	text, err := os.ReadFile(cfg.File.Path)
	require.NoError(t, err)
	var rules struct {
		Rule []struct {
			ID    string `xml:"id,attr"`
			Level int    `xml:"level,attr"`
			Field struct {
				Name string `xml:"name,attr"`
				Text string `xml:",chardata"`
			} `xml:"field"`
		} `xml:"rule"`
	}
	require.NoError(t, xml.Unmarshal([]byte(example(t, "wazuh.md", "xml", 1)), &rules))
	require.Len(t, rules.Rule, 5)
	levels := []int{3, 5, 8, 11, 14}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var record struct {
			Event    struct{ Dataset string }
			Avbeacon struct{ Severity string }
		}
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		level := 0
		for _, rule := range rules.Rule {
			value := map[string]string{"event.dataset": record.Event.Dataset, "avbeacon.severity": record.Avbeacon.Severity}[rule.Field.Name]
			if regexp.MustCompile(rule.Field.Text).MatchString(value) {
				level = rule.Level
			}
		}
		require.Equal(t, levels[i], level, line)
	}
}
