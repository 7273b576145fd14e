package flow

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// someKey makes the n-th of many keys that differ in few bits.
func someKey(n uint32) Key {
	k := Key{SrcPort: uint16(1024 + n&7), DstPort: uint16(n >> 3 & 3), Proto: 6 + uint8(n>>5&1)*11}
	k.Src[10], k.Src[11], k.Dst[10], k.Dst[11] = 0xff, 0xff, 0xff, 0xff
	binary.BigEndian.PutUint32(k.Src[12:], n>>6)
	binary.BigEndian.PutUint32(k.Dst[12:], n>>12)
	return k
}

func insert(t *Table, k *Key, hash uint64) (uint32, *Entry) {
	return t.Add(&k.Src, &k.Dst, k.SrcPort, k.DstPort, k.Proto, hash)
}

func backward(k Key) Key {
	k.Src, k.Dst, k.SrcPort, k.DstPort = k.Dst, k.Src, k.DstPort, k.SrcPort
	return k
}

func TestHashSeesNoDirection(t *testing.T) {
	shards := [Shards]int{}
	for n := range uint32(1 << 14) {
		k := someKey(n)
		b := backward(k)
		require.Equal(t, k.Hash(&FixedSeed), b.Hash(&FixedSeed))
		shards[Shard(k.Hash(&FixedSeed))]++
	}
	for i, n := range shards { // 1024 each; six deviations of a fair draw
		require.InDelta(t, 1024, n, 190, "shard %d", i)
	}
}

func TestHashHangsOnAllOfTheKey(t *testing.T) {
	base := someKey(12345)
	h := base.Hash(&FixedSeed)
	other := Seed{1, 2, 3, 4}
	require.NotEqual(t, h, base.Hash(&other))
	for bit := range 128 {
		k := base
		k.Src[bit/8] ^= 1 << (bit % 8)
		require.NotEqual(t, h, k.Hash(&FixedSeed))
		k = base
		k.Dst[bit/8] ^= 1 << (bit % 8)
		require.NotEqual(t, h, k.Hash(&FixedSeed))
	}
	for bit := range 16 {
		k := base
		k.SrcPort ^= 1 << bit
		require.NotEqual(t, h, k.Hash(&FixedSeed))
	}
	k := base
	k.Proto ^= 1
	require.NotEqual(t, h, k.Hash(&FixedSeed))
}

// Differences that whoever chooses addresses and ports could make to cancel each other, for any seed: a port moved into each place
// of both halves of the address, alone and in pairs. Of 65,536 flows hardly two may then share 32 bits of the hash, where chance
// alone gives half a pair.
func TestNobodyCanChooseFlowsThatCollide(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		seed := Seed{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		for _, shifts := range [][2]int{{0, 0}, {17, 40}, {40, 17}, {0, 48}, {48, 0}, {16, 16}, {17, -1}, {-1, 40}, {32, 32}, {-1, 17}, {-1, 0}, {0, -1}} {
			base, seen := someKey(uint32(r.Uint32())), map[uint32]int{}
			for port := range uint64(1 << 16) {
				k := base
				k.SrcPort ^= uint16(port)
				for half, shift := range shifts {
					if shift >= 0 {
						b := k.Src[8*half:]
						binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^port<<shift)
					}
				}
				seen[uint32(k.Hash(&seed))]++
			}
			require.Greater(t, len(seen), 1<<16-8, "shifts %v, seed %x", shifts, seed)
		}
	}
}

// modelled is a table beside a map that must agree with it.
type modelled struct {
	table *Table
	flows map[Key]uint32
	// weak leaves few bits of the hash, so that keys crowd.
	weak uint64
}

func (m *modelled) hash(k *Key) uint64 { return k.Hash(&FixedSeed) & m.weak }

func (m *modelled) insert(k Key) {
	i, e := insert(m.table, &k, m.hash(&k))
	e.Count = uint32(k.SrcPort)
	m.flows[k] = i
}

func (m *modelled) remove(k Key) {
	m.table.Remove(m.flows[k])
	delete(m.flows, k)
}

func (m *modelled) require(t *testing.T, k Key) {
	t.Helper()
	i, forward, ok := m.table.Find(&k, m.hash(&k))
	want, there := m.flows[k]
	require.Equal(t, there, ok)
	b := backward(k)
	j, backForward, ok := m.table.Find(&b, m.hash(&b))
	require.Equal(t, there, ok)
	if there {
		require.Equal(t, want, i)
		require.True(t, forward)
		require.Equal(t, want, j)
		require.False(t, backForward)
		require.EqualValues(t, k.SrcPort, m.table.Entry(i).Count)
	}
}

func TestTableAgainstMap(t *testing.T) {
	for name, weak := range map[string]uint64{"spread": ^uint64(0), "crowded": 0x7f, "one chain": 0} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, weak))
			keys, steps := uint32(4096), 60_000
			if weak == 0 {
				keys, steps = 150, 10_000
			}
			m := modelled{table: NewTable(1 << 20), flows: map[Key]uint32{}, weak: weak}
			for range steps {
				k := someKey(r.Uint32N(keys))
				m.require(t, k)
				if _, there := m.flows[k]; !there {
					m.insert(k)
				} else if r.Uint32N(3) > 0 {
					m.remove(k)
				}
				require.Equal(t, len(m.flows), m.table.Len())
			}
			for n := range keys {
				m.require(t, someKey(n))
			}
			seen := map[uint32]bool{}
			m.table.Each(func(i uint32, e *Entry) { seen[i] = true })
			require.Len(t, seen, len(m.flows))
			for k := range m.flows {
				m.remove(k)
			}
			require.Zero(t, m.table.Len())
			for _, s := range m.table.slots {
				require.Zero(t, s)
			}
		})
	}
}

// Each allows the visitor to remove what it visits, and nothing is left out.
func TestEachWhileRemoving(t *testing.T) {
	table := NewTable(1 << 20)
	for n := range uint32(3000) {
		k := someKey(n)
		insert(table, &k, k.Hash(&FixedSeed))
	}
	visits := 0
	table.Each(func(i uint32, e *Entry) {
		visits++
		if visits%2 == 0 {
			table.Remove(i)
		}
	})
	require.Equal(t, 3000, visits)
	require.Equal(t, 1500, table.Len())
}

func TestEntriesStayInPlace(t *testing.T) {
	table := NewTable(1 << 20)
	first := someKey(0)
	_, e := insert(table, &first, first.Hash(&FixedSeed))
	e.Count = 77
	for n := uint32(1); n < 5000; n++ {
		k := someKey(n)
		insert(table, &k, k.Hash(&FixedSeed))
	}
	i, _, ok := table.Find(&first, first.Hash(&FixedSeed))
	require.True(t, ok)
	require.Same(t, e, table.Entry(i))
	require.EqualValues(t, 77, e.Count)
}

func TestLimitAndVictims(t *testing.T) {
	const limit = 500
	table := NewTable(limit)
	var last uint32
	for n := range uint32(5000) {
		k := someKey(n)
		if table.Full() {
			v := table.Victim()
			require.NotEqual(t, last, v, "the newest flow was chosen")
			table.Remove(v)
		}
		i, e := insert(table, &k, k.Hash(&FixedSeed))
		e.Last = int64(n)
		last = i
		require.LessOrEqual(t, table.Len(), limit)
	}
	require.EqualValues(t, 5000-limit, table.Evicted)
	require.Len(t, table.chunks, 1, "memory of removed flows is used again")
	sum, n := int64(0), int64(0)
	table.Each(func(_ uint32, e *Entry) { sum += e.Last; n++ })
	require.Greater(t, sum/n, int64(4000), "victims are old flows")
}

func TestSmallLimit(t *testing.T) {
	table := NewTable(0)
	for n := range uint32(64) {
		require.False(t, table.Full())
		k := someKey(n)
		insert(table, &k, k.Hash(&FixedSeed))
	}
	require.True(t, table.Full())
}

func TestTableSteadyStateAllocatesNothing(t *testing.T) {
	table := NewTable(1 << 20)
	n := uint32(0)
	put := func() {
		k := someKey(n)
		insert(table, &k, k.Hash(&FixedSeed))
		n++
	}
	for range 1000 {
		put()
	}
	old := uint32(0)
	require.Zero(t, testing.AllocsPerRun(2000, func() {
		k := someKey(old)
		i, _, _ := table.Find(&k, k.Hash(&FixedSeed))
		table.Remove(i)
		old++
		put()
	}))
}
