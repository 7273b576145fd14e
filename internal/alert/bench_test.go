package alert

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/feeds"
	"avbeacon/internal/policy"
)

// crowd makes a Book that knows n findings of some size, and the findings.
func crowd(tb testing.TB, n int, cfg Config) (*Book, []*classify.Finding, policy.Decision) {
	b, err := NewBook(cfg, Options{})
	require.NoError(tb, err)
	v := &feeds.Vendor{Key: "kaspersky", Name: "Kaspersky"}
	d := policy.Decision{Concern: true, Rule: "russian-vendor", Severity: policy.High}
	all := make([]*classify.Finding, n)
	var calls []classify.Destination
	var signs []classify.Evidence
	for j := range 8 {
		x := classify.Destination{Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(j)}), Port: 443}
		x.Place.Level, x.Place.Country = []place.Level{place.M3, place.N}[j%2], "RU"
		calls = append(calls, x)
		signs = append(signs, classify.Evidence{Kind: classify.KindSNI, Value: "dnl-01.geo.kaspersky.com", Supports: true,
			Strength: feeds.Strong, Role: feeds.RoleUpdate})
	}
	for i := range all {
		f := &classify.Finding{ID: fmt.Sprintf("%016x", i), Vendor: v, Verdict: classify.Installed, FirstSeen: start, LastSeen: start}
		f.Host.Address = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		f.Host.HasMAC, f.Host.MAC = true, [6]byte{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)}
		f.Destinations, f.Evidence = calls, signs
		all[i] = f
		b.Judge(f, d, start)
	}
	b.Unsaid()
	return b, all, d
}

func usual() Config {
	return Config{Repeat: 240 * time.Hour, Resolve: 240 * time.Hour, Removal: Removal{After: 9999 * time.Hour},
		Group: Group{Over: 50, Within: time.Minute}, Quiet: []Quiet{{From: "18:00", To: "07:00"}},
		Suppress: []SuppressionRule{{ID: "x", Hosts: []string{"192.168.0.0/16"}, Domains: []string{"example.com"}, Reason: "r", Author: "a"}}}
}

// BenchmarkJudge is the usual case: the finding stays active and causes no alert.
func BenchmarkJudge(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			book, all, d := crowd(b, n, usual())
			book.Tick(start.Add(2 * time.Minute)) // the summary
			f := *all[0]                          // in cache, as the classifier has just made it
			runtime.GC()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				was := all[(i*7919)%n]
				i++
				f.ID, f.Host = was.ID, was.Host
				f.LastSeen = start.Add(2*time.Minute + time.Duration(i)*time.Millisecond)
				book.Judge(&f, d, f.LastSeen)
			}
		})
	}
}

// BenchmarkJudgeNew is the most expensive case: an unknown host.
func BenchmarkJudgeNew(b *testing.B) {
	book, all, d := crowd(b, 1000, Config{})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		f := *all[i%1000]
		f.ID = fmt.Sprint(i)
		i++
		book.Judge(&f, d, start)
		book.Unsaid()
	}
}

func TestJudgeWithoutAlertDoesNotAllocate(t *testing.T) {
	book, all, d := crowd(t, 2000, usual())
	book.Tick(start.Add(2 * time.Minute)) // the summary
	i := 0
	require.Zero(t, testing.AllocsPerRun(5000, func() {
		f := all[i%2000]
		i++
		now := start.Add(3*time.Minute + time.Duration(i)*time.Millisecond)
		f.LastSeen = now
		if told := book.Judge(f, d, now); told != nil {
			t.Fatalf("%s", told[0].Message)
		}
	}))
	unconcerned := policy.Decision{}
	f := &classify.Finding{ID: "other", Vendor: all[0].Vendor, Verdict: classify.Installed}
	require.Zero(t, testing.AllocsPerRun(100, func() { book.Judge(f, unconcerned, start) }))
}
