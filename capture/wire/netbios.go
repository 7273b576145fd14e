package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// Sizes of a NetBIOS name service packet (RFC 1002 4.2) and bounds of what is read of one.
const (
	nbHeaderLen   = 12
	nbEncodedLen  = 32 // a first-level encoded name (RFC 1001 14.1)
	nbRecordsMax  = 16 // questions and records
	nbNamesMax    = 32 // entries given
	nbScopeLabels = 16 // labels after the name
)

// Record types (RFC 1002 4.2.1.3).
const (
	nbTypeNB     = 0x20
	nbTypeStatus = 0x21
)

// ParseNBNS reads a packet of the NetBIOS name service. It returns one entry per name, or per address of a name. Names are
// without padding and scope. The names inside a node status are left out. Of a packet that breaks off it returns what came
// before, and an error only if that is nothing.
func ParseNBNS(b []byte) ([]NBNS, error) {
	if len(b) < nbHeaderLen {
		return nil, fmt.Errorf("%w: netbios header of %d bytes", ErrTruncated, len(b))
	}
	flags := binary.BigEndian.Uint16(b[2:])
	p := nbParser{b: b, pos: nbHeaderLen, response: flags&0x8000 != 0}
	p.op = nbOperation(flags>>11&0xf, p.response)
	if p.op == "" {
		return nil, fmt.Errorf("%w: netbios operation %d", ErrMalformed, flags>>11&0xf)
	}
	questions := int(binary.BigEndian.Uint16(b[4:]))
	records := 0
	for at := 6; at < nbHeaderLen; at += 2 {
		records += int(binary.BigEndian.Uint16(b[at:]))
	}
	if questions+records == 0 || questions+records > nbRecordsMax {
		return nil, fmt.Errorf("%w: netbios packet with %d records", ErrMalformed, questions+records)
	}
	err := p.read(questions, records)
	if len(p.out) == 0 {
		return nil, err
	}
	return p.out, nil
}

// nbOperation names an opcode (RFC 1002 4.2.1.1; 9 and 15 are what Windows sends for refresh and for registration by a
// host with several addresses).
func nbOperation(opcode uint16, response bool) string {
	switch opcode {
	case 0:
		if response {
			return "response"
		}
		return "query"
	case 5, 15:
		return "registration"
	case 6:
		return "release"
	case 7:
		return "wack"
	case 8, 9:
		return "refresh"
	}
	return ""
}

type nbParser struct {
	b        []byte
	pos      int
	op       string
	response bool
	out      []NBNS
}

func (p *nbParser) read(questions, records int) error {
	for range questions {
		name, err := p.name()
		if err != nil {
			return err
		}
		kind, err := p.kind()
		if err != nil {
			return err
		}
		if kind == nbTypeNB || kind == nbTypeStatus {
			p.add(name, netip.Addr{})
		}
	}
	for range records {
		if err := p.record(); err != nil {
			return err
		}
	}
	return nil
}

// kind reads a type and skips the class after it.
func (p *nbParser) kind() (uint16, error) {
	if len(p.b)-p.pos < 4 {
		return 0, fmt.Errorf("%w: netbios record", ErrTruncated)
	}
	p.pos += 4
	return binary.BigEndian.Uint16(p.b[p.pos-4:]), nil
}

// record reads a resource record (RFC 1002 4.2.1.3); that of type NB holds pairs of flags and an address (4.2.2).
func (p *nbParser) record() error {
	name, err := p.name()
	if err != nil {
		return err
	}
	kind, err := p.kind()
	if err != nil {
		return err
	}
	if len(p.b)-p.pos < 6 {
		return fmt.Errorf("%w: netbios record", ErrTruncated)
	}
	data := p.b[p.pos+6:]
	data = data[:min(len(data), int(binary.BigEndian.Uint16(p.b[p.pos+4:])))]
	p.pos += 6 + len(data)
	if kind == nbTypeStatus || kind == nbTypeNB && len(data) < 6 {
		p.add(name, netip.Addr{})
	}
	for ; kind == nbTypeNB && len(data) >= 6; data = data[6:] {
		p.add(name, netip.AddrFrom4([4]byte(data[2:6])))
	}
	return nil
}

// add keeps one entry. An address completes the entry that its name made without one.
func (p *nbParser) add(name NBNS, addr netip.Addr) {
	if addr == netip.IPv4Unspecified() {
		addr = netip.Addr{}
	}
	name.Op, name.Response, name.Addr = p.op, p.response, addr
	for i := range p.out {
		o := &p.out[i]
		if o.Name != name.Name || o.Suffix != name.Suffix {
			continue
		}
		if !o.Addr.IsValid() {
			o.Addr = addr
		}
		if !addr.IsValid() || o.Addr == addr {
			return
		}
	}
	if len(p.out) < nbNamesMax {
		p.out = append(p.out, name)
	}
}

// name reads a name at pos, which may be a pointer to an earlier one (RFC 1002 4.1).
func (p *nbParser) name() (NBNS, error) {
	if len(p.b)-p.pos < 2 {
		return NBNS{}, fmt.Errorf("%w: netbios name", ErrTruncated)
	}
	if p.b[p.pos]&0xc0 == 0xc0 {
		at := int(binary.BigEndian.Uint16(p.b[p.pos:]) & 0x3fff)
		p.pos += 2
		return p.encoded(at)
	}
	n, err := p.encoded(p.pos)
	if err != nil {
		return NBNS{}, err
	}
	p.pos += 1 + nbEncodedLen
	return n, p.scope()
}

// scope skips the labels after the name at pos.
func (p *nbParser) scope() error {
	for range nbScopeLabels {
		if p.pos >= len(p.b) {
			return fmt.Errorf("%w: netbios scope", ErrTruncated)
		}
		n := int(p.b[p.pos])
		switch {
		case n == 0:
			p.pos++
			return nil
		case n&0xc0 == 0xc0:
			p.pos += 2
			return nil
		case n&0xc0 != 0:
			return fmt.Errorf("%w: netbios label", ErrMalformed)
		}
		p.pos += 1 + n
	}
	return fmt.Errorf("%w: netbios scope", ErrMalformed)
}

// encoded decodes the label at the offset: each byte of the name is two letters from A to P (RFC 1001 14.1).
func (p *nbParser) encoded(at int) (NBNS, error) {
	if len(p.b)-at < 1+nbEncodedLen {
		return NBNS{}, fmt.Errorf("%w: netbios name", ErrTruncated)
	}
	if p.b[at] != nbEncodedLen {
		return NBNS{}, fmt.Errorf("%w: netbios name of %d bytes", ErrMalformed, p.b[at])
	}
	var raw [nbEncodedLen / 2]byte
	for i := range raw {
		hi, lo := p.b[at+1+2*i]-'A', p.b[at+2+2*i]-'A'
		if hi > 15 || lo > 15 {
			return NBNS{}, fmt.Errorf("%w: letter in netbios name", ErrMalformed)
		}
		raw[i] = hi<<4 | lo
	}
	return NBNS{Name: strings.TrimRight(string(raw[:15]), " \x00"), Suffix: raw[15]}, nil
}
