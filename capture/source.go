package capture

import (
	"context"
	"net/netip"
)

// Packet is one packet record. Data aliases its Block's memory and is valid until the Block is released or filled again.
type Packet struct {
	Data    []byte
	Time    int64  // nanoseconds since 1970 UTC
	Frame   uint64 // packet record, from 1 within its input
	OrigLen uint32 // length on the wire; more than len(Data) if the capture was cut
	Input   int32  // index of the input
	Link    LinkType
	VLAN    uint16 // a tag that the network card stripped (live only); valid iff HasVLAN
	HasVLAN bool
}

// Block is a run of packets in the order of the capture. The zero Block is ready to be filled.
type Block struct {
	Packets []Packet
	Buf     []byte // memory that a Source may keep with the Block and reuse
	Release func() // nil, or to be called once when all packets have been used; see Done
	// Now is the packet clock, in nanoseconds since 1970, when no packet has passed for a while; valid iff Packets is empty,
	// and 0 while no time is known yet.
	Now int64
}

// Done calls Release, once.
func (b *Block) Done() {
	if b.Release != nil {
		b.Release()
		b.Release = nil
	}
}

// Source hands out packets, a block at a time.
type Source interface {
	// Next fills b (reusing its memory) with at least one packet. It returns io.EOF, without packets, when the input is
	// at its end. An input that cannot be read is not an error of Next: Input.Err says why.
	//
	// A Source of live traffic (package live, files.Watch, files.Pipe) also returns without packets, and without an error,
	// about once a second while nothing arrives. Block.Now then moves the packet clock on, so that flows that have ended are
	// reported. It ends only after ctx is done, with io.EOF, once everything taken until then was handed out.
	Next(ctx context.Context, b *Block) error
	// Inputs returns every input so far. The caller owns the slice.
	Inputs() []Input
	Close() error
}

// Input is what a Source knows about one file or interface.
type Input struct {
	Name    string // as given
	SHA256  string // of the file's bytes, hex; "" if unknown (live, or not asked for)
	Packets uint64
	Bytes   uint64 // captured packet bytes
	First   int64  // packet times, nanoseconds since 1970; valid iff Packets > 0
	Last    int64
	// Truncated: the last record is incomplete.
	Truncated bool
	// Err is why reading stopped early; nil if it did not.
	Err error
	// Size and Read are bytes of the file on disk (before decompression), for progress; Size is 0 if unknown.
	Size, Read int64
	// Drops are packets that the capturing side reports as lost (pcapng statistics, kernel counters).
	Drops uint64
	// Untimed are packets without a time, or with one before 1970 or after 2116. They get the time of the packet before.
	Untimed uint64
}

// Interest decides, in the hot path of the observers, what may matter, so that nothing else is copied out of a packet. A nil
// Interest lets all through. Its methods must not allocate and must be safe for concurrent use. name is lower case, without
// trailing dot.
type Interest interface {
	Name(name []byte) bool
	Addr(a netip.Addr) bool
	// Flow reports whether a flow may matter by its server's port, or, in a flow of no known protocol, by the first bytes of
	// each side.
	Flow(udp bool, port uint16, out, in []byte) bool
}

// Numbered is a Source whose inputs are numbered from First on. Whoever reads several Sources one after the other gives
// each its own range.
type Numbered struct {
	Source
	First int32
}

// Next implements Source.
func (n *Numbered) Next(ctx context.Context, b *Block) error {
	err := n.Source.Next(ctx, b)
	for i := range b.Packets {
		b.Packets[i].Input += n.First
	}
	return err
}
