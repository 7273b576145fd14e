package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit/loopback"
)

// receiver is a real one, a process of its own that may be killed.
type receiver struct {
	sink    string // of the configuration
	command func() *exec.Cmd
	ids     func() map[string]int // what it has: how often each id
	port    string
	running *exec.Cmd
}

func (r *receiver) start(t testing.TB) {
	t.Helper()
	var text said
	r.running = r.command()
	r.running.Stdout, r.running.Stderr = &text, &text
	require.NoError(t, r.running.Start())
	t.Cleanup(r.kill)
	table := fmt.Sprintf("/proc/%d/net/tcp", r.running.Process.Pid) // connecting would count as a client
	var port int
	_, err := fmt.Sscan(r.port, &port)
	require.NoError(t, err)
	eventually(t, func() bool {
		b, _ := os.ReadFile(table)
		return strings.Contains(string(b), fmt.Sprintf(":%04X 00000000:0000 0A", port))
	}, text.String)
}

func (r *receiver) kill() {
	if r.running.ProcessState == nil {
		_ = r.running.Process.Kill()
		_ = r.running.Wait() // that it was killed is no news
	}
}

// rsyslog is Debian's daemon, unpacked by .ci/run or installed. It writes each message to a file before it takes the next.
func rsyslog(t testing.TB, global, input, sink string) *receiver {
	t.Helper()
	root, err := filepath.Abs("../../.cache/receivers/rsyslog")
	require.NoError(t, err)
	if _, err := os.Stat(root + "/usr/sbin/rsyslogd"); err != nil {
		if root = ""; exec.Command("/usr/sbin/rsyslogd", "-v").Run() != nil {
			t.Skip("rsyslogd is neither unpacked in .cache/receivers (.ci/run does that) nor installed")
		}
	}
	r := &receiver{port: strconv.Itoa(loopback.FreePort(t))}
	dir := t.TempDir()
	out, conf := filepath.Join(dir, "out"), filepath.Join(dir, "conf")
	text := fmt.Sprintf(`global(workDirectory=%q maxMessageSize="64k" %s)
template(name="raw" type="string" string="%%rawmsg%%\n")
%s
ruleset(name="at once" queue.type="direct") { action(type="omfile" file=%q template="raw") }
`, dir, global, strings.ReplaceAll(input, "%s", r.port), out)
	require.NoError(t, os.WriteFile(conf, []byte(text), 0o600))
	libraries := func(forms ...string) string {
		var all []string
		for _, form := range forms {
			found, _ := filepath.Glob(root + form) // the forms are good
			all = append(all, found...)
		}
		return strings.Join(all, ":")
	}
	for _, m := range regexp.MustCompile(`(?i)(load|streamDriver\.name)="([a-z]+)"`).FindAllStringSubmatch(text, -1) {
		name := m[2] + ".so"
		if m[1] != "load" {
			name = "lmnsd_" + name
		}
		if there := libraries("/usr/lib/*/rsyslog/"+name, "/usr/lib/rsyslog/"+name); there == "" {
			t.Skipf("rsyslogd is there without its module %s", name)
		}
	}
	r.sink = strings.ReplaceAll(sink, "%s", net.JoinHostPort("127.0.0.1", r.port))
	r.command = func() *exec.Cmd {
		endLine(t, out)
		c := exec.Command(root+"/usr/sbin/rsyslogd", "-n", "-f", conf, "-i", filepath.Join(dir, "pid"), "-M", libraries("/usr/lib/*/rsyslog", "/usr/lib/rsyslog"))
		c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries("/usr/lib/*-linux-*", "/lib/*-linux-*"))
		return c
	}
	r.ids = func() map[string]int { return idsOf(out) }
	return r
}

// endLine ends a line that a kill has cut, which the next start would go on with.
func endLine(t testing.TB, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil && len(b) > 0 && b[len(b)-1] != '\n' {
		require.NoError(t, os.WriteFile(file, append(b, '\n'), 0o600))
	}
}

// idsOf reads a file of records in CEF.
func idsOf(file string) map[string]int {
	ids := map[string]int{}
	b, _ := os.ReadFile(file) // none before the first message
	for line := range bytes.Lines(b) {
		if id := externalID(string(line)); id != "" && bytes.HasSuffix(line, []byte("\n")) && bytes.Contains(line, []byte(" msg=")) {
			ids[id]++
		}
	}
	return ids
}

// natsd is a server with JetStream that writes to the disk at once: this test's own binary, under another name.
func natsd(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{port: strconv.Itoa(loopback.FreePort(t))}
	dir := t.TempDir()
	r.sink = fmt.Sprintf(`{name: soc, type: nats, timeout: 2s, nats: {url: "nats://127.0.0.1:%s", subject: avbeacon.alerts}}`, r.port)
	r.command = func() *exec.Cmd { return exec.Command("natsd", dir, r.port) }
	r.ids = func() map[string]int {
		ids := map[string]int{}
		_ = eachMessage("nats://127.0.0.1:"+r.port, func(m *jetstream.RawStreamMsg) { ids[m.Header.Get("Nats-Msg-Id")]++ }) // it may be away
		return ids
	}
	return r
}

// A receiver that is killed in mid-stream and comes back has every alert in the end: by acknowledgement (RELP, JetStream), or
// because the window of what it may have lost is sent again (TCP, TLS). The receivers are the real ones.
func TestKilledReceiversMissNoAlert(t *testing.T) {
	ca := newAuthority(t)
	tlsGlobal := fmt.Sprintf(`defaultNetstreamDriverCAFile=%q defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q`, ca.file("ca.pem"), ca.file("siem.test.pem"), ca.file("siem.test.key"))
	tlsSink := fmt.Sprintf(`, tls: {ca: %q, cert: %q, key: %q, server-name: siem.test}}`, ca.file("ca.pem"), ca.file("sensor.test.pem"), ca.file("sensor.test.key"))
	ca.sign(t, "siem.test")
	ca.sign(t, "sensor.test")
	for name, make := range map[string]func(*testing.T) *receiver{
		"rsyslog over TCP": func(t *testing.T) *receiver {
			return rsyslog(t, "", `module(load="imtcp")
input(type="imtcp" port="%s" address="127.0.0.1" ruleset="at once")`, `{name: soc, type: syslog, format: cef, timeout: 2s, syslog: {network: tcp, address: "%s"}}`)
		},
		"rsyslog over TLS with client certificates": func(t *testing.T) *receiver {
			return rsyslog(t, tlsGlobal, `module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["sensor.test"])
input(type="imtcp" port="%s" address="127.0.0.1" ruleset="at once")`, `{name: soc, type: syslog, format: cef, timeout: 2s, syslog: {network: tls, address: "%s"}`+tlsSink)
		},
		"rsyslog by RELP": func(t *testing.T) *receiver {
			return rsyslog(t, "", `module(load="imrelp")
input(type="imrelp" port="%s" address="127.0.0.1" ruleset="at once")`, `{name: soc, type: syslog, format: cef, timeout: 2s, syslog: {network: relp, address: "%s"}}`)
		},
		"JetStream": func(t *testing.T) *receiver { return natsd(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killedInMidStream(t, make(t))
		})
	}
}

func killedInMidStream(t *testing.T, r *receiver) {
	c := newCrowd(t, 150)
	r.start(t)
	file, _ := configured(t, fmt.Sprintf(`
capture: {read: "-"}
store: {file: %%s/home.db}
listen: {address: ""}
log: {level: warn, format: json}
%s
sinks: [%s]
`, eachAlert, r.sink))
	p := avbeacon(t, "monitor", "-c", file)
	_, err := p.in.Write(c.head)
	require.NoError(t, err)
	fed := make(chan int)
	go func() { fed <- p.feed(t.Context(), c, 0, len(c.records), len(c.records)/3) }()
	eventually(t, func() bool { return len(r.ids()) > 50 }, p.log.String)
	r.kill()
	eventually(t, func() bool { return strings.Contains(p.log.String(), "the receiver fails") }, p.log.String)
	r.start(t)
	require.Equal(t, len(c.records), <-fed)
	require.NoError(t, p.in.Close())
	eventually(t, func() bool { return len(r.ids()) == c.alerts }, func() string {
		return fmt.Sprintf("%d of %d: %s", len(r.ids()), c.alerts, p.log.String())
	})
	p.end(t)
	t.Logf("%d alerts, %d twice or more", c.alerts, count(r.ids(), 1))
}
