package watch

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/capture/observe"
	"avbeacon/classify"
	"avbeacon/feeds"
	"avbeacon/internal/hosts"
	"avbeacon/internal/names"
	"avbeacon/internal/pipeline"
	"avbeacon/internal/store"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func catalog(t testing.TB) *feeds.Catalog {
	t.Helper()
	c, err := feeds.Embedded()
	require.NoError(t, err)
	return c
}

func open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "memory.db"), store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// kept flushes a store and returns how many records of unmatched values it has.
func kept(t testing.TB, s *store.Store) int64 {
	t.Helper()
	require.NoError(t, s.Flush(context.Background(), now))
	x, err := s.Stats(context.Background())
	require.NoError(t, err)
	return x.Rows["unmatched"]
}

func host(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }

// hello is a TLS hello of a host to a server with a name.
func hello(n int, name string) *capture.Observation {
	return &capture.Observation{Kind: capture.Hello, Proto: capture.TLS, Transport: capture.TCP, FromClient: true, Time: now, Name: name,
		Src: netip.AddrPortFrom(host(n), 40000), Dst: netip.MustParseAddrPort("203.0.113.7:443"), Host: capture.Host{Addr: host(n)}}
}

// read runs a capture through a pipeline, with or without a Watch, and returns its classifier.
func read(t testing.TB, cat *feeds.Catalog, file string, w *Watch) *classify.Classifier {
	t.Helper()
	src := files.Open([]string{file}, files.Options{})
	defer src.Close()
	c := classify.New(classify.Options{Catalog: cat, IDKey: []byte("0123456789abcdef")})
	p := &pipeline.Pipeline{Source: src, Hosts: hosts.New(hosts.Options{}), Names: names.New(names.Options{Interest: cat}), Classifier: c, Catalog: cat}
	p.Capture = observe.Options{Workers: 1, Observer: observe.ObserverOptions{Interest: cat, Headers: cat.HeaderNames()}}
	if w != nil {
		p.Watch, p.Capture.Observer.Interest = w, w
	}
	_, err := p.Run(context.Background())
	require.NoError(t, err)
	return c
}

func private(a netip.Addr) bool { return a.IsPrivate() }

func TestVendorLike(t *testing.T) {
	w := New(open(t), catalog(t), private)
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

// What a Watch sees in addition changes no finding.
func TestFindingsAreTheSameWithAWatch(t *testing.T) {
	cat := catalog(t)
	captures, err := filepath.Glob("../../testdata/pcap/*.pcap")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(captures), 4)
	total := int64(0)
	for _, file := range captures {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s := open(t)
			alone, beside := read(t, cat, file, nil), read(t, cat, file, New(s, cat, private))
			require.Equal(t, alone.Findings(), beside.Findings())
			require.Equal(t, alone.Remarks(), beside.Remarks())
			total += kept(t, s)
		})
	}
	require.Positive(t, total, "the Watch saw something")
}

// A name that matched nothing is found once a catalogue knows it, with its identifier hidden.
func TestLaterCatalogueIsAppliedToThePast(t *testing.T) {
	ctx := context.Background()
	before, after := catalogOf(t, "old.example.com"), catalogOf(t, "new.example.com")
	s := open(t)
	w := New(s, before, private)
	say := func(name string) {
		require.True(t, w.Name([]byte(name)))
		w.Take(hello(2, name))
	}
	say("x1.new.example.com") // under a vendor's domain
	say("x1.new.example.com")
	say("old.example.com") // has an entry: none of the Watch's
	require.NoError(t, s.Flush(ctx, now))
	say("x1.new.example.com")
	require.NoError(t, s.Flush(ctx, now))
	past, err := PastOf(ctx, s, before)
	require.NoError(t, err)
	require.Empty(t, past)
	past, err = PastOf(ctx, s, after)
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
	s := open(t)
	w := New(s, catalog(t), private)
	for n := range 3 {
		for i := range 1000 {
			w.Take(hello(n, "update."+string(rune('a'+i%26))+string(rune('a'+i/26%26))+".example.com"))
		}
	}
	require.EqualValues(t, 3*valuesOfDay, kept(t, s))
}

func TestNamelessContactsAreKept(t *testing.T) {
	s := open(t)
	w := New(s, catalog(t), private)
	contact := func(change func(*capture.Observation)) {
		obs := &capture.Observation{Kind: capture.Contact, Transport: capture.TCP, FromClient: true, Time: now, Marks: capture.NoName,
			Src: netip.AddrPortFrom(host(1), 1), Dst: netip.MustParseAddrPort("203.0.113.9:443"), Host: capture.Host{Addr: host(1)},
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
	require.EqualValues(t, 1, kept(t, s))
	contact(func(o *capture.Observation) {
		o.Flow.Proto, o.Flow.InHeadLen, o.Dst = capture.ProtoNone, 4, netip.MustParseAddrPort("203.0.113.9:9999")
	})
	require.EqualValues(t, 2, kept(t, s))
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
