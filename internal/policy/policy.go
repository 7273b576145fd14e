// Package policy says which findings are of concern: by vendor, by the vendor's country, by where a destination is, by
// its network, by an expression over all of it. A policy is immutable once loaded, and judging is a pure function.
package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"avbeacon/classify"
	"avbeacon/classify/place"
)

// Policy is a named list of rules; the first that fits a finding decides.
type Policy struct {
	Name  string
	About string // a sentence, "" where the file has none
	Rules []Rule
}

// Severity is how grave a finding of concern is. Greater is graver.
type Severity uint8

// The severities.
const (
	Info Severity = iota
	Low
	Medium
	High
	Critical
)

// DefaultSeverity is that of a rule that names none.
const DefaultSeverity = Medium

// String gives the severity in the policy file's words.
func (s Severity) String() string {
	return [...]string{"info", "low", "medium", "high", "critical"}[min(s, Critical)]
}

// Rule fits a finding when every condition that it sets does. Within one condition any of the values will do. Places,
// countries, cities, circles, networks and ASNs must all be met by one and the same destination.
type Rule struct {
	Name            string
	Why             string // a sentence for the report, "" for none
	Severity        Severity
	Passes          bool     // the rule says that what fits is of no concern, and ends the search
	Vendors         []string // vendor keys
	Groups          []string // group keys
	VendorCountries []string // ISO 3166 alpha-2; any of the maker's homes will do
	Products        []string // lower case
	Places          []place.Level
	Countries       []string // ISO 3166 alpha-2
	Cities          []place.City
	Circles         []Circle
	Networks        []netip.Prefix
	ASNs            []uint32
	AtLeast         classify.Verdict // least verdict; NoVerdict for any
	When            *Expression      // nil for none
	Unless          *Expression      // an exception: the rule does not fit where this is true; nil for none
}

// Circle is a part of the globe.
type Circle struct {
	Lat, Lon float64 // of the centre, degrees
	KM       float64 // radius
}

// Decision is what a policy says of a finding.
type Decision struct {
	Concern  bool
	Rule     string // the rule that decided, "" where none fitted
	Severity Severity
	Why      string // a sentence that names the rule and what fitted; "" where none did
}

// Judge says whether a finding is of concern, and why.
func (p *Policy) Judge(f *classify.Finding) (concern bool, why string) {
	d := p.Decide(f)
	if !d.Concern {
		return false, ""
	}
	return true, d.Why
}

// Decide gives what the first rule that fits says. Where none does, the finding is of no concern.
func (p *Policy) Decide(f *classify.Finding) Decision {
	c := &subject{Finding: f}
	for i := range p.Rules {
		r := &p.Rules[i]
		if said, ok := r.fits(c); ok {
			return Decision{Concern: !r.Passes, Rule: r.Name, Severity: r.Severity, Why: r.sentence(said)}
		}
	}
	return Decision{}
}

// sentence tells the rule, its own reason and what fitted.
func (r *Rule) sentence(said []string) string {
	fitted := strings.Join(said, "; ")
	switch {
	case r.Why != "" && fitted != "":
		return fmt.Sprintf("Rule %s: %s (%s).", r.Name, strings.TrimSuffix(r.Why, "."), fitted)
	case r.Why != "":
		return fmt.Sprintf("Rule %s: %s.", r.Name, strings.TrimSuffix(r.Why, "."))
	case fitted != "":
		return fmt.Sprintf("Rule %s: %s.", r.Name, fitted)
	}
	return "Rule " + r.Name + " names every finding."
}

// subject is a finding under judgement. Its environment is made when the first expression asks.
type subject struct {
	*classify.Finding
	env *environment
}

// fits checks the conditions in turn, the cheap ones first, and collects what is to be said of them.
func (r *Rule) fits(c *subject) (said []string, ok bool) {
	if c.Verdict < r.AtLeast {
		return nil, false
	}
	for _, check := range []func(*subject) (string, bool){r.vendor, r.group, r.country, r.product, r.destination, r.when} {
		words, fits := check(c)
		if !fits {
			return nil, false
		}
		if words != "" {
			said = append(said, words)
		}
	}
	return said, !r.excepted(c)
}

func (r *Rule) vendor(c *subject) (string, bool) {
	if len(r.Vendors) == 0 {
		return "", true
	}
	return c.Vendor.Name + " is a vendor of concern", slices.Contains(r.Vendors, c.Vendor.Key)
}

func (r *Rule) group(c *subject) (string, bool) {
	if len(r.Groups) == 0 {
		return "", true
	}
	return fmt.Sprintf("%s belongs to the group %s", c.Vendor.Name, c.Vendor.Group), slices.Contains(r.Groups, c.Vendor.Group)
}

func (r *Rule) country(c *subject) (string, bool) {
	if len(r.VendorCountries) == 0 {
		return "", true
	}
	for _, home := range strings.Split(c.Vendor.Country, "/") {
		if slices.Contains(r.VendorCountries, home) {
			return fmt.Sprintf("%s is a vendor from %s", c.Vendor.Name, countryName(home)), true
		}
	}
	return "", false
}

func (r *Rule) product(c *subject) (string, bool) {
	if len(r.Products) == 0 {
		return "", true
	}
	return c.Product + " is a product of concern", slices.Contains(r.Products, strings.ToLower(c.Product))
}

// destination asks that one and the same destination meets every condition of place and network.
func (r *Rule) destination(c *subject) (string, bool) {
	if len(r.Places)+len(r.Countries)+len(r.Cities)+len(r.Circles)+len(r.Networks)+len(r.ASNs) == 0 {
		return "", true
	}
	for i := range c.Destinations {
		if d := &c.Destinations[i]; r.at(d) {
			return r.destinationWords(d), true
		}
	}
	return "", false
}

func (r *Rule) at(d *classify.Destination) bool {
	return (len(r.Places) == 0 || slices.Contains(r.Places, d.Place.Level)) &&
		(len(r.Countries) == 0 || slices.Contains(r.Countries, d.Place.Country)) &&
		(len(r.ASNs) == 0 || slices.Contains(r.ASNs, d.ASN)) &&
		(len(r.Networks) == 0 || r.network(d.Address) != "") &&
		(len(r.Cities) == 0 || slices.ContainsFunc(r.Cities, d.Place.In)) &&
		(len(r.Circles) == 0 || slices.ContainsFunc(r.Circles, func(c Circle) bool { return d.Place.Within(c.Lat, c.Lon, c.KM) }))
}

// network gives the first network of the rule that holds the address, "" where none does.
func (r *Rule) network(a netip.Addr) string {
	for _, n := range r.Networks {
		if n.Contains(a.Unmap()) {
			return n.String()
		}
	}
	return ""
}

// destinationWords says whom the host calls and which of the rule's conditions that meets.
func (r *Rule) destinationWords(d *classify.Destination) string {
	words := fmt.Sprintf("it calls %s", d.Address)
	if len(r.Networks) > 0 {
		words += " in " + r.network(d.Address)
	}
	if len(r.ASNs) > 0 {
		words += strings.TrimRight(fmt.Sprintf(" in AS%d %s", d.ASN, d.Owner), " ")
	}
	if d.Place.Words == "" {
		return words
	}
	return words + ": " + strings.TrimSuffix(d.Place.Words, ".")
}

// when asks the rule's expression. One that cannot be evaluated fits, and says so: silence would hide a finding.
func (r *Rule) when(c *subject) (string, bool) {
	if r.When == nil {
		return "", true
	}
	fits, err := r.When.eval(c)
	if err != nil {
		return fmt.Sprintf("the expression %q cannot be evaluated (%v)", r.When.short(), err), true
	}
	return "it is true that " + r.When.short(), fits
}

// excepted asks the rule's exception. One that cannot be evaluated excepts nothing.
func (r *Rule) excepted(c *subject) bool {
	if r.Unless == nil {
		return false
	}
	is, err := r.Unless.eval(c)
	return err == nil && is
}

func countryName(iso string) string {
	if iso == "RU" {
		return "Russia"
	}
	return iso
}
