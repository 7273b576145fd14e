package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteJSON writes the report as one JSON object, indented by one space.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// WriteJSONL writes each finding on a line, then the coverage.
func (r *Report) WriteJSONL(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for i := range r.Findings {
		f := r.Findings[i]
		f.Type = "finding"
		if err := e.Encode(&f); err != nil {
			return err
		}
	}
	c := r.Coverage
	c.Type = "coverage"
	return e.Encode(&c)
}

// csvHeader names the columns of WriteCSV; columns are only ever added at the end.
func csvHeader() []string {
	return []string{"host", "mac", "name", "vlan", "host_role", "vendor", "vendor_name", "product", "product_version", "verdict",
		"state", "concern", "first_seen", "last_seen", "contacts", "lookups", "destinations", "places", "reasons", "id"}
}

// WriteCSV writes one line per finding (RFC 4180). Control characters are escaped, and a cell that a spreadsheet would read as a
// formula gets a leading '.
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvHeader()); err != nil {
		return err
	}
	for i := range r.Findings {
		row := r.Findings[i].row()
		for j := range row {
			row[j] = noFormula(Clean(row[j]))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (f *Finding) row() []string {
	var vlans, dests, places []string
	for _, v := range f.Host.VLAN {
		vlans = append(vlans, strconv.Itoa(int(v)))
	}
	for i := range f.Destinations {
		d, where := &f.Destinations[i], ""
		if d.Place != nil {
			where = strings.TrimSpace(d.Place.Level + " " + d.Place.Country) // X and some N have no country
		}
		dests, places = append(dests, fmt.Sprintf("%s port %d", d.Address, d.Port)), append(places, where)
	}
	return []string{f.Host.Address, f.Host.MAC, f.Host.Name, strings.Join(vlans, " "), f.HostRole, f.Vendor, f.VendorName, f.Product,
		f.ProductVersion, f.Verdict, f.State, strconv.FormatBool(f.Concern), f.FirstSeen.String(), f.LastSeen.String(),
		strconv.FormatUint(f.Contacts, 10), strconv.FormatUint(f.Lookups, 10),
		strings.Join(dests, "; "), strings.Join(places, "; "), strings.Join(f.Reasons, " "), f.ID}
}

// noFormula keeps a spreadsheet from running what a host on the network chose to be called (OWASP, "CSV Injection").
func noFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
