// Command mkbench writes the captures that `make bench` measures on: bulk (long connections in large segments), hs (DNS
// queries, and the beginnings of TLS, QUIC and HTTP) and flows (very many short connections). Clients, sites and their
// popularity follow from the seed (world.go). Connections arrive at random and are played side by side (generate.go, flow.go);
// what they say is in dns.go, talk.go and quic.go. The same arguments make the same file on one processor architecture. One
// JSON object on standard output counts what the file holds, by the names that `avbeacon observe` uses.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "mkbench:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("mkbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	plan := plan{}
	flags.StringVar(&plan.profile, "profile", "hs", "bulk, hs or flows")
	size := flags.String("size", "128M", "bytes of the file (bulk and hs); K, M and G may follow the number")
	flags.IntVar(&plan.flows, "flows", 250_000, "number of conversations (flows)")
	flags.IntVar(&plan.clients, "clients", 20_000, "number of client hosts")
	flags.Uint64Var(&plan.seed, "seed", 1, "seed of all that is random")
	out := flags.String("o", "", "file to write")
	templates := flags.String("templates", "", "record new handshakes into this file, and write no capture")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *templates != "" {
		return recordTemplates(*templates)
	}
	var err error
	if plan.bytes, err = parseSize(*size); err != nil {
		return err
	}
	if *out == "" {
		return errors.New("no file to write: -o FILE is missing")
	}
	made, err := write(plan, *out)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(made)
}

// parseSize reads a number of bytes: 512M.
func parseSize(text string) (int64, error) {
	digits := strings.TrimRight(text, "KMG")
	n, err := strconv.ParseInt(digits, 10, 64)
	shift, known := map[string]int{"": 0, "K": 10, "M": 20, "G": 30}[text[len(digits):]]
	if err != nil || !known || n <= 0 || n > 1<<40>>shift {
		return 0, fmt.Errorf("%q is not a size (such as 512M)", text)
	}
	return n << shift, nil
}

// write makes the capture and closes it.
func write(p plan, name string) (summary, error) {
	f, err := os.Create(name)
	if err != nil {
		return summary{}, err
	}
	made, err := generate(p, f)
	return made, errors.Join(err, f.Close())
}
