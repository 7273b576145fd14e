package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"avbeacon/classify/place"

	"github.com/stretchr/testify/require"
)

// Files made to cost much are rejected, or read, soon.
func TestHostileFilesAreCheap(t *testing.T) {
	var deep, rules strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&deep, "%sa:\n", strings.Repeat(" ", i%1000))
		fmt.Fprintf(&rules, "  - name: r%d\n", i)
	}
	laughs := "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nrules: [{vendors: *c}]\n"
	for name, text := range map[string]string{
		"brackets":         "rules: " + strings.Repeat("[", 100_000),
		"closed brackets":  "rules: " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
		"dashes":           "rules:\n" + strings.Repeat("- ", 100_000),
		"indents":          deep.String(),
		"rules":            "rules:\n" + rules.String(),
		"laughs":           laughs,
		"large":            "rules:\n  - vendors: [" + strings.Repeat("x, ", 100_000) + "x]\n",
		"long text":        "rules:\n  - name: " + strings.Repeat("x", 1000) + "\n",
		"control":          "rules:\n  - name: \"a\\e[31m\"\n",
		"not UTF-8":        "rules:\n  - name: \xff\n",
		"many bad":         "rules:\n  - networks: [" + strings.Repeat("x, ", 5000) + "x]\n",
		"long expression":  "rules:\n  - when: " + strings.Repeat("contacts > 1 and ", 10_000) + "true\n",
		"unclosed quote":   "rules:\n  - when: '" + strings.Repeat("contacts > 1 ", 100),
		"a tag":            "rules: !!python/object [x]\n",
		"a merge":          "rules:\n  - <<: {name: x}\n",
		"nothing":          "",
		"a comment":        "# nothing\n",
		"a list":           "- rules\n",
		"a negative ASN":   "rules:\n  - asns: [-1]\n",
		"an ASN too large": "rules:\n  - asns: [4294967296]\n",
	} {
		begin := time.Now()
		_, err := Parse("p.yaml", []byte(text))
		require.Error(t, err, name)
		require.True(t, strings.HasPrefix(err.Error(), "p.yaml:"), "%s: %v", name, err)
		require.Less(t, len(err.Error()), 20_000, name)
		require.Less(t, time.Since(begin), time.Minute, name)
	}
	big := "rules:\n  - vendors: [" + strings.Repeat("x, ", 20_000) + "kaspersky]\n"
	p, err := Parse("p.yaml", []byte(big))
	require.NoError(t, err)
	is, _ := p.Judge(finding("kaspersky", "RU"))
	require.True(t, is)
}

// The first rule that matches decides; unless is an exception; a rule may pass what matches.
func TestOrderOfRules(t *testing.T) {
	p, err := Parse("p.yaml", []byte(`
rules:
  - {name: lab, concern: false, when: 'host.name == "pc-5" and vendor == "eset"'}
  - {name: group, groups: [GenDigital], severity: critical, unless: 'host.vlan == 7', why: Ours do not run it.}
  - {name: avast, vendors: [avast], circles: [{lat: 50, lon: 14, km: 100}], at-least: likely}
  - {name: rest, severity: info}
`))
	require.NoError(t, err)
	f := full()
	d := p.Decide(f)
	require.Equal(t, Decision{Concern: true, Rule: "avast", Severity: Medium, Why: d.Why}, d)
	require.Regexp(t, `^Rule avast: Avast is a vendor of concern; it connects to 5\.62\.40\.1: not Russia: CZ \(Prague\).*\.$`, d.Why)
	f.Host.VLANs = nil
	require.Equal(t, Decision{Concern: true, Rule: "group", Severity: Critical,
		Why: "Rule group: Ours do not run it (Avast belongs to the group gendigital)."}, p.Decide(f))
	f.Vendor.Key, f.Vendor.Group = "eset", ""
	d = p.Decide(f)
	require.False(t, d.Concern)
	require.Equal(t, "lab", d.Rule)
	is, why := p.Judge(f)
	require.False(t, is)
	require.Empty(t, why)
	f.Host.Name = ""
	require.Equal(t, Decision{Concern: true, Rule: "rest", Severity: Info, Why: "Rule rest matches every finding."}, p.Decide(f))
}

// A refuted place is of no concern to moscow; nor is ESET, whose maker is Slovak, whatever name of its Russian distributor is asked.
func TestMoscowLeavesAlone(t *testing.T) {
	p, err := Load("moscow")
	require.NoError(t, err)
	f := full()
	is, why := p.Judge(f)
	require.True(t, is)
	require.Contains(t, why, "Rule moscow: it connects to 91.103.66.9: Moscow per A")
	f.Destinations[0].Place = f.Destinations[0].Place.Refute(5*time.Millisecond, place.Point{Lat: 50.11, Lon: 8.68})
	is, _ = p.Judge(f)
	require.False(t, is)
	eset := finding("eset", "SK")
	eset.Destinations = append(eset.Destinations, full().Destinations[1])
	eset.Destinations[0].Names = []string{"download.esetnod32.ru"}
	is, _ = p.Judge(eset)
	require.False(t, is)
}

func FuzzExpression(f *testing.F) {
	for _, text := range []string{`vendor == "avast" and verdict >= "likely"`, `any(destinations, any(.names, under(#, "x.com")))`,
		`within(#, -1, 2.5, 3) ? true : at_least("visit")`, `host.name matches "(a|b)*"`, `len(map(filter(beacons, .scored), .score)) in [1, 2]`,
		`not ("RU" in vendor_countries) || lookups / contacts * 2 - 1 < +3`, `any(destinations, in_city(#, "RU/Perm") and in_network(.address, "::/0"))`,
		"let x = 1; x", "destinations[0:1]", "1..3", "{a: 1}", "#", `"` + "\xff" + `"`, "all(names, {# == #})", "vendor ?? nil"} {
		f.Add(text)
	}
	x := full()
	f.Fuzz(func(t *testing.T, text string) {
		e, err := compile(text)
		if err != nil {
			require.IsType(t, &mistake{}, err)
			return
		}
		begin := time.Now()
		_, err = e.eval(&subject{Finding: x})
		require.NoError(t, err, "what compiles can be evaluated, on a finding of common size")
		require.Less(t, time.Since(begin), time.Second)
	})
}
