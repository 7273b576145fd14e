// Command mkgeo builds the place data that avbeacon embeds: Russia by city, and the networks of antivirus vendors, content
// networks and resolvers wherever they are. It reads openly licensed databases from local files and writes one MaxMind DB
// in the shape of MaxMind's City databases, and a text that names every input with its hash. The same inputs give the same
// bytes. Start reading at generate.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

// inputs are the files to read.
type inputs struct {
	cityV4, cityV6   string // flat city databases of DB-IP
	asnV4, asnV6     string // start,end,number,owner
	whoisV4, whoisV6 string // start,end,country of registration
	networks         string // number,kind,name
}

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "mkgeo:", err)
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("mkgeo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var in inputs
	flags.StringVar(&in.cityV4, "city4", "", "flat city database of IPv4 (.mmdb)")
	flags.StringVar(&in.cityV6, "city6", "", "flat city database of IPv6 (.mmdb)")
	flags.StringVar(&in.asnV4, "asn4", "", "IPv4 ranges with network number and owner (.csv)")
	flags.StringVar(&in.asnV6, "asn6", "", "IPv6 ranges with network number and owner (.csv)")
	flags.StringVar(&in.whoisV4, "whois4", "", "IPv4 ranges with country of registration (.csv)")
	flags.StringVar(&in.whoisV6, "whois6", "", "IPv6 ranges with country of registration (.csv)")
	flags.StringVar(&in.networks, "networks", "feeds/geo/networks.csv", "networks to describe: number,kind,name")
	out := flags.String("o", "feeds/geo/avbeacon-places.mmdb", "database to write")
	sources := flags.String("sources", "feeds/geo/SOURCES", "text to write: inputs, hashes, counts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return generate(in, *out, *sources)
}

// generate reads everything, builds, and writes both files.
func generate(in inputs, out, sources string) error {
	kinds, err := readKinds(in.networks)
	if err != nil {
		return err
	}
	nets, err := readNetworks(kinds, in.asnV4, in.asnV6)
	if err != nil {
		return err
	}
	date, err := dateOf(in.cityV4, in.cityV6)
	if err != nil {
		return err
	}
	b, err := newBuilder(nets, date)
	if err != nil {
		return err
	}
	if err := b.cities(in.cityV4, in.cityV6); err != nil {
		return err
	}
	if err := b.owners(); err != nil {
		return err
	}
	if err := b.registrations(in.whoisV4, in.whoisV6); err != nil {
		return err
	}
	write := func(w io.Writer) error {
		_, err := b.tree.WriteTo(w)
		return err
	}
	if err := create(out, write); err != nil {
		return err
	}
	return writeSources(sources, out, in, date, b.count)
}
