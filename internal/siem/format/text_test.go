package format

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzClean looks at what the formats build on: clean text is clean, is not changed by cleaning it again, keeps to its size,
// and is cut at no escape's middle.
func FuzzClean(f *testing.F) {
	f.Add("a\u202eb\xff\x01", 12)
	f.Add("\\u{202E}", 4)
	f.Fuzz(func(t *testing.T, s string, size int) {
		size = 3 + (size%1000+1000)%1000
		whole, cut := AppendClean(nil, s, 1<<30)
		require.False(t, cut)
		require.True(t, utf8.Valid(whole))
		require.False(t, strings.ContainsFunc(string(whole), hidden))
		require.Equal(t, string(whole), Clean(string(whole), 1<<30))
		part, cut := AppendClean([]byte("before"), s, size)
		got, ok := strings.CutPrefix(string(part), "before")
		require.True(t, ok)
		require.LessOrEqual(t, len(got), size)
		require.Equal(t, len(whole) > size, cut)
		if !cut {
			require.Equal(t, string(whole), got)
			return
		}
		kept, ok := strings.CutSuffix(got, ellipsis)
		require.True(t, ok)
		rest, ok := strings.CutPrefix(string(whole), kept)
		require.True(t, ok)
		require.True(t, utf8.ValidString(kept))
		require.False(t, strings.HasSuffix(kept, `\`) && strings.HasPrefix(rest, "u{") && !strings.Contains(s, `\`), "cut in the middle of an escape")
	})
}
