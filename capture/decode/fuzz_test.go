package decode

import (
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// FuzzDecode: any bytes under any link type, three times over (so that fragments meet), at any cut.
func FuzzDecode(f *testing.F) {
	for _, frame := range benchFrames() {
		f.Add(uint16(capture.LinkEthernet), uint16(0), frame)
	}
	f.Add(uint16(capture.LinkRaw), uint16(0), cut4(body(100), 0, 48))
	f.Add(uint16(capture.LinkRaw), uint16(0), cut6(body(100), 48, 108))
	f.Add(uint16(capture.LinkRaw), uint16(9), outerUDP(portGTPU, join([]byte{0x34, 255}, u16(53), u32(7), []byte{0, 0, 0, 0x85, 1, 0, 0, 0}, inner4())))
	f.Add(uint16(capture.LinkRaw), uint16(0), outer4(ipGRE, gre(0xb000, etherIPv6, u32(0), u32(9), u32(1), inner6())))
	f.Add(uint16(capture.LinkEthernet), uint16(0), etherBytes(etherMPLS, join(u32(0x110), etherBytes(etherIPv4, inner4()))))
	f.Add(uint16(capture.LinkRadiotap), uint16(0), radiotapBytes(0x30, wifiBytes(0x88, 1, make([]byte, 4), snapBytes(etherIPv4, inner4()))))
	f.Add(uint16(capture.LinkNFLog), uint16(0), join([]byte{2, 0, 0, 0}, le16(49), le16(9), inner4()))
	f.Add(uint16(capture.LinkLinuxSLL), uint16(4), cookedBytes(1, etherIPv4, inner4()))
	f.Add(uint16(linkPPI), uint16(0), join([]byte{0, 0}, le16(8), le32(107), []byte{0x18, 0x41, 3, 0xcc}, inner4()))
	f.Fuzz(func(t *testing.T, link, more uint16, b []byte) {
		d := New(Options{MaxFragments: 4096})
		p := capture.Packet{Data: b, OrigLen: uint32(len(b)) + uint32(more), Link: capture.LinkType(link), Frame: 1}
		for i := range 3 {
			p.Time = int64(i)
			var out Headers
			require.Equal(t, d.Decode(&p, &out), out.Layer)
			requireSane(t, &p, &out)
			require.LessOrEqual(t, d.frags.memory, 4096)
			if len(b) > 0 {
				p.Data = b[:len(b)-1]
			}
		}
		d.Flush(math.MaxInt64, func(out *Headers) { requireSane(t, nil, out) })
		require.Zero(t, d.frags.memory)
		require.Empty(t, d.frags.pending)
	})
}

// FuzzDecodePlain: the quick way and the general way give the same.
func FuzzDecodePlain(f *testing.F) {
	for _, frame := range benchFrames() {
		f.Add(uint16(0), false, uint16(0), frame)
		f.Add(uint16(0), true, uint16(7), frame)
		f.Add(uint16(3), false, uint16(0), frame)
	}
	f.Add(uint16(0), false, uint16(0), etherBytes(etherIPv6, inner6()))
	f.Add(uint16(0), false, uint16(0), etherBytes(etherVLAN, join(u16(5), u16(etherIPv4), inner4())))
	f.Add(uint16(0), false, uint16(0), etherBytes(etherIPv4, cut4(body(100), 0, 48)))
	f.Add(uint16(0), false, uint16(0), etherBytes(etherIPv4, outerUDP(portGTPU, body(30))))
	f.Fuzz(func(t *testing.T, more uint16, tagged bool, tag uint16, b []byte) {
		p := capture.Packet{
			Data: b, OrigLen: uint32(len(b)) + uint32(more), Link: capture.LinkEthernet, HasVLAN: tagged, VLAN: tag,
			Time: 77, Frame: 9, Input: 1,
		}
		quick, general := New(Options{}), New(Options{})
		for range 2 { // the second time the VLAN is known
			var want Headers
			general.stats.Packets++
			layer := general.decode(&p, &want)
			got := Headers{Seq: 5, Ack: 6, TCPFlags: 7, VLAN: 8, TTL: 9, PayloadLen: 10, Payload: []byte{1}, Link: &capture.Link{}, IPv6: true}
			require.Equal(t, layer, quick.Decode(&p, &got))
			require.Equal(t, want, got)
			require.Equal(t, general.Stats(), quick.Stats())
		}
	})
}

// requireSane checks what every user of a Decoded relies on.
func requireSane(t *testing.T, p *capture.Packet, out *Headers) {
	require.LessOrEqual(t, len(out.Payload), int(out.PayloadLen))
	if p != nil && len(p.Data) > 0 && len(out.Payload) > 0 {
		begin, at := uintptr(unsafe.Pointer(&p.Data[0])), uintptr(unsafe.Pointer(&out.Payload[0]))
		if at >= begin && at < begin+uintptr(cap(p.Data)) {
			require.LessOrEqual(t, at+uintptr(len(out.Payload)), begin+uintptr(len(p.Data)))
		}
	}
	switch out.Layer {
	case LayerNone:
		require.Equal(t, Headers{Time: out.Time, Frame: 1}, *out)
	case LayerIP:
		if p != nil { // of an incomplete datagram IPLen counts what was seen
			require.LessOrEqual(t, out.PayloadLen, out.IPLen)
		}
		if !out.IPv6 {
			require.True(t, out.Src.Netip(false).Is4())
		}
	}
	if out.Link != nil {
		require.NotZero(t, len(out.Link.VLANs)+len(out.Link.Tunnels))
		require.LessOrEqual(t, len(out.Link.Tunnels), 8)
	}
	require.True(t, out.HasMAC || out.SrcMAC == [6]byte{})
}
