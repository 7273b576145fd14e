package feeds

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// source is where a fact was read. Files name their sources once and entries refer to them by a short word.
type source struct{ text, date, licence string }

// catalogFile is one file, read but not yet checked against the others.
type catalogFile struct {
	name     string
	vendor   *Vendor // nil for a file of marks
	entries  []*located
	tools    []tool
	browsers []tool
}

// located is an entry with the nodes that messages about it point to.
type located struct {
	Entry
	section  string   // names, signals or networks
	at       ast.Node // the entry
	sourceAt ast.Node // nil where the file's own default was taken
	fields   map[string]ast.Node
}

// fileParser turns one file's tree into a catalogFile.
type fileParser struct {
	reader
	sources map[string]source // those of _sources.yaml and the file's own
	file    catalogFile
}

// parseFile reads a vendor's file or a file of marks; name is its base name. shared are the sources every file may use.
func parseFile(name string, root ast.Node, shared map[string]source, out *problems) catalogFile {
	p := &fileParser{reader: reader{file: name, out: out}, sources: maps.Clone(shared), file: catalogFile{name: name}}
	keys := []string{"key", "name", "country", "group", "note", "fallback", "sources", "names", "signals", "networks"}
	if strings.HasPrefix(name, "_") {
		keys = []string{"note", "sources", "names", "signals", "networks", "tools", "browsers"}
	} else {
		p.file.vendor = &Vendor{}
	}
	fields := p.fields(root, keys...)
	for _, f := range fields {
		p.header(f)
	}
	if p.file.vendor != nil {
		p.checkVendor(root)
	}
	for _, f := range fields { // sources may follow the entries that use them
		p.section(f)
	}
	return p.file
}

func (p *fileParser) header(f field) {
	v := p.file.vendor
	switch f.name {
	case "key":
		v.Key = p.text(f.value)
	case "name":
		v.Name = p.text(f.value)
	case "country":
		v.Country = p.country(f.value)
	case "group":
		v.Group = p.text(f.value)
	case "note":
		note := p.text(f.value)
		if v != nil {
			v.Note = note
		}
	case "fallback":
		for _, n := range p.items(f.value) {
			v.Fallback = append(v.Fallback, p.address(n))
		}
	case "sources":
		p.parseSources(f.value)
	}
}

func (p *fileParser) section(f field) {
	switch f.name {
	case "names", "signals", "networks":
		p.groups(f.value, f.name)
	case "tools":
		p.file.tools = p.parseTools(f.value)
	case "browsers":
		p.file.browsers = p.parseTools(f.value)
	}
}

func (p *fileParser) checkVendor(root ast.Node) {
	v := p.file.vendor
	switch {
	case v.Key == "":
		p.fail(root, "the file names no key")
	case v.Key+".yaml" != p.file.name && v.Key+".yml" != p.file.name:
		p.fail(root, "key %q does not match the file's name", v.Key)
	case strings.Trim(v.Key, "abcdefghijklmnopqrstuvwxyz0123456789") != "":
		p.fail(root, "key %q has more than lower-case letters and digits", v.Key)
	}
	if v.Name == "" {
		p.fail(root, "the file names no name")
	}
	if v.Country == "" {
		p.fail(root, "the file names no country")
	}
}

// parseSources reads a mapping of short words to sources into p.sources.
func (p *fileParser) parseSources(n ast.Node) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		p.fail(n, "want a mapping of sources, have %s", kindOf(n))
		return
	}
	for _, pair := range m.Values {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok || !isWord(key.Value) {
			p.fail(pair.Key, "a source's name is one word of lower-case letters, digits and hyphens")
			continue
		}
		var s source
		for _, f := range p.fields(pair.Value, "text", "date", "licence") {
			switch f.name {
			case "text":
				s.text = p.text(f.value)
			case "date":
				s.date = p.date(f.value)
			case "licence":
				s.licence = p.text(f.value)
			}
		}
		if s.text == "" || s.date == "" {
			p.fail(pair.Key, "source %q needs a text and a date", key.Value)
		}
		p.sources[key.Value] = s
	}
}

func isWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// groups reads a section: a list of entries and of groups, whose keys are the defaults of what their list holds.
func (p *fileParser) groups(n ast.Node, section string) {
	for _, g := range p.items(n) {
		base := &located{Entry: Entry{Confidence: Middle}, section: section, fields: map[string]ast.Node{}}
		if section == "networks" {
			base.Signal = SignalASN
		}
		list := p.apply(g, base, append(entryKeys(section), "list")...)
		if list == nil {
			base.at = g
			p.finish(base)
			continue
		}
		for _, item := range p.items(list) {
			e := *base
			e.fields = maps.Clone(base.fields)
			p.entry(item, &e)
		}
	}
}

// entry reads one element of a group's list: a pattern alone, or a mapping that adds to the group's defaults.
func (p *fileParser) entry(n ast.Node, e *located) {
	e.at = n
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		p.apply(n, e, entryKeys(e.section)...)
	default:
		e.Pattern = p.text(n)
		e.fields["pattern"] = n
	}
	p.finish(e)
}

// entryKeys returns the keys that an entry of a section may have.
func entryKeys(section string) []string {
	common := []string{"pattern", "role", "strength", "product", "mark", "country", "oem", "builtin", "mask", "source",
		"date", "licence", "confidence", "wire", "note"}
	switch section {
	case "names":
		return append(common, "match", "pool", "sample")
	case "networks":
		return append(common, "kind", "asn", "owner", "prefixes")
	}
	return append(common, "kind", "need", "hosts", "sample")
}

// kindWords returns the kinds of sign that a section may hold.
func kindWords(section string) []string {
	if section == "networks" {
		return []string{"asn", "range", "resolver"}
	}
	return []string{"path", "query", "user-agent", "header", "body", "payload", "issuer", "port", "lan-port"}
}

// apply copies the keys of a mapping into e and returns the value of "list", nil if there is none.
func (p *fileParser) apply(n ast.Node, e *located, keys ...string) (list ast.Node) {
	for _, f := range p.fields(n, keys...) {
		if f.name == "list" {
			list = f.value
			continue
		}
		e.fields[f.name] = f.value
		if !p.applyWord(f, e) && !p.applyText(f, e) {
			p.applyOther(f, e)
		}
	}
	return list
}

// applyWord sets the fields whose values are words of a closed list.
func (p *fileParser) applyWord(f field, e *located) bool {
	switch f.name {
	case "role":
		e.Role = Role(p.choice(f.value, "role", roleWords()))
	case "strength":
		e.Strength = Strength(p.choice(f.value, "strength", strengthWords()))
	case "match":
		e.Match = Match(p.choice(f.value, "match", matchWords()))
	case "confidence":
		e.Confidence = Confidence(p.choice(f.value, "confidence", confidenceWords()))
	case "need":
		e.Need = Need(p.choice(f.value, "need", needWords()))
	case "kind":
		p.choice(f.value, "kind", kindWords(e.section))
		kind, _ := constant(signalWords(), p.text(f.value))
		e.Signal = Signal(kind)
	default:
		return false
	}
	return true
}

// applyText sets the fields that are plain text.
func (p *fileParser) applyText(f field, e *located) bool {
	targets := map[string]*string{"pattern": &e.Pattern, "product": &e.Product, "mark": &e.Mark, "oem": &e.OEM,
		"mask": &e.Mask, "licence": &e.Licence, "wire": &e.Wire, "note": &e.Note, "owner": &e.Owner, "sample": &e.Sample}
	t, ok := targets[f.name]
	if ok {
		*t = p.text(f.value)
	}
	return ok
}

// applyOther sets the fields that have a form of their own.
func (p *fileParser) applyOther(f field, e *located) {
	switch f.name {
	case "country":
		e.Country = p.country(f.value)
	case "builtin":
		e.Builtin = p.flag(f.value)
	case "pool":
		e.Pool = p.flag(f.value)
	case "date":
		e.Date = p.date(f.value)
	case "source":
		e.Source = p.text(f.value)
		e.sourceAt = f.value
	case "hosts":
		e.Hosts = nil
		for _, n := range p.items(f.value) {
			host := p.text(n)
			if reason := badName(host); reason != "" {
				p.fail(n, "host %q: %s", host, reason)
			}
			e.Hosts = append(e.Hosts, host)
		}
	case "asn":
		e.ASN = p.asn(f.value)
	case "prefixes":
		e.Prefixes = p.prefixes(f.value)
	}
}

// prefixes reads a list of prefixes, or one text with spaces between them.
func (p *fileParser) prefixes(n ast.Node) []netip.Prefix {
	words := []ast.Node{n}
	if s, ok := n.(*ast.SequenceNode); ok {
		words = s.Values
	}
	var out []netip.Prefix
	for _, w := range words {
		for _, s := range strings.Fields(p.text(w)) {
			pfx, reason := parsePrefix(s)
			if reason != "" {
				p.fail(w, "%s", reason)
				continue
			}
			if slices.Contains(out, pfx) {
				p.fail(w, "prefix %s is listed twice", pfx)
			}
			out = append(out, pfx)
		}
	}
	return out
}
