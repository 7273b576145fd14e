package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"avbeacon/internal/session"
)

// A disk that is full where the store lies: alerts wait, the log says so once, and they go on when there is room.
func TestAlertsWaitForRoomOnTheDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "48m")
	c := newCrowd(t, 100)
	elastic := collectBulk(t)
	file, _ := configured(t, fmt.Sprintf(`
capture: {read: "-"}
store: {file: %s/home.db, alerts: 16MiB}
listen: {address: "127.0.0.1:0", silent: 0s}
log: {level: info, format: json}
%s
sinks: [{name: elastic, type: elastic, http: {url: "%s"}}]
`, disk, eachAlert, elastic.URL))
	p := avbeacon(t, "monitor", "-c", file)
	_, err := p.in.Write(c.head)
	require.NoError(t, err)
	half := len(c.records) / 2
	p.feed(t.Context(), c, 0, half, 0)
	eventually(t, func() bool { return elastic.len() > 200 }, p.log.String)

	fill(t, disk+"/filler")
	require.NoError(t, os.Remove(disk+"/home.db.reserve")) // as if it had been given up long ago
	fill(t, disk+"/filler2")
	p.feed(t.Context(), c, half, len(c.records), 0)
	waits := regexp.MustCompile(`avbeacon_queue_entries\{queue="spool"\} [1-9]`)
	eventually(t, func() bool {
		return strings.Contains(p.log.String(), session.Unwritten) && waits.MatchString(p.metricsOf(t))
	},
		func() string { return p.log.String() + p.metricsOf(t) })
	require.Less(t, elastic.len(), c.alerts)
	require.NoError(t, os.Remove(disk+"/filler"))
	require.NoError(t, os.Remove(disk+"/filler2"))
	eventually(t, func() bool { return elastic.len() == c.alerts }, func() string { return fmt.Sprint(elastic.len(), p.log.String()) })
	require.NoError(t, p.in.Close())
	p.end(t)
	require.Zero(t, count(elastic.seen(), 1))
	require.Equal(t, 1, strings.Count(p.log.String(), session.Unwritten), p.log.String())
	require.Equal(t, 1, strings.Count(p.log.String(), "disk is full"), p.log.String())
}

// smallDisk mounts a disk in memory, which needs root.
func smallDisk(t testing.TB, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no disk of its own for the store: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill writes a file until the disk is full.
func fill(t testing.TB, name string) {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 1<<20))
	}
	require.ErrorIs(t, err, unix.ENOSPC)
}
