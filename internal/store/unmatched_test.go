package store

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"avbeacon/capture"
	"avbeacon/feeds"

	"github.com/stretchr/testify/require"
)

func private(a netip.Addr) bool { return a.IsPrivate() }

func TestVendorLike(t *testing.T) {
	w := NewWatch(open(t, tempFile(t), Options{}), catalog(t), private)
	for name, want := range map[string]bool{
		"upd.example.com":               true,
		"update7.example.com":           true,
		"av-cloud.example.org":          true,
		"eu.antivirus.example.net":      true,
		"brand-new.kaspersky.com":       true, // under a domain that the catalogue has names of
		"kaspersky.com":                 true,
		"www.example.com":               false,
		"avalon.example.com":            false,
		"updateme.example.com":          false,
		"example.update":                false, // a top-level domain is no label of a host
		"":                              false,
		strings.Repeat("a.", 100) + "b": false,
	} {
		require.Equal(t, want, w.like([]byte(name)), name)
	}
	name := []byte("a.b.c.d.update.example.com")
	require.Zero(t, testing.AllocsPerRun(100, func() { w.Name(name) }), "it is asked for every name on the wire")
}

// What a Watch sees more changes no finding.
func TestFindingsAreTheSameWithAWatch(t *testing.T) {
	cat := catalog(t)
	for _, file := range captures(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			key := []byte("0123456789abcdef")
			alone, beside := classifier(t, cat, key), classifier(t, cat, key)
			read(t, alone, cat, cat, file, nil)
			s := open(t, tempFile(t), Options{})
			w := NewWatch(s, cat, private)
			readWatched(t, beside, cat, w, file)
			require.Equal(t, alone.Findings(), beside.Findings())
			require.Equal(t, alone.Remarks(), beside.Remarks())
			require.NoError(t, s.Flush(context.Background(), now))
			t.Logf("%d kept", rows(t, s)["unmatched"])
		})
	}
}

// A name that matched nothing is found once a catalogue knows it, with its identifier hidden.
func TestLaterCatalogueIsAppliedToThePast(t *testing.T) {
	ctx := context.Background()
	before, after := catalogOf(t, "old.example.com"), catalogOf(t, "new.example.com")
	s := open(t, tempFile(t), Options{})
	w := NewWatch(s, before, private)
	say := func(name string) {
		obs := hello(1, 1, now)
		obs.Name = name
		require.True(t, w.Name([]byte(name)))
		w.Take(obs)
	}
	say("x1.new.example.com") // under a vendor's domain
	say("x1.new.example.com")
	say("old.example.com") // has an entry: none of the Watch's
	require.NoError(t, s.Flush(ctx, now))
	say("x1.new.example.com")
	require.NoError(t, s.Flush(ctx, now))
	past, err := s.Past(ctx, before)
	require.NoError(t, err)
	require.Empty(t, past)
	past, err = s.Past(ctx, after)
	require.NoError(t, err)
	require.Len(t, past, 1)
	require.Equal(t, "10.0.0.2", past[0].Host)
	require.EqualValues(t, 3, past[0].Seen)
	require.NotContains(t, past[0].Value, "x1", "the entry hides the first label")
	require.Contains(t, past[0].String(), "Testvendor")
}

// catalogOf has one vendor with one name and its subdomains, whose first label is an identifier.
func catalogOf(t *testing.T, name string) *feeds.Catalog {
	t.Helper()
	c, err := feeds.LoadFS(fstest.MapFS{"testvendor.yaml": {Data: []byte(strings.ReplaceAll(testVendor, "NAME", name))}})
	require.NoError(t, err)
	return c
}

func TestUnmatchedIsBounded(t *testing.T) {
	s := open(t, tempFile(t), Options{})
	w := NewWatch(s, catalog(t), private)
	for host := range 3 {
		for i := range 1000 {
			obs := hello(host, i, now)
			obs.Name = "update." + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + ".example.com"
			w.Take(obs)
		}
	}
	require.NoError(t, s.Flush(context.Background(), now))
	require.EqualValues(t, 3*valuesOfDay, rows(t, s)["unmatched"])
}

func TestNamelessContactsAreKept(t *testing.T) {
	s := open(t, tempFile(t), Options{})
	w := NewWatch(s, catalog(t), private)
	contact := func(change func(*capture.Observation)) {
		obs := &capture.Observation{Kind: capture.Contact, Transport: capture.TCP, FromClient: true, Time: now, Marks: capture.NoName,
			Src: netip.AddrPortFrom(addr(1), 1), Dst: netip.MustParseAddrPort("203.0.113.9:443"), Host: capture.Host{Addr: addr(1)},
			Flow: &capture.FlowRecord{Proto: capture.TLS, Outcome: capture.Established, Final: true}}
		change(obs)
		w.Note(obs)
	}
	contact(func(*capture.Observation) {})
	contact(func(o *capture.Observation) { o.Marks = 0 })
	contact(func(o *capture.Observation) { o.Name = "www.example.com" })
	contact(func(o *capture.Observation) { o.Dst = netip.MustParseAddrPort("10.9.9.9:443") })
	contact(func(o *capture.Observation) { o.Flow.Outcome = capture.NoAnswer })
	contact(func(o *capture.Observation) { o.Flow.Proto = capture.HTTP })
	contact(func(o *capture.Observation) { o.Flow.Proto, o.Marks = capture.ProtoNone, 0 })
	require.Len(t, s.waiting.unmatched, 1)
	contact(func(o *capture.Observation) {
		o.Flow.Proto, o.Flow.InHeadLen, o.Dst = capture.ProtoNone, 4, netip.MustParseAddrPort("203.0.113.9:9999")
	})
	require.Len(t, s.waiting.unmatched, 2)
}

const testVendor = `key: testvendor
name: Testvendor
country: RU
sources:
  lab: {text: made for a test, date: 2026-11-01, licence: facts only}
names:
  - pattern: NAME
    match: suffix
    role: update
    strength: strong
    source: lab
    confidence: high
    mask: label
  - pattern: home.example.com
    role: web
    strength: weak
    source: lab
    confidence: high
`
