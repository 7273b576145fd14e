package policy

import "fmt"

// Warnings returns a sentence for each thing in the policy that is valid but probably a mistake.
func (p *Policy) Warnings() (notes []string) {
	for i := range p.Rules {
		r := &p.Rules[i]
		for _, w := range r.warnings() {
			notes = append(notes, fmt.Sprintf("rule %s: %s", r.Name, w))
		}
		if r.catchesAll() && i < len(p.Rules)-1 {
			notes = append(notes, fmt.Sprintf("rule %s: it has no condition, so the rules after it never apply", r.Name))
		}
	}
	return notes
}

func (r *Rule) warnings() (list []string) {
	for _, c := range r.Circles {
		if w := c.warning(); w != "" {
			list = append(list, w)
		}
	}
	for _, x := range []*Expression{r.When, r.Unless} {
		if x != nil {
			list = append(list, x.warn...)
		}
	}
	return list
}

// catchesAll reports whether the rule has no condition.
func (r *Rule) catchesAll() bool {
	return len(r.Vendors)+len(r.Groups)+len(r.VendorCountries)+len(r.Products)+len(r.Places)+len(r.Countries)+len(r.Cities)+
		len(r.Circles)+len(r.Networks)+len(r.ASNs) == 0 && r.AtLeast == 0 && r.When == nil && r.Unless == nil
}

// VendorKeys returns the vendor keys that the rule names, in its list and in its expressions.
func (r *Rule) VendorKeys() []string {
	list := append([]string{}, r.Vendors...)
	for _, x := range []*Expression{r.When, r.Unless} {
		if x != nil {
			list = append(list, x.vendors...)
		}
	}
	return list
}
