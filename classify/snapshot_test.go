package classify

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/classify/beacon"

	"github.com/stretchr/testify/require"
)

// again returns a Classifier restored from what another one saved.
func again(t testing.TB, c *Classifier, pieces []Saved) *Classifier {
	t.Helper()
	opt := c.opt
	opt.Recall = func(mac [6]byte, _ []netip.Addr, _ time.Time) capture.Machine { return machineOf(mac) }
	next := New(opt)
	r := next.Restore(pieces)
	require.NoError(t, r.Err)
	require.Zero(t, r.Unread+r.Unknown+r.Beyond)
	return next
}

// A run that is saved and restored after every few Observations finds the same as an uninterrupted one.
func TestStoppedRunsFindTheSame(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	cat := embedded(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			s, err := parseScenario(string(text))
			require.NoError(t, err)
			opt := Options{Catalog: cat, Home: s.home, IDKey: []byte("test")}
			whole := New(opt)
			want := s.run(whole)
			c := New(opt)
			every := max(1, len(s.events)/40)
			for i := range s.events {
				obs := s.events[i].obs
				c.Observe(&obs)
				for _, more := c.Next(); more; _, more = c.Next() {
				}
				if i%every == 0 {
					c = again(t, c, c.NewSaver().Changed(true))
				}
			}
			require.Equal(t, want, c.Findings())
			require.Equal(t, whole.Remarks(), c.Remarks())
		})
	}
}

// What changes piece by piece, put over what was there, comes to the same as saving all at the end.
func TestChangedPiecesAddUp(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	cat := embedded(t)
	type key struct{ host, vendor string }
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		s, err := parseScenario(string(text))
		require.NoError(t, err)
		c := New(Options{Catalog: cat, Home: s.home, IDKey: []byte("test")})
		saver, kept := c.NewSaver(), map[key]Saved{}
		keep := func(whole bool) {
			for _, p := range saver.Changed(whole) {
				kept[key{p.Host, p.Vendor}] = p
			}
			for _, h := range c.hosts.all() { // nothing that changed went unnoticed
				require.Equal(t, h.sum(), h.saved, "%s: %s", file, h.key)
				for _, x := range h.tracks {
					require.Equal(t, x.sum(), x.saved, "%s: %s, %s", file, h.key, x.vendor.Key)
				}
			}
		}
		for i := range s.events {
			obs := s.events[i].obs
			c.Observe(&obs)
			for _, more := c.Next(); more; _, more = c.Next() {
			}
			keep(false)
		}
		var pieces []Saved
		for _, p := range kept {
			pieces = append(pieces, p)
		}
		next := again(t, c, pieces)
		require.Equal(t, c.Findings(), next.Findings(), file)
	}
}

// What version 1 saved is read on.
func TestOldSnapshotIsRead(t *testing.T) {
	text, err := os.ReadFile("testdata/snapshot_1.json")
	require.NoError(t, err)
	var pieces []struct {
		Host, Vendor string
		Data         []byte
	}
	require.NoError(t, json.Unmarshal(text, &pieces))
	var saved []Saved
	for _, p := range pieces {
		saved = append(saved, Saved{Host: p.Host, Vendor: p.Vendor, Data: p.Data})
	}
	c := again(t, New(Options{Catalog: embedded(t), IDKey: []byte("test")}), saved)
	var found []string
	for _, f := range c.Findings() {
		found = append(found, fmt.Sprint(f.Host.Address, " ", f.Vendor.Key, " ", f.Verdict, " ", f.State, " ", f.HostRole, " ", f.Contacts, " ", f.Lookups))
	}
	require.Equal(t, []string{
		"10.0.0.5 eset possible active endpoint 0 1",
		"10.0.0.5 kaspersky installed active endpoint 7 0",
		"10.0.0.6 kaspersky likely blocked unknown 0 7",
		"10.0.0.7 kaspersky possible active resolver 0 2",
		"10.0.0.9 drweb installed active endpoint 1 0",
	}, found)
}

func TestNothingNewIsSavedOnce(t *testing.T) {
	c := New(Options{Catalog: embedded(t), IDKey: []byte("test")})
	c.Observe(helloFrom(addrOf(1), "ds.kaspersky.com", day))
	saver := c.NewSaver()
	require.Len(t, saver.Changed(false), 3, "the whole, the host, the finding")
	require.Len(t, saver.Changed(false), 1, "only what belongs to no host")
	c.Observe(flowOf(addrOf(2), 1000, day))
	require.Len(t, saver.Changed(false), 2)
	next := again(t, c, saver.Changed(true))
	fresh := next.NewSaver()
	fresh.Fresh()
	require.Len(t, fresh.Changed(false), 1)
}

// The owner of a Classifier asks its Saver once a second, while packets wait: what that costs must follow what changed, however many
// hosts are remembered.
func TestSavingCostsWhatChanged(t *testing.T) {
	const hosts = 20_000
	c := New(Options{Catalog: embedded(t), IDKey: []byte("test")})
	saver := c.NewSaver()
	for i := range hosts {
		c.Observe(flowOf(addrOf(i), 1000, day))
	}
	looked := func() uint64 {
		before := saver.looked
		saver.Changed(false)
		return saver.looked - before
	}
	require.EqualValues(t, hosts, looked())
	require.Zero(t, looked())
	for i := range 7 {
		c.Observe(flowOf(addrOf(i), 1001, day.Add(time.Second)))
	}
	require.EqualValues(t, 7, looked())
	c.Limit(hosts / 2)
	require.Zero(t, looked(), "what is forgotten is not looked at")
}

func BenchmarkSaver(b *testing.B) {
	const hosts = 65_536
	c := New(Options{Catalog: embedded(b), IDKey: []byte("test")})
	for i := range hosts {
		c.Observe(flowOf(addrOf(i), 1000, day))
	}
	saver := c.NewSaver()
	saver.Fresh()
	for _, changed := range []int{0, 64, 4096} {
		b.Run(strconv.Itoa(changed), func(b *testing.B) {
			at := day
			for b.Loop() {
				b.StopTimer()
				at = at.Add(time.Second)
				for i := range changed {
					c.Observe(flowOf(addrOf(i), 1001, at))
				}
				b.StartTimer()
				saver.Changed(false)
			}
		})
	}
}

func FuzzRestore(f *testing.F) {
	cat := embedded(f)
	c := New(Options{Catalog: cat, IDKey: []byte("test")})
	c.Observe(helloFrom(addrOf(1), "ds.kaspersky.com", day))
	for i, p := range c.NewSaver().Changed(true) {
		f.Add(uint8(i), p.Data)
		f.Add(uint8(i), p.Data[:len(p.Data)/2])
	}
	good := c.NewSaver().Changed(true)
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		pieces := append([]Saved(nil), good...)
		pieces[int(which)%len(pieces)].Data = data
		c := New(Options{Catalog: cat, IDKey: []byte("test")})
		c.Restore(pieces)
		c.Observe(helloFrom(addrOf(1), "ds.kaspersky.com", day))
		c.Findings()
		c.NewSaver().Changed(true)
	})
}

// A field that is added to what is remembered has to be added to what is saved (and snapshotVersion raised), or to the reason
// why it is not.
func TestSnapshotKnowsEveryField(t *testing.T) {
	for _, c := range []struct {
		of     any
		fields int // saved, and those that are not: places in tables, caches, what is looked up again
	}{
		{track{}, 42}, {host{}, 19}, {habits{}, 31}, {session{}, 16}, {facts{}, 13}, {beat{}, 10}, {flow{}, 10}, {lookup{}, 12}, {fallback{}, 9},
		{relay{}, 5}, {Evidence{}, 17}, {Destination{}, 10}, {remark{}, 2}, {Remark{}, 8}, {traffic{}, 6}, {attempts{}, 2}, {beacon.Hours{}, 3}, {attemptHour{}, 4}, {stream{}, 6}, {turns{}, 4},
	} {
		of := reflect.TypeOf(c.of)
		require.Equal(t, c.fields, of.NumField(), "%s: is the new field in snapshot_*.go?", of.Name())
	}
}
