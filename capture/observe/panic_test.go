package observe

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
	"avbeacon/capture/files"
)

// fragile is an Interest that breaks at certain names, as a fault of ours would.
type fragile struct{ all }

func (fragile) Name(name []byte) bool {
	if bytes.HasPrefix(name, []byte("boom")) {
		panic("broken by " + string(name))
	}
	return true
}

func TestAPanicCostsOnePacketAndIsTold(t *testing.T) {
	u := &datagrams{}
	var want []string
	for i := range 100 {
		name := fmt.Sprintf("a%d.example.org", i)
		if i%10 == 3 || i == 44 { // two of them one after the other
			name = fmt.Sprintf("boom%d.example.org", i)
		} else {
			want = append(want, "lookup "+name)
		}
		u.put(client, 30000+i, 53, question(t, name+".", true))
	}
	for _, workers := range []int{1, 2, 5} {
		var mu sync.Mutex
		kept := map[uint64]string{}
		var got []string
		opt := Options{Workers: workers, Observer: ObserverOptions{Interest: fragile{}}, Panicked: func(p *Panic) {
			mu.Lock()
			defer mu.Unlock()
			require.Equal(t, u.list[p.Packet.Frame-1].Data, p.Packet.Data, "the packet that did it")
			require.Contains(t, string(p.Stack), "fragile")
			kept[p.Packet.Frame] = p.Reason
		}}
		st, err := Run(context.Background(), &memSource{packets: numbered(u.list)}, opt, Sink{Observation: func(o *capture.Observation) error {
			if o.Kind == capture.Lookup {
				got = append(got, brief(o))
			}
			return nil
		}})
		require.NoError(t, err)
		require.Equal(t, want, got, "all others, in order, by %d workers", workers)
		require.EqualValues(t, 11, st.Panics)
		require.Len(t, kept, 11)
		require.Equal(t, "broken by boom43.example.org", kept[44])
	}
}

func TestAPanicWhileFlowsEndIsContained(t *testing.T) {
	v, ok := try(func() { panic("x") })
	require.False(t, ok)
	require.Equal(t, "x", v)
	o := newObserver(ObserverOptions{}, batchSize, func(int) bool { return true })
	w := o.shards[3]
	o.renewAll()
	require.NotSame(t, w, o.shards[3])
}

func TestTheSinkIsToldHowFarItCame(t *testing.T) {
	k := opened(40001, 443)
	for i := range 50 {
		k.put(client, decode.ACK, uint32(1+i), []byte{byte(i)})
	}
	list := numbered(k.list)
	for i := range list {
		list[i].Time = someStart + int64(i)*3e8 // three a second
	}
	for _, workers := range []int{1, 3} {
		var packets []uint64
		_, err := Run(context.Background(), &memSource{packets: list, size: 1}, Options{Workers: workers}, Sink{
			Observation: func(*capture.Observation) error { return nil },
			Tick: func(_ int64, st capture.Stats) error {
				packets = append(packets, st.Decode.Packets)
				require.EqualValues(t, 1, st.Observer.Flows)
				return nil
			},
		})
		require.NoError(t, err)
		require.InDelta(t, len(list)/4, len(packets), 2, "once a second of packet time, not once a block")
		require.IsIncreasing(t, packets)
	}
}

func TestThePacketThatDidItIsACaptureOfItsOwn(t *testing.T) {
	u := &datagrams{}
	u.put(client, 30000, 53, question(t, "a.example.org.", true))
	list := numbered(u.list)
	var b bytes.Buffer
	require.NoError(t, (&Panic{Packet: list[0]}).WriteCapture(&b))
	got, _ := dumped(t, Options{}, files.Open([]string{files.StdinName}, files.Options{Stdin: &b}))
	want, _ := dumped(t, Options{}, &memSource{packets: list})
	require.Contains(t, got, "a.example.org")
	require.Equal(t, want, got)
}
