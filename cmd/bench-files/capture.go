package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"avbeacon/internal/measure"
)

// made is a capture to measure on, and what mkbench reported of its content.
type made struct {
	profile, size, file string
	bytes               int64
	Packets             int `json:"packets"`
	DNSQueries          int `json:"dns_query"`
	DNSResponses        int `json:"dns_response"`
	TLSNames            int `json:"tls_client_hello"`
	QUICNames           int `json:"quic_client_hello"`
	HTTPRequests        int `json:"http_request"`
}

// sizes returns mkbench's arguments. The targets of speed are stated for full.
func sizes(size, profile string) ([]string, error) {
	arguments, known := map[string][]string{
		"small bulk":  {"-size", "256M"},
		"small hs":    {"-size", "128M"},
		"small flows": {"-flows", "250000"},
		"full bulk":   {"-size", "1700M"},
		"full hs":     {"-size", "512M"},
		"full flows":  {"-flows", "1000000"},
	}[size+" "+profile]
	if !known {
		return nil, fmt.Errorf("no capture %q of size %q (bulk, hs, flows; small, full)", profile, size)
	}
	return arguments, nil
}

// capture makes a capture unless it is in the cache, and reads it once so that it is in the page cache.
func (s *settings) capture(ctx context.Context, profile string, stderr io.Writer) (*made, error) {
	arguments, err := sizes(s.size, profile)
	if err != nil {
		return nil, err
	}
	base := filepath.Join(s.cache, fmt.Sprintf("%s-%s-%d", profile, s.size, s.seed))
	c := &made{profile: profile, size: s.size, file: base + ".pcap"}
	text, err := os.ReadFile(base + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(stderr, "making %s\n", c.file)
		text, err = s.make(ctx, base, append(arguments, "-profile", profile, "-seed", fmt.Sprint(s.seed), "-o", c.file))
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("%s.json: %w", base, err)
	}
	f, err := os.Open(c.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c.bytes, err = io.Copy(io.Discard, f)
	return c, err
}

// make writes base.pcap and, once that is complete, base.json.
func (s *settings) make(ctx context.Context, base string, arguments []string) ([]byte, error) {
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, s.mkbench, arguments...)
	cmd.Stdout = &out
	if _, err := measure.Run(cmd); err != nil {
		return nil, err
	}
	return out.Bytes(), os.WriteFile(base+".json", out.Bytes(), 0o644)
}

// printRecall runs observe once more and compares the number of its lines with what mkbench put in.
func (s *settings) printRecall(ctx context.Context, w io.Writer, c *made) error {
	cmd := exec.CommandContext(ctx, s.avbeacon, "observe", "--quiet", c.file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	found, err := countLines(out)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return fmt.Errorf("observe %s: %w", c.file, err)
	}
	fmt.Fprintf(w, "found of what was put in: dns_query %d/%d dns_response %d/%d tls_client_hello %d/%d quic_client_hello %d/%d http_request %d/%d\n",
		found["dns_query"], c.DNSQueries, found["dns_response"], c.DNSResponses, found["tls_client_hello"], c.TLSNames,
		found["quic_client_hello"], c.QUICNames, found["http_request"], c.HTTPRequests)
	return nil
}

// countLines counts observations by kind, and hellos only if they have a name.
func countLines(r io.Reader) (map[string]int, error) {
	found := map[string]int{}
	for d := json.NewDecoder(r); ; {
		var line struct{ Kind, SNI string }
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return found, err
		}
		if line.SNI != "" || !strings.HasSuffix(line.Kind, "_client_hello") {
			found[line.Kind]++
		}
	}
}
