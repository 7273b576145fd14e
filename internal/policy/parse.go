package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/feeds/yamlfile"
)

// document is a policy file. Unknown keys are errors.
type document struct {
	Name  string         `yaml:"name"`
	About string         `yaml:"about"`
	Rules []documentRule `yaml:"rules"`
}

// documentRule is a rule as written: words, not yet values. Pointers tell a key that is missing from one that is false or 0.
type documentRule struct {
	Name            string           `yaml:"name"`
	Why             string           `yaml:"why"`
	Severity        string           `yaml:"severity"`
	Concern         *bool            `yaml:"concern"`
	Vendors         []string         `yaml:"vendors"`
	Groups          []string         `yaml:"groups"`
	VendorCountries []string         `yaml:"vendor-countries"`
	Products        []string         `yaml:"products"`
	Places          []string         `yaml:"places"`
	Countries       []string         `yaml:"countries"`
	Cities          []string         `yaml:"cities"`
	Circles         []documentCircle `yaml:"circles"`
	Networks        []string         `yaml:"networks"`
	ASNs            []uint32         `yaml:"asns"`
	AtLeast         string           `yaml:"at-least"`
	When            string           `yaml:"when"`
	Unless          string           `yaml:"unless"`
}

type documentCircle struct {
	Lat *float64 `yaml:"lat"`
	Lon *float64 `yaml:"lon"`
	KM  *float64 `yaml:"km"`
}

// Limits of a policy file.
const (
	maxFile  = 256 << 10 // bytes
	maxRules = 500
	maxText  = 500 // bytes of a name or a sentence
)

// Parse reads a policy in YAML. Its errors, one per line, begin with file:line:column.
func Parse(file string, data []byte) (*Policy, error) {
	b := &builder{source: source{text: []rune(string(data))}}
	b.Numbers = true // cities have numbers
	var d document
	ok := b.Decode(data, maxFile, &d)
	if len(b.Problems) > 0 {
		return nil, yamlfile.Report(file, b.Problems, yamlfile.Problem.Bare)
	}
	if !ok {
		return nil, fmt.Errorf("%s: the file holds no policy", file)
	}
	if d.Name == "" {
		d.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	p := b.policy(d)
	if len(b.Problems) > 0 {
		return nil, yamlfile.Report(file, b.Problems, yamlfile.Problem.Bare)
	}
	return p, nil
}

// builder decodes a file, converts words to values and collects what is wrong. It continues after an error, so that one run shows all
// mistakes of a file; what it has built is used only if there were none.
type builder struct {
	yamlfile.Decoder
	source source // for positions inside expressions
}

// policy converts the file. Names of rules are unique, because alerts and reports refer to a rule by its name.
func (b *builder) policy(d document) *Policy {
	p := &Policy{Name: d.Name, About: d.About}
	b.sentence("name", d.Name)
	b.sentence("about", d.About)
	switch {
	case len(d.Rules) == 0:
		b.FailKey("rules", "the policy has no rules")
	case len(d.Rules) > maxRules:
		b.FailKey("rules", "the policy has more than %d rules", maxRules)
		return p
	}
	seen := map[string]bool{}
	for i := range d.Rules {
		path := fmt.Sprintf("rules[%d]", i)
		r := b.rule(path, i, &d.Rules[i])
		if seen[r.Name] {
			b.FailKey(path+".name", "the rule %q is listed twice", r.Name)
		}
		seen[r.Name] = true
		p.Rules = append(p.Rules, r)
	}
	return p
}

// sentence checks a text that will be shown in reports.
func (b *builder) sentence(path, text string) {
	if len(text) > maxText {
		b.FailKey(path, "a text has at most %d bytes", maxText)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		b.FailKey(path, "a text must be one line without control characters")
	}
}

// rule converts one rule. A rule without a name is called by its number, because a Decision names its rule.
func (b *builder) rule(path string, i int, d *documentRule) Rule {
	r := Rule{Name: d.Name, Why: d.Why, Severity: DefaultSeverity, Passes: d.Concern != nil && !*d.Concern,
		Vendors: lower(d.Vendors), Groups: lower(d.Groups), Products: lower(d.Products), ASNs: d.ASNs}
	if r.Name == "" {
		r.Name = fmt.Sprintf("%d", i+1)
	}
	b.sentence(path+".name", d.Name)
	b.sentence(path+".why", d.Why)
	if d.Severity != "" {
		r.Severity = one(b, path+".severity", "severity", d.Severity, Info, Critical)
	}
	if d.AtLeast != "" {
		r.AtLeast = one(b, path+".at-least", "verdict", d.AtLeast, classify.Visit, classify.Installed)
	}
	r.VendorCountries = each(b, path+".vendor-countries", d.VendorCountries, country)
	r.Countries = each(b, path+".countries", d.Countries, country)
	r.Cities = each(b, path+".cities", d.Cities, parseCity)
	r.Networks = each(b, path+".networks", d.Networks, network)
	for j, w := range d.Places {
		r.Places = append(r.Places, one(b, fmt.Sprintf("%s.places[%d]", path, j), "place", w, place.X, place.M3))
	}
	r.Circles = each(b, path+".circles", d.Circles, circle)
	r.When = b.expression(path+".when", d.When)
	r.Unless = b.expression(path+".unless", d.Unless)
	return r
}

// expression compiles a text; nil if it is empty or wrong.
func (b *builder) expression(path, text string) *Expression {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	x, err := compile(text)
	if m, ok := errors.AsType[*mistake](err); ok {
		line, col, _ := b.Position(path)
		line, col = b.source.inside(line, col, text, m.offset)
		b.Problems = append(b.Problems, yamlfile.Problem{Key: path, Line: line, Column: col, Text: m.text})
	}
	return x
}

// each converts every element of a list.
func each[W, V any](b *builder, path string, list []W, parse func(W) (V, error)) (out []V) {
	for i, w := range list {
		v, err := parse(w)
		if err != nil {
			b.FailKey(fmt.Sprintf("%s[%d]", path, i), "%v", err)
		}
		out = append(out, v)
	}
	return out
}

// one returns the value that a word names.
func one[V interface {
	~uint8
	String() string
}](b *builder, path, what, word string, first, last V) V {
	for v := first; v <= last; v++ {
		if v.String() == word {
			return v
		}
	}
	b.FailKey(path, "%s %q is not one of %s", what, word, strings.Join(words(first, last), ", "))
	return first
}

func country(w string) (string, error) {
	w = strings.ToUpper(w)
	if !isCountry(w) {
		return "", fmt.Errorf("country %q is not a two-letter ISO 3166 code", w)
	}
	return w, nil
}

// network reads a prefix or an address. Bits after the prefix are cleared, as routers do.
func network(w string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(w); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	n, err := netip.ParsePrefix(w)
	if err != nil {
		return n, fmt.Errorf("network %q: %w", w, err)
	}
	return n.Masked(), nil
}

func circle(d documentCircle) (Circle, error) {
	if d.Lat == nil || d.Lon == nil || d.KM == nil {
		return Circle{}, errors.New("a circle needs lat, lon and km")
	}
	c := Circle{Lat: *d.Lat, Lon: *d.Lon, KM: *d.KM}
	return c, c.check()
}

func lower(list []string) []string {
	out := slices.Clone(list)
	for i := range out {
		out[i] = strings.ToLower(out[i])
	}
	return out
}
