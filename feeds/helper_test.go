package feeds

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// folder makes a file system of catalogue files.
func folder(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func mustEmbedded(t testing.TB) *Catalog {
	t.Helper()
	c, err := Embedded()
	require.NoError(t, err)
	return c
}

// table reads a tab-separated file of testdata; lines that begin with # are comments.
func table(t testing.TB, name string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	defer f.Close()
	var rows [][]string
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := s.Text(); line != "" && !strings.HasPrefix(line, "#") {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	require.NotEmpty(t, rows)
	return rows
}

// keys returns "vendor pattern" of each entry, or "mark pattern".
func keys(list []*Entry) []string {
	var out []string
	for _, e := range list {
		who := "mark " + e.Mark
		if e.Vendor != nil {
			who = e.Vendor.Key
		}
		out = append(out, who+" "+e.Pattern)
	}
	return out
}

const smallVendor = `key: acme
name: Acme Antivirus
country: SK/US
group: holding
sources:
  page: {text: 'https://acme.example/ports', date: 2026-01-02, licence: facts only}
names:
  - role: update
    strength: strong
    source: page
    confidence: high
    list:
      - update.acme.example
      - {pattern: pool.acme.example, match: suffix, pool: true, note: 'numbered, 00 to 19'}
      - {pattern: '^u\d\d\.acme\.example$', match: regexp, sample: u01.acme.example}
  - {pattern: acme.example, match: suffix, role: web, strength: weak, source: 'a book of 2025', date: 2025-05-06}
signals:
  - {kind: user-agent, pattern: '^AcmeUpd/', role: update, strength: strong, source: page, mask: 'id=([0-9a-f]+)'}
  - {kind: path, pattern: '^/sig/', role: update, strength: strong, source: page, hosts: [acme.example]}
  - {kind: port, pattern: tcp 7000-7009, role: management, strength: medium, source: page, need: network}
  - {kind: lan-port, pattern: tcp+udp 8000, role: management, strength: medium, source: page}
networks:
  - {asn: AS64500, owner: Acme a.s., prefixes: [192.0.2.0/24, '2001:db8::/32'], role: unknown, strength: weak, source: page}
  - {kind: range, pattern: 192.0.2.128/25, role: update, strength: medium, source: page}
`
