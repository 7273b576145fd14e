package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func texts() []string {
	list := []string{"", "plain", `quote " and \ slash`, "tab\tline\nbell\a\x00\x1f\x7f", "Москва 東京 🦠", "line\u2028sep", "<a&b>", "\ufffd"}
	for c := range 128 {
		list = append(list, "x"+string(rune(c))+"y")
	}
	return list
}

// What is UTF-8 comes back from a JSON reader as it was.
func TestAppendTextIsJSON(t *testing.T) {
	for _, s := range texts() {
		got := appendText([]byte("before"), s)
		require.True(t, strings.HasPrefix(string(got), `before"`))
		var back string
		require.NoError(t, json.Unmarshal(got[len("before"):], &back), "%q", s)
		require.Equal(t, s, back)
	}
}

func TestBytesThatAreNoUTF8(t *testing.T) {
	for in, want := range map[string]string{"\xff": `\255`, "a\xc3": `a\195`, "\xc3(": `\195(`, "\xed\xa0\x80": `\237\160\128`, "ok\x80é": `ok\128é`} {
		require.Equal(t, want, valid(in))
		var back string
		require.NoError(t, json.Unmarshal(appendText(nil, in), &back))
		require.Equal(t, want, back)
	}
	require.Equal(t, []string{}, validAll(nil))
}

func FuzzAppendText(f *testing.F) {
	for _, s := range texts() {
		f.Add(s)
	}
	f.Add("\xff\xc3(")
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		require.NoError(t, json.Unmarshal(appendText(nil, s), &back))
		require.Equal(t, valid(s), back)
		require.True(t, utf8.ValidString(back))
		require.False(t, strings.ContainsFunc(Clean(s), func(r rune) bool { return unicode.Is(unicode.C, r) }))
	})
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"PC-01 é": "PC-01 é", "\x1b[31mred": `\027[31mred`, "a\r\nb": `a\013\010b`, "\xff": `\255`,
		"\u202etxt.exe": `\u{202E}txt.exe`, "\u0085": `\u{85}`, "zero\u200bwidth": `zero\u{200B}width`, "tab\t": `tab\009`,
	} {
		require.Equal(t, want, Clean(in))
	}
}

func TestTime(t *testing.T) {
	moscow := time.FixedZone("MSK", 3*60*60)
	for want, in := range map[string]time.Time{
		"2026-03-02T09:00:00.000000000Z": time.Date(2026, 3, 2, 12, 0, 0, 0, moscow),
		"2026-03-02T09:00:00.000000001Z": time.Date(2026, 3, 2, 9, 0, 0, 1, time.UTC),
		"1969-12-31T23:59:59.999999999Z": time.Unix(0, -1),
		"2116-01-01T00:00:00.120000000Z": time.Date(2116, 1, 1, 0, 0, 0, 120_000_000, time.UTC),
	} {
		require.Equal(t, want, at(in).String())
		b, err := json.Marshal(Input{First: at(in)})
		require.NoError(t, err)
		require.Contains(t, string(b), `"first":"`+want+`"`)
		require.NotContains(t, string(b), `"last"`, "the zero time is absent")
		var back Time
		require.NoError(t, json.Unmarshal([]byte(`"`+want+`"`), &back))
		require.True(t, back.Equal(in))
	}
}

func TestFold(t *testing.T) {
	for _, c := range []struct {
		text          string
		width, indent int
		want          []string
	}{
		{"one two three", 20, 2, []string{"one two three"}},
		{"one two three", 8, 2, []string{"one two", "three"}},
		{"one two three four", 9, 4, []string{"one two", "three", "four"}},
		{"averylongword b", 5, 0, []string{"averylongword", "b"}},
		{"a  b", 10, 0, []string{"a  b"}},
		{"", 10, 0, []string{""}},
		{"日本 日本", 4, 0, []string{"日本", "日本"}},
	} {
		require.Equal(t, c.want, fold(c.text, c.width, c.indent), c.text)
	}
	require.Equal(t, "2001:\ndb8::\n1", foldCell("2001:db8::1", 5))
	require.Equal(t, "日本\n語", foldCell("日本語", 5))
	require.Equal(t, "abcdefg", short("abcdefg", 7))
	require.Equal(t, "abcd...", short("abcdefgh", 7))
}
