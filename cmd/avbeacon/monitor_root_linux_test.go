package main

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// SECURITY.md is true: monitor that root starts has no capability, and is root no more where another user can be found. Its store goes
// to that user first, and is usable; files that it does not need are out of its reach, and its reload rejects a path among them.
func TestMonitorDoesNotStayRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	const caller = 1 // daemon's number
	if _, err := user.Lookup("avbeacon"); err == nil {
		t.Skip("this machine has a user avbeacon")
	}
	if u, err := user.LookupId("1"); err != nil || u.Gid != "1" {
		t.Skip("this machine has no user 1 with group 1")
	}
	same := func(id int) string { return fmt.Sprintf("%d %[1]d %[1]d %[1]d", id) }
	for _, c := range []struct {
		uid, gid string
		becomes  int
	}{{"1", "1", caller}, {"1", "0", 0}, {"0", "0", 0}, {"65534", "65534", 0}, {"1;", "1", 0}, {"4000000000", "1", 0}, {"", "", 0}} {
		t.Setenv("SUDO_UID", c.uid)
		t.Setenv("SUDO_GID", c.gid)
		dir := openFolder(t)
		store := filepath.Join(dir, "a.db")
		require.NoError(t, os.WriteFile(store, nil, 0o600)) // root's
		require.NoError(t, os.Mkdir(filepath.Join(dir, "panics"), 0o700))
		config := func(more string) string {
			return writeConfig(t, dir, "capture: {read: '-'}\nstore: {file: "+store+"}\nlimits: {panics: "+filepath.Join(dir, "panics")+"}\n"+more)
		}
		r, _ := feed(t)
		d := startChild(t, childOptions{stdin: r, args: []string{"monitor", "-c", config("")}})
		d.await("watching", 1)
		all := privileges(t, d.cmd.Process.Pid)
		require.Len(t, all, 1, "all threads are alike")
		require.Regexp(t, "^Uid: "+same(c.becomes)+" Gid: "+same(c.becomes)+" .*"+noCapabilities+"$", all[0])
		require.Equal(t, c.becomes == 0, len(d.said("THE DAEMON STILL RUNS AS ROOT, without capabilities, and owns root's files: make a user avbeacon, or name one with --user")) == 1)
		for _, file := range []string{"a.db", "a.db-wal", "panics"} {
			st, err := os.Stat(filepath.Join(dir, file))
			require.NoError(t, err)
			require.EqualValues(t, c.becomes, st.Sys().(*syscall.Stat_t).Uid, file)
			require.Zero(t, st.Mode().Perm()&0o077, file)
		}
		said := d.await("privileges were dropped", 1)
		require.Equal(t, 0.0, said["from_uid"])
		if said["landlock"] != 0.0 {
			work, err := os.Getwd()
			require.NoError(t, err)
			lists := d.await("other files are out of reach now", 1)
			require.NotContains(t, lists["readable"], filepath.Dir(work), "a path that is not named opens nothing")
			require.Subset(t, []any{dir}, lists["writable"])
		}
		if said["landlock"] != 0.0 && c.becomes == caller {
			config("knowledge: {feeds: /var/somewhere/else}\n")
			require.NoError(t, d.cmd.Process.Signal(syscall.SIGHUP))
			require.Contains(t, d.await("new knowledge was rejected; the old one stays in use", 1)["error"],
				"the configuration names a path in /var/somewhere: the daemon gave up access to it at its start (limits.confine)")
		}
		require.NoError(t, d.stop())
	}
}

// Only plain files with one name are handed over: a link in a folder of the next user could point to a file of root's.
func TestLinksAreNotHandedOver(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	dir := openFolder(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("roots"), nil, 0o600))
	require.NoError(t, os.Symlink(at("roots"), at("a.db.lock")))
	require.NoError(t, os.Link(at("roots"), at("a.db.reserve")))
	r, _ := feed(t)
	d := startChild(t, childOptions{stdin: r, args: []string{"monitor", "-c", writeConfig(t, dir, ""), "-r", "-", "--db", at("a.db"), "--user", "nobody"}})
	require.Error(t, d.wait(time.Minute))
	st, err := os.Stat(at("roots"))
	require.NoError(t, err)
	require.Zero(t, st.Sys().(*syscall.Stat_t).Uid)
}
