// Package testkit makes packets for tests, for the captures in testdata and for benchmarks. It takes hosts, times and what they
// send to each other. Out come Ethernet frames with real protocols in them: TLS from crypto/tls, QUIC from quic-go, DNS from
// miekg/dns, headers from gopacket. It imports nothing of this project, so that it is a second opinion on all of it. All but
// RecordQUIC makes the same bytes on each run. On Linux it also makes network namespaces for tests with real sockets (Netns).
// Start reading at Capture and Segment.
package testkit

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// snaplen is the snapshot length in the file header, in bytes.
const snaplen = 262144

// Frame is one packet record: an Ethernet frame and its time.
type Frame struct {
	Time time.Time
	Data []byte
}

// Capture collects frames, in any order of time, and writes them in the order of their times.
type Capture struct {
	// Through, if not nil, changes each frame that is added: a tunnel, a tag, a knife.
	Through func(frame []byte) []byte

	frames []Frame
	rand   *rand.ChaCha8
}

// NewCapture returns an empty capture whose ports, identifiers and sequence numbers are drawn from the seed.
func NewCapture(seed uint64) *Capture {
	return &Capture{rand: newStream(seed)}
}

// newStream returns the endless stream of bytes of a seed.
func newStream(seed uint64) *rand.ChaCha8 {
	var s [32]byte
	for i := range 8 {
		s[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(s)
}

// Add adds a frame. It keeps the slice.
func (c *Capture) Add(at time.Time, frame []byte) {
	if c.Through != nil {
		frame = c.Through(frame)
	}
	c.frames = append(c.frames, Frame{Time: at.Truncate(time.Microsecond), Data: frame})
}

// Frames returns the frames in order of time; frames of the same time in the order in which they were added.
func (c *Capture) Frames() []Frame {
	slices.SortStableFunc(c.frames, func(a, b Frame) int { return a.Time.Compare(b.Time) })
	return c.frames
}

// WritePcap writes a pcap file with times in microseconds.
func (c *Capture) WritePcap(w io.Writer) error {
	out := pcapgo.NewWriter(w)
	if err := out.WriteFileHeader(snaplen, layers.LinkTypeEthernet); err != nil {
		return fmt.Errorf("write pcap header: %w", err)
	}
	for i, f := range c.Frames() {
		if err := out.WritePacket(gopacket.CaptureInfo{Timestamp: f.Time, CaptureLength: len(f.Data), Length: len(f.Data)}, f.Data); err != nil {
			return fmt.Errorf("write frame %d: %w", i+1, err)
		}
	}
	return nil
}

// number draws one of n numbers.
func (c *Capture) number(n uint64) uint64 { return c.rand.Uint64() % n }

// port draws an ephemeral port (RFC 6335 6).
func (c *Capture) port() uint16 { return uint16(49152 + c.number(16384)) }
