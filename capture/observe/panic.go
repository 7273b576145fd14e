package observe

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime/debug"
	"sync/atomic"

	"avbeacon/capture"
)

// Panic is a fault of this program that a packet triggered. The packet is left out, together with what is known about the
// flows of its shard (a sixteenth of all); everything else continues.
type Panic struct {
	// Packet is valid during the call. Its Data is nil if no packet was being read, but time passed.
	Packet capture.Packet
	Reason string
	Stack  []byte
}

// guard counts the panics of one run and reports them. Any goroutine may use it.
type guard struct {
	report func(*Panic)
	count  atomic.Uint64
}

// note reports what recover returned. p may be nil.
func (g *guard) note(v any, p *capture.Packet) {
	g.count.Add(1)
	if g.report == nil {
		return
	}
	x := &Panic{Reason: fmt.Sprint(v), Stack: debug.Stack()}
	if p != nil {
		x.Packet = *p
	}
	g.report(x)
}

// try runs what no single packet causes. If it panics, ok is false and v is what recover returned.
func try(do func()) (v any, ok bool) {
	defer func() {
		if !ok {
			v = recover()
		}
	}()
	do()
	return nil, true
}

// renew replaces a shard after a panic, because nobody knows in what state it is, and drops what the packet had brought so
// far.
func (o *observer) renew(shard int) {
	for n := len(o.out.obs); n > 0 && o.out.keys[n-1].at == o.key.at; n = len(o.out.obs) {
		o.out.obs, o.out.keys = o.out.obs[:n-1], o.out.keys[:n-1]
	}
	if o.shards[shard] != nil {
		o.shards[shard] = newShard(&o.opt)
	}
	o.readers()
	o.dues, o.spare = nil, nil
}

// renewAll replaces all shards: it is unknown which one failed.
func (o *observer) renewAll() {
	for i := range o.shards {
		o.renew(i)
	}
}

// WriteCapture writes the packet as a capture of its own, in pcap format with nanoseconds
// (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html), to be attached to a bug report.
func (x *Panic) WriteCapture(w io.Writer) error {
	b := make([]byte, 40, 40+len(x.Packet.Data))
	le := binary.LittleEndian
	le.PutUint32(b[0:], 0xa1b23c4d)
	le.PutUint16(b[4:], 2)
	le.PutUint16(b[6:], 4)
	le.PutUint32(b[16:], 1<<18) // snap length, tcpdump's
	le.PutUint32(b[20:], uint32(x.Packet.Link))
	le.PutUint32(b[24:], uint32(x.Packet.Time/1e9))
	le.PutUint32(b[28:], uint32(x.Packet.Time%1e9))
	le.PutUint32(b[32:], uint32(len(x.Packet.Data)))
	le.PutUint32(b[36:], max(x.Packet.OrigLen, uint32(len(x.Packet.Data))))
	_, err := w.Write(append(b, x.Packet.Data...))
	return err
}
