package feeds

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLoadSmall(t *testing.T) {
	c, err := LoadFS(folder(map[string]string{"acme.yaml": smallVendor}))
	require.NoError(t, err)
	require.Equal(t, 10, c.Len())
	require.Equal(t, "2026-01-02", c.Date())
	require.Len(t, c.Vendors(), 1)
	v := c.Vendor("acme")
	require.Equal(t, &Vendor{Key: "acme", Name: "Acme Antivirus", Country: "SK/US", Group: "holding"}, v)
	require.Nil(t, c.Vendor("acm"))

	entries := slices.Collect(c.Entries())
	require.Equal(t, []string{"acme update.acme.example", "acme pool.acme.example"}, keys(entries[:2]))
	pool := entries[1]
	require.Equal(t, []any{RoleUpdate, Strong, Suffix, High, true, "https://acme.example/ports", "2026-01-02", "facts only", 14},
		[]any{pool.Role, pool.Strength, pool.Match, pool.Confidence, pool.Pool, pool.Source, pool.Date, pool.Licence, pool.Line})
	web := entries[3]
	require.Equal(t, []any{"a book of 2025", "2025-05-06", Middle}, []any{web.Source, web.Date, web.Confidence})
}

// The digest is of what is said, not of how: other order, other quotes, other files' names for sources.
func TestDigest(t *testing.T) {
	sum := func(text string) string {
		c, err := LoadFS(folder(map[string]string{"acme.yaml": text}))
		require.NoError(t, err)
		return c.SHA256()
	}
	want := sum(smallVendor)
	require.Len(t, want, 64)
	require.Equal(t, want, sum(strings.ReplaceAll(smallVendor, "page", "pages")))
	moved := strings.Replace(smallVendor, "      - update.acme.example\n", "", 1)
	moved = strings.Replace(moved, "signals:", "  - {pattern: update.acme.example, role: update, strength: strong, source: page, confidence: high}\nsignals:", 1)
	require.Equal(t, want, sum("# a comment\n"+moved))
	require.NotEqual(t, want, sum(strings.Replace(smallVendor, "strength: strong", "strength: medium", 1)))
	require.NotEqual(t, want, sum(strings.Replace(smallVendor, "2026-01-02", "2026-01-03", 1)))
}

func TestEmbedded(t *testing.T) {
	c := mustEmbedded(t)
	require.Greater(t, c.Len(), 2000)
	require.Len(t, c.Vendors(), 69)
	require.Regexp(t, `^\d{4}-\d\d-\d\d$`, c.Date())
	files, err := EmbeddedFiles()
	require.NoError(t, err)
	require.Empty(t, Check(files, time.Time{}))
	for e := range c.Entries() {
		require.NotEmpty(t, e.Source, "%s:%d", e.File, e.Line)
		require.NotContains(t, e.Licence, "SA", "share-alike data stays out: %s:%d", e.File, e.Line)
		if e.Vendor == nil {
			require.LessOrEqual(t, e.Strength, Weak, e.Pattern)
		}
	}
}

func TestLoadDir(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	_, err := LoadDir(dir)
	require.ErrorContains(t, err, "holds no *.yaml file")
	write("acme.yaml", smallVendor)
	write("README.md", "not a catalogue")
	write(".hidden.yaml", "nor: this")
	write("acme.yaml.bak", "nor: this")
	c, err := LoadDir(dir)
	require.NoError(t, err)
	require.Equal(t, 10, c.Len())
	_, err = LoadDir(filepath.Join(dir, "acme.yaml"))
	require.ErrorContains(t, err, "is not a folder")
	_, err = LoadDir(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Every error of every file comes at once, with its place, and there is no catalogue.
func TestLoadReportsAll(t *testing.T) {
	c, err := LoadFS(folder(map[string]string{
		"acme.yaml": "key: acme\nname: Acme\ncountry: sk\nnames:\n" +
			"  - {pattern: com, match: suffix, role: update, strength: strong, source: 'a b', date: 2026-01-01}\n" +
			"  - {pattern: a.example, role: updates, strength: strong, source: nowhere}\n",
		"other.yaml":  "key: other\nnmae: Other\n",
		"broken.yaml": "key: [\n",
	}))
	require.Nil(t, c)
	e, ok := errors.AsType[*LoadError](err)
	require.True(t, ok)
	require.Len(t, e.Problems, 8)
	text := err.Error()
	for _, want := range []string{
		`acme.yaml:3:10: country "sk" is not of the form`,
		`acme.yaml:5:15: name "com": a name needs at least two labels`,
		`acme.yaml:6:32: "updates" is not a role (one of: unknown, update,`,
		`acme.yaml:6:67: source "nowhere" is not declared`,
		`broken.yaml:1:6: `,
		`other.yaml:1:1: the file names no name`,
		`other.yaml:1:1: the file names no country`,
		`other.yaml:2:1: nmae: unknown key (did you mean name?)`,
	} {
		require.Contains(t, text, want)
	}
	require.Equal(t, 8, len(strings.Split(text, "\n")))
}

func TestLoadErrors(t *testing.T) {
	head := "key: acme\nname: Acme\ncountry: SK\n"
	entry := func(fields string) string {
		return head + "names:\n  - {source: 'a b', date: 2026-01-01, " + fields + "}\n"
	}
	good := "role: update, strength: strong, pattern: a.example"
	sign := func(fields string) string {
		return head + "signals:\n  - {source: 'a b', date: 2026-01-01, role: update, strength: strong, " + fields + "}\n"
	}
	network := func(fields string) string {
		return head + "networks:\n  - {source: 'a b', date: 2026-01-01, role: unknown, strength: weak, " + fields + "}\n"
	}
	for _, tc := range []struct{ name, text, want string }{
		{"no YAML", "a: b: c\n", "acme.yaml:1:"},
		{"not UTF-8", "key: \xff\n", "acme.yaml: the file is not UTF-8"},
		{"a list", "- a\n", "acme.yaml:1:1: expected keys with values, got a list"},
		{"two documents", head + "---\nkey: b\n", "acme.yaml:5:1: expected exactly one YAML document"},
		{"empty", "", "acme.yaml: expected exactly one YAML document"},
		{"a key twice", head + "key: acme\n", `acme.yaml:4:1`},
		{"an alias", head + "note: &a x\ngroup: *a\n", "acme.yaml:4:7: anchors, aliases, tags and merges are not allowed"},
		{"another file's key", "key: acme2\nname: A\ncountry: SK\n", `key "acme2" does not match the file's name`},
		{"a long line", head + "note: '" + strings.Repeat("x", 5000) + "'\n", "line 4 is longer than 4096 bytes"},
		{"deep", "key: " + strings.Repeat("[", 300) + "\n", "more than 50 levels are open"},
		{"control character", head + "note: \"a\\u0007b\"\n", "acme.yaml:4:7: text holds the control character U+0007"},
		{"turned text", head + "note: \"a\\u202Eb\"\n", "text holds the control character U+202E"},
		{"unknown key of an entry", entry(good + ", kind: path"), "kind: unknown key"},
		{"no role", entry("strength: strong, pattern: a.example"), "acme.yaml:5:5: the entry has no role"},
		{"no strength", entry("role: update, pattern: a.example"), "acme.yaml:5:5: the entry has no strength"},
		{"no source", head + "names:\n  - {" + good + ", date: 2026-01-01}\n", "the entry has no source"},
		{"no date", head + "names:\n  - {" + good + ", source: 'a b'}\n", "the entry has no date"},
		{"a day that is none", head + "names:\n  - {" + good + ", source: 'a b', date: 2026-02-30}\n", `date "2026-02-30" is not of the form`},
		{"strength", entry("role: update, pattern: a.example, strength: certain"), `"certain" is not a strength (one of: none, weak, medium, strong)`},
		{"low and strong", entry(good + ", confidence: low"), "an entry of low confidence is never strong"},
		{"a vendor's mark", entry(good + ", mark: doh"), "only entries without a vendor have a mark"},
		{"upper case", entry("role: update, strength: strong, pattern: A.example"), "acme.yaml:5:80: name \"A.example\": names are written in lower case"},
		{"empty label", entry("role: update, strength: strong, pattern: a..example"), "a label is empty"},
		{"trailing dot", entry("role: update, strength: strong, pattern: a.example."), "a label is empty"},
		{"hyphen", entry("role: update, strength: strong, pattern: -a.example"), "begins or ends with a hyphen"},
		{"characters", entry("role: update, strength: strong, pattern: 'a b.example'"), "has characters that no host name has"},
		{"long label", entry("role: update, strength: strong, pattern: " + strings.Repeat("a", 64) + ".example"), "a label is longer than 63"},
		{"public suffix", entry("role: update, strength: strong, match: suffix, pattern: co.uk"), "is a public suffix: it belongs to everybody"},
		{"hoster's suffix", entry("role: update, strength: strong, match: suffix, pattern: blob.core.windows.net"), "is a public suffix"},
		{"expression without end", entry(`role: update, strength: strong, match: regexp, pattern: '^a\.b\.example', sample: a.b.example`), "must end with $ and two plain labels"},
		{"expression over one label", entry(`role: update, strength: strong, match: regexp, pattern: '^.*\.example$', sample: a.example`), "must end with $ and two plain labels"},
		{"expression cut in a label", entry(`role: update, strength: strong, match: regexp, pattern: '^.*acme\.example$', sample: acme.example`), "must end with $ and two plain labels"},
		{"expression without sample", entry(`role: update, strength: strong, match: regexp, pattern: '^a\d\.b\.example$'`), "needs a sample"},
		{"wrong sample", entry(`role: update, strength: strong, match: regexp, pattern: '^a\d\.b\.example$', sample: aa.b.example`), "does not match its sample"},
		{"not RE2", entry(`role: update, strength: strong, match: regexp, pattern: '^(?!a)\.b\.example$', sample: a.b.example`), "invalid or unsupported Perl syntax"},
		{"long expression", entry(`role: update, strength: strong, match: regexp, pattern: '^` + strings.Repeat("a", 260) + `\.b\.example$', sample: a.b.example`), "an expression has 1 to 250 bytes"},
		{"the same twice", entry(good) + "  - {source: 'c d', date: 2026-01-01, " + good + "}\n", `acme.yaml:6:5: name exact "a.example" is listed twice: first in acme.yaml:5`},
		{"mask without group", entry(good + ", mask: 'a.*b'"), "must have exactly one group"},
		{"country", entry(good + ", country: Russia"), `country "Russia" is not of the form`},
		{"installation without mask", sign("kind: header, pattern: X-Id, installation: true"), "installation is for entries with mask: value"},
		{"a sign's TXT", sign("kind: header, pattern: X-Id, txt: true"), "txt: unknown key"},
		{"no kind", sign("pattern: '^/a'"), "the entry has no kind"},
		{"free expression", sign("kind: path, pattern: 'a.*b'"), "must begin with ^, end with $ or hold 4 plain bytes in a row"},
		{"matches all", sign("kind: path, pattern: '^a*'"), "matches nothing at all"},
		{"half anchored", sign("kind: query, pattern: '^a=|b='"), "must begin with ^"},
		{"port", sign("kind: port, pattern: 80/tcp"), `"80/tcp" is no port`},
		{"port range", sign("kind: port, pattern: tcp 90-80"), "is no port"},
		{"port number", sign("kind: port, pattern: tcp 65536"), "is no port"},
		{"header", sign("kind: header, pattern: 'X Y'"), "is no header name"},
		{"need without hosts", sign("kind: path, pattern: '^/a', need: host"), "need: host wants a list of hosts"},
		{"host", sign("kind: path, pattern: '^/a', hosts: [Example]"), `host "Example": names are written in lower case`},
		{"asn", network("asn: 64500, owner: A, prefixes: [192.0.2.0/24]"), `"64500" is not an autonomous system`},
		{"asn without prefixes", network("asn: AS64500, owner: A"), "an autonomous system needs asn, owner and prefixes"},
		{"bits", network("asn: AS64500, owner: A, prefixes: [192.0.2.1/24]"), "prefix 192.0.2.1/24 has bits behind its length; meant is 192.0.2.0/24"},
		{"prefix twice", network("asn: AS64500, owner: A, prefixes: [192.0.2.0/24, 192.0.2.0/24]"), "prefix 192.0.2.0/24 is listed twice"},
		{"wide", network("kind: range, pattern: 0.0.0.0/0"), "is too wide"},
		{"no prefix", network("kind: range, pattern: 192.0.2.0/33"), `"192.0.2.0/33" is no prefix`},
		{"mapped", network("kind: range, pattern: '::ffff:192.0.2.0/120'"), "is an IPv4 address in IPv6 form"},
		{"fallback", head + "fallback: [8.8.8]\n", `acme.yaml:4:12: "8.8.8" is not an address`},
		{"source without date", head + "sources: {page: {text: a}}\n", `source "page" needs a text and a date`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := LoadFS(folder(map[string]string{"acme.yaml": tc.text}))
			require.ErrorContains(t, err, tc.want)
			require.Nil(t, c)
		})
	}
}

func TestLoadMarks(t *testing.T) {
	mark := "names:\n  - {pattern: doh.example.net, mark: doh, source: list}\n"
	c, err := LoadFS(folder(map[string]string{
		"_marks.yaml":   mark,
		"_sources.yaml": "sources:\n  list: {text: a public list, date: 2026-03-04}\n",
	}))
	require.NoError(t, err)
	list := c.MatchName("doh.example.net")
	require.Len(t, list, 1)
	require.Equal(t, []any{(*Vendor)(nil), "doh", None, RoleUnknown, "a public list"},
		[]any{list[0].Vendor, list[0].Mark, list[0].Strength, list[0].Role, list[0].Source})

	_, err = LoadFS(folder(map[string]string{"_marks.yaml": mark}))
	require.ErrorContains(t, err, `_marks.yaml:2:51: source "list" is not declared`)
	_, err = LoadFS(folder(map[string]string{"_marks.yaml": "names: [{pattern: a.example, strength: strong, source: 'a b', date: 2026-01-01}]\n"}))
	require.ErrorContains(t, err, "an entry without a vendor needs a mark")
	require.ErrorContains(t, err, "a mark is never strong")
	_, err = LoadFS(folder(map[string]string{"_marks.yaml": "key: x\n"}))
	require.ErrorContains(t, err, "key: unknown key")
}

func TestManyProblems(t *testing.T) {
	var b strings.Builder
	b.WriteString("key: acme\nname: A\ncountry: SK\nnames:\n")
	for range 1000 {
		b.WriteString("  - x\n")
	}
	_, err := LoadFS(folder(map[string]string{"acme.yaml": b.String()}))
	e, ok := errors.AsType[*LoadError](err)
	require.True(t, ok)
	require.Len(t, e.Problems, maxProblems+1)
	require.Contains(t, err.Error(), "more problems are not shown")
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(smallVendor))
	f.Add([]byte("key: acme\nname: [\n"))
	f.Add([]byte("key: &a acme\nname: *a\n? x\n: y\n<<: {a: b}\n"))
	f.Add([]byte("names:\n- list:\n  - list: [list]\n  - {}\n  -\n"))
	f.Add([]byte("sources: {a: {b: c}, 1: 2}\nsignals: [{kind: body, pattern: '\\x00'}]\n"))
	f.Add([]byte("!!binary aGVsbG8=\n--- |\n x\n...\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := LoadFS(folder(map[string]string{"acme.yaml": string(data)}))
		if err == nil {
			require.NotNil(t, c)
			require.Len(t, c.SHA256(), 64)
			return
		}
		require.Nil(t, c)
		e, ok := errors.AsType[*LoadError](err)
		require.True(t, ok)
		for _, p := range e.Problems {
			require.NotEmpty(t, p.Text)
			require.Equal(t, "acme.yaml", p.File)
		}
	})
}

// The example of the format's description is a file that loads.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("vendors", "README.md"))
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), "```yaml\n")
	require.True(t, ok)
	example, _, ok := strings.Cut(rest, "```")
	require.True(t, ok)
	c, err := LoadFS(folder(map[string]string{"acme.yaml": example}))
	require.NoError(t, err)
	require.Equal(t, 8, c.Len())
}
