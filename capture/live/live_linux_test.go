package live

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/internal/testkit"
)

// wire is a veth pair between two namespaces: tap0, which is listened to, and out0.
type testWire struct {
	here, there *testkit.Netns
}

func newTestWire(t testing.TB) *testWire {
	w := &testWire{here: testkit.NewNetns(t), there: testkit.NewNetns(t)}
	w.here.Join("tap0", w.there, "out0")
	return w
}

// open listens in the namespace, to tap0 where opt names no interface.
func (w *testWire) open(t testing.TB, opt Options) (l *Source) {
	if opt.Interfaces == nil {
		opt.Interfaces = []string{"tap0"}
	}
	if opt.RingSize == 0 {
		opt.RingSize, opt.BlockSize = 4<<20, 64<<10
	}
	if opt.BlockTimeout == 0 {
		opt.BlockTimeout = 10 * time.Millisecond
	}
	w.here.Do(func() (err error) {
		l, err = Open(opt)
		return err
	})
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// taken gives the next n packets, in memory of their own.
func taken(t testing.TB, l capture.Source, n int) []capture.Packet {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var list []capture.Packet
	var b capture.Block
	for len(list) < n {
		require.NoError(t, l.Next(ctx, &b), "%d packets of %d came", len(list), n)
		list = append(list, copied(&b)...)
	}
	require.Len(t, list, n)
	return list
}

func copied(b *capture.Block) []capture.Packet {
	var list []capture.Packet
	for _, p := range b.Packets {
		p.Data = bytes.Clone(p.Data)
		list = append(list, p)
	}
	b.Done()
	return list
}

// rest gives what is handed out after the end of ctx.
func rest(t testing.TB, l capture.Source) []capture.Packet {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var list []capture.Packet
	for {
		var b capture.Block
		err := l.Next(ctx, &b)
		if err == io.EOF {
			require.Empty(t, b.Packets)
			return list
		}
		require.NoError(t, err)
		require.NotEmpty(t, b.Packets)
		list = append(list, copied(&b)...)
	}
}

// numberedFrame is an Ethernet frame of size bytes that carries its number.
func numberedFrame(i, size int) []byte {
	frame := make([]byte, size)
	copy(frame, []byte{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xb5}) // a local experiment (IEEE 802 9.2.3)
	binary.BigEndian.PutUint32(frame[14:], uint32(i))
	return frame
}

func TestLiveSeesBothDirections(t *testing.T) {
	w := newTestWire(t)
	l := w.open(t, Options{})
	in, out := w.there.Sender("out0"), w.here.Sender("tap0")
	before := time.Now().UnixNano()
	var want [][]byte
	for i := range 100 {
		frame := numberedFrame(i, 60+10*i)
		want = append(want, frame)
		if i%3 == 0 {
			out.Send(frame)
		} else {
			in.Send(frame)
		}
	}
	got := taken(t, l, 100)
	last, sum := before, 0
	for i, p := range got {
		require.Equal(t, want[i], p.Data)
		require.EqualValues(t, i+1, p.Frame)
		require.EqualValues(t, len(p.Data), p.OrigLen)
		require.Equal(t, capture.LinkEthernet, p.Link)
		require.False(t, p.HasVLAN)
		require.GreaterOrEqual(t, p.Time, last)
		last, sum = p.Time, sum+len(p.Data)
	}
	require.Less(t, last, time.Now().UnixNano())
	require.Equal(t, []capture.Input{{Name: "tap0", Packets: 100, Bytes: uint64(sum), First: got[0].Time, Last: last}}, l.Inputs())
	require.Equal(t, []Stats{{Interface: "tap0", State: LinkUp, Packets: 100, Bytes: uint64(sum), First: got[0].Time, Last: last}}, l.Stats())
}

func TestLiveListensToSeveral(t *testing.T) {
	w := newTestWire(t)
	w.here.Join("tap1", w.there, "out1")
	l := w.open(t, Options{Interfaces: []string{"tap0", "tap1"}, Promiscuous: true})
	w.there.Sender("out1").Send(numberedFrame(1, 100))
	first := taken(t, l, 1)
	w.there.Sender("out0").Send(numberedFrame(2, 100))
	second := taken(t, l, 1)
	require.EqualValues(t, 1, first[0].Input)
	require.EqualValues(t, 0, second[0].Input)
	require.EqualValues(t, 1, second[0].Frame, "counted within its interface")
	require.Equal(t, "tap1", l.Inputs()[first[0].Input].Name)
}

// A tag that the system has stripped is put back: what is decoded is what a file with the tag in the frame gives.
func TestLivePutsTagsBack(t *testing.T) {
	w := newTestWire(t)
	l := w.open(t, Options{})
	ip := ip4Bytes(ipUDP, near, far, udpBytes(4000, 53, question(t, "example.org.")))
	macs := numberedFrame(0, 60)[:12]
	frames := [][]byte{
		join(macs, []byte{8, 0}, ip),
		join(macs, []byte{0x81, 0, 0x60, 7, 8, 0}, ip),
		join(macs, []byte{0x88, 0xa8, 0, 200, 0x81, 0, 0, 7, 8, 0}, ip),
		join(macs, []byte{0x81, 0, 0xe0, 0, 8, 0}, ip), // priority alone
	}
	from := w.there.Sender("out0")
	for _, f := range frames {
		from.Send(f)
	}
	dec, fromFile := decode.New(decode.Options{}), decode.New(decode.Options{})
	tags := []uint16{0, 7, 200, 0}
	for i, p := range taken(t, l, len(frames)) {
		var got, want decode.Headers
		require.Equal(t, decode.LayerIP, dec.Decode(&p, &got))
		q := capture.Packet{Data: frames[i], Time: p.Time, Frame: p.Frame, OrigLen: uint32(len(frames[i])), Link: capture.LinkEthernet}
		require.Equal(t, decode.LayerIP, fromFile.Decode(&q, &want))
		require.Equal(t, want, got)
		require.Equal(t, tags[i], got.VLAN)
	}
	require.EqualValues(t, 3, l.Stats()[0].Tagged)
}

func TestLiveSeesLoopbackOnce(t *testing.T) {
	w := newTestWire(t)
	l := w.open(t, Options{Interfaces: []string{"lo"}})
	server := w.here.ListenPacket("127.0.0.1:0")
	client := w.here.Dial("udp", server.LocalAddr().String())
	defer client.Close()
	for range 5 {
		_, err := client.Write([]byte("hello"))
		require.NoError(t, err)
	}
	taken(t, l, 5)
	require.Empty(t, rest(t, l))
	require.EqualValues(t, 5, l.Stats()[0].Repeated)
}

func TestLiveCountsEveryDrop(t *testing.T) {
	const sent = 5000
	w := newTestWire(t)
	l := w.open(t, Options{RingSize: 32 << 10, BlockSize: 8 << 10})
	from := w.there.Sender("out0")
	for i := range sent {
		from.Send(numberedFrame(i, 200+i%100))
	}
	list := rest(t, l)
	st := l.Stats()[0]
	require.Len(t, list, int(st.Packets))
	require.NotZero(t, st.Packets)
	require.Greater(t, st.Drops, uint64(4000))
	require.NotZero(t, st.Freezes)
	require.EqualValues(t, sent, st.Packets+st.Drops)
	require.Equal(t, st.Drops, l.Inputs()[0].Drops)

	read := w.open(t, Options{RingSize: 32 << 10, BlockSize: 8 << 10, BlockTimeout: time.Millisecond})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range sent {
			from.Send(numberedFrame(i, 200+i%100))
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	var n int
	for {
		var b capture.Block
		err := read.Next(ctx, &b)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		n += len(b.Packets)
		b.Done()
		if st := read.Stats()[0]; st.Packets+st.Drops == sent {
			cancel()
		}
	}
	cancel()
	wg.Wait()
	st = read.Stats()[0]
	require.EqualValues(t, n, st.Packets)
	require.EqualValues(t, sent, st.Packets+st.Drops, "whoever reads meanwhile")
}

func TestLiveFiltersAndCuts(t *testing.T) {
	w := newTestWire(t)
	filter, err := ParseFilter(udp53)
	require.NoError(t, err)
	l := w.open(t, Options{Filter: filter, SnapLen: 64})
	dns := etherOf(ip4Bytes(ipUDP, near, far, udpBytes(4000, 53, make([]byte, 200))))
	other := etherOf(ip4Bytes(ipUDP, near, far, udpBytes(4000, 54, make([]byte, 200))))
	from := w.there.Sender("out0")
	for range 10 {
		from.Send(other)
		from.Send(dns)
	}
	for _, p := range append(taken(t, l, 10), rest(t, l)...) {
		require.Equal(t, dns[:64], p.Data)
		require.EqualValues(t, len(dns), p.OrigLen)
	}
	st := l.Stats()[0]
	require.EqualValues(t, 10, st.Packets)
	require.EqualValues(t, 10, st.Cut)
	require.Zero(t, st.Drops)

	whole := w.open(t, Options{SnapLen: 100})
	from.Send(other)
	require.Len(t, taken(t, whole, 1)[0].Data, 100)
}

func TestLiveTellsThatItIsSilent(t *testing.T) {
	w := newTestWire(t)
	l := w.open(t, Options{})
	start := time.Now()
	var b capture.Block
	for range 2 {
		b.Packets = append(b.Packets, capture.Packet{})
		require.NoError(t, l.Next(context.Background(), &b))
		require.Empty(t, b.Packets)
		require.InDelta(t, time.Now().UnixNano(), b.Now, 1e9)
	}
	require.InDelta(t, 2, time.Since(start).Seconds(), 0.5)
}

func TestLiveEndsWithContext(t *testing.T) {
	w := newTestWire(t)
	l := w.open(t, Options{BlockTimeout: 50 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	from := w.there.Sender("out0")
	go func() {
		time.Sleep(300 * time.Millisecond)
		for i := range 3 {
			from.Send(numberedFrame(i, 100))
		}
		cancel()
	}()
	var list []capture.Packet
	start := time.Now()
	for {
		var b capture.Block
		err := l.Next(ctx, &b)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		list = append(list, copied(&b)...)
	}
	require.Len(t, list, 3, "what came before the end is handed out")
	require.Less(t, time.Since(start), 900*time.Millisecond)
	from.Send(numberedFrame(3, 100))
	require.Empty(t, rest(t, l), "what came later is not")
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Next(context.Background(), &capture.Block{}), io.EOF)
	require.EqualValues(t, 3, l.Stats()[0].Packets, "the counters outlive it")
}

func TestLiveCopiesNothing(t *testing.T) {
	w := newTestWire(t)
	l := w.open(t, Options{RingSize: 1 << 20, BlockSize: 4 << 10})
	from := w.there.Sender("out0")
	for i := range 1000 {
		from.Send(numberedFrame(i, 1000))
	}
	var b capture.Block
	ctx := context.Background()
	n := testing.AllocsPerRun(100, func() {
		require.NoError(t, l.Next(ctx, &b))
		if len(b.Packets) == 0 {
			panic("no packets")
		}
		b.Done()
	})
	require.Zero(t, n)
	require.Greater(t, l.Stats()[0].Packets, uint64(200))
}

func TestLiveRefuses(t *testing.T) {
	_, err := Open(Options{})
	require.EqualError(t, err, "no interface to listen to")
	for name, want := range map[string]string{
		"nosuch0":               "interface nosuch0: no such interface: no such device",
		"":                      "interface : no such interface: no such device",
		strings.Repeat("x", 99): "no such interface",
		"any":                   "counted several times",
	} {
		_, err := Open(Options{Interfaces: []string{name}})
		require.ErrorContains(t, err, want)
	}
	for want, opt := range map[string]Options{
		"given twice":         {Interfaces: []string{"lo", "lo"}},
		"block size 5000":     {Interfaces: []string{"lo"}, BlockSize: 5000},
		"ring size 4096":      {Interfaces: []string{"lo"}, BlockSize: 8192, RingSize: 4096},
		"block timeout 1µs":   {Interfaces: []string{"lo"}, BlockTimeout: time.Microsecond},
		"block timeout 1m0s":  {Interfaces: []string{"lo"}, BlockTimeout: time.Minute},
		"snap length -1":      {Interfaces: []string{"lo"}, SnapLen: -1},
		"returns a register:": {Interfaces: []string{"lo"}, SnapLen: 60, Filter: Filter{{Op: 0x16}}},
	} {
		_, err := Open(opt)
		require.ErrorContains(t, err, want)
	}
}

func TestLiveNeverFailsOnBrokenRecords(t *testing.T) {
	block := make([]byte, 4096)
	var p ringPacket
	for _, at := range []int{-1, 0, 47, 4096 - recordRoom + 1, 1 << 30} {
		_, ok := readRecord(block, at, &p)
		require.False(t, ok)
	}
	_, ok := readRecord(block, 48, &p)
	require.False(t, ok, "the data lie in the header")
	binary.NativeEndian.PutUint16(block[48+24:], recordRoom)
	_, ok = readRecord(block, 48, &p)
	require.True(t, ok)
	binary.NativeEndian.PutUint32(block[48+12:], 4096-48-recordRoom+1)
	_, ok = readRecord(block, 48, &p)
	require.False(t, ok, "the data end behind the block")
}
