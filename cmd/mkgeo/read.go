package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/gaissmai/bart"
	"go4.org/netipx"
)

// network is an announced range of a network to describe.
type network struct {
	first, last netip.Addr
	asn         uint32
	owner, kind string
}

// networks is the ranges to describe, in two forms.
type networks struct {
	ranges   []network
	prefixes *bart.Table[string] // value: kind
}

// rows yields the fields of each line of a CSV file; an error comes last. Lines that begin with # are comments.
func rows(file string, width int) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		f, err := os.Open(file)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.Close() // read only
		r := csv.NewReader(bufio.NewReaderSize(f, 1<<20))
		r.Comment, r.FieldsPerRecord, r.ReuseRecord = '#', width, true
		for {
			row, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("%s: %w", file, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// readKinds reads the networks to describe: number -> kind.
func readKinds(file string) (map[string]string, error) {
	kinds := map[string]string{}
	for row, err := range rows(file, 3) {
		if err != nil {
			return nil, err
		}
		kinds[row[0]] = row[1]
	}
	return kinds, nil
}

// readNetworks reads the ranges whose number is in kinds.
func readNetworks(kinds map[string]string, files ...string) (networks, error) {
	n := networks{prefixes: new(bart.Table[string])}
	for _, file := range files {
		for row, err := range rows(file, 4) {
			if err != nil {
				return n, err
			}
			kind, wanted := kinds[row[2]]
			if !wanted {
				continue
			}
			r, err := netipx.ParseIPRange(row[0] + "-" + row[1])
			if err != nil {
				return n, fmt.Errorf("%s: %w", file, err)
			}
			asn, err := strconv.ParseUint(row[2], 10, 32)
			if err != nil {
				return n, fmt.Errorf("%s: network number: %w", file, err)
			}
			n.ranges = append(n.ranges, network{r.From(), r.To(), uint32(asn), strings.Clone(row[3]), kind})
			for _, p := range r.Prefixes() {
				n.prefixes.Insert(p, kind)
			}
		}
	}
	return n, nil
}

// within returns the parts of p that belong to a vendor's network: only there the place and the registration are kept.
func (n networks) within(p netip.Prefix) []netip.Prefix {
	if !n.prefixes.OverlapsPrefix(p) {
		return nil
	}
	if kind, covered := n.prefixes.LookupPrefix(p); covered && kind == "vendor" {
		return []netip.Prefix{p}
	}
	var parts []netip.Prefix
	for sub, kind := range n.prefixes.Subnets(p) {
		if kind == "vendor" {
			parts = append(parts, sub)
		}
	}
	return parts
}
