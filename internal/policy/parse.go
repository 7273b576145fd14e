package policy

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"avbeacon/classify"

	"github.com/goccy/go-yaml"
)

// document is a policy file. Unknown keys are errors.
type document struct {
	Name  string `yaml:"name"`
	Rules []struct {
		Name            string   `yaml:"name"`
		Why             string   `yaml:"why"`
		Vendors         []string `yaml:"vendors"`
		VendorCountries []string `yaml:"vendor-countries"`
		Products        []string `yaml:"products"`
		Places          []string `yaml:"places"`
		Countries       []string `yaml:"countries"`
		Networks        []string `yaml:"networks"`
		ASNs            []uint32 `yaml:"asns"`
		AtLeast         string   `yaml:"at-least"`
	} `yaml:"rules"`
}

// maxFile bounds a policy file.
const maxFile = 1 << 20

// Parse reads a policy in YAML. Errors name line and column where the format is broken, else the rule.
func Parse(file string, data []byte) (*Policy, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("the file is larger than %d bytes", maxFile)
	}
	d, err := decode(data)
	if err != nil {
		return nil, err
	}
	p := &Policy{Name: d.Name}
	if p.Name == "" {
		p.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	if len(d.Rules) == 0 {
		return nil, errors.New("the policy has no rules")
	}
	for i, r := range d.Rules {
		rule := Rule{Name: r.Name, Why: r.Why, Vendors: lower(r.Vendors), VendorCountries: upper(r.VendorCountries),
			Products: lower(r.Products), Countries: upper(r.Countries), ASNs: r.ASNs}
		if err := rule.typed(r.Places, r.Networks, r.AtLeast); err != nil {
			return nil, fmt.Errorf("rule %d (%s): %w", i+1, r.Name, err)
		}
		p.Rules = append(p.Rules, rule)
	}
	return p, nil
}

// decode reads the YAML. A panic of the library, which strange tags and anchors can cause, becomes an error.
func decode(data []byte) (d document, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the YAML cannot be read")
		}
	}()
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&d); err != nil {
		return d, errors.New(strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	return d, nil
}

// typed turns the words of a rule into values.
func (r *Rule) typed(places, networks []string, atLeast string) error {
	for _, w := range places {
		l, ok := level(w)
		if !ok {
			return fmt.Errorf("place %q is none of M3, M2, M1, R2, R1, N, X", w)
		}
		r.Places = append(r.Places, l)
	}
	for _, w := range networks {
		n, err := netip.ParsePrefix(w)
		if err != nil {
			return fmt.Errorf("network %q: %w", w, err)
		}
		r.Networks = append(r.Networks, n.Masked())
	}
	for v := classify.NoVerdict; v <= classify.Installed; v++ {
		if v.String() == atLeast {
			r.AtLeast = v
			return nil
		}
	}
	return fmt.Errorf("at-least %q is none of visit, possible, likely, installed", atLeast)
}

func level(w string) (classify.PlaceLevel, bool) {
	for l := classify.PlaceX; l <= classify.PlaceM3; l++ {
		if l.String() == w {
			return l, true
		}
	}
	return 0, false
}

func lower(list []string) []string {
	out := slices.Clone(list)
	for i := range out {
		out[i] = strings.ToLower(out[i])
	}
	return out
}

func upper(list []string) []string {
	out := slices.Clone(list)
	for i := range out {
		out[i] = strings.ToUpper(out[i])
	}
	return out
}
