package yamlfile

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml/parser"
	"github.com/stretchr/testify/require"
)

func TestUnfit(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a: 1\n", ""},
		{"", ""},
		{strings.Repeat("x", 101), "the file is larger than 100 bytes"},
		{"a: \xff", "the file is not UTF-8"},
		{strings.Repeat("[", 51), "more than 50 levels are open"},
		{strings.Repeat("[]", 49), ""},
		{strings.Repeat("]", 20) + strings.Repeat("{", 51), "more than 50 levels are open"},
	} {
		require.Equal(t, c.want, Unfit([]byte(c.text), 100), "%q", c.text)
	}
	require.Equal(t, "more than 50 levels are open", Unfit([]byte(strings.Repeat("- ", 201)), 1000))
	require.Equal(t, "more than 50 levels are open", Unfit([]byte("a:\n"+strings.Repeat(" ", 201)+"b"), 1000))
}

func TestPosition(t *testing.T) {
	file, err := parser.ParseBytes([]byte("\n  one: 1\n  two: 2\n"), 0)
	require.NoError(t, err)
	line, column := Position(file.Docs[0].Body)
	require.Equal(t, []int{2, 3}, []int{line, column}, "the key, not the colon behind it")
	line, column = Position(nil)
	require.Zero(t, line+column)
}

func TestHint(t *testing.T) {
	list := []string{"interfaces", "read", "watch"}
	for word, want := range map[string]string{"interface": "interfaces", "raed": "read", "Watch": "watch", "write": "", "x": "", strings.Repeat("w", 100): ""} {
		require.Equal(t, want, Alike(word, list), word)
	}
}

func FuzzUnfit(f *testing.F) {
	f.Add([]byte("a: [1, {b: 2}]\n- x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if Unfit(data, 1<<16) != "" {
			return
		}
		defer func() { _ = recover() }() // the library may panic; that it comes back is what is looked for
		file, err := parser.ParseBytes(data, 0)
		if err != nil {
			return
		}
		for _, d := range file.Docs {
			Position(d.Body)
		}
	})
}
