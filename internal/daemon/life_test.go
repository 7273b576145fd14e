package daemon

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/classify"
	"avbeacon/internal/session"
)

// A run leaves no goroutine behind.
func TestRunLeavesNoGoroutine(t *testing.T) {
	run := func() {
		o := newOne(t)
		o.Config.Store.File, o.Config.Listen.Address = filepath.Join(t.TempDir(), "a.db"), "127.0.0.1:0"
		o.Config.Knowledge.Feeds = t.TempDir()
		catalogue(t, o.Config.Knowledge.Feeds, "_sources", "_makers", "drweb")
		o.run(t)
		require.NotEmpty(t, o.out.ids(t))
	}
	run() // what libraries begin once and for all is there
	before := runtime.NumGoroutine()
	run()
	for range 500 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Fatalf("%d goroutines, %d before: %s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}

// fragile is a catalogue whose reader panics at one name and one address.
type fragile struct {
	capture.Interest
	headers []string
}

func (f *fragile) Name(name []byte) bool {
	if strings.HasPrefix(string(name), "ds.kaspersky") {
		panic("a name that nobody thought of")
	}
	return f.Interest.Name(name)
}

func (f *fragile) HeaderNames() []string { return f.headers }

// built opens a daemon and puts its parts together.
func built(t *testing.T, d *Daemon) *owner {
	t.Helper()
	know, err := session.Load(&d.cfg.Knowledge, d.cfg.Policy)
	require.NoError(t, err)
	t.Cleanup(know.Close)
	require.NoError(t, d.open(context.Background()))
	own, err := d.build(context.Background(), know)
	require.NoError(t, err)
	return own
}

// A packet that makes the observers panic, and an Observation that makes the stages behind them panic, are counted, kept for a
// report and left out; everything else is found.
func TestPanicsAreContained(t *testing.T) {
	dir := t.TempDir()
	o := newOne(t)
	o.Config.Limits.Pieces, o.Config.Capture.Workers = dir, 2
	d := &Daemon{opt: o.Options, cfg: &o.Config, log: o.Log, began: time.Now(), ripe: make(chan struct{}, 1)}
	own := built(t, d)
	p := own.Pipeline
	weak := &fragile{own.Interest(), own.Know.Catalog.HeaderNames()}
	p.Capture.Interest = func() capture.Interest { return weak }
	changed := p.Changed
	p.Changed = func(f *classify.Finding) error {
		if f.Vendor.Key == "eset" {
			panic("a finding that nobody thought of")
		}
		return changed(f)
	}
	stats, err := p.Run(context.Background())
	require.NoError(t, err)
	require.Positive(t, stats.Panics)
	require.Positive(t, p.Panics)
	require.EqualValues(t, stats.Panics+p.Panics, d.faults.panics.Load())
	require.NoError(t, own.finish(stats))
	vendors := map[string]bool{}
	for _, f := range p.Classifier.Findings() {
		vendors[f.Vendor.Key] = true
	}
	require.True(t, vendors["drweb"] && vendors["avast"], "%v", vendors)
	require.NoError(t, d.close())

	require.True(t, o.said("a packet caused a panic and was skipped"))
	require.True(t, o.said("an observation caused a panic and was skipped"))
	kept, err := filepath.Glob(filepath.Join(dir, "panic-*.pcap"))
	require.NoError(t, err)
	require.NotEmpty(t, kept)
	files := files.Open(kept, files.Options{})
	defer files.Close()
	var b capture.Block
	require.NoError(t, files.Next(context.Background(), &b))
	require.Contains(t, strings.ToLower(string(b.Packets[0].Data)), "kaspersky", "what is kept is the packet")
	lines, err := filepath.Glob(filepath.Join(dir, "panic-*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, lines)
	text, err := os.ReadFile(lines[0])
	require.NoError(t, err)
	require.Contains(t, string(text), `"kind":`)
}

// A panic in a periodic task is counted and contained; the next periods run as usual.
func TestPanicInTickIsContained(t *testing.T) {
	o := newOne(t)
	o.Config.Limits.Pieces = t.TempDir()
	d := &Daemon{opt: o.Options, cfg: &o.Config, log: o.Log, began: time.Now(), ripe: make(chan struct{}, 1)}
	p := built(t, d).Pipeline
	tick, ticks := p.Tick, 0
	p.Tick = func(now time.Time, st capture.Stats) error {
		if ticks++; ticks == 1 {
			panic("a moment that nobody thought of")
		}
		return tick(now, st)
	}
	_, err := p.Run(context.Background())
	require.NoError(t, err)
	require.NoError(t, d.close())
	require.Positive(t, ticks)
	require.EqualValues(t, 1, p.Panics)
	require.True(t, o.said("an observation caused a panic and was skipped"))
	require.NotEmpty(t, p.Classifier.Findings())
}

func TestHostsAreEvictedWhenMemoryRunsShort(t *testing.T) {
	r := relief{limit: 1000, hosts: 10_000, most: 10_000}
	require.False(t, r.adjust(740, 500))
	require.False(t, r.adjust(100, 500))
	require.True(t, r.adjust(751, 5000), "fewer than there are, whatever the limit was")
	require.Equal(t, 4750, r.hosts)
	require.True(t, r.adjust(1000, 4750), "the more is in use, the more goes")
	require.Equal(t, 2671, r.hosts)
	require.False(t, r.adjust(600, 2671))
	require.True(t, r.adjust(500, 2671))
	require.Equal(t, 2725, r.hosts)
	for range 100 {
		r.adjust(500, 2671)
	}
	require.Equal(t, 10_000, r.hosts, "no more than the configuration says")
	for range 100 {
		r.adjust(2000, r.hosts)
	}
	require.Equal(t, 1000, r.hosts)
	r = newRelief(7)
	require.False(t, r.adjust(1e15, 7), "without a limit nothing is done")
}

// A limit that is too small for what is there is kept as far as letting hosts go can keep it, and said.
func TestMemoryShortageIsLogged(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(8 << 20))
	o := newOne(t)
	in, stop := o.background(t)
	whole, err := os.ReadFile(office)
	require.NoError(t, err)
	_, err = in.Write(whole)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return o.said("memory is running short: fewer hosts are remembered") }, time.Minute, 20*time.Millisecond)
	require.NoError(t, stop())
	require.Contains(t, o.out.text(), "192.168.10.21")
}

// The last summary is bounded, whatever was found.
func TestSummaryShowsTheGravest(t *testing.T) {
	o := newOne(t)
	know, err := session.Load(&o.Config.Knowledge, "moscow")
	require.NoError(t, err)
	defer know.Close()
	parts, err := session.New(session.Options{Hosts: o.Config.Limits.Hosts, IDKey: session.NewKey()}, know)
	require.NoError(t, err)
	own := &owner{Session: parts}
	observe := func(n int, name string) {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 4000)
		own.Pipeline.Classifier.Observe(&capture.Observation{Time: time.Unix(1_790_000_000, 0), Kind: capture.Hello, Proto: capture.TLS, Transport: capture.TCP, FromClient: true,
			Host: capture.Host{Addr: from.Addr()}, Src: from, Dst: netip.MustParseAddrPort("192.0.2.1:443"), Name: name})
	}
	for i := range 30 {
		observe(i, "ds.kaspersky.com")
	}
	for i := range mostShown {
		observe(100+i, "i1.c.eset.com")
	}
	list, all := own.gravest()
	require.Equal(t, mostShown+30, all)
	require.Len(t, list, mostShown)
	concern := 0
	for _, f := range list {
		if f.Vendor.Key == "kaspersky" {
			concern++
		}
	}
	require.Equal(t, 30, concern)
}
