package siem

import (
	"strconv"
	"strings"

	"avbeacon/internal/alert"
)

// The formats with flat fields tell a list's element as a short text.

// evidenceText is one sign: "tls-sni dnl-01.example (update, strong, 12 times)".
func evidenceText(e *alert.Evidence, size int) string {
	notes := make([]string, 0, 4)
	for _, note := range []string{e.Role, e.Strength} {
		if note != "" {
			notes = append(notes, note)
		}
	}
	switch e.Count {
	case 0:
	case 1:
		notes = append(notes, "once")
	default:
		notes = append(notes, strconv.FormatUint(e.Count, 10)+" times")
	}
	if !e.Supports {
		notes = append(notes, "speaks against it")
	}
	return clean(strings.TrimSpace(e.Kind+" "+e.Value), size) + " (" + strings.Join(notes, ", ") + ")"
}

// evidenceTexts are the signs that the portion leaves.
func evidenceTexts(a *alert.Alert, p portion) []string {
	var list []string
	for i := range a.Evidence[:p.evidence] {
		list = append(list, evidenceText(&a.Evidence[i], p.text))
	}
	return list
}

// beaconTexts are the words on the beacons that the portion leaves.
func beaconTexts(a *alert.Alert, p portion) []string {
	var list []string
	for _, b := range a.Beacons[:p.beacons] {
		if b.Words != "" {
			list = append(list, clean(b.Words, p.text))
		}
	}
	return list
}

// placeText is where a destination is: level and words.
func placeText(to alert.Destination) string {
	return strings.TrimSpace(to.Level + " " + to.Where)
}

// productText is the product and its version.
func productText(v alert.Vendor) string { return strings.TrimSpace(v.Product + " " + v.ProductVersion) }

// joined puts texts together with "; " as long as size bytes hold them, and tells whether all are there.
func joined(list []string, size int) (text string, all bool) {
	var b strings.Builder
	for i, s := range list {
		if b.Len()+len("; ")+len(s) > size {
			return b.String(), false
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(s)
	}
	return b.String(), true
}
