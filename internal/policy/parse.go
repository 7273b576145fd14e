package policy

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"avbeacon/classify"
	"avbeacon/classify/place"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"avbeacon/internal/yamlfile"
)

// document is a policy file. Unknown keys are errors.
type document struct {
	Name  string         `yaml:"name"`
	About string         `yaml:"about"`
	Rules []documentRule `yaml:"rules"`
}

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
	maxFile     = 256 << 10 // bytes
	maxRules    = 500
	maxProblems = 20  // errors reported
	maxText     = 500 // bytes of a name or a sentence
)

// Parse reads a policy in YAML. Its errors, one per line, begin with file:line:column.
func Parse(file string, data []byte) (*Policy, error) {
	s := &source{file: file, text: []rune(string(data))}
	if why := yamlfile.Unfit(data, maxFile); why != "" {
		return nil, s.problem(0, 0, why)
	}
	d, err := s.decode(data)
	if err != nil {
		return nil, err
	}
	b := &builder{source: s}
	p := b.policy(d)
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	return p, nil
}

// decode reads the YAML. It turns a panic of the library, which strange tags and anchors can cause, into an error.
func (s *source) decode(data []byte) (d document, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.problem(0, 0, "the YAML cannot be read")
		}
	}()
	s.tree, err = parser.ParseBytes(data, 0)
	if err != nil {
		return d, s.syntax(err)
	}
	if len(s.tree.Docs) != 1 || s.tree.Docs[0].Body == nil {
		return d, s.problem(0, 0, fmt.Sprintf("want exactly one YAML document, have %d", len(s.tree.Docs)))
	}
	body := s.tree.Docs[0].Body
	if n := find(body, ast.AnchorType, ast.AliasType, ast.TagType, ast.MergeKeyType); n != nil {
		line, col := yamlfile.Position(n)
		return d, s.problem(line, col, "anchors, aliases, tags and merges are not allowed in a policy")
	}
	if err := yaml.NewDecoder(bytes.NewReader(nil), yaml.Strict()).DecodeFromNode(body, &d); err != nil {
		return d, s.syntax(err)
	}
	return d, nil
}

// syntax converts the library's error.
func (s *source) syntax(err error) error {
	var e yaml.Error
	if !errors.As(err, &e) {
		return s.problem(0, 0, err.Error())
	}
	if t := e.GetToken(); t != nil && t.Position != nil {
		return s.problem(t.Position.Line, t.Position.Column, e.GetMessage())
	}
	return s.problem(0, 0, e.GetMessage())
}

// find returns the first node that has one of the types, or nil.
func find(root ast.Node, types ...ast.NodeType) ast.Node {
	f := &finder{types: types}
	ast.Walk(f, root)
	return f.found
}

type finder struct {
	types []ast.NodeType
	found ast.Node
}

// Visit implements ast.Visitor.
func (f *finder) Visit(n ast.Node) ast.Visitor {
	if f.found != nil {
		return nil
	}
	if slices.Contains(f.types, n.Type()) {
		f.found = n
		return nil
	}
	return f
}

// builder converts words to values and collects errors with their places.
type builder struct {
	source *source
	errs   []error
}

func (b *builder) fail(path, format string, args ...any) {
	line, col := b.source.at(path)
	b.note(b.source.problem(line, col, fmt.Sprintf(format, args...)))
}

func (b *builder) note(err error) {
	if len(b.errs) < maxProblems {
		b.errs = append(b.errs, err)
	}
}

func (b *builder) policy(d document) *Policy {
	p := &Policy{Name: d.Name, About: d.About}
	if p.Name == "" {
		p.Name = strings.TrimSuffix(filepath.Base(b.source.file), filepath.Ext(b.source.file))
	}
	b.sentence("$.name", d.Name)
	b.sentence("$.about", d.About)
	switch {
	case len(d.Rules) == 0:
		b.fail("$.rules", "the policy has no rules")
	case len(d.Rules) > maxRules:
		b.fail("$.rules", "the policy has more than %d rules", maxRules)
		return p
	}
	seen := map[string]bool{}
	for i := range d.Rules {
		path := fmt.Sprintf("$.rules[%d]", i)
		r := b.rule(path, i, &d.Rules[i])
		if seen[r.Name] {
			b.fail(path+".name", "the rule %q is listed twice", r.Name)
		}
		seen[r.Name] = true
		p.Rules = append(p.Rules, r)
	}
	return p
}

// sentence checks a text that will be shown in reports.
func (b *builder) sentence(path, text string) {
	if len(text) > maxText {
		b.fail(path, "a text has at most %d bytes", maxText)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		b.fail(path, "a text must be one line without control characters")
	}
}

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
	var m *mistake
	if errors.As(err, &m) {
		line, col := b.source.inside(path, text, m.offset)
		b.note(b.source.problem(line, col, m.text))
	}
	return x
}

// each converts every element of a list.
func each[W, V any](b *builder, path string, list []W, parse func(W) (V, error)) (out []V) {
	for i, w := range list {
		v, err := parse(w)
		if err != nil {
			b.fail(fmt.Sprintf("%s[%d]", path, i), "%v", err)
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
	b.fail(path, "%s %q is not one of %s", what, word, strings.Join(words(first, last), ", "))
	return first
}

func country(w string) (string, error) {
	w = strings.ToUpper(w)
	if !isCountry(w) {
		return "", fmt.Errorf("country %q is not a two-letter ISO 3166 code", w)
	}
	return w, nil
}

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
