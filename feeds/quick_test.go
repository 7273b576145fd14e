package feeds

import (
	"regexp"
	"regexp/syntax"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuick(t *testing.T) {
	for pattern, want := range map[string]quick{
		`^/(index/u\d{4}g\.xml|bases/|diffs/)`: {prefixes: []string{"/index/u", "/bases/", "/diffs/"}},
		`^(clamav|ClamAV)/\d`:                  {prefixes: []string{"clamav", "ClamAV"}},
		`^Syncer/\d.*\(av_`:                    {prefixes: []string{"Syncer/"}},
		`^(?i)kav9`: {prefixes: []string{
			"kav9", "kaV9", "kAv9", "kAV9", "Kav9", "KaV9", "KAv9", "KAV9", "\u212aav9", "\u212aaV9", "\u212aAv9", "\u212aAV9",
		}},
		`^/(d/)?bases/|^/diffs/`: {prefixes: []string{"/d/bases/", "/bases/", "/diffs/"}},
		`^/\d{3}/x|^/y`:          {prefixes: []string{"/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9", "/y"}},
		`^a|b`:                   {},
		`^[ab]c`:                 {prefixes: []string{"ac", "bc"}},
		`^[^a]c`:                 {contains: "c"},
		`^/(x(86|64)/|\d/.*w)`:   {prefixes: []string{"/x86/", "/x64/", "/0/", "/1/", "/2/", "/3/", "/4/", "/5/", "/6/", "/7/", "/8/", "/9/"}},
		`act-(pid|pv)=`:          {contains: "act-"},
		`^\*[A-Za-z]{60,}$`:      {prefixes: []string{"*"}},
	} {
		tree, err := syntax.Parse(pattern, syntax.Perl)
		require.NoError(t, err)
		got := quickOf(tree)
		require.Equal(t, want.contains, got.contains, pattern)
		require.ElementsMatch(t, want.prefixes, got.prefixes, pattern)
	}
}

// What quick rejects, the expression rejects too.
func FuzzQuick(f *testing.F) {
	c := mustEmbedded(f)
	var patterns []string
	for e := range c.Entries() {
		if e.re != nil && e.Signal != SignalName {
			patterns = append(patterns, e.Pattern)
			f.Add(e.Pattern, e.Sample)
		}
	}
	require.NotEmpty(f, patterns)
	f.Add(`^(a|b+|)c`, "bbc")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 {
			return
		}
		tree, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			return
		}
		re, err := regexp.Compile(pattern)
		if err != nil || !re.MatchString(text) {
			return
		}
		q := quickOf(tree)
		require.True(t, q.may(text), "%q matches %q, but quick %+v does not", pattern, text, q)
		require.True(t, q.mayBytes([]byte(text)))
	})
}
