package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/store"
	"avbeacon/internal/testkit/rounds"
)

// toBoth is a configuration with two sinks, one of which has acknowledgements and the other not.
func toBoth(t testing.TB, syslog *octets, elastic *bulk) (file, dir string) {
	return configured(t, fmt.Sprintf(`
capture: {read: "-"}
store: {file: %%s/home.db}
listen: {address: ""}
log: {level: warn, format: json}
%s
sinks:
  - {name: soc, type: syslog, format: cef, syslog: {network: tcp, address: "%s"}}
  - {name: elastic, type: elastic, http: {url: "%s"}}
`, eachAlert, syslog.Addr(), elastic.URL))
}

// undisturbed returns the alerts of a run over the crowd that is not killed.
func undisturbed(t testing.TB, c *crowd) *bulk {
	t.Helper()
	syslog, elastic := collectOctets(t), collectBulk(t)
	file, _ := toBoth(t, syslog, elastic)
	p := avbeacon(t, "monitor", "-c", file, "-r", c.file(t))
	p.end(t)
	require.Equal(t, syslog.seen(), elastic.seen(), p.log.String())
	require.Zero(t, count(elastic.seen(), 1), "nothing comes twice")
	syslog.requireFlawless(t)
	elastic.requireFlawless(t)
	return elastic
}

// The program is killed 13 times at random moments while 2,500 alerts flow (with ROUNDS=4, as in .ci/run, 52 times and 10,000)
// to a collector that acknowledges nothing and to one that does. After each kill the packets are fed again from a point before the first whose alert has not arrived: all
// alerts of an undisturbed run arrive at both, under the same ids, those of a finding in its order, and no other.
func TestKilledMonitorsLoseNoAlert(t *testing.T) {
	t.Parallel()
	kills, machines := rounds.Of(t, 13), rounds.Of(t, 500)
	if testing.Short() || raced {
		kills, machines = 8, 400
	}
	c := newCrowd(t, machines)
	want := undisturbed(t, c)
	require.Equal(t, c.alerts, want.len())
	packetOf := packets(t, c, want)

	syslog, elastic := collectOctets(t), collectBulk(t)
	elastic.slow = 20 * time.Millisecond // so that kills find requests on their way
	file, dir := toBoth(t, syslog, elastic)
	from := 0
	for round := range kills {
		most := len(c.records) * (round + 1) / kills // so that each kill finds something to do
		killOne(t, c, file, from, most, 100*time.Millisecond+rand.N(300*time.Millisecond)+time.Duration(round%10/9)*time.Second)
		requireStored(t, filepath.Join(dir, "home.db"), &syslog.arrivals, &elastic.arrivals)
		from = missing(packetOf, len(c.records), &syslog.arrivals, &elastic.arrivals)
	}
	p := avbeacon(t, "monitor", "-c", file)
	_, err := p.in.Write(c.head)
	require.NoError(t, err)
	require.Equal(t, len(c.records), p.feed(context.Background(), c, from, len(c.records), 0), p.log.String())
	require.NoError(t, p.in.Close())
	p.end(t)

	finding, event := map[string]string{}, map[string]string{}
	for id := range want.seen() {
		d := want.document(t, id)
		finding[id], event[id] = d.Avbeacon.Finding.ID, d.Avbeacon.Event
	}
	ids := slices.Sorted(maps.Keys(want.seen()))
	for who, a := range map[string]*arrivals{"syslog": &syslog.arrivals, "elastic": &elastic.arrivals} {
		a.requireFlawless(t)
		got := slices.Sorted(maps.Keys(a.seen()))
		require.True(t, slices.Equal(ids, got), "%s: missing %s, more %s", who, few(without(ids, got)), few(without(got, ids)))
		a.requireOrder(t, finding, event)
		t.Logf("%s: %d alerts, %d of them twice or more", who, len(got), count(a.seen(), 1))
	}
}

// requireStored checks that the store has every alert that arrived anywhere, and the finding that it is about.
func requireStored(t testing.TB, file string, receivers ...*arrivals) {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		return // killed before it was made
	}
	db, err := store.Open(file, store.Options{ReadOnly: true})
	if errors.Is(err, store.ErrMissing) || errors.Is(err, store.ErrOlder) {
		return // killed while it was made
	}
	require.NoError(t, err)
	defer db.Close()
	alerts, err := db.Alerts(t.Context())
	require.NoError(t, err)
	found, err := db.Findings(t.Context(), nil)
	require.NoError(t, err)
	stored, findings := map[string]bool{}, map[string]bool{}
	for i := range found {
		findings[found[i].ID] = true
	}
	for i := range alerts {
		stored[alerts[i].ID] = findings[alerts[i].Finding]
	}
	for _, a := range receivers {
		for id := range a.seen() {
			require.True(t, stored[id], "alert %s arrived, and the store lacks it or its finding", id)
		}
	}
}

// killOne runs a monitor on packets, and kills it after some time.
func killOne(t testing.TB, c *crowd, file string, from, to int, after time.Duration) {
	t.Helper()
	life, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	p := avbeacon(t, "monitor", "-c", file)
	defer context.AfterFunc(life, p.kill)()
	if _, err := p.in.Write(c.head); err == nil {
		fresh := max(from, to-len(c.records)/50) // what was fed before comes at once
		if n := p.feed(life, c, from, fresh, 0); n == fresh {
			p.feed(life, c, fresh, to, int(float64(to-fresh)/after.Seconds()))
		}
	}
	<-life.Done()
	p.kill()
}

// without gives what of a is not in b; both are sorted.
func without(a, b []string) (out []string) {
	for _, x := range a {
		if _, found := slices.BinarySearch(b, x); !found {
			out = append(out, x)
		}
	}
	return out
}

// packets returns, for each alert id, the packet that its alert reports.
func packets(t testing.TB, c *crowd, told *bulk) map[string]int {
	t.Helper()
	out := map[string]int{}
	for id := range told.seen() {
		changed := told.document(t, id).Avbeacon.Changed
		at, found := slices.BinarySearchFunc(c.records, changed, func(r []byte, when time.Time) int {
			return c.timeOf(r).Compare(when)
		})
		require.True(t, found, "no packet has the time %v", changed)
		out[id] = at
	}
	return out
}

// missing is the number of the first packet whose alert has not arrived everywhere.
func missing(packetOf map[string]int, all int, receivers ...*arrivals) int {
	first := all
	for _, a := range receivers {
		seen := a.seen()
		for id, at := range packetOf {
			if seen[id] == 0 {
				first = min(first, at)
			}
		}
	}
	return first
}
