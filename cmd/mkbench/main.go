// Command mkbench writes the captures that `make bench` measures on: bulk (long connections in large segments), hs (DNS
// queries, and the beginnings of TLS, QUIC and HTTP) and flows (very many short connections). Clients, sites and their
// popularity follow from the seed (world.go). Connections arrive at random and are played side by side (generate.go, flow.go);
// what they say is in dns.go, talk.go and quic.go. The same arguments make the same file on one processor architecture. One
// JSON object on standard output counts what the file holds, by the names that `avbeacon observe` uses.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"

	"avbeacon/internal/measure"
)

func main() { os.Exit(measure.Main("mkbench", run)) }

func run(_ context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("mkbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	plan := plan{}
	flags.StringVar(&plan.profile, "profile", "hs", "bulk, hs or flows")
	flags.Int64Var(&plan.bytes, "size", 128, "MiB of the file (bulk and hs)")
	flags.IntVar(&plan.flows, "flows", 250_000, "number of connections (flows)")
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
	if plan.bytes < 1 || plan.bytes > 1<<20 {
		return errors.New("-size must be from 1 to 1048576 MiB")
	}
	plan.bytes <<= 20
	if *out == "" {
		return errors.New("no file to write: -o FILE is missing")
	}
	made, err := write(plan, *out)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(made)
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
