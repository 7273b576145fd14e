package decode

import (
	"testing"

	"avbeacon/capture"
)

// benchFrames are one packet of each kind that is met at packet rate.
func benchFrames() map[string][]byte {
	tcp := tcpBytes(40000, 443, ACK|PSH, 7, 9, make([]byte, 1000))
	udp := udpBytes(5353, 53, make([]byte, 40))
	in4 := ip4Bytes(ipTCP, "10.1.2.3", "192.0.2.9", tcp)
	return map[string][]byte{
		"ip4tcp":  etherBytes(etherIPv4, in4),
		"ip4udp":  etherBytes(etherIPv4, ip4Bytes(ipUDP, "10.1.2.3", "192.0.2.9", udp)),
		"ip6tcp":  etherBytes(etherIPv6, ip6Bytes(ipTCP, "2001:db8::1", "2001:db8::2", tcp)),
		"vlan":    etherBytes(etherVLAN, join([]byte{0, 42, 8, 0}, in4)),
		"vxlan":   etherBytes(etherIPv4, ip4Bytes(ipUDP, "10.0.0.1", "10.0.0.2", udpBytes(9999, portVXLAN, join([]byte{8, 0, 0, 0, 0, 1, 2, 0}, etherBytes(etherIPv4, in4))))),
		"gre-gre": etherBytes(etherIPv4, ip4Bytes(ipGRE, "10.0.0.1", "10.0.0.2", join([]byte{0, 0, 8, 0}, ip4Bytes(ipGRE, "10.0.0.3", "10.0.0.4", join([]byte{0, 0, 8, 0}, in4))))),
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, frame := range benchFrames() {
		b.Run(name, func(b *testing.B) {
			d := New(Options{})
			p := capture.Packet{Data: frame, OrigLen: uint32(len(frame)), Link: capture.LinkEthernet, Frame: 1}
			var out Headers
			b.ReportAllocs()
			for b.Loop() {
				if d.Decode(&p, &out) != LayerIP {
					b.Fatal("not decoded")
				}
			}
		})
	}
}
