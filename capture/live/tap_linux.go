package live

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"avbeacon/capture"
)

// tap is one interface that is listened to.
type tap struct {
	ring        *ring
	name        string
	input       int32
	promiscuous bool
	link        capture.LinkType
	index       int // of the interface that the ring is bound to
	longest     uint32
	loopback    bool
	failed      string // text of the error last reported with LinkFailed

	mu     sync.Mutex // guards stats, and closed with the ring's counters
	stats  Stats
	closed bool
}

func openTap(opt *Options, links *linkWatch, name string, input int32) (*tap, error) {
	face, err := links.find(name)
	if err != nil {
		return nil, err
	}
	t := &tap{name: name, input: input, promiscuous: opt.Promiscuous, stats: Stats{Interface: name}}
	t.link, _ = liveLink(face.kind)
	_, cooked := liveLink(face.kind)
	if t.ring, err = openRing(opt, cooked); err != nil {
		return nil, err
	}
	if err := t.bind(face); err != nil {
		t.ring.close()
		return nil, err
	}
	return t, nil
}

// liveLink returns the link type of an interface of a hardware type (linux/if_arp.h). cooked: its link header is unknown,
// and packets are taken from their network header on.
func liveLink(kind uint16) (link capture.LinkType, cooked bool) {
	switch kind {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return capture.LinkEthernet, false
	case unix.ARPHRD_NONE, unix.ARPHRD_RAWIP:
		return capture.LinkRaw, false
	case unix.ARPHRD_IEEE80211:
		return capture.Link80211, false
	case unix.ARPHRD_IEEE80211_PRISM:
		return capture.LinkPrism, false
	case unix.ARPHRD_IEEE80211_RADIOTAP:
		return capture.LinkRadiotap, false
	}
	return capture.LinkRaw, true
}

// bind listens to the interface that has the tap's name now.
func (t *tap) bind(face face) error {
	if link, _ := liveLink(face.kind); link != t.link {
		return fmt.Errorf("its link type has changed (to hardware type %d): restart", face.kind)
	}
	if err := t.ring.bind(face.index, t.promiscuous); err != nil {
		return err
	}
	t.index, t.loopback = face.index, face.kind == unix.ARPHRD_LOOPBACK
	return nil
}

// read reads the ring's next block into b. If it has no packets to hand out, read gives it back and returns false.
func (t *tap) read(b *capture.Block) bool {
	block, release := t.ring.take()
	n, at := packetsIn(block)
	var p ringPacket
	t.mu.Lock()
	for range n {
		next, ok := readRecord(block, at, &p)
		if !ok {
			break
		}
		at = next
		t.add(b, &p)
	}
	t.mu.Unlock()
	if len(b.Packets) == 0 {
		release()
		return false
	}
	b.Release = release
	return true
}

// add hands out one packet and counts it.
func (t *tap) add(b *capture.Block, p *ringPacket) {
	s := &t.stats
	if t.loopback && p.direction == unix.PACKET_OUTGOING {
		s.Repeated++
		return
	}
	if s.Packets == 0 {
		s.First, s.Last = p.time, p.time
	}
	s.Packets++
	s.Bytes += uint64(len(p.data))
	s.First, s.Last = min(s.First, p.time), max(s.Last, p.time)
	if uint32(len(p.data)) < p.orig {
		s.Cut++
	}
	if p.orig > t.longest {
		s.Joined++
	}
	if p.hasVLAN {
		s.Tagged++
	}
	b.Packets = append(b.Packets, capture.Packet{
		Data: p.data, Time: p.time, Frame: s.Packets, OrigLen: p.orig, Input: t.input, Link: t.link, VLAN: p.vlan, HasVLAN: p.hasVLAN,
	})
}

// refresh adds the kernel's counters, which restart at 0 each time they are read.
func (t *tap) refresh() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		drops, freezes := t.ring.counts()
		t.stats.Drops += drops
		t.stats.Freezes += freezes
	}
	return t.stats
}

// look checks the interface, and listens to one that has come back under its name.
func (t *tap) look(links *linkWatch) (e Event, changed bool) {
	e = Event{Interface: t.name}
	broken := t.ring.failure() // set if it was down, even for a moment; clearing it lets poll wait again
	face, err := links.find(t.name)
	switch {
	case errors.Is(err, unix.ENODEV):
		e.State, t.index = LinkGone, 0
	case err == nil && face.index != t.index:
		err = t.bind(face)
		fallthrough
	case err == nil:
		e.State = face.state
	}
	if err != nil && e.State != LinkGone {
		e.State, e.Err, t.index = LinkFailed, err, 0
	}
	if err == nil {
		t.longest = face.longest()
	}
	return e, t.become(e, broken)
}

// become sets the state and reports whether it has changed.
func (t *tap) become(e Event, broken error) bool {
	text := ""
	if e.Err != nil {
		text = e.Err.Error()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	was, same := t.stats.State, t.stats.State == e.State && t.failed == text
	if usable(was) && (broken != nil || !usable(e.State)) {
		t.stats.Losses++
	}
	t.stats.State, t.failed = e.State, text
	return !same
}

func usable(s LinkState) bool { return s == LinkUp || s == LinkNoCarrier }

func (t *tap) close() {
	t.refresh()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.ring.close()
}
