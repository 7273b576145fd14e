package privilege

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"avbeacon/capture"
	"avbeacon/capture/live"
)

// trial is what a process of its own does, because nothing of it can be undone, and what it finds.
type trial struct {
	Options Options
	Listen  bool // to the loopback interface, from before until after
	Touch   []string
	Open    []string

	Result  Result
	Err     string
	Touched []bool
	Opened  []bool
	Packets int
	Threads []string // differing states of threads
}

// TestMain is a trial where the environment asks for one.
func TestMain(m *testing.M) {
	text := os.Getenv("PRIVILEGE_TRIAL")
	if text == "" {
		os.Exit(m.Run())
	}
	var tr trial
	if err := json.Unmarshal([]byte(text), &tr); err != nil {
		panic(err)
	}
	tr.run()
	if err := json.NewEncoder(os.Stdout).Encode(tr); err != nil {
		panic(err)
	}
}

func (tr *trial) run() {
	var tap *live.Source
	var err error
	if tr.Listen {
		tap, err = live.Open(live.Options{Interfaces: []string{"lo"}, Promiscuous: true, BlockTimeout: 10 * time.Millisecond})
		if err != nil {
			tr.Err = err.Error()
			return
		}
		defer tap.Close()
	}
	tr.Result, err = Drop(tr.Options)
	if err != nil {
		tr.Err = err.Error()
		return
	}
	for _, name := range tr.Touch {
		tr.Touched = append(tr.Touched, os.WriteFile(name, []byte("x"), 0o644) == nil)
	}
	for _, name := range tr.Open {
		_, err := os.ReadFile(name)
		tr.Opened = append(tr.Opened, err == nil)
	}
	tr.Threads = threads()
	if tap != nil {
		tr.Packets = packetsOf(tap)
	}
}

// threads gives what the kernel says of every thread's privileges, each answer once.
func threads() []string {
	var answers []string
	files, _ := filepath.Glob("/proc/self/task/*/status")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return append(answers, err.Error())
		}
		lines := regexp.MustCompile(`(?m)^(Uid|Gid|Groups|Cap\w+|NoNewPrivs):.*$`).FindAllString(string(text), -1)
		answer := strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
		if len(answers) == 0 || answers[0] != answer {
			answers = append(answers, answer)
		}
	}
	return answers
}

// packetsOf sends a datagram over loopback and counts what is seen of it.
func packetsOf(tap *live.Source) int {
	conn, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		return -1
	}
	_, _ = conn.Write([]byte("seen after all was given up")) // nobody listens there
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	n := 0
	for {
		var b capture.Block
		if tap.Next(ctx, &b) != nil {
			return n
		}
		for _, p := range b.Packets {
			if strings.Contains(string(p.Data), "seen after all") && p.Data[23] == unix.IPPROTO_UDP {
				n++
			}
		}
		if b.Release != nil {
			b.Release()
		}
	}
}

// with runs a trial as the process that attr makes.
func (tr trial) with(t *testing.T, attr *syscall.SysProcAttr) trial {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root has privileges to give up")
	}
	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	program := filepath.Join(openFolder(t), "trial")
	require.NoError(t, os.WriteFile(program, self, 0o755))
	text, err := json.Marshal(tr)
	require.NoError(t, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "PRIVILEGE_TRIAL="+string(text))
	cmd.SysProcAttr, cmd.Stderr = attr, os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var found trial
	require.NoError(t, json.Unmarshal(out, &found))
	return found
}

// openFolder is a folder that every user can look into.
func openFolder(t *testing.T) string {
	dir, err := os.MkdirTemp("/tmp", "privilege")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

const nobody = 65534

// nothing is what the kernel says of a thread of that user that has no privilege.
func nothing(uid int, groups string, bound string) []string {
	id := strings.Repeat(fmt.Sprintf(" %d", uid), 4)
	none := "0000000000000000"
	return []string{strings.Join(strings.Fields("Uid:"+id+" Gid:"+id+" Groups: "+groups+" CapInh: "+none+" CapPrm: "+none+" CapEff: "+none+
		" CapBnd: "+bound+" CapAmb: "+none+" NoNewPrivs: 1"), " ")}
}

func TestRootDropsEverything(t *testing.T) {
	dir := openFolder(t)
	found := trial{
		Options: Options{User: fmt.Sprint(nobody), Confine: true, Read: []string{"/etc/hostname", "/proc"}, Write: []string{dir}},
		Listen:  true,
		Touch:   []string{filepath.Join(dir, "ours"), "/tmp/privilege-not-ours", "/etc/privilege-not-ours"},
		Open:    []string{"/etc/hostname", "/etc/passwd", "/etc/shadow"},
	}.with(t, nil)
	require.Empty(t, found.Err)
	require.Equal(t, nothing(nobody, fmt.Sprint(nobody), "0000000000000000"), found.Threads)
	require.Equal(t, 1, found.Packets, "listening goes on")
	require.True(t, found.Result.Bounded)
	require.Equal(t, nobody, found.Result.UID)
	require.Equal(t, nobody, found.Result.GID)
	if found.Result.Landlock == 0 {
		_ = os.Remove("/tmp/privilege-not-ours")
		t.Skip("this kernel has no Landlock")
	}
	require.Equal(t, []bool{true, false, false}, found.Touched)
	require.Equal(t, []bool{true, false, false}, found.Opened)
}

func TestRootWithoutCapabilities(t *testing.T) {
	found := trial{Open: []string{"/etc/passwd"}}.with(t, nil)
	require.Empty(t, found.Err)
	require.Len(t, found.Threads, 1)
	require.Contains(t, found.Threads[0], "CapEff: 0000000000000000")
	require.Equal(t, []bool{true}, found.Opened)
	require.Zero(t, found.Result.Landlock)
}

func TestListeningNeedsOneCapability(t *testing.T) {
	user := &syscall.Credential{Uid: nobody, Gid: nobody}
	with := &syscall.SysProcAttr{Credential: user, AmbientCaps: []uintptr{unix.CAP_NET_RAW}}
	found := trial{Listen: true}.with(t, with)
	require.Empty(t, found.Err)
	require.Equal(t, 1, found.Packets)
	require.False(t, found.Result.Bounded)
	require.Len(t, found.Threads, 1)
	require.Regexp(t, "CapPrm: 0{16} CapEff: 0{16} .* CapAmb: 0{16} NoNewPrivs: 1$", found.Threads[0])

	found = trial{Listen: true}.with(t, &syscall.SysProcAttr{Credential: user})
	require.Equal(t, "interface lo: open packet socket: operation not permitted: listening needs root or CAP_NET_RAW", found.Err)
}

func TestOnlyRootSwitchesUser(t *testing.T) {
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	require.Equal(t, "switch to user 1: only root can switch to another user", trial{Options: Options{User: "1"}}.with(t, attr).Err)
	require.Empty(t, trial{Options: Options{User: fmt.Sprint(nobody)}}.with(t, attr).Err, "who it is already")
}

func TestUsers(t *testing.T) {
	for name, want := range map[string]identity{"": {stay: true}, "root": {}, "0": {}, "1999999999": {uid: 1999999999, gid: 1999999999}} {
		got, err := find(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := find("no such user")
	require.EqualError(t, err, "switch to user no such user: no such user")
}
