package feeds

import (
	"slices"
	"strings"
)

// nameTable finds names. Three maps answer exactly; a flat table of hashes in front of them rejects most names quickly.
type nameTable struct {
	exact  map[string][]*Entry
	suffix map[string][]*Entry
	expr   map[string][]*Entry // by the plain labels that the expression ends with

	tails [tailWords]uint64 // hashes of the last two labels of every pattern, as a set of bits
	slots []nameSlot        // open addressing; its length is a power of two
	// hashes are those of slots, 0 for an empty one, close together: nearly every look ends there.
	hashes []uint64
}

// nameSlot is one pattern, or the plain end of one or more expressions.
type nameSlot struct {
	hash   uint64
	name   string // "" in an empty slot
	exact  bool   // the name itself is of interest
	suffix bool   // ... with everything under it
	expr   []*Entry
}

const (
	tailWords = 1024
	hashSeed  = 14695981039346656037 // FNV-1a, 64 bit
	hashPrime = 1099511628211
)

// hashTail hashes a name from its last byte to its first, so that the hash of a suffix is met on the way.
func hashTail(s string) uint64 {
	h := uint64(hashSeed)
	for i := len(s) - 1; i >= 0; i-- {
		h = (h ^ uint64(s[i])) * hashPrime
	}
	return h
}

func tailBit(h uint64) (word, bit uint64) {
	h ^= h >> 32
	return h >> 6 % tailWords, 1 << (h & 63)
}

func (t *nameTable) add(e *Entry) {
	if t.exact == nil {
		t.exact, t.suffix, t.expr = map[string][]*Entry{}, map[string][]*Entry{}, map[string][]*Entry{}
	}
	switch e.Match {
	case Exact:
		t.exact[e.Pattern] = append(t.exact[e.Pattern], e)
	case Suffix:
		t.suffix[e.Pattern] = append(t.suffix[e.Pattern], e)
	case Regexp:
		t.expr[e.end] = append(t.expr[e.end], e)
	}
}

// finish makes the flat table.
func (t *nameTable) finish() {
	all := map[string]*nameSlot{}
	slot := func(name string) *nameSlot {
		if all[name] == nil {
			all[name] = &nameSlot{name: name, hash: hashTail(name)}
		}
		return all[name]
	}
	for name := range t.exact {
		slot(name).exact = true
	}
	for name := range t.suffix {
		slot(name).suffix = true
	}
	for name, list := range t.expr {
		slot(name).expr = list
	}
	size := 64
	for size < 4*len(all) {
		size *= 2
	}
	t.slots, t.hashes = make([]nameSlot, size), make([]uint64, size)
	for name, s := range all {
		word, bit := tailBit(hashTail(lastLabels(name)))
		t.tails[word] |= bit
		i := s.hash
		for t.slots[i&uint64(size-1)].name != "" {
			i++
		}
		t.slots[i&uint64(size-1)] = *s
		t.hashes[i&uint64(size-1)] = s.hash
	}
}

// lastLabels returns the last two labels of a name.
func lastLabels(name string) string {
	i := strings.LastIndexByte(name, '.')
	if j := strings.LastIndexByte(name[:max(i, 0)], '.'); j >= 0 {
		return name[j+1:]
	}
	return name
}

// Name reports whether a name (lower case, no trailing dot) may match an entry. It does not allocate; most names are
// rejected by their last two labels.
func (c *Catalog) Name(name []byte) bool {
	t := &c.names
	h, dots := uint64(hashSeed), 0
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			if dots++; dots == 2 && !t.tail(h) {
				return false
			}
			if dots >= 2 && t.hit(h, name[i+1:], name) {
				return true
			}
		}
		h = (h ^ uint64(name[i])) * hashPrime
	}
	if dots == 0 || dots == 1 && !t.tail(h) {
		return false
	}
	return t.hit(h, name, name)
}

func (t *nameTable) tail(h uint64) bool {
	word, bit := tailBit(h)
	return t.tails[word]&bit != 0
}

// hit looks for one suffix of a name.
func (t *nameTable) hit(h uint64, suffix, name []byte) bool {
	mask := uint64(len(t.hashes) - 1)
	for i := h; ; i++ {
		have := t.hashes[i&mask]
		if have == 0 {
			return false
		}
		s := &t.slots[i&mask]
		if have != h || s.name != string(suffix) {
			continue
		}
		if s.suffix || s.exact && len(suffix) == len(name) {
			return true
		}
		for _, e := range s.expr {
			if e.re.regexp().Match(name) {
				return true
			}
		}
		return false
	}
}

// MatchName returns the entries that decide what a name (lower case, no trailing dot) is: those with exactly this name,
// else the expressions that match it, else the longest suffix, label by label. What is less specific does not count,
// whoever's it is. Each vendor comes once, and each mark. The result is nil where nothing matches.
func (c *Catalog) MatchName(name string) []*Entry {
	if list := c.names.exact[name]; list != nil {
		return onePerVendor(list)
	}
	if list := c.names.expressions(name); list != nil {
		return onePerVendor(list)
	}
	for s := range suffixes(name) {
		if list := c.names.suffix[s]; list != nil {
			return onePerVendor(list)
		}
	}
	return nil
}

// MatchNameAll returns every entry that matches a name, the deciding ones first, then the less specific.
func (c *Catalog) MatchNameAll(name string) []*Entry {
	out := slices.Clone(c.names.exact[name])
	out = append(out, c.names.expressions(name)...)
	for s := range suffixes(name) {
		out = append(out, c.names.suffix[s]...)
	}
	return out
}

func (t *nameTable) expressions(name string) []*Entry {
	var out []*Entry
	for s := range suffixes(name) {
		for _, e := range t.expr[s] {
			if e.re.regexp().MatchString(name) {
				out = append(out, e)
			}
		}
	}
	return out
}

// suffixes yields a name and then what is left of it label by label: a.b.c, b.c, c.
func suffixes(name string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for more := true; more && name != ""; {
			if !yield(name) {
				return
			}
			_, name, more = strings.Cut(name, ".")
		}
	}
}

// onePerVendor keeps the first entry of each vendor, and of each mark.
func onePerVendor(list []*Entry) []*Entry {
	if len(list) < 2 {
		return list
	}
	var out []*Entry
	for _, e := range list {
		same := func(o *Entry) bool { return o.Vendor == e.Vendor && o.Mark == e.Mark }
		if !slices.ContainsFunc(out, same) {
			out = append(out, e)
		}
	}
	return out
}
