package feeds

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCheckErrors(t *testing.T) {
	list := Check(folder(map[string]string{"acme.yaml": "key: acme\nname: A\ncountry: SK\nnames:\n  - {pattern: com}\n"}), time.Time{})
	require.NotEmpty(t, list)
	for _, p := range list {
		require.False(t, p.Warning)
		require.Equal(t, "acme.yaml", p.File)
	}
}

func TestCheckOldest(t *testing.T) {
	files := folder(map[string]string{"acme.yaml": "key: acme\nname: A\ncountry: SK\nnames:\n  - role: update\n    strength: strong\n    source: 'a b'\n" +
		"    date: 2026-01-02\n    list:\n      - a.example\n      - {pattern: b.example, date: 2026-01-01}\n"})
	require.Empty(t, Check(files, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
	list := Check(files, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
	require.Len(t, list, 1)
	require.Equal(t, "acme.yaml:11:9: warning: the source was read on 2026-01-01, earlier than 2026-01-02", list[0].String())
}

func TestCheckWarnings(t *testing.T) {
	head := func(key string) string { return "key: " + key + "\nname: The " + key + "\ncountry: SK\n" }
	names := "names:\n  - role: update\n    strength: strong\n    source: 'a b'\n    date: 2026-01-01\n    list:\n"
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"clean", map[string]string{"acme.yaml": smallVendor}, nil},
		{"old", map[string]string{"acme.yaml": head("acme") + names + "      - a.example\n      - {pattern: b.example, date: 2023-12-31}\n"},
			[]string{"acme.yaml:11:9: warning: the source was read on 2023-12-31, earlier than two years before the newest entry (2026-01-01)"}},
		{"sample decided elsewhere", map[string]string{"acme.yaml": head("acme") + names +
			"      - {pattern: '^u\\d\\.a\\.example$', match: regexp, sample: u1.a.example}\n      - {pattern: u1.a.example, role: web, note: why}\n"},
			[]string{"acme.yaml:10:9: warning: the sample u1.a.example is decided by acme.yaml:11 (web, strong), not by this (update, strong)"}},
		{"exact weaker than expression", map[string]string{"acme.yaml": head("acme") + names +
			"      - {pattern: '^u\\d\\.a\\.example$', match: regexp, sample: u1.a.example}\n      - {pattern: u2.a.example, strength: weak}\n"},
			[]string{`acme.yaml:11:9: warning: name "u2.a.example" is weak here; the expression of acme.yaml:10 makes it strong`}},
		{"two vendors", map[string]string{"acme.yaml": head("acme") + names + "      - a.example\n",
			"bolt.yaml": head("bolt") + names + "      - {pattern: a.example, strength: medium}\n"},
			[]string{`bolt.yaml:10:9: warning: name "a.example" is update, medium here, and update, strong in acme.yaml:10`}},
		{"one prefix twice", map[string]string{"acme.yaml": head("acme") + "networks:\n" +
			"  - {asn: AS64500, owner: A, prefixes: [192.0.2.0/24], role: unknown, strength: weak, source: 'a b', date: 2026-01-01}\n" +
			"  - {asn: AS64501, owner: B, prefixes: [192.0.2.0/24], role: unknown, strength: weak, source: 'a b', date: 2026-01-01}\n"},
			[]string{"acme.yaml:6:5: warning: prefix 192.0.2.0/24 is of AS64500 too (acme.yaml:5)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, p := range Check(folder(tc.files), time.Time{}) {
				require.True(t, p.Warning)
				got = append(got, p.String())
			}
			require.Equal(t, tc.want, got)
			_, err := LoadFS(folder(tc.files))
			require.NoError(t, err, "warnings do not hinder")
		})
	}
}
