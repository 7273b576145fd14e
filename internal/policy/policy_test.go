package policy

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/feeds"

	"github.com/stretchr/testify/require"
)

func finding(key, country string, levels ...place.Level) *classify.Finding {
	f := &classify.Finding{Vendor: &feeds.Vendor{Key: key, Name: key, Country: country}, Verdict: classify.Likely}
	for i, l := range levels {
		f.Destinations = append(f.Destinations, classify.Destination{Address: netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), ASN: 64500,
			Place: place.Location{Level: l, Words: "words of the place.", Country: "RU"}})
	}
	return f
}

func TestBuiltIns(t *testing.T) {
	for _, c := range []struct {
		policy string
		f      *classify.Finding
		want   bool
		why    string
	}{
		{"", finding("drweb", "RU"), true, "Russia"},
		{"moscow", finding("kaspersky", "RU"), true, "Russia"},
		{"moscow", finding("avast", "CZ/US", place.N, place.M2), true, "words of the place"},
		{"moscow", finding("avast", "CZ/US", place.M3), true, "203.0.113.0"},
		{"moscow", finding("avast", "CZ/US", place.M1, place.R2, place.X), false, ""},
		{"moscow", finding("avast", "CZ/US"), false, ""},
		{"bod-17-01", finding("kaspersky", "RU"), true, "17-01"},
		{"bod-17-01", finding("drweb", "RU", place.M3), false, ""},
		{"all-av", finding("eset", "SK"), true, "inventory"},
	} {
		p, err := Load(c.policy)
		require.NoError(t, err)
		got, why := p.Judge(c.f)
		require.Equal(t, c.want, got, "%s %s", c.policy, c.f.Vendor.Key)
		require.Contains(t, why, c.why)
		require.Equal(t, c.want, why != "")
	}
}

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ours.yaml")
	text := "name: ours\nrules:\n  - name: russians that are sure\n    vendor-countries: [ru]\n    at-least: installed\n" +
		"  - name: our bad network\n    networks: [203.0.113.1/32]\n    asns: [64500]\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	p, err := Load(file)
	require.NoError(t, err)
	require.Equal(t, "ours", p.Name)
	is, _ := p.Judge(finding("drweb", "RU"))
	require.False(t, is, "likely is less than installed")
	is, why := p.Judge(finding("eset", "SK", place.N, place.N))
	require.True(t, is)
	require.Contains(t, why, "203.0.113.1")
	is, _ = p.Judge(finding("eset", "SK", place.N))
	require.False(t, is)
}

func TestBadFiles(t *testing.T) {
	for text, want := range map[string]string{
		"name: x\nrules:\n  - vendor: [x]\n":                   "p.yaml:3:5: vendor: unknown key (did you mean vendors?)",
		"rules:\n  - networks: [10.0.0.0/8, nonsense]\n":       "p.yaml:2:28: network",
		"rules:\n  - cities:\n      - RU/Perm\n      - Perm\n": "p.yaml:4:9: city",
		"rules:\n  - circles: [{lat: 91, lon: 0, km: 5}]\n":    "p.yaml:2:",
		"rules:\n  - circles: [{lat: 9, lon: 0}]\n":            "lat, lon and km",
		"rules:\n  - severity: grave\n":                        "p.yaml:2:15: severity \"grave\" is not one of info, low, medium, high, critical",
		"rules:\n  - countries: [Russia]\n":                    "p.yaml:2:17: country",
		"rules:\n  - &a {name: x}\n  - *a\n":                   "anchors",
		"rules:\n  - name: x\n  - name: x\n":                   "p.yaml:3:11: the rule \"x\" is listed twice",
		"rules:\n  - name: x\n    name: y\n":                   "p.yaml:3:5",
		"rules: [{name: x}]\n---\nrules: [{name: y}]\n":        "exactly one",
		"rules:\n  - vendor: [x]\n":                            "vendor",
		"rules:\n  - networks: [nonsense]\n":                   "nonsense",
		"rules:\n  - places: [M9]\n":                           "M9",
		"rules:\n  - at-least: sure\n":                         "sure",
		"name: x\n":                                            "no rules",
		"rules: 7\n":                                           "",
		"rules:\n  - name: a\n    asns: [not-one]\n":           "",
		"\x00": "",
	} {
		_, err := Parse("p.yaml", []byte(text))
		require.Error(t, err, text)
		require.Contains(t, err.Error(), want)
	}
	_, err := Load("no-such-policy")
	require.ErrorContains(t, err, "moscow, bod-17-01, all-av")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("rules:\n  - vendors: [kaspersky]\n    places: [M3]\n"))
	f.Add([]byte("rules:\n  - networks: [10.0.0.0/8]\n    at-least: likely\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("p.yaml", data)
		if err == nil {
			require.NotEmpty(t, p.Rules)
			p.Judge(finding("kaspersky", "RU", place.M3))
		}
	})
}
