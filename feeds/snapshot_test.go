package feeds

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestSnapshotIsOfTheEmbeddedFiles(t *testing.T) {
	want, err := Snapshot()
	require.NoError(t, err)
	have, err := os.ReadFile("catalog.snapshot")
	require.NoError(t, err)
	require.True(t, string(want) == string(have), "the snapshot is not of the files in vendors: run `make catalog`")

	files, err := EmbeddedFiles()
	require.NoError(t, err)
	parsed, err := LoadFS(files)
	require.NoError(t, err)
	read, ok := fromSnapshot(string(have), files)
	require.True(t, ok)
	require.Equal(t, parsed.SHA256(), read.SHA256())
	require.Equal(t, parsed.digest(), read.digest(), "what the entries say")
	again, err := snapshotOf(read, files)
	require.NoError(t, err)
	require.True(t, string(want) == string(again), "all that was written was read")
	requireSameAnswers(t, parsed, read)
}

// requireSameAnswers asks two catalogues for what their own entries match.
func requireSameAnswers(t *testing.T, a, b *Catalog) {
	require.Equal(t, a.Date(), b.Date())
	require.Equal(t, a.HeaderNames(), b.HeaderNames())
	require.Len(t, b.entries, len(a.entries))
	for i, e := range a.entries {
		o := b.entries[i]
		require.Equal(t, e.File, o.File)
		require.Equal(t, e.Line, o.Line)
		for _, name := range []string{e.Pattern, e.Sample, "x." + e.Pattern} {
			require.Equal(t, keys(a.MatchName(name)), keys(b.MatchName(name)))
			require.Equal(t, a.Name([]byte(name)), b.Name([]byte(name)))
			require.Equal(t, keys(a.MatchUserAgent(name)), keys(b.MatchUserAgent(name)))
			require.Equal(t, keys(a.MatchPathTo(name, Peer{})), keys(b.MatchPathTo(name, Peer{})))
		}
		for _, p := range e.Prefixes {
			require.Equal(t, keys(a.MatchAddr(p.Addr())), keys(b.MatchAddr(p.Addr())))
			require.Equal(t, a.Addr(p.Addr()), b.Addr(p.Addr()))
		}
		require.Equal(t, a.Flow(e.UDP, e.FirstPort, nil, nil), b.Flow(e.UDP, e.FirstPort, nil, nil))
	}
	for _, ua := range []string{"curl/8.5.0", "Wget/1.21", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"} {
		require.NotEqual(t, "", a.Tool(ua)+toolName(a.browsers, ua))
		require.Equal(t, a.Tool(ua), b.Tool(ua))
		require.Equal(t, a.Browser(ua), b.Browser(ua))
	}
}

func TestSnapshotOfOtherFilesIsNotTaken(t *testing.T) {
	data, err := Snapshot()
	require.NoError(t, err)
	other := folder(map[string]string{"acme.yaml": smallVendor})
	_, ok := fromSnapshot(string(data), other)
	require.False(t, ok)
	_, ok = fromSnapshot("", other)
	require.False(t, ok)
	_, ok = fromSnapshot(string(data), fstest.MapFS{})
	require.False(t, ok)
}

// Nothing is half loaded: a snapshot that is cut short or too long returns no catalogue.
func TestSnapshotCutShortIsNotTaken(t *testing.T) {
	files := folder(map[string]string{"acme.yaml": smallVendor})
	c, err := LoadFS(files)
	require.NoError(t, err)
	data, err := snapshotOf(c, files)
	require.NoError(t, err)
	_, ok := fromSnapshot(string(data), files)
	require.True(t, ok)
	for n := range data {
		_, ok := fromSnapshot(string(data[:n]), files)
		require.False(t, ok, n)
	}
	_, ok = fromSnapshot(string(data)+"x", files)
	require.False(t, ok)
}
