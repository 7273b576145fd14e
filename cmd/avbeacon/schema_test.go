package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit"
)

// compiled gives a schema of ours, or one of its definitions, ready to validate; formats are asserted.
func compiled(t testing.TB, name, at string) *jsonschema.Schema {
	t.Helper()
	text, err := schema(name)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	require.NoError(t, c.AddResource(name, doc))
	s, err := c.Compile(name + at)
	require.NoError(t, err)
	return s
}

// stdout runs the program and gives its standard output.
func stdout(t testing.TB, args ...string) []byte {
	t.Helper()
	var out, diagnostics bytes.Buffer
	err := run(context.Background(), args, strings.NewReader(""), &out, &diagnostics)
	if code := exitCode(err, &diagnostics); code != 0 && code != exitIncomplete {
		t.Fatalf("avbeacon %s: exit code %d: %s", strings.Join(args, " "), code, &diagnostics)
	}
	return out.Bytes()
}

func validate(t testing.TB, s *jsonschema.Schema, text []byte) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err, "%.2000s", text)
	if err := s.Validate(doc); err != nil {
		t.Fatalf("%#v\n%.2000s", err, text)
	}
}

// captures are all in testdata, and some that are made here to fail or to be strange.
func captures(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/pcap/*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	dir := t.TempDir()
	for name, data := range map[string][]byte{"empty.pcap": nil, "text.pcap": []byte("this is no capture at all"), "strange.pcap": strangeCapture(t)} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, data, 0o600))
		files = append(files, file)
	}
	return append(files, filepath.Join(dir, "missing\xff\x1b[31m.pcap"))
}

// strangeCapture holds a request whose User-Agent is the vendor's and has control characters and no UTF-8 in it, and
// packets of random bytes.
func strangeCapture(t testing.TB) []byte {
	t.Helper()
	c := testkit.NewCapture(7)
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		frame := make([]byte, 14+random.IntN(200))
		for i := range frame {
			frame[i] = byte(random.Uint32())
		}
		binary.BigEndian.PutUint16(frame[12:], []uint16{0x0800, 0x86dd, 0x0806, 0x8100}[n%4])
		c.Add(start.Add(time.Duration(n)*time.Second), frame)
	}
	conn := c.Open(start, testkit.Host{MAC: [6]byte{0, 0, 0x5e, 0, 0x53, 1}, Addr: netip.MustParseAddr("192.168.1.7")},
		testkit.Host{MAC: [6]byte{0, 0, 0x5e, 0, 0x53, 2}, Addr: netip.MustParseAddr("194.85.20.10")}, 80)
	conn.Send([]byte("GET /\x1b[31m HTTP/1.1\r\nHost: update.drweb.com\r\nUser-Agent: DrWebUpdate-12.0\xff\xfe\x1b]0;x\x07\r\n\r\n"))
	conn.Close()
	var out bytes.Buffer
	require.NoError(t, c.WritePcap(&out))
	return out.Bytes()
}

func TestReportsFollowTheirSchema(t *testing.T) {
	if raced {
		t.Skip("one goroutine does all")
	}
	report, finding, coverage := compiled(t, "report", ""), compiled(t, "report", "#/$defs/finding"), compiled(t, "report", "#/$defs/coverage")
	files := captures(t)
	runs := [][]string{files, {files[0], files[len(files)-1]}}
	for _, f := range files {
		runs = append(runs, []string{f})
	}
	findings := 0
	for _, names := range runs {
		text := stdout(t, append([]string{"analyze", "--quiet", "--format", "json", "--policy", "all-av", "--hash", "always"}, names...)...)
		validate(t, report, text)
		require.True(t, bytes.HasSuffix(text, []byte("}\n")))
		lines := strings.SplitAfter(string(stdout(t, append([]string{"analyze", "--quiet", "--format", "jsonl"}, names...)...)), "\n")
		lines = lines[:len(lines)-1]
		for _, line := range lines[:len(lines)-1] {
			require.Contains(t, line, `"type":"finding"`)
			validate(t, finding, []byte(line))
			findings++
		}
		require.Contains(t, lines[len(lines)-1], `"type":"coverage"`)
		validate(t, coverage, []byte(lines[len(lines)-1]))
	}
	require.Greater(t, findings, 10)
}

func TestObserveFollowsItsSchema(t *testing.T) {
	if raced {
		t.Skip("one goroutine does all")
	}
	s := compiled(t, "observe", "")
	kinds := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(stdout(t, append([]string{"observe", "--quiet", "--header", "Accept"}, captures(t)...)...)))
	for lines.Scan() {
		validate(t, s, lines.Bytes())
		var line struct{ Kind string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		kinds[line.Kind]++
	}
	require.NoError(t, lines.Err())
	for _, kind := range []string{"dns_query", "dns_response", "tls_client_hello", "http_request", "http_response", "flow", "dhcp", "arp"} {
		require.NotZero(t, kinds[kind], kind)
	}
}

// A schema that lets everything through would be no test.
func TestSchemasReject(t *testing.T) {
	for name, wrong := range map[string]string{
		"report":  `{"schema":"avbeacon/report/2"}`,
		"observe": `{"file":"x","frame":1,"time":"2026-03-02T09:00:00.000000000Z","kind":"arp","mac":"00:00:5e:00:53:01","colour":"red"}`,
	} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
		require.NoError(t, err)
		require.Error(t, compiled(t, name, "").Validate(doc), name)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(
		`{"file":"x","frame":1,"time":"2026-03-02T09:00:00.000000000Z","kind":"arp","mac":"00:00:5e:00:53:01"}`))
	require.NoError(t, err)
	require.NoError(t, compiled(t, "observe", "").Validate(doc))
}
