package deliver

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/setting"
	"avbeacon/internal/siem/samples"
)

// example gives the nth block of that language in a page of the guide.
func example(t *testing.T, page, language string, n int) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../docs", page))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(text, -1)
	require.Greater(t, len(blocks), n, "%s has no such block of %s", page, language)
	return string(blocks[n][1])
}

// parsed reads sinks as the daemon does.
func parsed(t *testing.T, text string) []Sink {
	t.Helper()
	var c struct {
		Sinks []Sink `yaml:"sinks"`
	}
	_, err := setting.Decode("guide", []byte(text), &c, setting.Process(), func(k setting.Check) {
		for i := range c.Sinks {
			c.Sinks[i].Check(k.At("sinks").Index(i))
		}
	})
	require.NoError(t, err)
	return c.Sinks
}

// documentedSinks gives the sinks of an example.
func documentedSinks(t *testing.T, n int) []Sink {
	t.Helper()
	return parsed(t, example(t, "syslog.md", "yaml", n))
}

// The receivers and sinks of the guide, with other paths and addresses, understand each other.
func TestSyslogGuideRuns(t *testing.T) {
	ca := newAuthority(t, "site")
	server, client := ca.sign(t, "siem.example.org", time.Hour), ca.sign(t, "sensor.example.org", time.Hour)
	for name, c := range map[string]struct {
		base     func(*testing.T) *daemon
		language string
		block    int
		sink     int
	}{
		"rsyslog, TLS":   {func(t *testing.T) *daemon { return rsyslog(t, "", "") }, "rsyslog", 0, 0},
		"rsyslog, RELP":  {func(t *testing.T) *daemon { return rsyslog(t, "", "") }, "rsyslog", 1, 1},
		"syslog-ng, TLS": {func(t *testing.T) *daemon { return syslogNG(t, "") }, "syslog-ng", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := documentedSinks(t, c.sink)[0]
			_, port, found := strings.Cut(cfg.Syslog.Address, ":")
			require.True(t, found)
			r := c.base(t)
			etc := "/etc/" + c.language
			conf := strings.NewReplacer(etc+"/ca.pem", server.CA, etc+"/server.pem", server.Cert, etc+"/server.key", server.Key,
				"/var/log/avbeacon.log", r.out, "/var/spool/rsyslog", r.dir, port, r.port).Replace(example(t, "syslog.md", c.language, c.block))
			require.NoError(t, os.WriteFile(filepath.Join(r.dir, "conf"), []byte(conf), 0o600))
			r.start(t)
			cfg.Syslog.Address = r.address()
			cfg.TLS = client
			cfg.TLS.ServerName = "siem.example.org"
			delivered(t, opened(t, cfg, Options{Hostname: "tap01"}), samples.Numbered(0, 100))
			require.Eventually(t, func() bool { return len(r.got(t)) >= 100 }, time.Minute, 20*time.Millisecond)
			require.Equal(t, messages(t, "cef", samples.Numbered(0, 100)), r.got(t))
		})
	}
}

func TestFileGuideRuns(t *testing.T) {
	sinks := documentedSinks(t, 2)
	sinks[0].File.Path = filepath.Join(t.TempDir(), "alerts.ndjson")
	out := &strings.Builder{}
	for _, cfg := range sinks {
		delivered(t, opened(t, cfg, Options{Stdout: out}), samples.Numbered(0, 3))
	}
	require.Equal(t, idRange(0, 3), idsIn(t, sinks[0].File.Path))
	require.Equal(t, 3, strings.Count(out.String(), "CEF:0|"))
}
