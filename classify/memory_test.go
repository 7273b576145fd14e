package classify

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// played is a Classifier that saw a scenario, and how it was asked on the way.
func played(t *testing.T, file string, each func(c *Classifier)) *Classifier {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	s, err := parseScenario(string(text))
	require.NoError(t, err)
	c := New(Options{Catalog: embedded(t), Home: s.home, IDKey: []byte("test")})
	for i := range s.events {
		obs := s.events[i].obs
		c.Observe(&obs)
		for _, more := c.Next(); more; _, more = c.Next() {
		}
		each(c)
	}
	return c
}

// What was handed out piece by piece and the rest at the end, and what is handed out without findings, come to the whole memory.
func TestRestAndPiecesAreTheWholeMemory(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	type key struct{ host, vendor string }
	for _, file := range files {
		var saver *Saver
		n, kept := 0, map[key]Saved{}
		keep := func(pieces []Saved) {
			for _, p := range pieces {
				kept[key{p.Host, p.Vendor}] = p
			}
		}
		c := played(t, file, func(c *Classifier) {
			if saver == nil {
				saver = c.NewSaver()
			}
			if n++; n%3 == 0 {
				keep(saver.Changed(false))
			}
		})
		if saver == nil {
			continue
		}
		want := again(t, c, c.NewSaver().Changed(true)).Findings()
		for _, p := range c.Pieces() {
			require.Nil(t, p.Finding)
		}
		require.Equal(t, want, again(t, c, c.Pieces()).Findings(), file)
		keep(saver.Rest())
		var pieces []Saved
		for _, p := range kept {
			pieces = append(pieces, p)
		}
		require.Equal(t, want, again(t, c, pieces).Findings(), file)
	}
}

func TestEachEndsWithAnError(t *testing.T) {
	c := played(t, "testdata/list_and_product.txt", func(*Classifier) {})
	all := c.Findings()
	require.NotEmpty(t, all)
	enough := errors.New("enough")
	n := 0
	require.ErrorIs(t, c.Each(func(f *Finding) error {
		require.Equal(t, all[0], f)
		n++
		return enough
	}), enough)
	require.Equal(t, 1, n)
}

func TestLimitLetsHostsGoAsAFullTableDoes(t *testing.T) {
	c := played(t, "testdata/list_and_product.txt", func(*Classifier) {})
	before := c.Stats()
	require.Greater(t, before.Hosts, 1)
	c.Limit(0)
	after := c.Stats()
	require.Equal(t, 1, after.Hosts)
	require.EqualValues(t, before.Hosts-1, after.HostsEvicted-before.HostsEvicted)
	require.NotEmpty(t, c.Findings(), "those without a finding go first")
}
