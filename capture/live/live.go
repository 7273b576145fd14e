// Package live takes packets from network interfaces. Options name the interfaces and a filter; blocks of capture.Packet come
// out, in place in the memory of a TPACKET_V3 ring, with the kernel's counters beside them (Stats). It is for Linux; elsewhere
// Open returns an error.
//
// Start reading at Source.Next (live_linux.go), the poll loop. ring (ring_linux.go) is the memory that is shared with the kernel,
// tap (tap_linux.go) one interface and its counters, links_linux.go finds interfaces that go away and come back, and filter.go
// reads and checks filter programs.
package live

import (
	"errors"
	"fmt"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/limits"
)

// Options says what Open listens to, and how. A zero field takes its default.
type Options struct {
	// Interfaces are the network interfaces to listen to, by name; at least one.
	Interfaces []string
	// Promiscuous asks the card for packets to other hardware addresses too, as a tap or mirror port needs it.
	Promiscuous bool
	// RingSize is the memory, in bytes, that the kernel writes one interface's packets into; default 64 MiB. Packets that
	// arrive while it is full are lost and counted.
	RingSize int
	// BlockSize is the part of a ring, in bytes, that is handed over at once; default 256 KiB. It must be a multiple of 4 KiB.
	// A packet longer than a block is cut.
	BlockSize int
	// BlockTimeout is how long a packet waits at most for its block to fill; default 100 ms, at least 1 ms.
	BlockTimeout time.Duration
	// SnapLen is how many bytes of a packet are kept; 0 keeps all.
	SnapLen int
	// Filter is run by the kernel; see ParseFilter.
	Filter Filter
	// Event, if not nil, gets each change of an interface's state. Open calls it once for each interface, then the goroutine
	// that calls Next; packets wait meanwhile.
	Event func(Event)
}

// Defaults and bounds of Options.
const (
	defaultLiveBlock    = 256 << 10
	defaultBlockTimeout = 100 * time.Millisecond
	maxBlockTimeout     = time.Second
	minLiveBlock        = 4 << 10
	maxLiveBlock        = 64 << 20
	maxRing             = 4 << 30
	maxSnap             = 1 << 30
)

// fill sets the defaults and rejects invalid options.
func (o *Options) fill() error {
	if len(o.Interfaces) == 0 {
		return errors.New("no interface to listen to")
	}
	for i, name := range o.Interfaces {
		if name == "any" {
			return errors.New(`interface "any": name the interfaces; what passes several of them would be counted several times`)
		}
		for _, other := range o.Interfaces[:i] {
			if other == name {
				return fmt.Errorf("interface %s is given twice", name)
			}
		}
	}
	if o.RingSize == 0 {
		o.RingSize = limits.Ring
	}
	if o.BlockSize == 0 {
		o.BlockSize = min(defaultLiveBlock, o.RingSize)
	}
	if o.BlockTimeout == 0 {
		o.BlockTimeout = defaultBlockTimeout
	}
	return o.check()
}

func (o *Options) check() error {
	switch {
	case o.BlockSize < minLiveBlock || o.BlockSize > maxLiveBlock || o.BlockSize%minLiveBlock != 0:
		return fmt.Errorf("block size %d: must be a multiple of %d, from that to %d bytes", o.BlockSize, minLiveBlock, maxLiveBlock)
	case o.RingSize < o.BlockSize || int64(o.RingSize) > maxRing:
		return fmt.Errorf("ring size %d: must be from one block (%d) to %d bytes", o.RingSize, o.BlockSize, int64(maxRing))
	case o.BlockTimeout < time.Millisecond || o.BlockTimeout > maxBlockTimeout:
		return fmt.Errorf("block timeout %v: must be from 1ms to %v", o.BlockTimeout, maxBlockTimeout)
	case o.SnapLen < 0 || o.SnapLen > maxSnap:
		return fmt.Errorf("snap length %d: must be from 0 (for all) to %d bytes", o.SnapLen, maxSnap)
	}
	return nil
}

// LinkState is the state of an interface.
type LinkState uint8

// The states.
const (
	LinkUp        LinkState = iota + 1
	LinkNoCarrier           // up, but nothing is connected to it: the cable is pulled
	LinkDown                // switched off
	LinkGone                // no interface has this name
	LinkFailed              // the system does not let us listen: Event.Err says why; it is tried again
)

// String returns the state as a constant message for logs.
func (s LinkState) String() string {
	switch s {
	case LinkUp:
		return "interface is up"
	case LinkNoCarrier:
		return "interface has no carrier"
	case LinkDown:
		return "interface is down"
	case LinkGone:
		return "interface is gone"
	case LinkFailed:
		return "interface cannot be listened to"
	}
	return "interface state is unknown"
}

// Event is a change of an interface's state. Capture continues by itself when the interface is back.
type Event struct {
	Interface string
	State     LinkState
	Err       error // valid iff State is LinkFailed
}

// Stats counts one interface's packets. Every packet that passes the filter is in exactly one of Packets, Repeated and
// Drops. There is no queue of our own that could lose one: while nobody calls Next the ring fills, and the kernel drops and
// counts.
type Stats struct {
	Interface string
	State     LinkState
	Packets   uint64 // handed out
	Bytes     uint64 // of them, as captured
	Drops     uint64 // lost by the kernel because the ring was full
	Freezes   uint64 // how often the ring was full
	Cut       uint64 // longer than the snap length or than a block
	Joined    uint64 // longer than the interface's MTU: segments that the card or the kernel joined (GRO, TSO)
	Tagged    uint64 // with a VLAN tag that the card stripped; it is in Packet.VLAN
	Repeated  uint64 // second copies of packets on the loopback interface, left out
	Losses    uint64 // times that the interface went down or disappeared
	First     int64  // packet times, nanoseconds since 1970; valid iff Packets > 0
	Last      int64
}

// input returns the interface as Source.Inputs reports it.
func (s *Stats) input() capture.Input {
	return capture.Input{Name: s.Interface, Packets: s.Packets, Bytes: s.Bytes, First: s.First, Last: s.Last, Drops: s.Drops}
}
