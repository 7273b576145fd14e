package capture

import (
	"context"
	"net/netip"
)

// Packet is one packet record. Data aliases its Block's memory and is valid until the Block is released or refilled.
type Packet struct {
	Data    []byte
	Time    int64  // nanoseconds since 1970 UTC
	Frame   uint64 // packet record, from 1 within its input
	OrigLen uint32 // length on the wire; more than len(Data) where the capture was cut
	Input   int32  // index of the input
	Link    LinkType
	VLAN    uint16 // a tag that the network card stripped (live only); valid iff HasVLAN
	HasVLAN bool
}

// Block is a run of packets in the order they were captured. The zero Block is ready to be filled.
type Block struct {
	Packets []Packet
	Buf     []byte // memory that a Source may keep with the Block and use again
	Release func() // nil, or to be called once all packets have been used
	// Now, nanoseconds since 1970, is how far the packet clock is although no packet passed; valid iff Packets is empty,
	// and 0 where no time is known yet.
	Now int64
}

// Done calls Release, once.
func (b *Block) Done() {
	if b.Release != nil {
		b.Release()
		b.Release = nil
	}
}

// Source hands out packets a block at a time.
type Source interface {
	// Next fills b (re-using its memory) with at least one packet. It returns io.EOF, with no packets, when the input is
	// at its end. Errors in single inputs of several are no error here: they are in Inputs.
	//
	// A Source of what passes now (OpenLive, WatchFolder) also returns without packets, and without an error, about once
	// a second while it is silent: Block.Now then moves the packet clock on, so that what has ended is told. It ends only
	// after ctx is done, with io.EOF, once what it has taken until then was handed out. Files do neither.
	Next(ctx context.Context, b *Block) error
	// Inputs tells of every input so far; the slice is the caller's.
	Inputs() []Input
	Close() error
}

// Input is what a Source knows of one file or interface.
type Input struct {
	Name    string // as given
	SHA256  string // of the file's bytes, hex; "" where it is not known (live, or not asked for)
	Packets uint64
	Bytes   uint64 // captured packet bytes
	First   int64  // packet times, nanoseconds since 1970; valid iff Packets > 0
	Last    int64
	// Truncated says that the last record was cut short.
	Truncated bool
	// Err is why reading stopped early, nil where it did not.
	Err error
	// Size and Read are bytes of the file as it lies on disk, for progress; Size is 0 where it is not known.
	Size, Read int64
	// Drops are packets that the capturing side says it lost (pcapng statistics, kernel counters).
	Drops uint64
	// Untimed are packets without a time, or with one before 1970 or after 2116: they were given that of the packet before.
	Untimed uint64
}

// Interest is asked by the observers, in the hot path, whether something may matter. A nil Interest lets all through.
// Its methods must not allocate and must be safe for concurrent use. name is lower case without trailing dot.
type Interest interface {
	Name(name []byte) bool
	Addr(a netip.Addr) bool
	// Flow says whether a flow may matter by its server's port, or by the first bytes that either side sent in a flow of
	// no known protocol.
	Flow(udp bool, port uint16, out, in []byte) bool
}

// Numbered is a Source whose inputs are numbered from First on.
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
