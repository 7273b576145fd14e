package feeds

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"io/fs"
	"net/netip"
)

// embeddedSnapshot is the embedded catalogue in a form that is read in a twentieth of the time that its files take, which
// is more than many a capture takes. `make catalog` writes it. It begins with the hash of the files: where they say
// something else by now, they are read.
//
//go:embed catalog.snapshot
var embeddedSnapshot string

// snapshotForm is part of the hash, to be raised whenever what coder writes changes.
const snapshotForm = "avbeacon catalogue snapshot 2\n"

// fromSnapshot returns the catalogue that a snapshot holds; false where it is not one of these files.
func fromSnapshot(snapshot string, files fs.FS) (*Catalog, bool) {
	sum, err := hashFiles(files)
	if err != nil || len(snapshot) < len(sum) || snapshot[:len(sum)] != string(sum[:]) {
		return nil, false
	}
	s := &coder{in: snapshot[len(sum):]}
	c := &Catalog{headers: map[string][]*Entry{}}
	s.catalog(c)
	if s.failed || len(s.in) > 0 {
		return nil, false
	}
	c.finish()
	return c, true
}

// Snapshot returns the embedded files in the form that fromSnapshot reads, for catalog.snapshot.
func Snapshot() ([]byte, error) {
	files, err := EmbeddedFiles()
	if err != nil {
		return nil, err
	}
	c, err := LoadFS(files)
	if err != nil {
		return nil, err
	}
	return snapshotOf(c, files)
}

func snapshotOf(c *Catalog, files fs.FS) ([]byte, error) {
	sum, err := hashFiles(files)
	if err != nil {
		return nil, err
	}
	s := &coder{writing: true, out: sum[:], numbers: map[string]uint64{}}
	s.catalog(c)
	return s.out, nil
}

// hashFiles returns the SHA-256 of the names and contents of a folder's files.
func hashFiles(files fs.FS) (sum [sha256.Size]byte, err error) {
	list, err := fs.ReadDir(files, ".")
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	h.Write([]byte(snapshotForm))
	for _, f := range list {
		data, err := fs.ReadFile(files, f.Name())
		if err != nil {
			return sum, err
		}
		h.Write(binary.AppendUvarint([]byte(f.Name()+"\n"), uint64(len(data))))
		h.Write(data)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// coder writes values, or reads them in the same order: each method goes one way or the other. What it reads aliases in.
type coder struct {
	writing bool
	out     []byte
	in      string
	failed  bool // in is not what the writer wrote
	vendors []*Vendor
	texts   []string          // read so far, each once
	numbers map[string]uint64 // of the texts written so far, from 1
}

func (s *coder) uint(v *uint64) {
	if s.writing {
		s.out = binary.AppendUvarint(s.out, *v)
		return
	}
	var head [binary.MaxVarintLen64]byte
	n := copy(head[:], s.in)
	got, used := binary.Uvarint(head[:n])
	if used <= 0 {
		s.failed, s.in, got, used = true, "", 0, 0
	}
	*v, s.in = got, s.in[used:]
}

// text codes a text in full when it comes first, then by its number.
func (s *coder) text(v *string) {
	n := s.numbers[*v]
	s.uint(&n)
	switch {
	case n > uint64(len(s.texts)):
		s.failed = true
	case n > 0 && !s.writing:
		*v = s.texts[n-1]
	case n == 0:
		s.newText(v)
	}
}

func (s *coder) newText(v *string) {
	n := uint64(len(*v))
	s.uint(&n)
	if s.writing {
		s.out = append(s.out, *v...)
		s.numbers[*v] = uint64(len(s.numbers) + 1)
	} else {
		if n > uint64(len(s.in)) {
			s.failed, n = true, 0
		}
		*v, s.in = s.in[:n], s.in[n:]
	}
	s.texts = append(s.texts, *v)
}

// codeInt codes any whole number or named one.
func codeInt[T ~uint8 | ~uint16 | ~uint32 | ~int](s *coder, v *T) {
	x := uint64(*v)
	s.uint(&x)
	*v = T(x)
}

func (s *coder) flag(v *bool) {
	x := uint64(0)
	if *v {
		x = 1
	}
	s.uint(&x)
	*v = x != 0
}

// codeList codes a slice; one without elements is read as nil.
func codeList[T any](s *coder, v *[]T, each func(*T)) {
	n := uint64(len(*v))
	s.uint(&n)
	if !s.writing {
		*v = nil
		if n > uint64(len(s.in)) { // an element has a byte at least
			s.failed, n = true, 0
		}
		if n > 0 {
			*v = make([]T, n)
		}
	}
	for i := range *v {
		each(&(*v)[i])
	}
}

func (s *coder) addr(a *netip.Addr) {
	raw := string(a.AsSlice())
	s.text(&raw)
	if !s.writing {
		*a, _ = netip.AddrFromSlice([]byte(raw))
	}
}

func (s *coder) prefix(p *netip.Prefix) {
	a, bits := p.Addr(), p.Bits()
	s.addr(&a)
	codeInt(s, &bits)
	*p = netip.PrefixFrom(a, bits)
}

func (s *coder) catalog(c *Catalog) {
	sum := ""
	if s.writing {
		sum = c.sum()
	}
	s.text(&sum)
	c.sum = func() string { return sum }
	codeList(s, &c.vendors, func(v **Vendor) {
		if !s.writing {
			*v = &Vendor{}
		}
		s.vendor(*v)
	})
	s.vendors = c.vendors
	if s.writing {
		codeList(s, &c.entries, func(e **Entry) { s.entry(*e) })
	} else {
		var all []Entry
		codeList(s, &all, s.entry)
		for i := range all {
			if !s.failed {
				c.add(&all[i])
			}
		}
	}
	codeList(s, &c.tools, s.tool)
	codeList(s, &c.browsers, s.tool)
}

func (s *coder) vendor(v *Vendor) {
	for _, t := range []*string{&v.Key, &v.Name, &v.Country, &v.Group, &v.Note} {
		s.text(t)
	}
	codeList(s, &v.Fallback, s.addr)
}

func (s *coder) entry(e *Entry) {
	s.owner(e)
	codeInt(s, &e.Signal)
	codeInt(s, &e.Match)
	codeInt(s, &e.Role)
	codeInt(s, &e.Strength)
	codeInt(s, &e.Confidence)
	codeInt(s, &e.Need)
	codeInt(s, &e.Line)
	codeInt(s, &e.ASN)
	codeInt(s, &e.FirstPort)
	codeInt(s, &e.LastPort)
	for _, f := range []*bool{&e.Builtin, &e.Pool, &e.TXT, &e.Installation, &e.TCP, &e.UDP} {
		s.flag(f)
	}
	for _, t := range []*string{&e.Pattern, &e.Product, &e.Mark, &e.OEM, &e.Mask, &e.Source, &e.Date, &e.Note, &e.File,
		&e.Licence, &e.Country, &e.Wire, &e.Sample, &e.Owner, &e.end} {
		s.text(t)
	}
	codeList(s, &e.Hosts, s.text)
	codeList(s, &e.Prefixes, s.prefix)
	s.quick(&e.quick)
	s.expression(&e.re)
	s.expression(&e.mask)
}

// owner codes an entry's vendor: 0 for none, else its place in the list and 1.
func (s *coder) owner(e *Entry) {
	at := 0
	for i, v := range s.vendors {
		if s.writing && v == e.Vendor {
			at = i + 1
		}
	}
	codeInt(s, &at)
	switch {
	case at > len(s.vendors):
		s.failed = true
	case at > 0:
		e.Vendor = s.vendors[at-1]
	}
}

func (s *coder) quick(q *quick) {
	codeList(s, &q.prefixes, s.text)
	s.text(&q.contains)
}

func (s *coder) expression(x **expression) {
	text := ""
	if *x != nil {
		text = (*x).text
	}
	s.text(&text)
	if !s.writing && text != "" {
		*x = &expression{text: text}
	}
}

func (s *coder) tool(t *tool) {
	s.text(&t.Name)
	s.text(&t.Pattern)
	s.quick(&t.quick)
	s.expression(&t.re)
}
