package main

import (
	"encoding/binary"
	"net/netip"
	"time"

	"avbeacon/internal/testkit"
)

// The two directions.
const (
	fromClient = iota
	fromServer
)

// step is what one side of a conversation does next: it sends bytes, or a TCP segment without any.
type step struct {
	from  int
	gap   time.Duration // before it
	flags uint8         // TCP's, of a segment without data
	data  []byte        // as many segments as it needs, or one datagram
	sent  func()        // counts what it carried, once its last byte is out
}

// flow is one conversation in progress. Arrays of two are of client and server.
type flow struct {
	at           time.Duration // of the next packet
	udp          bool
	ends         [2]testkit.Host
	ports        [2]uint16
	seq          [2]uint32
	stamps       bool // both send TCP timestamps
	stamp        [2]uint32
	id           uint16 // IPv4's, counted in both directions together
	mss          int
	steps        []step
	done, offset int           // whole steps, and bytes of the next one
	unanswered   int           // segments without an acknowledgement
	burst        time.Duration // between packets sent in one go
	rtt          time.Duration
	options      [24]byte // memory for one segment's
}

func (g *generator) newFlow(c *client, s *site, port uint16) *flow {
	f := &flow{at: g.now, mss: 1460, stamps: c.timestamps}
	isV6 := g.chance(0.2)
	f.id = uint16(g.next())
	c.port++
	if c.port < 1024 {
		c.port = 20_000
	}
	f.ports = [2]uint16{c.port, port}
	f.seq = [2]uint32{uint32(g.next()), uint32(g.next())}
	f.ends = [2]testkit.Host{
		{MAC: c.mac, VLAN: c.vlan, TTL: 64, Addr: netip.AddrFrom4(c.v4)},
		{MAC: [6]byte{0x02, 0, 0x5e, 0, 0, 1}, TTL: 55, Addr: netip.AddrFrom4(s.v4)}, // behind the router
	}
	if isV6 {
		f.ends[fromClient].Addr, f.ends[fromServer].Addr = netip.AddrFrom16(c.v6), netip.AddrFrom16(s.v6)
		f.ends[fromClient].TTL, f.ends[fromServer].TTL = 60, 60
		f.mss -= 20
	}
	if c.timestamps {
		f.mss -= 12
	}
	f.rtt = time.Duration(g.between(4, 60)) * time.Millisecond
	f.burst = time.Duration(g.between(20, 300)) * time.Microsecond
	return f
}

func (f *flow) add(s step) { f.steps = append(f.steps, s) }

func (f *flow) handshake() {
	f.add(step{flags: testkit.SYN})
	f.add(step{flags: testkit.SYN | testkit.ACK, from: fromServer, gap: f.rtt})
	f.add(step{flags: testkit.ACK, gap: 50 * time.Microsecond})
}

// hangUp ends a TCP conversation, one in ten by a reset.
func (g *generator) hangUp(f *flow) {
	if g.chance(0.1) {
		f.add(step{flags: testkit.RST | testkit.ACK, gap: f.rtt})
		return
	}
	f.add(step{flags: testkit.FIN | testkit.ACK, gap: f.rtt})
	f.add(step{flags: testkit.FIN | testkit.ACK, from: fromServer, gap: f.rtt})
	f.add(step{flags: testkit.ACK, gap: 50 * time.Microsecond})
}

// step writes the conversation's next packet and reports whether more follow.
func (g *generator) step(f *flow) bool {
	s := &f.steps[f.done]
	if f.unanswered == 2 { // every second segment is acknowledged
		f.unanswered = 0
		g.emit(f, 1-s.from, testkit.ACK, nil)
		f.at += f.burst
		return true
	}
	switch {
	case f.udp:
		g.emit(f, s.from, 0, s.data)
	case s.flags != 0:
		g.emit(f, s.from, s.flags, nil)
		if s.flags&(testkit.SYN|testkit.FIN) != 0 {
			f.seq[s.from]++
		}
	case !g.segment(f, s):
		f.unanswered++
		f.at += f.burst
		return true
	default:
		f.offset, f.unanswered = 0, 0
	}
	if s.sent != nil {
		s.sent()
	}
	f.done++
	if f.done == len(f.steps) {
		return false
	}
	f.at += f.steps[f.done].gap + 10*time.Microsecond
	return true
}

// segment sends the next piece of the step's bytes and reports whether it was the last.
func (g *generator) segment(f *flow, s *step) bool {
	n := min(f.mss, len(s.data)-f.offset)
	last := f.offset+n == len(s.data)
	flags := uint8(testkit.ACK)
	if last {
		flags |= testkit.PSH
	}
	g.emit(f, s.from, flags, s.data[f.offset:f.offset+n])
	f.seq[s.from] += uint32(n)
	f.offset += n
	return last
}

// called counts a conversation with a vendor's site.
func (g *generator) called(s *site) {
	if s.vendor {
		g.made.Vendors++
	}
}

// emit writes one packet: a TCP segment with the flags, or a UDP datagram if there are none.
func (g *generator) emit(f *flow, from int, flags uint8, payload []byte) {
	to := 1 - from
	f.id++
	s := testkit.Segment{From: f.ends[from], To: f.ends[to], Sport: f.ports[from], Dport: f.ports[to], ID: f.id, Flags: flags, Payload: payload}
	if flags != 0 {
		s.Seq = f.seq[from]
		s.Options = f.tcpOptions(from, flags)
		if flags&testkit.ACK != 0 {
			s.Ack = f.seq[to]
		}
	}
	g.out.packet(f.at, s.Frame())
}

func (f *flow) tcpOptions(from int, flags uint8) []byte {
	b := f.options[:0]
	if flags&testkit.SYN != 0 {
		mss := uint16(1460)
		if f.ends[0].Addr.Is6() {
			mss = 1440
		}
		b = binary.BigEndian.AppendUint16(append(b, 2, 4), mss)
		if !f.stamps {
			return append(b, 1, 3, 3, 8, 1, 1, 4, 2) // window scale, selective acknowledgements
		}
		return append(f.timestamp(append(b, 4, 2), from, flags), 1, 3, 3, 7)
	}
	if !f.stamps {
		return nil
	}
	return f.timestamp(append(b, 1, 1), from, flags)
}

// timestamp appends the option of RFC 7323 3.2.
func (f *flow) timestamp(b []byte, from int, flags uint8) []byte {
	f.stamp[from] = uint32(f.at/time.Millisecond) + uint32(f.ports[fromClient])*7919*uint32(from+1)
	echo := uint32(0)
	if flags&testkit.ACK != 0 {
		echo = f.stamp[1-from]
	}
	b = binary.BigEndian.AppendUint32(append(b, 8, 10), f.stamp[from])
	return binary.BigEndian.AppendUint32(b, echo)
}
