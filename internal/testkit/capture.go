// Package testkit makes the packets that tests and the captures in testdata are made of. It takes hosts, times and
// what they say to each other, and gives frames with real handshakes in them: TLS from crypto/tls, QUIC from quic-go,
// DNS from miekg/dns, headers from gopacket. It imports nothing of this project, so that it can be a second opinion on
// all of it. Everything that it makes is the same on each run, but for what RecordQUIC records anew.
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

// snaplen is the longest frame that the captures promise, in bytes.
const snaplen = 262144

// Frame is one packet record: an Ethernet frame and when it passed.
type Frame struct {
	Time    time.Time
	Data    []byte
	OrigLen int // length on the wire; more than len(Data) where the frame was cut
}

// Capture collects frames, in any order of time, and writes them in the order of their times.
type Capture struct {
	// Through, if not nil, is what each frame that is added passes through: a tunnel, a tag, a knife.
	Through func(frame []byte) []byte

	frames []Frame
	rand   *rand.ChaCha8
}

// NewCapture gives an empty capture whose ports, identifiers and sequence numbers are drawn from the seed.
func NewCapture(seed uint64) *Capture {
	return &Capture{rand: newStream(seed)}
}

// newStream gives the endless bytes that belong to a seed.
func newStream(seed uint64) *rand.ChaCha8 {
	var s [32]byte
	for i := range 8 {
		s[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(s)
}

// Add takes in a frame. Its bytes are kept.
func (c *Capture) Add(at time.Time, frame []byte) {
	if c.Through != nil {
		frame = c.Through(frame)
	}
	c.frames = append(c.frames, Frame{Time: at.Truncate(time.Microsecond), Data: frame, OrigLen: len(frame)})
}

// Cut shortens the frames so far to n bytes, as a capture with a small snapshot length does.
func (c *Capture) Cut(n int) {
	for i := range c.frames {
		c.frames[i].Data = c.frames[i].Data[:min(n, len(c.frames[i].Data))]
	}
}

// Frames gives the frames in order of time; those of one time in the order in which they were added.
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
	return c.write(out.WritePacket)
}

// WritePcapNG writes a pcapng file of one section with one interface.
func (c *Capture) WritePcapNG(w io.Writer) error {
	face := pcapgo.DefaultNgInterface
	face.Name, face.OS, face.LinkType = "tap0", "", layers.LinkTypeEthernet
	options := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "testkit"}}
	out, err := pcapgo.NewNgWriterInterface(w, face, options)
	if err != nil {
		return fmt.Errorf("write pcapng header: %w", err)
	}
	if err := c.write(out.WritePacket); err != nil {
		return err
	}
	return out.Flush()
}

func (c *Capture) write(put func(gopacket.CaptureInfo, []byte) error) error {
	for i, f := range c.Frames() {
		info := gopacket.CaptureInfo{Timestamp: f.Time, CaptureLength: len(f.Data), Length: f.OrigLen}
		if err := put(info, f.Data); err != nil {
			return fmt.Errorf("write frame %d: %w", i+1, err)
		}
	}
	return nil
}

// number draws one of n numbers.
func (c *Capture) number(n uint64) uint64 { return c.rand.Uint64() % n }

// port draws an ephemeral port (RFC 6335 6).
func (c *Capture) port() uint16 { return uint16(49152 + c.number(16384)) }
