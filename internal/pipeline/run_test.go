package pipeline

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"
	"avbeacon/classify"

	"github.com/stretchr/testify/require"
)

// broken is a Watch that has a fault.
type broken struct{ name string }

func (broken) Take(*capture.Observation) bool { return false }

func (b broken) Note(obs *capture.Observation) {
	if obs.Name == b.name {
		panic("broken by " + b.name)
	}
}

func TestAPanicBehindTheObserversCostsOneObservation(t *testing.T) {
	o := newOffice(t)
	o.p.Watch = broken{"www.kaspersky.com"}
	var told []string
	o.p.Panicked = func(obs *capture.Observation, reason string, stack []byte) {
		require.NotEmpty(t, stack)
		told = append(told, obs.Name+": "+reason)
	}
	o.calls("10.0.0.5", "www.kaspersky.com", 0)
	o.calls("10.0.0.5", "dnl-01.geo.kaspersky.com", 0)
	require.Equal(t, []string{"www.kaspersky.com: broken by www.kaspersky.com"}, told[:1])
	require.EqualValues(t, len(told), o.p.Panics)
	require.Len(t, o.p.Classifier.Findings(), 1, "what came after it is judged")
}

// silent is a Source of one question, and then of silence.
type silent struct {
	packets []capture.Packet
	seconds int64
}

func (s *silent) Next(ctx context.Context, b *capture.Block) error {
	b.Packets = append(b.Packets[:0], s.packets...)
	s.packets = nil
	if len(b.Packets) > 0 {
		return nil
	}
	s.seconds++
	b.Now = noon.UnixNano() + s.seconds*int64(time.Second)
	return nil
}

func (s *silent) Inputs() []capture.Input { return nil }
func (s *silent) Close() error            { return nil }

func TestWhatWaitsIsJudgedInSilence(t *testing.T) {
	o := newOffice(t)
	asked := capture.Observation{
		Time: noon, Kind: capture.Lookup, Proto: capture.DNS, Transport: capture.UDP, FromClient: true, Name: "dnl-01.geo.kaspersky.com",
		Src: netip.MustParseAddrPort("10.0.0.5:30000"), Dst: netip.MustParseAddrPort("192.0.2.53:53"),
		Host: capture.Host{Addr: netip.MustParseAddr("10.0.0.5")}, DNS: &wire.DNS{ID: 7, RD: true, Questions: []wire.DNSQuestion{{Name: "dnl-01.geo.kaspersky.com", QType: "A"}}},
	}
	o.p.Source = &silent{}
	found := ""
	o.p.Changed = func(f *classify.Finding) error {
		found = f.Vendor.Key
		return nil
	}
	ticks := 0
	o.p.Tick = func(now time.Time, _ capture.Stats) error {
		if ticks++; ticks == 1 {
			return o.p.Take(&asked)
		}
		if ticks == 30 {
			return context.Canceled
		}
		return nil
	}
	_, err := o.p.Run(context.Background())
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "kaspersky", found, "a question without an answer is judged once its time is over, though nothing else comes")
}
