package testkit

import "time"

// Times within a connection.
const (
	ackDelay = 80 * time.Microsecond // from a segment to its acknowledgement, on the near side
	gap      = 12 * time.Microsecond // between segments sent in one go
)

// TCP is a connection as it passes the place of capture, which is next to the client.
type TCP struct {
	// Now is when the next thing happens. Move it on to let time pass.
	Now time.Time
	// MSS is how many bytes a segment holds at most, in both directions.
	MSS int

	c              *Capture
	client, server tcpSide
}

// tcpSide is one end of a connection; seq is that of its next byte.
type tcpSide struct {
	Host
	port uint16
	seq  uint32
}

// Open adds the three segments that open a connection from an ephemeral port.
func (c *Capture) Open(at time.Time, client, server Host, port uint16) *TCP {
	t := c.start(at, client, server, port)
	t.segment(&t.client, &t.server, SYN, nil)
	t.client.seq++
	t.Now = t.Now.Add(server.RTT)
	t.segment(&t.server, &t.client, SYN|ACK, nil)
	t.server.seq++
	t.Now = t.Now.Add(ackDelay)
	t.segment(&t.client, &t.server, ACK, nil)
	return t
}

// Midstream returns a connection whose opening the capture missed.
func (c *Capture) Midstream(at time.Time, client, server Host, port uint16) *TCP {
	return c.start(at, client, server, port)
}

// Refused adds an opening that is answered with RST.
func (c *Capture) Refused(at time.Time, client, server Host, port uint16) {
	t := c.start(at, client, server, port)
	t.segment(&t.client, &t.server, SYN, nil)
	t.client.seq++
	t.server.seq = 0
	t.Now = t.Now.Add(server.RTT)
	t.segment(&t.server, &t.client, RST|ACK, nil)
}

// Unanswered adds an opening and its repetitions after 1, 3 and 7 seconds (RFC 6298), which nobody answers.
func (c *Capture) Unanswered(at time.Time, client, server Host, port uint16) {
	t := c.start(at, client, server, port)
	for _, after := range []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second} {
		t.Now = at.Add(after)
		t.segment(&t.client, &t.server, SYN, nil)
	}
}

func (c *Capture) start(at time.Time, client, server Host, port uint16) *TCP {
	return &TCP{
		Now: at, MSS: 1460, c: c,
		client: tcpSide{client, c.port(), uint32(c.number(1 << 32))},
		server: tcpSide{server, port, uint32(c.number(1 << 32))},
	}
}

// Send adds bytes from the client.
func (t *TCP) Send(b []byte) { t.data(&t.client, &t.server, b) }

// Reply adds bytes from the server, one round trip later, and the client's acknowledgement.
func (t *TCP) Reply(b []byte) {
	t.Now = t.Now.Add(t.server.RTT)
	t.data(&t.server, &t.client, b)
	t.Now = t.Now.Add(ackDelay)
	t.segment(&t.client, &t.server, ACK, nil)
}

// SendParts adds bytes from the client in parts of the size given, in the order given: 1, 0 sends the second first; a
// part that is named twice is sent twice.
func (t *TCP) SendParts(b []byte, size int, order ...int) {
	first := t.client.seq
	for _, i := range order {
		part := b[i*size : min((i+1)*size, len(b))]
		t.client.seq = first + uint32(i*size)
		t.segment(&t.client, &t.server, ACK|PSH, part)
		t.Now = t.Now.Add(gap)
	}
	t.client.seq = first + uint32(len(b))
}

// Play adds a recorded session, each flight of the server one round trip after the client's.
func (t *TCP) Play(flights []Flight) {
	for _, f := range flights {
		if f.FromClient {
			t.Now = t.Now.Add(ackDelay)
			t.Send(f.Data)
		} else {
			t.Reply(f.Data)
		}
	}
}

// Close adds the end of the connection, begun by the client.
func (t *TCP) Close() {
	t.Now = t.Now.Add(ackDelay)
	t.segment(&t.client, &t.server, FIN|ACK, nil)
	t.client.seq++
	t.Now = t.Now.Add(t.server.RTT)
	t.segment(&t.server, &t.client, FIN|ACK, nil)
	t.server.seq++
	t.Now = t.Now.Add(ackDelay)
	t.segment(&t.client, &t.server, ACK, nil)
}

func (t *TCP) data(from, to *tcpSide, b []byte) {
	for len(b) > 0 {
		part := b[:min(t.MSS, len(b))]
		b = b[len(part):]
		flags := uint8(ACK)
		if len(b) == 0 {
			flags |= PSH
		}
		t.segment(from, to, flags, part)
		from.seq += uint32(len(part))
		t.Now = t.Now.Add(gap)
	}
}

func (t *TCP) segment(from, to *tcpSide, flags uint8, payload []byte) {
	s := Segment{From: from.Host, To: to.Host, Sport: from.port, Dport: to.port, Flags: flags, Seq: from.seq, Payload: payload}
	if flags&ACK != 0 {
		s.Ack = to.seq
	}
	if flags&SYN != 0 {
		s.Options = []byte{2, 4, 5, 0xb4} // MSS 1,460
	}
	t.c.Add(t.Now, s.Frame())
}
