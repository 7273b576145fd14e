// Package policy says which findings are of concern: by vendor, by the vendor's country, by where a destination is, by
// its network. A policy is immutable once loaded.
package policy

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"avbeacon/classify"
)

// Policy is a named list of rules; the first that fits makes a finding one of concern.
type Policy struct {
	Name  string
	Rules []Rule
}

// Rule fits a finding when every condition that it sets does. Within one condition any of the values will do.
type Rule struct {
	Name            string
	Why             string                // a sentence for the report; "" for one made from the conditions
	Vendors         []string              // vendor keys
	VendorCountries []string              // ISO 3166 alpha-2 of the maker's home
	Products        []string              // lower case
	Places          []classify.PlaceLevel // of any destination
	Countries       []string              // ISO 3166 alpha-2 of any destination's place
	Networks        []netip.Prefix        // that hold any destination
	ASNs            []uint32              // of any destination
	AtLeast         classify.Verdict      // least verdict; NoVerdict for any
}

// Default is the name of the policy that is used where none is named.
const Default = "moscow"

// BuiltIn gives a policy that ships with the program; false where there is none of that name.
func BuiltIn(name string) (*Policy, bool) {
	for _, p := range builtIns() {
		if p.Name == name {
			return p, true
		}
	}
	return nil, false
}

// Names lists the policies that ship with the program.
func Names() []string {
	var out []string
	for _, p := range builtIns() {
		out = append(out, p.Name)
	}
	return out
}

func builtIns() []*Policy {
	return []*Policy{
		{Name: "moscow", Rules: []Rule{
			{Name: "russian-vendor", VendorCountries: []string{"RU"}},
			{Name: "moscow", Places: []classify.PlaceLevel{classify.PlaceM3, classify.PlaceM2}},
		}},
		// Binding Operational Directive 17-01 of 13 September 2017: Kaspersky-branded products.
		{Name: "bod-17-01", Rules: []Rule{
			{Name: "kaspersky", Vendors: []string{"kaspersky"}, Why: "Kaspersky's products are what BOD 17-01 orders removed."},
		}},
		{Name: "all-av", Rules: []Rule{{Name: "any", Why: "Every product is of concern to this policy: it takes an inventory."}}},
	}
}

// Load gives a built-in policy by its name, else reads a file. "" is Default.
func Load(nameOrFile string) (*Policy, error) {
	if nameOrFile == "" {
		nameOrFile = Default
	}
	if p, ok := BuiltIn(nameOrFile); ok {
		return p, nil
	}
	data, err := os.ReadFile(nameOrFile)
	if err != nil {
		return nil, fmt.Errorf("read policy %s (built in are %s): %w", nameOrFile, strings.Join(Names(), ", "), err)
	}
	p, err := Parse(nameOrFile, data)
	if err != nil {
		return nil, fmt.Errorf("read policy %s: %w", nameOrFile, err)
	}
	return p, nil
}

// Judge says whether a finding is of concern, and by which rule.
func (p *Policy) Judge(f *classify.Finding) (concern bool, why string) {
	for i := range p.Rules {
		if why, ok := p.Rules[i].fits(f); ok {
			return true, why
		}
	}
	return false, ""
}

// fits checks the conditions in turn and collects what is to be said of them.
func (r *Rule) fits(f *classify.Finding) (why string, ok bool) {
	var said []string
	for _, check := range []func(*classify.Finding) (string, bool){r.verdict, r.vendor, r.country, r.product, r.place} {
		words, fits := check(f)
		if !fits {
			return "", false
		}
		if words != "" {
			said = append(said, words)
		}
	}
	switch {
	case r.Why != "":
		return r.Why, true
	case len(said) == 0:
		return "Rule " + r.Name + " names every finding.", true
	}
	return strings.Join(said, "; ") + ".", true
}

func (r *Rule) verdict(f *classify.Finding) (string, bool) { return "", f.Verdict >= r.AtLeast }

func (r *Rule) vendor(f *classify.Finding) (string, bool) {
	if len(r.Vendors) == 0 {
		return "", true
	}
	return f.Vendor.Name + " is a vendor of concern", slices.Contains(r.Vendors, f.Vendor.Key)
}

func (r *Rule) country(f *classify.Finding) (string, bool) {
	if len(r.VendorCountries) == 0 {
		return "", true
	}
	for _, c := range strings.Split(f.Vendor.Country, "/") {
		if slices.Contains(r.VendorCountries, c) {
			return fmt.Sprintf("%s is a vendor from %s", f.Vendor.Name, countryName(c)), true
		}
	}
	return "", false
}

func (r *Rule) product(f *classify.Finding) (string, bool) {
	if len(r.Products) == 0 {
		return "", true
	}
	return f.Product + " is a product of concern", slices.Contains(r.Products, strings.ToLower(f.Product))
}

// place asks that one and the same destination meets every condition of place.
func (r *Rule) place(f *classify.Finding) (string, bool) {
	if len(r.Places)+len(r.Countries)+len(r.Networks)+len(r.ASNs) == 0 {
		return "", true
	}
	for i := range f.Destinations {
		if d := &f.Destinations[i]; r.at(d) {
			return placeWords(d), true
		}
	}
	return "", false
}

func (r *Rule) at(d *classify.Destination) bool {
	return (len(r.Places) == 0 || slices.Contains(r.Places, d.Place.Level)) &&
		(len(r.Countries) == 0 || slices.Contains(r.Countries, d.Place.Country)) &&
		(len(r.ASNs) == 0 || slices.Contains(r.ASNs, d.ASN)) &&
		(len(r.Networks) == 0 || slices.ContainsFunc(r.Networks, func(n netip.Prefix) bool { return n.Contains(d.Address) }))
}

func placeWords(d *classify.Destination) string {
	if d.Place.Words == "" {
		return fmt.Sprintf("it calls %s", d.Address)
	}
	return fmt.Sprintf("it calls %s: %s", d.Address, strings.TrimSuffix(d.Place.Words, "."))
}

func countryName(iso string) string {
	if iso == "RU" {
		return "Russia"
	}
	return iso
}
