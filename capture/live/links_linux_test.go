package live

import (
	"context"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"avbeacon/capture"
	"avbeacon/capture/decode"
)

// listener runs Next beside a test, on a thread without any capability, and reports what comes.
type listener struct {
	t       *testing.T
	packets chan capture.Packet
	events  chan Event
}

func (w *testWire) listen(t *testing.T, opt Options) *listener {
	n := &listener{t: t, packets: make(chan capture.Packet, 100), events: make(chan Event, 100)}
	opt.Event = func(e Event) { n.events <- e }
	l := w.open(t, opt)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is not to be used again
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&head, &make([]unix.CapUserData, 2)[0]); err != nil {
			ended <- err
			return
		}
		var b capture.Block
		for {
			err := l.Next(ctx, &b)
			if err != nil {
				ended <- err
				return
			}
			for _, p := range copied(&b) {
				n.packets <- p
			}
		}
	}()
	t.Cleanup(func() { cancel(); require.ErrorIs(t, <-ended, io.EOF) })
	return n
}

// become waits for a state. The system may tell of others on the way there: an interface that is switched on has its
// carrier a moment later.
func (n *listener) become(want LinkState) {
	n.t.Helper()
	for {
		select {
		case e := <-n.events:
			require.Equal(n.t, "tap0", e.Interface)
			require.NoError(n.t, e.Err)
			if e.State == want {
				return
			}
		case <-time.After(time.Minute):
			require.Fail(n.t, "not told: "+want.String())
		}
	}
}

func (n *listener) frame(data []byte) {
	n.t.Helper()
	select {
	case p := <-n.packets:
		require.Equal(n.t, data, p.Data)
	case <-time.After(time.Minute):
		require.Fail(n.t, "the packet did not come")
	}
}

func TestLiveGoesOnAfterDownAndUp(t *testing.T) {
	w := newTestWire(t)
	n := w.listen(t, Options{Promiscuous: true})
	n.become(LinkUp)
	from := w.there.Sender("out0")
	from.Send(numberedFrame(1, 60))
	n.frame(numberedFrame(1, 60))

	w.here.Down("tap0")
	n.become(LinkDown)
	w.here.Up("tap0")
	n.become(LinkUp)
	from.Send(numberedFrame(2, 60))
	n.frame(numberedFrame(2, 60))

	w.there.Down("out0") // as if the cable were pulled
	n.become(LinkNoCarrier)
	w.there.Up("out0")
	n.become(LinkUp)
	from.Send(numberedFrame(3, 60))
	n.frame(numberedFrame(3, 60))
}

func TestLiveGoesOnAfterRemoval(t *testing.T) {
	w := newTestWire(t)
	n := w.listen(t, Options{Promiscuous: true})
	n.become(LinkUp)
	for i := range 2 {
		from := w.there.Sender("out0")
		from.Send(numberedFrame(i, 60))
		n.frame(numberedFrame(i, 60))
		w.there.Remove("out0")
		n.become(LinkGone)
		w.here.Join("tap0", w.there, "out0")
		n.become(LinkUp)
		require.True(t, w.here.Promiscuous("tap0"))
	}
	from := w.there.Sender("out0")
	from.Send(numberedFrame(9, 60))
	n.frame(numberedFrame(9, 60))
}

func TestLiveStartsWithInterfaceDown(t *testing.T) {
	w := newTestWire(t)
	w.here.Down("tap0")
	n := w.listen(t, Options{})
	n.become(LinkDown)
	w.here.Up("tap0")
	n.become(LinkUp)
	w.there.Sender("out0").Send(numberedFrame(1, 60))
	n.frame(numberedFrame(1, 60))
}

func TestLiveCountsLosses(t *testing.T) {
	w := newTestWire(t)
	l := w.open(t, Options{})
	look := func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, l.Next(ctx, &capture.Block{}))
	}
	look()
	for range 3 {
		w.here.Down("tap0")
		w.here.Up("tap0")
		look()
	}
	require.EqualValues(t, 3, l.Stats()[0].Losses, "even where it was up again before anybody looked")
}

// What comes back under the name may be something else.
func TestLiveRefusesAnotherKindOfLink(t *testing.T) {
	w := newTestWire(t)
	n := w.listen(t, Options{})
	n.become(LinkUp)
	w.here.Remove("tap0")
	n.become(LinkGone)
	w.here.Tun("tap0")
	e := <-n.events
	require.Equal(t, LinkFailed, e.State)
	require.ErrorContains(t, e.Err, "its link type has changed")
}

func TestLiveLinkTypes(t *testing.T) {
	for kind, want := range map[uint16]capture.LinkType{1: capture.LinkEthernet, 772: capture.LinkEthernet, 65534: capture.LinkRaw, 803: capture.LinkRadiotap, 512: capture.LinkRaw} {
		link, cooked := liveLink(kind)
		require.Equal(t, want, link)
		require.Equal(t, kind == 512, cooked)
	}
	for state := LinkUp; state <= LinkFailed; state++ {
		require.NotContains(t, state.String(), "not known")
	}
	require.Equal(t, "interface state is unknown", LinkState(0).String())
}

// On a link of its own kind the packets begin with the IP header.
func TestLiveReadsTunnelInterfaces(t *testing.T) {
	w := newTestWire(t)
	put := w.here.Tun("tun0")
	l := w.open(t, Options{Interfaces: []string{"tun0"}})
	ip := ip4Bytes(ipUDP, far, near, udpBytes(53, 4000, question(t, "example.org.")))
	put(ip)
	p := taken(t, l, 1)[0]
	require.Equal(t, ip, p.Data)
	var d decode.Headers
	require.Equal(t, decode.LayerIP, decode.New(decode.Options{}).Decode(&p, &d))
	require.EqualValues(t, 53, d.SrcPort)
}
