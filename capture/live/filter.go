package live

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// Filter is a program of the classic packet filter that the kernel runs on each packet of a live capture: a packet is taken
// if it returns more than 0. An empty Filter takes everything.
//
// It is written as `tcpdump -ddd EXPRESSION` prints it. No compiler of tcpdump's language in Go is maintained well enough
// to decide what a security tool sees, and who knows the language has tcpdump. Compile a program for one interface with -i
// and its name: then VLAN tags that the card has stripped are found.
type Filter []bpf.RawInstruction

// maxFilter is how many instructions the kernel takes (BPF_MAXINSNS in linux/bpf_common.h).
const maxFilter = 4096

// ParseFilter reads what `tcpdump -ddd` prints: the number of instructions, then each as four decimal numbers: code, jump
// if true, jump if false, operand. Commas may separate instructions, as iptables' bpf match writes them. Instruction codes
// and jumps are checked as the kernel checks them.
func ParseFilter(text string) (Filter, error) {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ',' })
	if len(lines) == 0 {
		return nil, errors.New("filter: it is empty; expected the output of `tcpdump -ddd EXPRESSION`")
	}
	count, err := strconv.ParseUint(strings.TrimSpace(lines[0]), 10, 16)
	if err != nil {
		return nil, fmt.Errorf("filter: it begins with %q, not with a number of instructions; expected the output of `tcpdump -ddd EXPRESSION`",
			short(lines[0]))
	}
	var f Filter
	for _, line := range lines[1:] {
		if strings.TrimSpace(line) == "" {
			continue
		}
		in, err := parseInstruction(line)
		if err != nil {
			return nil, fmt.Errorf("filter: instruction %d, %q: %w", len(f), short(line), err)
		}
		if f = append(f, in); len(f) > maxFilter {
			return nil, fmt.Errorf("filter: it has more than %d instructions", maxFilter)
		}
	}
	if uint64(len(f)) != count {
		return nil, fmt.Errorf("filter: it announces %d instructions and has %d", count, len(f))
	}
	return f, f.check()
}

// short shortens a text for an error.
func short(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

func parseInstruction(line string) (in bpf.RawInstruction, err error) {
	parts := strings.Fields(line)
	if len(parts) != 4 {
		return in, fmt.Errorf("it has %d numbers instead of 4", len(parts))
	}
	var n [4]uint64
	for i, bits := range []int{16, 8, 8, 32} {
		if n[i], err = strconv.ParseUint(parts[i], 10, bits); err != nil {
			return in, fmt.Errorf("%q is not a number from 0 to %d", short(parts[i]), uint64(1)<<bits-1)
		}
	}
	return bpf.RawInstruction{Op: uint16(n[0]), Jt: uint8(n[1]), Jf: uint8(n[2]), K: uint32(n[3])}, nil
}

// check rejects what the kernel would reject without a reason: unknown instructions, jumps out of the program, a missing
// end.
func (f Filter) check() error {
	for i, raw := range f {
		left := uint64(len(f) - i - 1)
		switch in := raw.Disassemble().(type) {
		case bpf.RawInstruction:
			return fmt.Errorf("filter: instruction %d: unknown code %d", i, raw.Op)
		case bpf.Jump:
			if uint64(in.Skip) >= left {
				return fmt.Errorf("filter: instruction %d jumps out of the program", i)
			}
		case bpf.JumpIf, bpf.JumpIfX:
			if uint64(max(raw.Jt, raw.Jf)) >= left {
				return fmt.Errorf("filter: instruction %d jumps out of the program", i)
			}
		}
	}
	if len(f) > 0 && f[len(f)-1].Op&opClass != opReturn {
		return errors.New("filter: it does not end with a return")
	}
	return nil
}

// Parts of an instruction's code (linux/bpf_common.h).
const (
	opClass       = 0x07
	opReturn      = 0x06
	opReturnValue = 0x18 // how a return says its value: 0 for a constant
)

// limited returns a program that takes the same packets and cuts them to at most snap bytes: a filter's result is how many
// bytes are kept. snap 0 changes nothing.
func (f Filter) limited(snap uint32) (Filter, error) {
	if snap == 0 {
		return f, nil
	}
	if len(f) == 0 {
		return Filter{{Op: opReturn, K: snap}}, nil
	}
	out := make(Filter, len(f))
	for i, in := range f {
		if in.Op&opClass == opReturn {
			if in.Op&opReturnValue != 0 {
				return nil, fmt.Errorf("filter: instruction %d returns a register: it cannot be cut to a snap length", i)
			}
			in.K = min(in.K, snap)
		}
		out[i] = in
	}
	return out, nil
}

// dropAll returns the program that takes nothing.
func dropAll() Filter { return Filter{{Op: opReturn}} }
