package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// made is a capture to measure on, and what mkbench says that it holds.
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

// sizes are mkbench's arguments by size and profile. The targets of speed are stated for full.
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

// capture makes a capture, or finds it made, and reads it once so that it lies in memory.
func (s *settings) capture(ctx context.Context, profile string, stderr io.Writer) (*made, error) {
	arguments, err := sizes(s.size, profile)
	if err != nil {
		return nil, err
	}
	base := filepath.Join(s.cache, fmt.Sprintf("%s-%s-%d", profile, s.size, s.seed))
	c := &made{profile: profile, size: s.size, file: base + ".pcap"}
	text, err := os.ReadFile(base + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		text, err = s.make(ctx, base, append(arguments, "-profile", profile, "-seed", fmt.Sprint(s.seed)), stderr)
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

// make writes base.pcap and, once that is whole, base.json.
func (s *settings) make(ctx context.Context, base string, arguments []string, stderr io.Writer) ([]byte, error) {
	fmt.Fprintf(stderr, "making %s.pcap\n", base)
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, s.mkbench, append(arguments, "-o", base+".pcap")...)
	cmd.Stderr = stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("make %s.pcap: %w", base, err)
	}
	return text, os.WriteFile(base+".json", text, 0o644)
}
