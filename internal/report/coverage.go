package report

import (
	"fmt"
	"strconv"

	"avbeacon/capture"
	"avbeacon/classify/place"
)

// Coverage counts what was read, and what the capture could not show.
type Coverage struct {
	Type          string            `json:"type,omitempty"` // "coverage" in JSON lines
	Packets       uint64            `json:"packets"`
	Bytes         uint64            `json:"bytes"`
	KernelDrops   uint64            `json:"kernel_drops"`
	Truncated     uint64            `json:"truncated"` // packets cut by the snap length
	OneSidedFlows uint64            `json:"one_sided_flows"`
	Flows         uint64            `json:"flows"`
	Undecoded     map[string]uint64 `json:"undecoded"`
	HiddenNames   HiddenNames       `json:"hidden_names"`
	Lost          map[string]uint64 `json:"lost,omitempty"`
	Words         []string          `json:"words"`
	Hours         []Hour            `json:"hours,omitempty"` // from a store; for a tap only
}

// HiddenNames counts flows whose names could not be read.
type HiddenNames struct {
	ECH     uint64 `json:"ech"` // hellos with encrypted_client_hello, offered or GREASE
	DoH     uint64 `json:"doh"`
	DoT     uint64 `json:"dot"`
	DoQ     uint64 `json:"doq"`
	Unnamed uint64 `json:"unnamed"` // hellos without a server name
}

func newCoverage(f *Facts) Coverage {
	d, o := &f.Stats.Decode, &f.Stats.Observer
	c := Coverage{
		Packets: d.Packets, Truncated: d.Cut, OneSidedFlows: o.OneSided, Flows: o.Flows, Undecoded: map[string]uint64{},
		HiddenNames: HiddenNames{ECH: o.HellosECH, DoH: f.HiddenDoH, DoT: o.FlowsDoT, DoQ: o.FlowsDoQ, Unnamed: o.HellosUnnamed},
		Lost:        map[string]uint64{}, Words: []string{},
	}
	for i := range f.Inputs {
		c.Bytes += f.Inputs[i].Bytes
		c.KernelDrops += f.Inputs[i].Drops
	}
	d.Undecoded.Each(func(r capture.Reason, n uint64) {
		if r != capture.ReasonLinkType { // LinkTypes has the same packets, by type
			c.Undecoded[r.String()] += n
		}
	})
	for l, n := range d.LinkTypes {
		c.Undecoded[linkWords(l)] += n
	}
	d.Opaque.Each(func(r capture.Reason, n uint64) { c.Undecoded["inside a tunnel: "+r.String()] += n })
	c.count("encrypted by IPsec (ESP)", d.ESP)
	c.lose(f)
	c.say(f)
	return c
}

// linkWords names a link type by number, and in words where it is a common one.
func linkWords(l capture.LinkType) string {
	number := "link type " + strconv.Itoa(int(l))
	if name := l.String(); name != number {
		return number + " (" + name + ")"
	}
	return number
}

// count leaves out what did not happen: a reader should see only what is there.
func (c *Coverage) count(what string, n uint64) {
	if n > 0 {
		c.Undecoded[what] += n
	}
}

// lose counts what was missed because of a limit or of damage. Whoever adds a limit that can lose something adds its counter here: a
// limit that is reached in silence would make "nothing found" untrue.
func (c *Coverage) lose(f *Facts) {
	o := &f.Stats.Observer
	for what, n := range map[string]uint64{
		"flows forgotten early, table full":                  o.FlowsEvicted,
		"stream beginnings given up, memory full":            o.WaitingEvicted,
		"stream beginnings over their limit":                 o.WaitingFull,
		"stream beginnings with missing segments":            o.StreamGaps,
		"malformed DNS messages":                             o.MalformedDNS,
		"malformed TLS handshakes":                           o.MalformedTLS,
		"QUIC handshakes that could not be read":             o.MalformedQUIC,
		"other malformed messages":                           o.MalformedOther,
		"fragmented datagrams never complete":                f.Stats.Decode.Fragments.TimedOut + uint64(f.Stats.Decode.Fragments.Pending),
		"fragmented datagrams given up, memory full":         f.Stats.Decode.Fragments.Dropped,
		"hosts forgotten early, table full":                  f.Judged.HostsEvicted,
		"pieces of evidence beyond the limit of one finding": f.Judged.EvidenceDropped,
		"destinations beyond the limit of one finding":       f.Judged.DestDropped,
		"tunnels left closed, too many around them":          f.Stats.Decode.Depth,
		"packets that made the program panic":                f.Stats.Panics,
	} {
		if n > 0 {
			c.Lost[what] = n
		}
	}
}

// say adds the sentences that a reader needs before concluding that a host has no antivirus.
func (c *Coverage) say(f *Facts) {
	say := func(n uint64, what, rest string, args ...any) {
		if n > 0 {
			c.Words = append(c.Words, plural(n, what)+" "+fmt.Sprintf(rest, args...))
		}
	}
	say(c.KernelDrops, "packet", "dropped by the capturing system: connections may be missing.")
	say(c.Truncated, "packet", "of %d cut by the snap length: names after the cut are missing.", c.Packets)
	say(c.OneSidedFlows, "flow", "of %d in one direction only: requests or answers are missing from the capture.", c.Flows)
	say(total(c.Undecoded), "packet", "not decoded to a flow; reasons below.")
	h := &c.HiddenNames
	say(h.ECH, "hello", "with encrypted_client_hello: the visible name may be a cover name (GREASE looks the same).")
	say(h.Unnamed, "hello", "without a server name: only the address says whom it called.")
	say(h.DoH+h.DoT+h.DoQ, "flow", "of encrypted DNS (DoH %d, DoT %d, DoQ %d): the queries inside are not visible.", h.DoH, h.DoT, h.DoQ)
	if n := f.Judged.InboundIgnored; n == 1 {
		c.Words = append(c.Words, "1 inbound flow was ignored: only outbound traffic is judged.")
	} else if n > 1 {
		c.Words = append(c.Words, fmt.Sprintf("%d inbound flows were ignored: only outbound traffic is judged.", n))
	}
	say(total(c.Lost), "item", "lost to damage or to a limit; details below.")
	for i := range f.Inputs {
		in := &f.Inputs[i]
		if in.Err != nil {
			c.Words = append(c.Words, "Not read to the end: "+valid(in.Err.Error()))
		}
	}
	c.Words = append(c.Words, staleWords(f)...)
	if c.Packets == 0 {
		c.Words = append(c.Words, "No packets were read.")
	}
}

// staleWords names the place databases that are old.
func staleWords(f *Facts) []string { return validAll(place.Stale(f.Places, f.Generated)) }

func total(m map[string]uint64) (n uint64) {
	for _, k := range m {
		n += k
	}
	return n
}
