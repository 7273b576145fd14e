package flow

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// stitchModel says in plain words what a Stitcher does.
type stitchModel struct {
	each int
	open map[uint32]*pendModel
	line []uint32 // in order of opening
}

type pendModel struct {
	owner Owner
	buf   []byte
	early []segment
}

func (p *pendModel) bytes() int {
	n := len(p.buf)
	for _, g := range p.early {
		n += len(g.data)
	}
	return n
}

func (p *pendModel) addEarly(seq, wire uint32, b []byte) {
	i := slices.IndexFunc(p.early, func(g segment) bool { return g.seq == seq })
	if i < 0 {
		p.early = append(p.early, segment{seq, wire, b})
		slices.SortFunc(p.early, func(a, b segment) int { return int(int32(a.seq - b.seq)) })
	} else if len(b) > len(p.early[i].data) {
		p.early[i] = segment{seq, wire, b}
	}
}

func (m *stitchModel) require(t *testing.T, s *Stitcher) {
	t.Helper()
	total, memory := 0, 0
	for h, p := range m.open {
		got := s.Get(h)
		require.True(t, bytes.Equal(p.buf, got.Buf))
		require.Equal(t, len(p.early), s.Waiting(h))
		for i := range p.early {
			require.Equal(t, p.early[i].seq, got.early[i].seq)
			require.Equal(t, p.early[i].wire, got.early[i].wire)
			require.True(t, bytes.Equal(p.early[i].data, got.early[i].data))
		}
		require.LessOrEqual(t, p.bytes(), m.each)
		total += p.bytes()
		memory += pendCost + cap(got.Buf) + got.extra
		for i := range got.early {
			memory += segmentCost + cap(got.early[i].data)
		}
	}
	require.Equal(t, total, s.Stats().Bytes)
	require.Equal(t, memory, s.Stats().Memory)
	owner, h, ok := s.Oldest()
	require.Equal(t, len(m.line) > 0, ok)
	if ok {
		require.Equal(t, m.line[0], h)
		require.Equal(t, m.open[h].owner, owner)
	}
}

func TestStitcherAgainstModel(t *testing.T) {
	const each = 6000
	r := rand.New(rand.NewPCG(3, 4))
	s := NewStitcher(100_000, each)
	m := stitchModel{each: each, open: map[uint32]*pendModel{}}
	piece := func() []byte {
		b := make([]byte, r.IntN(3000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	shut := func(h uint32) {
		delete(m.open, h)
		m.line = slices.DeleteFunc(m.line, func(x uint32) bool { return x == h })
	}
	start := uint32(1<<32 - 4000) // sequence numbers wrap
	for range 20_000 {
		if len(m.line) == 0 || r.IntN(8) == 0 {
			o := Owner{r.Uint32(), uint8(r.IntN(2))}
			h := s.Open(o)
			require.NotZero(t, h)
			require.NotContains(t, m.open, h)
			m.open[h], m.line = &pendModel{owner: o}, append(m.line, h)
		}
		h := m.line[r.IntN(len(m.line))]
		p := m.open[h]
		switch r.IntN(7) {
		case 0, 1:
			b := piece()
			require.Equal(t, p.bytes()+len(b) <= each, s.Hold(h, b))
			if p.bytes()+len(b) <= each {
				p.buf = append(p.buf, b...)
			}
		case 2, 3:
			b, seq := piece(), start+uint32(r.IntN(64))*125
			fits := p.bytes()+len(b) <= each
			require.Equal(t, fits, s.Early(h, seq, uint32(len(b))+9, b))
			if fits {
				p.addEarly(seq, uint32(len(b))+9, b)
			}
		case 4:
			if len(p.early) > 0 {
				seq, wire, b := s.TakeEarly(h, nil)
				require.True(t, bytes.Equal(p.early[0].data, b))
				require.Equal(t, p.early[0].wire, wire)
				require.Equal(t, p.early[0].seq, seq)
				p.early = p.early[1:]
			}
		case 5: // the end of what waits there takes its place
			from := r.IntN(len(p.buf) + 1)
			require.True(t, s.Keep(h, s.Get(h).Buf[from:]))
			p.buf = slices.Clone(p.buf[from:])
			s.Charge(h, r.IntN(500))
		case 6:
			s.Close(h)
			shut(h)
		}
		for s.Over() {
			_, h, _ := s.Oldest()
			s.Evict(h)
			shut(h)
		}
		m.require(t, s)
	}
	require.NotZero(t, s.Stats().Evicted)
	require.NotZero(t, s.Stats().Full)
	for _, h := range m.line {
		s.Close(h)
	}
	require.Zero(t, s.Stats().Bytes)
	require.Zero(t, s.Stats().Memory)
}

func TestCloseTwice(t *testing.T) {
	s := NewStitcher(1000, 100)
	h := s.Open(Owner{})
	s.Hold(h, []byte("x"))
	s.Close(h)
	s.Close(h)
	s.Close(0)
	require.Zero(t, s.Stats().Memory)
	a, b := s.Open(Owner{}), s.Open(Owner{})
	require.NotEqual(t, a, b)
}

// Whoever keeps one byte must not cost more than is counted.
func TestSmallBytesCountInFull(t *testing.T) {
	s := NewStitcher(1<<20, 128<<10)
	for n := range uint32(1000) {
		h := s.Open(Owner{Entry: n})
		require.True(t, s.Hold(h, []byte{1}))
		require.True(t, s.Early(h, 7, 1, []byte{1}))
		for s.Over() {
			_, h, _ := s.Oldest()
			s.Evict(h)
		}
	}
	real := 0
	for i := range s.pends {
		real += cap(s.pends[i].Buf)
		for _, g := range s.pends[i].early {
			real += cap(g.data)
		}
	}
	require.LessOrEqual(t, real, 1<<20)
	require.LessOrEqual(t, len(s.spare), spareMax)
}

func TestStitcherSteadyStateAllocatesNothing(t *testing.T) {
	s := NewStitcher(1<<20, 128<<10)
	b := make([]byte, 1400)
	dst := make([]byte, 0, 4096)
	round := func() {
		h := s.Open(Owner{Entry: 5})
		s.Hold(h, b[:700])
		s.Early(h, 1400, 1400, b)
		_, _, dst = s.TakeEarly(h, dst)
		s.Hold(h, b)
		s.Close(h)
	}
	round()
	require.Zero(t, testing.AllocsPerRun(500, round))
}
