package feeds

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"avbeacon/feeds/yamlfile"
)

// Bounds on one catalogue file, so that a wrong file costs little.
const (
	maxFileBytes = 1 << 20
	maxLineBytes = 4096
	maxText      = 600
)

// document is one file: a vendor's, one of marks ("_" begins its name), or the one of shared sources.
type document struct {
	Key      string            `yaml:"key" in:"vendor"`
	Name     string            `yaml:"name" in:"vendor"`
	Country  string            `yaml:"country" in:"vendor"`
	Group    string            `yaml:"group" in:"vendor"`
	Note     string            `yaml:"note"`
	Fallback []netip.Addr      `yaml:"fallback" in:"vendor"`
	Sources  map[string]source `yaml:"sources"`
	Names    ast.Node          `yaml:"names" in:"vendor marks"` // decoded when all sources are known
	Signals  ast.Node          `yaml:"signals" in:"vendor marks"`
	Networks ast.Node          `yaml:"networks" in:"vendor marks"`
	Tools    []tool            `yaml:"tools" in:"marks"`
	Browsers []tool            `yaml:"browsers" in:"marks"`
}

// source is where a fact was read. Files name their sources once and entries refer to them by a short word.
type source struct {
	Text    string `yaml:"text"`
	Date    string `yaml:"date"`
	Licence string `yaml:"licence"`
}

// catalogFile is one file, read but not yet checked against the others.
type catalogFile struct {
	name     string
	vendor   *Vendor // nil for a file of marks
	entries  []*located
	tools    []tool
	browsers []tool
}

// located is an entry, or the defaults of a group of entries, with its place in the file.
type located struct {
	Entry
	List ast.Node `yaml:"list"` // of a group: its entries

	section string // names, signals or networks
	key, of string // of the entry, and of its group, in the file: names[2].list[0], names[2]
	col     int
}

// fileParser turns one file into a catalogFile.
type fileParser struct {
	yamlfile.Decoder
	sources map[string]source // those of _sources.yaml and the file's own
	file    catalogFile
}

// parseFile reads a file; name is its base name, shared are the sources that every file may use. sources are those and the file's.
func parseFile(name string, data []byte, shared map[string]source, out *problems) (f catalogFile, sources map[string]source) {
	p := &fileParser{sources: maps.Clone(shared), file: catalogFile{name: name}}
	p.In, p.Numbers, p.Text, p.Custom = "vendor", true, goodText, p.custom
	switch {
	case name == sourcesFile:
		p.In = "sources"
	case strings.HasPrefix(name, "_"):
		p.In = "marks"
	}
	p.read(data)
	for _, x := range p.Problems {
		out.add(Problem{File: name, Line: x.Line, Col: x.Column, Text: x.Bare()})
	}
	return p.file, p.sources
}

func (p *fileParser) read(data []byte) {
	n := 0
	for line := range bytes.Lines(data) {
		if n++; len(line) > maxLineBytes {
			p.FailKey("", "line %d is longer than %d bytes", n, maxLineBytes)
			return
		}
	}
	var d document
	if !p.Decode(data, maxFileBytes, &d) {
		if len(p.Problems) == 0 {
			p.FailKey("", "expected exactly one YAML document, got none")
		}
		return
	}
	for word, s := range d.Sources { // they may follow the entries that use them
		switch {
		case !isWord(word):
			p.FailKey("sources."+word, "a source's name is one word of lower-case letters, digits and hyphens")
		case s.Text == "" || s.Date == "":
			p.FailKey("sources."+word, "source %q needs a text and a date", word)
		}
		p.sources[word] = s
	}
	if p.In == "vendor" {
		p.vendor(&d)
	}
	p.file.tools, p.file.browsers = p.tools("tools", d.Tools), p.tools("browsers", d.Browsers)
	p.section("names", d.Names)
	p.section("signals", d.Signals)
	p.section("networks", d.Networks)
}

func (p *fileParser) vendor(d *document) {
	p.file.vendor = &Vendor{Key: d.Key, Name: d.Name, Country: d.Country, Group: d.Group, Note: d.Note, Fallback: d.Fallback}
	switch {
	case d.Key == "":
		p.FailKey("", "the file names no key")
	case d.Key+".yaml" != p.file.name && d.Key+".yml" != p.file.name:
		p.FailKey("", "key %q does not match the file's name", d.Key)
	case strings.Trim(d.Key, "abcdefghijklmnopqrstuvwxyz0123456789") != "":
		p.FailKey("", "key %q has more than lower-case letters and digits", d.Key)
	}
	if d.Name == "" {
		p.FailKey("", "the file names no name")
	}
	if _, _, ok := p.Position("country"); !ok {
		p.FailKey("", "the file names no country")
	}
}

func isWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// section reads a list of entries and of groups, whose keys are the defaults of what their list holds.
func (p *fileParser) section(name string, n ast.Node) {
	p.In = name
	for i, g := range p.Items(name, n) {
		base := located{Entry: Entry{Confidence: Middle}, section: name, key: fmt.Sprintf("%s[%d]", name, i)}
		if name == "networks" {
			base.Signal = SignalASN
		}
		p.entry(g, &base)
		if base.List == nil {
			p.finish(&base)
			continue
		}
		for j, item := range p.Items(base.key+".list", base.List) {
			e := base
			e.List, e.of, e.key = nil, base.key, fmt.Sprintf("%s.list[%d]", base.key, j)
			p.entry(item, &e)
			if e.List != nil {
				p.FailKey(e.key, "a list holds no list")
			}
			p.finish(&e)
		}
	}
}

// entry reads a pattern alone, or a mapping that adds to what e has.
func (p *fileParser) entry(n ast.Node, e *located) {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		p.Value(e.key, n, reflect.ValueOf(e).Elem())
	default:
		p.Value(e.key, n, reflect.ValueOf(&e.Pattern).Elem())
	}
}

// place returns the key that sets a field of an entry: its own, or its group's; ok is false where none does.
func (p *fileParser) place(e *located, field string) (key string, ok bool) {
	for _, key := range []string{e.key + "." + field, e.of + "." + field} {
		if _, _, ok := p.Position(key); ok {
			return key, true
		}
	}
	return e.key, false
}

// failAt notes an error at a field of an entry.
func (p *fileParser) failAt(e *located, field, format string, args ...any) {
	key, _ := p.place(e, field)
	p.FailKey(key, format, args...)
}

// custom reads what has a form of its own.
func (p *fileParser) custom(key string, n ast.Node, v reflect.Value) bool {
	scan := func(read func(word string) error) { yamlfile.Scan(&p.Decoder, key, n, "a text", read) }
	switch to := v.Addr().Interface().(type) {
	case *string:
		check := checkOf(key)
		if check == nil {
			return false
		}
		scan(func(word string) error { *to = word; return check(word) })
	case *Signal:
		scan(func(word string) error {
			i, ok := constant(signalWords(), word)
			if *to = Signal(i); !ok || !slices.Contains(kindWords(p.In), word) {
				return notOneOf(word, "kind", kindWords(p.In))
			}
			return nil
		})
	case *netip.Addr:
		scan(func(word string) (err error) {
			if *to, err = netip.ParseAddr(word); err != nil || to.Zone() != "" {
				return fmt.Errorf("%q is not an address", word)
			}
			return nil
		})
	case *uint32:
		scan(func(word string) error {
			digits, ok := strings.CutPrefix(word, "AS")
			n, err := strconv.ParseUint(digits, 10, 32)
			if *to = uint32(n); !ok || err != nil || n == 0 || digits[0] == '0' {
				return fmt.Errorf("%q is not an autonomous system (AS and a number)", word)
			}
			return nil
		})
	case *[]netip.Prefix:
		p.prefixes(key, n, to)
	default:
		return false
	}
	return true
}

// checkOf returns what checks the text of a key, nil where any text will do.
func checkOf(key string) func(string) error {
	switch name := key[strings.LastIndexByte(key, '.')+1:]; {
	case name == "date":
		return checkDate
	case name == "country":
		return checkCountry
	case strings.HasPrefix(name, "hosts["):
		return func(host string) error {
			if reason := badName(host); reason != "" {
				return fmt.Errorf("host %q: %s", host, reason)
			}
			return nil
		}
	}
	return nil
}

// prefixes reads a list of prefixes, or one text with spaces between them.
func (p *fileParser) prefixes(key string, n ast.Node, to *[]netip.Prefix) {
	words := []ast.Node{n}
	if _, ok := n.(*ast.SequenceNode); ok {
		words = p.Items(key, n)
	}
	*to = nil
	for _, n := range words {
		yamlfile.Scan(&p.Decoder, key, n, "prefixes", func(word string) error {
			for _, s := range strings.Fields(word) {
				pfx, reason := parsePrefix(s)
				if reason != "" {
					return errors.New(reason)
				}
				if slices.Contains(*to, pfx) {
					return fmt.Errorf("prefix %s is listed twice", pfx)
				}
				*to = append(*to, pfx)
			}
			return nil
		})
	}
}

// goodText rejects what no text of the catalogue needs. A block's last line end does not count.
func goodText(s string) (string, error) {
	s = strings.TrimRight(s, "\n")
	if len(s) > maxText {
		return "", fmt.Errorf("text is longer than %d bytes", maxText)
	}
	for _, c := range s {
		if unicode.IsControl(c) || c == utf8.RuneError || unicode.Is(unicode.Bidi_Control, c) {
			return "", fmt.Errorf("text holds the control character %U", c)
		}
	}
	return s, nil
}

// kindWords returns the kinds of sign that a section may hold.
func kindWords(section string) []string {
	if section == "networks" {
		return []string{"asn", "range", "resolver"}
	}
	return []string{"path", "query", "user-agent", "header", "body", "payload", "issuer", "port", "lan-port"}
}
