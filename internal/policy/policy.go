// Package policy decides which findings are of concern: by vendor, the vendor's country, a destination's place or network, or an
// expression over the whole finding. A classify.Finding goes in, a Decision comes out. A Policy is immutable once loaded, and
// judging is a pure function.
//
// Start with Policy.Decide and Rule. parse.go reads the YAML; expression.go compiles expressions, which grammar.go limits to a
// language that always ends quickly. README.md describes the language for users.
package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"avbeacon/classify"
	"avbeacon/classify/place"
)

// Policy is a named list of rules; the first that matches a finding decides.
type Policy struct {
	Name  string
	About string // a sentence, or ""
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

// DefaultSeverity applies to rules without one.
const DefaultSeverity = Medium

// String returns the severity as policy files write it.
func (s Severity) String() string {
	return [...]string{"info", "low", "medium", "high", "critical"}[min(s, Critical)]
}

// Rule matches a finding if every condition that is set matches. Within one condition any of the values is enough. Places, countries,
// cities, circles, networks and ASNs must all match one and the same destination.
type Rule struct {
	Name            string
	Why             string // a sentence for the report, "" for none
	Severity        Severity
	Passes          bool     // what matches is not of concern, and no further rule is tried
	Vendors         []string // vendor keys
	Groups          []string // group keys
	VendorCountries []string // ISO 3166 alpha-2; any of the vendor's countries is enough
	Products        []string // lower case
	Places          []place.Level
	Countries       []string // ISO 3166 alpha-2
	Cities          []place.City
	Circles         []Circle
	Networks        []netip.Prefix
	ASNs            []uint32
	AtLeast         classify.Verdict // least verdict; NoVerdict for any
	When            *Expression      // nil for none
	Unless          *Expression      // exception: the rule does not match if this is true; nil for none
}

// Circle is an area on the globe.
type Circle struct {
	Lat, Lon float64 // of the centre, degrees
	KM       float64 // radius
}

// Decision is a policy's verdict on a finding.
type Decision struct {
	Concern  bool
	Rule     string // the rule that decided, "" if none matched
	Severity Severity
	Why      string // a sentence that names the rule and what matched; "" if none did
}

// Judge reports whether a finding is of concern, and the sentence that says why.
func (p *Policy) Judge(f *classify.Finding) (concern bool, why string) {
	d := p.Decide(f)
	if !d.Concern {
		return false, ""
	}
	return true, d.Why
}

// Decide returns the decision of the first rule that matches. If none does, the finding is not of concern.
func (p *Policy) Decide(f *classify.Finding) Decision {
	c := &subject{Finding: f}
	for i := range p.Rules {
		r := &p.Rules[i]
		if said, ok := r.matches(c); ok {
			return Decision{Concern: !r.Passes, Rule: r.Name, Severity: r.Severity, Why: r.sentence(said)}
		}
	}
	return Decision{}
}

// sentence names the rule, its own reason and what matched.
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
	return "Rule " + r.Name + " matches every finding."
}

// subject is the finding that is judged. Its environment is made when the first expression needs it.
type subject struct {
	*classify.Finding
	env *environment
}

// matches checks the conditions in turn, cheap ones first, and returns a phrase for each that is set.
func (r *Rule) matches(c *subject) (said []string, ok bool) {
	if c.Verdict < r.AtLeast {
		return nil, false
	}
	for _, check := range []func(*subject) (string, bool){r.vendor, r.group, r.country, r.product, r.destination, r.when} {
		words, ok := check(c)
		if !ok {
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

// destination looks for one destination that meets every condition of place and network.
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

// network returns the first network of the rule that holds the address, or "".
func (r *Rule) network(a netip.Addr) string {
	for _, n := range r.Networks {
		if n.Contains(a.Unmap()) {
			return n.String()
		}
	}
	return ""
}

// destinationWords names the destination and the network conditions that it meets.
func (r *Rule) destinationWords(d *classify.Destination) string {
	words := fmt.Sprintf("it connects to %s", d.Address)
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

// when evaluates the rule's expression. One that cannot be evaluated matches, and its phrase says so: silence would hide a finding.
func (r *Rule) when(c *subject) (string, bool) {
	if r.When == nil {
		return "", true
	}
	is, err := r.When.eval(c)
	if err != nil {
		return fmt.Sprintf("the expression %q cannot be evaluated (%v)", r.When.short(), err), true
	}
	return "the condition holds: " + r.When.short(), is
}

// excepted evaluates the rule's exception. One that cannot be evaluated makes no exception.
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
