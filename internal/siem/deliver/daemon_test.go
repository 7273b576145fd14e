package deliver

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit/loopback"
)

// daemon is a syslog daemon as a distribution ships it, run by a test on loopback. It writes each message that it gets
// to a file, as it was sent.
type daemon struct {
	name    string
	path    string // of the program
	root    string // that it was unpacked in; / where it is installed
	command func(r *daemon) *exec.Cmd
	dir     string // its own
	port    string
	out     string // file with what it got
	running *exec.Cmd
}

// findDaemon looks for a daemon among what .ci/run unpacked ($RECEIVERS, or .cache/receivers) and what is installed.
func findDaemon(t *testing.T, name string) *daemon {
	t.Helper()
	unpacked := os.Getenv("RECEIVERS")
	if unpacked == "" {
		unpacked = filepath.Join("..", "..", "..", ".cache", "receivers")
	}
	roots, err := filepath.Glob(filepath.Join(unpacked, "*"))
	require.NoError(t, err)
	for _, root := range append(roots, "/") {
		for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
			root, err := filepath.Abs(root)
			require.NoError(t, err)
			path := filepath.Join(root, dir, name)
			if _, err := os.Stat(path); err == nil {
				return &daemon{name: name, path: path, root: root}
			}
		}
	}
	t.Skipf("%s is neither unpacked in %s (.ci/run does that) nor installed", name, unpacked)
	return nil
}

// start runs it until the test ends; again after a kill.
func (r *daemon) start(t *testing.T) {
	t.Helper()
	if r.name == "rsyslogd" {
		conf, err := os.ReadFile(filepath.Join(r.dir, "conf"))
		require.NoError(t, err)
		if missing := missingModules(string(conf), strings.Split(r.modules(), ":")); len(missing) > 0 {
			t.Skipf("rsyslogd is there without its modules %s", strings.Join(missing, ", "))
		}
	}
	r.endLine(t)
	var said bytes.Buffer
	r.running = r.command(r)
	r.running.Stdout, r.running.Stderr = &said, &said
	require.NoError(t, r.running.Start())
	t.Cleanup(r.kill)
	require.Eventually(t, func() bool {
		if r.running.ProcessState != nil {
			return false
		}
		return listens(r.running.Process.Pid, r.port)
	}, time.Minute, 10*time.Millisecond, "%s does not listen: %s", r.name, &said)
}

// endLine ends a line that a kill has cut, which the next start would go on with.
func (r *daemon) endLine(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(r.out)
	if os.IsNotExist(err) || err == nil && (len(text) == 0 || text[len(text)-1] == '\n') {
		return
	}
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(r.out, append(text, '\n'), 0o600))
}

// listens says whether a process has a socket of TCP that listens or one of UDP on this port, without connecting: that
// would count as a client. Sockets of others do not count: a test that looks for a free port has one for a moment.
func listens(pid int, port string) bool {
	own, number := map[string]bool{}, 0
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, name := range open {
		target, _ := os.Readlink(name)
		own[target] = true
	}
	_, err := fmt.Sscan(port, &number)
	want := fmt.Sprintf(":%04X ", number)
	for _, table := range []string{"tcp", "udp"} {
		text, readErr := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if err == nil && readErr == nil && len(fields) > 9 && strings.HasSuffix(fields[1]+" ", want) && (fields[3] == "0A" || fields[3] == "07") &&
				own["socket:["+fields[9]+"]"] {
				return true
			}
		}
	}
	return false
}

// kill ends it as kill -9 does.
func (r *daemon) kill() {
	if r.running != nil && r.running.ProcessState == nil {
		_ = r.running.Process.Kill()
		_ = r.running.Wait() // that it was killed is no news
	}
}

func (r *daemon) address() string { return net.JoinHostPort("127.0.0.1", r.port) }

// got gives the messages that it has written so far, without a last one that is cut.
func (r *daemon) got(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(r.out)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// rsyslog makes a receiver of rsyslogd: its input as the configuration's statements, with %s for the port. An input that
// names the ruleset "at once" writes a message before it acknowledges it; others have a queue in memory.
func rsyslog(t *testing.T, global, input string) *daemon {
	t.Helper()
	r := findDaemon(t, "rsyslogd")
	r.dir, r.port = t.TempDir(), strconv.Itoa(loopback.FreePort(t))
	r.out = filepath.Join(r.dir, "out")
	conf := fmt.Sprintf(`global(workDirectory=%q maxMessageSize="64k" %s)
template(name="raw" type="string" string="%%rawmsg%%\n")
ruleset(name="at once" queue.type="direct") { action(type="omfile" file=%[3]q template="raw") }
%[4]s
action(type="omfile" file=%[3]q template="raw")
`, r.dir, global, r.out, withPort(input, r.port))
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "conf"), []byte(conf), 0o600))
	r.command = func(r *daemon) *exec.Cmd {
		c := exec.Command(r.path, "-n", "-f", filepath.Join(r.dir, "conf"), "-i", filepath.Join(r.dir, "pid"), "-M", r.modules())
		c.Env = r.environment()
		return c
	}
	return r
}

// modules lists the folders of rsyslog's modules.
func (r *daemon) modules() string {
	return r.libraries("/usr/lib/*/rsyslog", "/usr/lib/rsyslog", "/usr/lib64/rsyslog")
}

// missingModules returns the modules that a configuration of rsyslog loads and that are in none of the folders: packages of
// their own on most systems.
func missingModules(conf string, folders []string) (missing []string) {
	wanted := regexp.MustCompile(`(?i)(load|streamDriver\.name)="([a-z]+)"`)
	for _, m := range wanted.FindAllStringSubmatch(conf, -1) {
		name := m[2] + ".so"
		if m[1] != "load" {
			name = "lmnsd_" + name
		}
		there := slices.ContainsFunc(folders, func(folder string) bool {
			_, err := os.Stat(filepath.Join(folder, name))
			return err == nil
		})
		if !there && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// A stock rsyslogd has neither RELP nor TLS: the tests that need them are skipped, and say what is missing.
func TestMissingModulesAreNamed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "imtcp.so"), nil, 0o600))
	conf := tlsInput + "\n" + relpInput
	require.Equal(t, []string{"lmnsd_gtls.so", "imrelp.so"}, missingModules(conf, []string{"", dir}))
	require.Empty(t, missingModules(`module(load="imtcp")`, []string{dir}))
}

func withPort(input, port string) string { return strings.ReplaceAll(input, "%s", port) }

// syslogNG makes a receiver of syslog-ng: its input as a source driver, with %s for the port.
func syslogNG(t *testing.T, input string) *daemon {
	t.Helper()
	r := findDaemon(t, "syslog-ng")
	r.dir, r.port = t.TempDir(), strconv.Itoa(loopback.FreePort(t))
	r.out = filepath.Join(r.dir, "out")
	conf := fmt.Sprintf(`@version: 3.35
options { log-msg-size(65536); };
source in { %s };
destination out { file(%q template("${RAWMSG}\n")); };
log { source(in); destination(out); };
`, withPort(input, r.port), r.out)
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "conf"), []byte(conf), 0o600))
	r.command = func(r *daemon) *exec.Cmd {
		file := func(name string) string { return filepath.Join(r.dir, name) }
		c := exec.Command(r.path, "-F", "--no-caps", "-f", file("conf"), "-R", file("persist"), "-p", file("pid"), "-c", file("ctl"),
			"--module-path", r.libraries("/usr/lib/syslog-ng/3*", "/usr/lib/syslog-ng/4*", "/usr/lib64/syslog-ng"))
		c.Env = r.environment()
		return c
	}
	return r
}

// libraries lists the folders of those forms where it was unpacked.
func (r *daemon) libraries(forms ...string) string {
	var found []string
	for _, form := range forms {
		dirs, _ := filepath.Glob(filepath.Join(r.root, form)) // the forms are ours, and good
		found = append(found, dirs...)
	}
	return strings.Join(found, ":")
}

// environment lets an unpacked one find its libraries.
func (r *daemon) environment() []string {
	if r.root == "/" {
		return nil
	}
	return append(os.Environ(), "LD_LIBRARY_PATH="+r.libraries("/usr/lib/syslog-ng", "/usr/lib/*-linux-*", "/lib/*-linux-*"))
}
