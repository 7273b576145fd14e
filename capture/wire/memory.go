package wire

// Memory of a stream's own struct and keys, in bytes, rounded up.
const (
	quicStreamCost = 1536
	dtlsStreamCost = 128
)

// Memory is the approximate number of bytes that s keeps, for owners of many streams who limit them together.
func (s *QUICStream) Memory() int { return quicStreamCost + s.crypto.memory() }

// Memory is the approximate number of bytes that s keeps of incomplete messages; 0 if there are none.
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
