package observe

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/decode"
)

// shown keeps what an observer hands out.
func shown(o *observer) *[]capture.Observation {
	var all []capture.Observation
	o.flush = func() {
		for _, obs := range o.out.obs {
			if obs.Flow != nil {
				f := *obs.Flow
				obs.Flow = &f
			}
			all = append(all, obs)
		}
		o.out.reset()
	}
	return &all
}

// somePacket is a packet of one of a few flows: both ways, bare, with data of known protocols or none, now and then at a
// flow's beginning or end, mostly soon after the one before.
func somePacket(r *rand.Rand, at *int64, frame uint64) *decode.Headers {
	proto, port := uint8(protoTCP), uint16(443)
	if r.IntN(3) == 0 {
		proto, port = protoUDP, []uint16{443, 53, 9999}[r.IntN(3)]
	}
	flags := uint8(decode.ACK)
	if r.IntN(12) == 0 {
		flags = []uint8{decode.SYN, decode.SYN | decode.ACK, decode.FIN | decode.ACK, decode.RST, decode.RST | decode.ACK, 0}[r.IntN(6)]
	}
	body := [][]byte{nil, nil, {23, 3, 3, 0, 1, 7}, []byte("some bytes"), {22, 3, 1, 0, 9}}[r.IntN(5)]
	d := segmentOf(proto, port, r.IntN(2) == 0, flags, r.Uint32N(3000), body)
	if proto == protoUDP {
		d.TCPFlags = 0
	}
	d.Src[15] ^= byte(r.IntN(2)) // another flow, or the other way of it
	d.TTL = uint8(r.IntN(3))
	switch r.IntN(60) {
	case 0:
		*at += []int64{4e8, 6e9, 130e9, 700e9}[r.IntN(4)]
	default:
		*at += 1e6
	}
	d.Time, d.Frame = *at-int64(r.IntN(2))*1e5, frame
	return d
}

// What is counted in passing comes to the same as what is looked at in full.
func TestCountedInPassing(t *testing.T) {
	always := func(int) bool { return true }
	full, quick := newObserver(ObserverOptions{}, 64, always), newObserver(ObserverOptions{}, 64, always)
	a, b := shown(full), shown(quick)
	r := rand.New(rand.NewPCG(3, 4))
	at, inPassing := int64(someStart), 0
	for n := range uint64(200_000) {
		d := somePacket(r, &at, n)
		ref := locate(d, &full.opt.Seed)
		full.packet(d, ref, n)
		refs := []flowRef{ref}
		quick.warm(refs)
		if quick.counted(d, &refs[0]) {
			inPassing++
		} else {
			quick.packet(d, ref, n)
		}
	}
	full.sweep(at, allShards, true, 1<<40)
	quick.sweep(at, allShards, true, 1<<40)
	full.flush()
	quick.flush()
	require.Greater(t, inPassing, 50_000)
	require.Equal(t, full.Stats(), quick.Stats())
	require.Greater(t, len(*a), 1000)
	require.Equal(t, *a, *b)
}
