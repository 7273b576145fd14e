package feeds

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Documented is a host name that a public source gives to a vendor's product.
type Documented struct {
	Vendor string // key; "" for what the catalogue marks
	Name   string
}

// Coverage counts one vendor's documented names by what the catalogue knows of them.
type Coverage struct {
	Vendor   string
	Names    int
	Own      int      // an entry lists the name, or a family that the name is one of
	CatchAll int      // only an entry for the vendor's whole domain matches
	Missing  int      // no entry of the vendor matches
	Lost     []string // the names that have no entry of their own
}

// Share is the part of the names that have an entry of their own, 0 to 1.
func (v Coverage) Share() float64 {
	if v.Names == 0 {
		return 1
	}
	return float64(v.Own) / float64(v.Names)
}

// ReadDocumented reads a list of documented names: tab-separated vendor, name and further columns; "#" begins a comment.
func ReadDocumented(r io.Reader) ([]Documented, error) {
	var rows []Documented
	s := bufio.NewScanner(r)
	for line := 1; s.Scan(); line++ {
		if text := s.Text(); text != "" && text[0] != '#' {
			cols := strings.Split(text, "\t")
			if len(cols) < 2 || badName(cols[1]) != "" {
				return nil, fmt.Errorf("line %d: expected a vendor's key, a tab and a host name", line)
			}
			rows = append(rows, Documented{Vendor: cols[0], Name: cols[1]})
		}
	}
	return rows, s.Err()
}

// Covers counts documented names by vendor, in the order of the vendors' keys; the last row is the sum.
func (c *Catalog) Covers(rows []Documented) []Coverage {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b Documented) int { return cmp.Or(cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(a.Name, b.Name)) })
	var out []Coverage
	sum := Coverage{Vendor: "all"}
	for _, r := range slices.Compact(rows) {
		if len(out) == 0 || out[len(out)-1].Vendor != r.Vendor {
			out = append(out, Coverage{Vendor: r.Vendor})
		}
		c.count(&out[len(out)-1], r)
		c.count(&sum, r)
	}
	return append(out, sum)
}

func (c *Catalog) count(v *Coverage, r Documented) {
	v.Names++
	entry := c.vendorEntry(r)
	switch {
	case entry == nil:
		v.Missing++
	case entry.catchAll(r.Name):
		v.CatchAll++
	default:
		v.Own++
		return
	}
	v.Lost = append(v.Lost, r.Name)
}

// vendorEntry returns the entry of the vendor (or a mark) that decides a documented name, nil if there is none.
func (c *Catalog) vendorEntry(r Documented) *Entry {
	for _, e := range c.MatchName(r.Name) {
		if e.Vendor == nil || e.Vendor.Key == r.Vendor {
			return e
		}
	}
	return nil
}

// catchAll reports whether an entry that matches a name would match any other name under the same registrable domain
// too, so that it knows nothing of this one.
func (e *Entry) catchAll(name string) bool {
	if e.Match == Exact {
		return false
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return false
	}
	const unknown = "zzq7x."
	if e.Match == Suffix {
		return domain == e.Pattern || strings.HasSuffix(domain, "."+e.Pattern)
	}
	return e.re.regexp().MatchString(unknown + domain)
}
