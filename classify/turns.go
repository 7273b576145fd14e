package classify

import "strings"

// turns follows the versions that one program's User-Agent names. An update goes one way; versions that take turns are two
// machines'.
type turns struct {
	program uint32 // the User-Agent without its numbers: some change with every update of signatures
	last    uint32
	seen    smallSet
	back    uint8 // how often one came back after another
}

// maxPrograms is how many programs of one vendor are followed on a host, and enoughTurns how often an older version must come
// back: once may be a program that was put back.
const (
	maxPrograms = 4
	enoughTurns = 2
)

// takesTurns notes the version in a User-Agent.
func (t *track) takesTurns(agent, version string) {
	if version == "" {
		return
	}
	program, v := hashText(strings.Map(noDigit, agent)), hashText(version)
	for i := range t.turns {
		u := &t.turns[i]
		if u.program != program {
			continue
		}
		if u.last != v && u.seen.has(v) && u.back < enoughTurns {
			u.back++
		}
		u.last = v
		u.seen.add(v)
		if u.back >= enoughTurns {
			t.host.did.versions = max(t.host.did.versions, u.seen.n)
		}
		return
	}
	if len(t.turns) < maxPrograms {
		u := turns{program: program, last: v}
		u.seen.add(v)
		t.turns = append(t.turns, u)
	}
}

func (u *turns) code(c *coder) {
	code(c, &u.program)
	code(c, &u.last)
	u.seen.code(c)
	code(c, &u.back)
}

func noDigit(r rune) rune {
	if r >= '0' && r <= '9' {
		return -1
	}
	return r
}
