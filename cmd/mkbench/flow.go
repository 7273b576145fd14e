package main

import "time"

// act is what a step of a conversation does.
type act byte

const (
	sendData act = iota // TCP bytes, as many segments as they need
	sendSYN
	sendSYNACK
	sendACK
	sendFIN
	sendRST
	sendUDP
)

// The two directions.
const (
	fromClient = iota
	fromServer
)

// step is one of a conversation.
type step struct {
	act  act
	from int
	gap  time.Duration // before it
	data []byte
	sent func() // counts what it carried, once its last byte is out
}

// flow is one conversation in progress.
type flow struct {
	at           time.Duration // of the next packet
	client       *client
	v4           [4]byte // the server's
	v6           [16]byte
	isV6         bool
	sport, dport uint16
	seq          [2]uint32
	stamp        [2]uint32 // TCP timestamps
	id           uint16    // IPv4's
	mss          int
	steps        []step
	done, offset int // whole steps, and bytes of the next one
	unanswered   int // segments without an acknowledgement
	burst        time.Duration
	rtt          time.Duration
	options      [24]byte
}

func (g *generator) newFlow(c *client, s *site, port uint16) *flow {
	f := &flow{at: g.now, client: c, v4: s.v4, v6: s.v6, dport: port, isV6: g.chance(0.2), id: uint16(g.next()), mss: 1460}
	c.port++
	if c.port < 1024 {
		c.port = 20_000
	}
	f.sport = c.port
	f.seq = [2]uint32{uint32(g.next()), uint32(g.next())}
	if f.isV6 {
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
	f.add(step{act: sendSYN})
	f.add(step{act: sendSYNACK, from: fromServer, gap: f.rtt})
	f.add(step{act: sendACK, gap: 50 * time.Microsecond})
}

// hangUp ends a TCP conversation, one in ten by a reset.
func (g *generator) hangUp(f *flow) {
	if g.chance(0.1) {
		f.add(step{act: sendRST, gap: f.rtt})
		return
	}
	f.add(step{act: sendFIN, gap: f.rtt})
	f.add(step{act: sendFIN, from: fromServer, gap: f.rtt})
	f.add(step{act: sendACK, gap: 50 * time.Microsecond})
}

// step writes the conversation's next packet and says whether more follow.
func (g *generator) step(f *flow) bool {
	s := &f.steps[f.done]
	if f.unanswered == 2 { // every second segment is acknowledged
		f.unanswered = 0
		g.emit(f, 1-s.from, ack, nil)
		f.at += f.burst
		return true
	}
	switch s.act {
	case sendData:
		if !g.segment(f, s) {
			f.unanswered++
			f.at += f.burst
			return true
		}
		f.offset, f.unanswered = 0, 0
	case sendUDP:
		g.emit(f, s.from, 0, s.data)
	default:
		g.emit(f, s.from, flagsOf(s.act), nil)
		if s.act != sendACK && s.act != sendRST {
			f.seq[s.from]++
		}
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

// segment sends the next piece of the step's bytes and says whether it was the last.
func (g *generator) segment(f *flow, s *step) bool {
	n := min(f.mss, len(s.data)-f.offset)
	last := f.offset+n == len(s.data)
	flags := byte(ack)
	if last {
		flags |= psh
	}
	g.emit(f, s.from, flags, s.data[f.offset:f.offset+n])
	f.seq[s.from] += uint32(n)
	f.offset += n
	return last
}

func flagsOf(a act) byte {
	return [...]byte{sendSYN: syn, sendSYNACK: syn | ack, sendACK: ack, sendFIN: fin | ack, sendRST: rst | ack}[a]
}

// called counts a conversation that names a vendor's site.
func (g *generator) called(s *site) {
	if s.vendor {
		g.made.Vendors++
	}
}
