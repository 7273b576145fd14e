package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/capture/observe"
	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/feeds"
	"avbeacon/internal/hosts"
	"avbeacon/internal/names"
	"avbeacon/internal/pipeline"
	"avbeacon/internal/policy"
	"avbeacon/internal/report"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func catalog(t testing.TB) *feeds.Catalog {
	t.Helper()
	c, err := feeds.Embedded()
	require.NoError(t, err)
	return c
}

// judge is the default policy's.
func judge(t testing.TB) func(*classify.Finding) policy.Decision {
	t.Helper()
	p, err := policy.Load(policy.Default)
	require.NoError(t, err)
	return p.Decide
}

func open(t testing.TB, file string, opt Options) *Store {
	t.Helper()
	s, err := Open(file, opt)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func tempFile(t testing.TB) string { return filepath.Join(t.TempDir(), "memory.db") }

// read runs a capture through everything into c.
func read(t testing.TB, c *classify.Classifier, cat *feeds.Catalog, in capture.Interest, file string, changed func(*classify.Finding) error) {
	t.Helper()
	run(t, c, cat, in, nil, file, changed)
}

func run(t testing.TB, c *classify.Classifier, cat *feeds.Catalog, in capture.Interest, w pipeline.Watch, file string, changed func(*classify.Finding) error) {
	t.Helper()
	src := files.Open([]string{file}, files.Options{})
	defer src.Close()
	p := &pipeline.Pipeline{Source: src, Capture: observe.Options{Workers: 1, Observer: observe.ObserverOptions{Interest: in, Headers: cat.HeaderNames()}},
		Hosts: hosts.New(hosts.Options{}), Names: names.New(names.Options{Interest: cat}), Classifier: c, Catalog: cat, Changed: changed, Watch: w}
	_, err := p.Run(context.Background())
	require.NoError(t, err)
}

func classifier(t testing.TB, cat *feeds.Catalog, key []byte, recall classify.Recall) *classify.Classifier {
	t.Helper()
	places, err := feeds.OpenPlaces(nil, true)
	require.NoError(t, err)
	t.Cleanup(func() { _ = places.Close() })
	return classify.New(classify.Options{Catalog: cat, Locate: place.Locator(places), IDKey: key, Recall: recall})
}

func captures(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/pcap/*.pcap")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 4)
	if more := os.Getenv("AVBEACON_CAPTURES"); more != "" { // a pattern of further captures
		found, err := filepath.Glob(more)
		require.NoError(t, err)
		files = append(files, found...)
	}
	return files
}

// findingsJSON is what a report would show of findings.
func findingsJSON(t testing.TB, cat *feeds.Catalog, list []*classify.Finding) string {
	t.Helper()
	p, err := policy.Load(policy.Default)
	require.NoError(t, err)
	r := report.New(&report.Facts{Catalog: cat, Findings: list, Judge: p.Judge})
	text, err := json.MarshalIndent(r.Findings, "", " ")
	require.NoError(t, err)
	return string(text)
}

func bare(list []Kept) []*classify.Finding {
	var out []*classify.Finding
	for _, k := range list {
		out = append(out, k.Finding)
	}
	return out
}

func TestWhatIsKeptComesBack(t *testing.T) {
	t.Parallel()
	ctx, cat := context.Background(), catalog(t)
	for _, file := range captures(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			name := tempFile(t)
			s := open(t, name, Options{})
			c := classifier(t, cat, s.IDKey(), nil)
			decide := judge(t)
			read(t, c, cat, cat, file, func(f *classify.Finding) error { s.Keep(f, decide(f)); return nil })
			want := c.Findings()
			s.KeepMemory(c.NewSaver().Changed(true), decide)
			require.NoError(t, s.Flush(ctx, now))
			require.NoError(t, s.Close())

			r := open(t, name, Options{ReadOnly: true})
			got, err := r.Findings(ctx, cat)
			require.NoError(t, err)
			require.Equal(t, findingsJSON(t, cat, want), findingsJSON(t, cat, bare(got)))
			for _, k := range got {
				require.Equal(t, decide(k.Finding), k.Decision)
				var contacts, lookups uint64
				hours, err := r.Hours(ctx, k.ID, time.Time{})
				require.NoError(t, err)
				for _, h := range hours {
					contacts, lookups = contacts+h.Contacts, lookups+h.Lookups
				}
				require.Equal(t, k.Contacts, contacts)
				require.Equal(t, k.Lookups, lookups)
			}
			pieces, err := r.Memory(ctx)
			require.NoError(t, err)
			again := classifier(t, cat, s.IDKey(), nil)
			done := again.Restore(pieces)
			require.NoError(t, done.Err)
			require.Equal(t, want, again.Findings())
		})
	}
}

// A second writer of the same findings, which does not know what the first has written, leaves nothing of it behind.
func TestEvidenceThatIsOverGoes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	name := tempFile(t)
	f := finding("k1", 3)
	s := open(t, name, Options{})
	s.Keep(f, policy.Decision{})
	require.NoError(t, s.Flush(ctx, now))
	g := *f
	g.Evidence = f.Evidence[:2]
	s.Keep(&g, policy.Decision{})
	require.NoError(t, s.Flush(ctx, now))
	require.Len(t, one(t, s).Evidence, 2)
	require.NoError(t, s.Close())

	s = open(t, name, Options{})
	h := g
	h.Evidence = f.Evidence[2:]
	s.Keep(&h, policy.Decision{})
	require.NoError(t, s.Flush(ctx, now))
	require.Equal(t, f.Evidence[2:], one(t, s).Evidence)
}

func one(t testing.TB, s *Store) *classify.Finding {
	t.Helper()
	list, err := s.Findings(context.Background(), nil)
	require.NoError(t, err)
	require.Len(t, list, 1)
	return list[0].Finding
}

// finding makes one with so many pieces of evidence.
func finding(id string, n int) *classify.Finding {
	f := &classify.Finding{ID: id, Vendor: &feeds.Vendor{Key: "kaspersky", Name: "Kaspersky", Country: "RU"}, Verdict: classify.Likely,
		FirstSeen: now, LastSeen: now, Contacts: 1, Host: classify.FindingHost{Address: addr(1)}}
	for i := range n {
		f.Evidence = append(f.Evidence, classify.Evidence{Kind: classify.KindSNI, Value: "dnl-0" + strconv.Itoa(i) + ".geo.kaspersky.com", Supports: true,
			Count: 1, First: now, Last: now, Frames: []classify.FrameRef{{Frame: 1}}, Weight: 1 - float64(i)/100})
	}
	return f
}

func addr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

func TestHoursAddUp(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, tempFile(t), Options{})
	at := func(hour int, contacts, lookups uint64) {
		f := finding("k", 1)
		f.Contacts, f.Lookups, f.LastSeen = contacts, lookups, now.Add(time.Duration(hour)*time.Hour)
		s.Keep(f, policy.Decision{})
	}
	at(0, 1, 2)
	at(0, 4, 2)
	require.NoError(t, s.Flush(ctx, now))
	at(2, 6, 4) // one contact more came in the first hour, and one with the announcement of the DNS queries
	require.NoError(t, s.Flush(ctx, now))
	at(2, 7, 4)
	at(3, 1, 0) // restarted
	require.NoError(t, s.Flush(ctx, now))
	hours, err := s.Hours(ctx, "k", now)
	require.NoError(t, err)
	require.Equal(t, []Hour{{now, 5, 4}, {now.Add(2 * time.Hour), 2, 0}, {now.Add(3 * time.Hour), 1, 0}}, hours)
}

func TestRecordsComeBack(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, tempFile(t), Options{Sensor: "hq"})
	a := Alert{ID: "a1", Finding: "k", Rule: "r", Severity: policy.High, State: "new", Changed: now, Body: json.RawMessage(`{"x":1}`)}
	s.KeepAlert(a)
	require.NoError(t, s.Flush(ctx, now))
	a.State, a.Sent = "told", now.Add(time.Second)
	s.KeepAlert(a)
	s.AddCoverage(now, Coverage{Seen: time.Second, Packets: 5, Bytes: 100})
	s.AddCoverage(now.Add(time.Second), Coverage{Seen: time.Second, Packets: 1, KernelDrops: 3})
	require.NoError(t, s.Flush(ctx, now))
	s.AddCoverage(now.Add(2*time.Second), Coverage{Seen: time.Second, OwnDrops: 1})
	require.NoError(t, s.Flush(ctx, now))
	alerts, err := s.Alerts(ctx)
	require.NoError(t, err)
	require.Equal(t, []Alert{a}, alerts)
	cover, err := s.CoverageHours(ctx, now)
	require.NoError(t, err)
	require.Equal(t, []CoverageHour{{now, Coverage{Seen: 3 * time.Second, Packets: 6, Bytes: 100, KernelDrops: 3, OwnDrops: 1}}}, cover)

	x := Suppression{ID: "s1", Made: now, Body: json.RawMessage(`{}`)}
	require.NoError(t, s.PutSuppression(ctx, x))
	list, err := s.Suppressions(ctx)
	require.NoError(t, err)
	require.Equal(t, []Suppression{x}, list)
	require.NoError(t, s.DropSuppression(ctx, "s1"))
	list, err = s.Suppressions(ctx)
	require.NoError(t, err)
	require.Empty(t, list)

	cat := catalog(t)
	require.NoError(t, s.UseCatalog(ctx, cat, now))
	require.NoError(t, s.UseCatalog(ctx, cat, now.Add(time.Hour)))
	used, err := s.Catalogs(ctx)
	require.NoError(t, err)
	require.Equal(t, []CatalogUse{{cat.SHA256(), cat.Date(), cat.Len(), now, now.Add(time.Hour)}}, used)
}

func TestHostsAreRememberedByWhatTheyWereCalled(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, tempFile(t), Options{})
	say := func(name string, at time.Time, list ...classify.AddressSpan) {
		s.KeepMemory([]classify.Saved{{Host: "h", Data: []byte{1}, Seen: at,
			Who: &classify.FindingHost{Address: addr(2), Name: name, Addresses: list}}}, judge(t))
		require.NoError(t, s.Flush(ctx, at))
	}
	later := now.Add(time.Hour)
	say("pc1", now, classify.AddressSpan{Address: addr(1), From: now, To: now})
	say("pc2", later, classify.AddressSpan{Address: addr(1), From: now, To: now}, classify.AddressSpan{Address: addr(2), From: later, To: later})
	got, err := s.HostNames(ctx, "h")
	require.NoError(t, err)
	require.Equal(t, []HostName{{"address", "10.0.0.1", now, now}, {"name", "pc1", now, now}, {"address", "10.0.0.2", later, later}, {"name", "pc2", later, later}}, got)
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) string {
		require.NoError(t, os.WriteFile(path(name), []byte(text), 0o600))
		return path(name)
	}
	good := path("good.db")
	s := open(t, good, Options{Sensor: "hq"})
	_, err := Open(good, Options{})
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, s.now(context.Background(), "meta.put", "schema", "999"))
	require.NoError(t, s.Close())
	foreign := path("foreign.db")
	db, err := sql.Open("sqlite3", "file:"+foreign)
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE t (x)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	other := path("other.db")
	require.NoError(t, open(t, other, Options{Sensor: "hq", IDKey: []byte("0123456789abcdef")}).Close())
	for _, c := range []struct {
		name, file string
		opt        Options
		want       error
	}{
		{"missing", path("none.db"), Options{ReadOnly: true}, ErrMissing},
		{"text", write("text.db", strings.Repeat("no database at all\n", 300)), Options{}, ErrNoStore},
		{"text read", write("text2.db", strings.Repeat("no database at all\n", 300)), Options{ReadOnly: true}, ErrNoStore},
		{"foreign", foreign, Options{}, ErrNoStore},
		{"foreign read", foreign, Options{ReadOnly: true}, ErrNoStore},
		{"newer", good, Options{}, ErrNewer},
		{"newer read", good, Options{ReadOnly: true}, ErrNewer},
		{"sensor", other, Options{Sensor: "branch"}, ErrOtherSensor},
		{"key", other, Options{IDKey: []byte("another key that is long")}, ErrOtherKey},
		{"no folder", path("no/such/folder.db"), Options{}, ErrReadOnly},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(c.file, c.opt)
			require.ErrorIs(t, err, c.want)
			require.Contains(t, err.Error(), c.file)
		})
	}
	_, err = Open(dir, Options{})
	require.ErrorContains(t, err, "folder")
}

func TestDamageIsFoundAtStart(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	name := tempFile(t)
	s := open(t, name, Options{})
	for i := range 500 {
		s.Keep(finding("k"+strconv.Itoa(i), 5), policy.Decision{})
	}
	require.NoError(t, s.Flush(ctx, now))
	require.NoError(t, s.Check(ctx))
	require.NoError(t, s.Close())
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Greater(t, len(data), 100*4096)
	for at := 40 * 4096; at < 60*4096; at++ {
		data[at] = 0xa5
	}
	require.NoError(t, os.WriteFile(name, data, 0o600))
	_, err = Open(name, Options{})
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestFullDiskLosesNothingOfWhatWaits(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	name := tempFile(t)
	s := open(t, name, Options{})
	_, err := s.db.Exec("PRAGMA max_page_count = 60")
	require.NoError(t, err)
	for i := range 300 {
		s.Keep(finding("k"+strconv.Itoa(i), 5), policy.Decision{})
	}
	require.ErrorIs(t, s.Flush(ctx, now), ErrFull)
	s.Keep(finding("more", 1), policy.Decision{})
	_, err = s.db.Exec("PRAGMA max_page_count = 100000")
	require.NoError(t, err)
	require.NoError(t, s.Flush(ctx, now))
	list, err := s.Findings(ctx, nil)
	require.NoError(t, err)
	require.Len(t, list, 301)
	hours, err := s.Hours(ctx, "k7", time.Time{})
	require.NoError(t, err)
	require.Equal(t, []Hour{{now, 1, 0}}, hours)
}

func TestReadOnlyFolder(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("the superuser and Windows write into read-only folders")
	}
	name := tempFile(t)
	require.NoError(t, open(t, name, Options{}).Close())
	require.NoError(t, os.Remove(name+".lock"))
	require.NoError(t, os.Chmod(filepath.Dir(name), 0o500))
	defer func() { require.NoError(t, os.Chmod(filepath.Dir(name), 0o700)) }()
	_, err := Open(name, Options{})
	require.ErrorIs(t, err, ErrReadOnly)
	open(t, name, Options{ReadOnly: true})
}

func TestStoreIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes are Unix's")
	}
	name := tempFile(t)
	s := open(t, name, Options{})
	s.Keep(finding("k", 1), policy.Decision{})
	require.NoError(t, s.Flush(context.Background(), now))
	for _, f := range []string{name, name + "-wal", name + "-shm", name + ".lock"} {
		st, err := os.Stat(f)
		require.NoError(t, err)
		require.Zero(t, st.Mode().Perm()&0o077, f)
	}
}

func TestKeyStaysWithTheStore(t *testing.T) {
	t.Parallel()
	name := tempFile(t)
	s := open(t, name, Options{})
	key := bytes.Clone(s.IDKey())
	require.Len(t, key, 32)
	require.NoError(t, s.Close())
	require.Equal(t, key, open(t, name, Options{}).IDKey())
}

func TestBackupWhileWriting(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	name := tempFile(t)
	s := open(t, name, Options{Sensor: "hq"})
	s.Keep(finding("k0", 3), policy.Decision{})
	require.NoError(t, s.Flush(ctx, now))
	stop, done := context.WithCancel(ctx)
	ended := make(chan error)
	go func() {
		var errs error
		for i := 1; stop.Err() == nil; i++ {
			s.Keep(finding("k"+strconv.Itoa(i), 3), policy.Decision{})
			errs = errors.Join(errs, s.Flush(ctx, now))
		}
		ended <- errs
	}()
	for i := range 5 {
		r := open(t, name, Options{ReadOnly: true})
		to := filepath.Join(t.TempDir(), "copy.db")
		require.NoError(t, r.Backup(ctx, to))
		require.ErrorContains(t, r.Backup(ctx, to), "exists")
		b := open(t, to, Options{})
		require.NoError(t, b.Check(ctx))
		list, err := b.Findings(ctx, nil)
		require.NoError(t, err)
		require.NotEmpty(t, list, i)
		require.Equal(t, s.IDKey(), b.IDKey())
	}
	done()
	require.NoError(t, <-ended)
}

func gunzip(t testing.TB, file string) []byte {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	data, err := io.ReadAll(z)
	require.NoError(t, err)
	return data
}
