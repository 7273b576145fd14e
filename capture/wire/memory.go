package wire

// What a stream's own struct and keys cost, in bytes, rounded up.
const (
	quicStreamCost = 1536
	dtlsStreamCost = 128
)

// Memory is about how many bytes s keeps, for owners of many streams who bound them all together.
func (s *QUICStream) Memory() int { return quicStreamCost + s.crypto.memory() }

// Memory is about how many bytes s keeps of messages that are not whole; 0 where there are none.
func (s *DTLSStream) Memory() int {
	if len(s.open) == 0 {
		return 0
	}
	n := dtlsStreamCost
	for i := range s.open {
		n += s.open[i].pieces.memory()
	}
	return n
}

func (p *pieces) memory() int { return cap(p.data) + 16*cap(p.have) }
