package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// line is what is read of a line of observe.
type line struct {
	Kind string `json:"kind"`
	SNI  string `json:"sni"`
}

// printRecall lets observe run once more and holds the number of its lines against what mkbench put in: speed counts only
// where all names are found.
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
	fmt.Fprint(w, "found of what was put in:")
	for _, k := range []struct {
		kind string
		put  int
	}{
		{"dns_query", c.DNSQueries}, {"dns_response", c.DNSResponses}, {"tls_client_hello", c.TLSNames},
		{"quic_client_hello", c.QUICNames}, {"http_request", c.HTTPRequests},
	} {
		fmt.Fprintf(w, " %s %d/%d", k.kind, found[k.kind], k.put)
	}
	fmt.Fprintln(w)
	return nil
}

// countLines counts lines by kind; hellos only where they have a name.
func countLines(r io.Reader) (map[string]int, error) {
	found := map[string]int{}
	for d := json.NewDecoder(r); ; {
		var l line
		err := d.Decode(&l)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		if l.SNI != "" || !strings.HasSuffix(l.Kind, "_client_hello") {
			found[l.Kind]++
		}
	}
}
