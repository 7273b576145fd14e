package decode

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

// outer4 puts an outer IPv4 packet around a tunnel's bytes.
func outer4(proto uint8, b []byte) []byte { return ip4Bytes(proto, "172.16.0.1", "172.16.0.2", b) }

func outerUDP(port int, b []byte) []byte { return outer4(ipUDP, udpBytes(50000, port, b)) }

func gre(flags, proto int, rest ...[]byte) []byte {
	return join(u16(flags), u16(proto), join(rest...))
}

// tunnelCase is inner4 or inner6 in a tunnel, from the outer IP header on.
func tunnelOf(kind string, src, dst netip.Addr, id uint32) capture.Tunnel {
	return capture.Tunnel{Type: kind, Src: src, Dst: dst, ID: id}
}

type tunnelCase struct {
	b    []byte
	six  bool
	want capture.Tunnel
}

func ipTunnelCases() map[string]tunnelCase {
	in4, in6 := inner4(), inner6()
	ether4 := etherBytes(etherIPv4, in4)
	src, dst := netip.MustParseAddr("172.16.0.1"), netip.MustParseAddr("172.16.0.2")
	src6, dst6 := netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
	label := func(n, bottom int) []byte { return u32(uint32(n<<12 | bottom<<8 | 64)) }
	return map[string]tunnelCase{
		"ipip":             {outer4(ipIPv4, in4), false, tunnelOf("ipip", src, dst, 0)},
		"6in4":             {outer4(ipIPv6, in6), true, tunnelOf("6in4", src, dst, 0)},
		"4in6":             {ip6Bytes(ipIPv4, "fd00::1", "fd00::2", in4), false, tunnelOf("4in6", src6, dst6, 0)},
		"ip6ip6":           {ip6Bytes(ipIPv6, "fd00::1", "fd00::2", in6), true, tunnelOf("ip6ip6", src6, dst6, 0)},
		"4in6 with limit":  {ip6Bytes(ipDestination, "fd00::1", "fd00::2", join([]byte{ipIPv4, 0, 4, 1, 4, 1, 0, 0}, in4)), false, tunnelOf("4in6", src6, dst6, 0)},
		"etherip":          {outer4(ipEtherIP, join(u16(0x3000), ether4)), false, tunnelOf("etherip", src, dst, 0)},
		"mpls in ip":       {outer4(ipMPLS, join(label(16, 1), in4)), false, tunnelOf("mpls-in-ip", src, dst, 16)},
		"gre":              {outer4(ipGRE, gre(0, etherIPv4, in4)), false, tunnelOf("gre", src, dst, 0)},
		"gre all flags":    {outer4(ipGRE, gre(0xb000, etherIPv6, u32(0), u32(9), u32(1), in6)), true, tunnelOf("gre", src, dst, 9)},
		"gre routed":       {outer4(ipGRE, gre(0x4000, etherIPv4, u32(0), []byte{8, 0, 0, 4}, addr("10.0.0.9"), u32(0), in4)), false, tunnelOf("gre", src, dst, 0)},
		"nvgre":            {outer4(ipGRE, gre(0x2000, etherTEB, u32(0x0001f4<<8|3), ether4)), false, tunnelOf("gre", src, dst, 0x1f403)},
		"gre mpls":         {outer4(ipGRE, gre(0, etherMPLS, label(5, 0), label(16, 1), in4)), false, tunnelOf("gre", src, dst, 0)},
		"wccp":             {outer4(ipGRE, gre(0, greWCCP, in4)), false, tunnelOf("gre", src, dst, 0)},
		"wccp 2":           {outer4(ipGRE, gre(0, greWCCP, u32(0x01020304), in4)), false, tunnelOf("gre", src, dst, 0)},
		"aruba":            {outer4(ipGRE, gre(0, greAruba, wifiBytes(8, 1, nil, snapBytes(etherIPv4, in4)))), false, tunnelOf("gre", src, dst, 0)},
		"pptp":             {outer4(ipGRE, gre(0x3081, etherPPP, u16(0), u16(55), u32(1), u32(2), []byte{0xff, 3, 0, 0x21}, in4)), false, tunnelOf("gre", src, dst, 55)},
		"eoip":             {outer4(ipGRE, gre(0x2001, greEoIP, u16(len(ether4)), le16(300), ether4)), false, tunnelOf("eoip", src, dst, 300)},
		"erspan I":         {outer4(ipGRE, gre(0, greERSPAN, ether4)), false, tunnelOf("erspan", src, dst, 0)},
		"erspan II":        {outer4(ipGRE, gre(0x1000, greERSPAN, u32(1), u16(0x1005), u16(0x0c00|257), u32(3), ether4)), false, tunnelOf("erspan", src, dst, 257)},
		"erspan III":       {outer4(ipGRE, gre(0x1000, greERSPAN3, u32(1), u16(0x2005), u16(3), u32(3), u32(0), ether4)), false, tunnelOf("erspan", src, dst, 3)},
		"erspan III long":  {outer4(ipGRE, gre(0x1000, greERSPAN3, u32(1), u16(0x2005), u16(3), u32(3), u32(1), u32(0), u32(0), ether4)), false, tunnelOf("erspan", src, dst, 3)},
		"erspan III of IP": {outer4(ipGRE, gre(0x1000, greERSPAN3, u32(1), u16(0x2005), u16(3), u32(3), u32(2<<10), in6)), true, tunnelOf("erspan", src, dst, 3)},
	}
}

func udpTunnelCases() map[string]tunnelCase {
	in4, in6 := inner4(), inner6()
	ether4 := etherBytes(etherIPv4, in4)
	vni := u32(0x000102 << 8)
	src, dst := netip.MustParseAddr("172.16.0.1"), netip.MustParseAddr("172.16.0.2")
	gpe := func(next byte, b []byte) []byte {
		return outerUDP(portVXLANGPE, join([]byte{0x0c, 0, 0, next}, vni, b))
	}
	gtp := func(flags byte, b []byte) []byte {
		return outerUDP(portGTPU, join([]byte{0x30 | flags, 255}, u16(len(b)), u32(77), b))
	}
	label := func(n, bottom int) []byte { return u32(uint32(n<<12 | bottom<<8 | 64)) }
	return map[string]tunnelCase{
		"mpls in udp":       {outerUDP(portMPLSinUDP, join(label(16, 1), in6)), true, tunnelOf("mpls-in-ip", src, dst, 16)},
		"vxlan":             {outerUDP(portVXLAN, join([]byte{8, 0, 0, 0}, vni, ether4)), false, tunnelOf("vxlan", src, dst, 0x102)},
		"vxlan old port":    {outerUDP(portVXLANOld, join([]byte{8, 0, 0, 0}, vni, ether4)), false, tunnelOf("vxlan", src, dst, 0x102)},
		"vxlan policy":      {outerUDP(portVXLAN, join([]byte{0x88, 0, 1, 2}, vni, ether4)), false, tunnelOf("vxlan", src, dst, 0x102)},
		"vxlan-gpe IPv4":    {gpe(1, in4), false, tunnelOf("vxlan", src, dst, 0x102)},
		"vxlan-gpe IPv6":    {gpe(2, in6), true, tunnelOf("vxlan", src, dst, 0x102)},
		"vxlan-gpe":         {gpe(3, ether4), false, tunnelOf("vxlan", src, dst, 0x102)},
		"vxlan-gpe NSH":     {gpe(4, join([]byte{0, 2, 2, 3}, u32(0), ether4)), false, tunnelOf("vxlan", src, dst, 0x102)},
		"geneve":            {outerUDP(portGeneve, join([]byte{0, 0}, u16(etherTEB), vni, ether4)), false, tunnelOf("geneve", src, dst, 0x102)},
		"geneve options":    {outerUDP(portGeneve, join([]byte{2, 0}, u16(etherIPv6), vni, make([]byte, 8), in6)), true, tunnelOf("geneve", src, dst, 0x102)},
		"gtp-u":             {gtp(0, in4), false, tunnelOf("gtpu", src, dst, 77)},
		"gtp-u sequence":    {gtp(2, join(u32(0), in6)), true, tunnelOf("gtpu", src, dst, 77)},
		"gtp-u extensions":  {gtp(4, join([]byte{0, 0, 0, 0x85}, []byte{1, 0, 0, 0xc0}, []byte{2, 0, 0, 0, 0, 0, 0, 0}, in4)), false, tunnelOf("gtpu", src, dst, 77)},
		"teredo":            {outerUDP(portTeredo, in6), true, tunnelOf("teredo", src, dst, 0)},
		"teredo indicators": {outerUDP(portTeredo, join([]byte{0, 1, 2, 1, 1, 1, 2}, make([]byte, 9), make([]byte, 8), in6)), true, tunnelOf("teredo", src, dst, 0)},
		"l2tp":              {outerUDP(portL2TP, join(u16(0x0002), u16(4), u16(5), []byte{0xff, 3, 0, 0x21}, in4)), false, tunnelOf("l2tp", src, dst, 4<<16|5)},
		"l2tp all fields":   {outerUDP(portL2TP, join(u16(0x4a02), u16(200), u16(4), u16(5), u32(0), u16(2), u16(0), []byte{0, 0x57}, in6)), true, tunnelOf("l2tp", src, dst, 4<<16|5)},
		"ayiya":             {outerUDP(portAYIYA, join([]byte{0x41, 0x52, 0x11, 41}, u32(0), make([]byte, 16+20), in6)), true, tunnelOf("ayiya", src, dst, 0)},
	}
}

func TestTunnels(t *testing.T) {
	cases := ipTunnelCases()
	maps.Copy(cases, udpTunnelCases())
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := etherBytes(etherIPv4, c.b)
			if c.want.Src.Is6() {
				b = etherBytes(etherIPv6, c.b)
			}
			out, s := decode(capture.LinkEthernet, b)
			requireInner(t, c.six, out)
			require.Equal(t, c.want, out.Link.Tunnels[0])
			require.Empty(t, out.Link.VLANs)
			require.Zero(t, s.Opaque)
			if out.HasMAC {
				require.NotEqual(t, [6]byte{}, out.SrcMAC)
			}
			for n := range b { // cut anywhere: the outer packet or nothing, never a panic
				d := New(Options{})
				d.Decode(&capture.Packet{Data: b[:n], OrigLen: uint32(len(b)), Link: capture.LinkEthernet}, &out)
			}
		})
	}
}

func TestMACsOfTunnels(t *testing.T) {
	inner := join([]byte{9, 9, 9, 9, 9, 9}, []byte{8, 8, 8, 8, 8, 8}, u16(etherIPv4), inner4())
	out, _ := decode(capture.LinkEthernet, etherBytes(etherIPv4, outer4(ipGRE, gre(0, etherTEB, inner))))
	require.True(t, out.HasMAC)
	require.Equal(t, [6]byte{8, 8, 8, 8, 8, 8}, out.SrcMAC)
	out, _ = decode(capture.LinkEthernet, etherBytes(etherIPv4, outer4(ipIPv4, inner4())))
	require.False(t, out.HasMAC, "the outer addresses do not stand beside the inner host")
}

func TestMPLSAndPPPoE(t *testing.T) {
	in4, in6 := inner4(), inner6()
	label := func(n, bottom int) []byte { return u32(uint32(n<<12 | bottom<<8 | 64)) }
	stack := join(label(100, 0), label(200, 0), label(300, 1))
	pw := func(first byte, proto int, payload []byte) []byte {
		return join([]byte{first, 1, 2, 3, 4, 5}, testSrcMAC[:], u16(proto), payload)
	}
	session := func(code byte, ppp []byte) []byte { return join([]byte{0x11, code}, u16(0x55), u16(len(ppp)), ppp) }
	for name, c := range map[string]struct {
		proto int
		b     []byte
		six   bool
		want  capture.Tunnel
	}{
		"IPv4":                   {etherMPLS, join(stack, in4), false, capture.Tunnel{Type: "mpls", ID: 300}},
		"IPv6 multicast":         {etherMPLSMC, join(stack, in6), true, capture.Tunnel{Type: "mpls", ID: 300}},
		"pseudowire":             {etherMPLS, join(stack, pw(2, etherIPv4, in4)), false, capture.Tunnel{Type: "mpls", ID: 300}},
		"pseudowire to 4x":       {etherMPLS, join(stack, pw(0x44, etherIPv4, in4)), false, capture.Tunnel{Type: "mpls", ID: 300}},
		"pseudowire to 00":       {etherMPLS, join(stack, pw(0, etherIPv6, in6)), true, capture.Tunnel{Type: "mpls", ID: 300}},
		"pseudowire and control": {etherMPLS, join(stack, u32(7), pw(0, etherIPv4, in4)), false, capture.Tunnel{Type: "mpls", ID: 300}},
		"pseudowire LLC":         {etherMPLS, join(stack, u32(7), pw(2, 8+len(in4), snapBytes(etherIPv4, in4))), false, capture.Tunnel{Type: "mpls", ID: 300}},
		"pppoe":                  {etherPPPoE, join(session(0, join([]byte{0, 0x21}, in4)), make([]byte, 6)), false, capture.Tunnel{Type: "pppoe", ID: 0x55}},
		"pppoe IPv6":             {etherPPPoE, session(0, join([]byte{0x57}, in6)), true, capture.Tunnel{Type: "pppoe", ID: 0x55}},
	} {
		t.Run(name, func(t *testing.T) {
			out, _ := decode(capture.LinkEthernet, etherBytes(etherVLAN, join(u16(5), u16(c.proto), c.b)))
			requireInner(t, c.six, out)
			require.Equal(t, []capture.Tunnel{c.want}, out.Link.Tunnels)
			require.Equal(t, []uint16{5}, out.Link.VLANs)
			require.True(t, out.HasMAC)
		})
	}
	_, s := decode(capture.LinkEthernet, etherBytes(etherPPPoE, session(0xa7, nil)))
	require.Equal(t, capture.ReasonTunnelHeader, refusal(t, s))
	_, s = decode(capture.LinkEthernet, etherBytes(etherMPLS, join(label(1, 1), []byte{0x10}, make([]byte, 40))))
	require.Equal(t, capture.ReasonNotIP, refusal(t, s), "an associated channel")
}

// TestOpaqueTunnels: what cannot be opened stays the packet that it is, and is counted where it was a tunnel.
func TestOpaqueTunnels(t *testing.T) {
	stp := etherBytes(38, join([]byte{0x42, 0x42, 3}, make([]byte, 35)))
	for name, c := range map[string]struct {
		b     []byte
		proto uint8
		why   capture.Reason // none: no tunnel at all
	}{
		"not vxlan":           {outerUDP(portVXLAN, []byte("\x00hello, this is no tunnel")), ipUDP, capture.ReasonNone},
		"short vxlan":         {outerUDP(portVXLAN, []byte{8, 0, 0}), ipUDP, capture.ReasonNone},
		"spanning tree":       {outerUDP(portVXLAN, join([]byte{8, 0, 0, 0, 0, 0, 1, 0}, stp)), ipUDP, capture.ReasonNotIP},
		"gtp echo":            {outerUDP(portGTPU, []byte{0x32, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0}), ipUDP, capture.ReasonNone},
		"gtp extension of 0":  {outerUDP(portGTPU, []byte{0x34, 255, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0x85, 0, 0, 0, 0}), ipUDP, capture.ReasonShort},
		"teredo too short":    {outerUDP(portTeredo, inner6()[:41]), ipUDP, capture.ReasonNone},
		"l2tp control":        {outerUDP(portL2TP, []byte{0xc8, 2, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0}), ipUDP, capture.ReasonNone},
		"gre keepalive":       {outer4(ipGRE, make([]byte, 8)), ipGRE, capture.ReasonNotIP},
		"gre version 3":       {outer4(ipGRE, gre(3, etherIPv4, inner4())), ipGRE, capture.ReasonTunnelHeader},
		"gre routes run away": {outer4(ipGRE, gre(0x4000, etherIPv4, u32(0), []byte{8, 0, 0, 255}, inner4())), ipGRE, capture.ReasonShort},
		"ipip of nothing":     {outer4(ipIPv4, nil), ipIPv4, capture.ReasonShort},
		"ipip of another":     {outer4(ipIPv4, inner6()), ipIPv4, capture.ReasonIPVersion},
	} {
		t.Run(name, func(t *testing.T) {
			out, s := decode(capture.LinkRaw, c.b)
			require.Equal(t, []any{LayerIP, c.proto, addr16("172.16.0.1")}, []any{out.Layer, out.Proto, out.Src})
			require.Nil(t, out.Link)
			require.Equal(t, uint32(len(out.Payload)), out.PayloadLen)
			require.NotZero(t, len(out.Payload)+int(out.IPLen))
			if c.why == capture.ReasonNone {
				require.Zero(t, s.Opaque)
			} else {
				require.EqualValues(t, 1, s.Opaque[c.why])
			}
		})
	}
}

func TestDepth(t *testing.T) {
	b := inner4()
	for range 20 {
		b = outer4(ipGRE, gre(0, etherIPv4, b))
	}
	d := New(Options{MaxDepth: 5})
	var out Headers
	require.Equal(t, LayerIP, d.Decode(&capture.Packet{Data: b, OrigLen: uint32(len(b)), Link: capture.LinkRaw}, &out))
	require.Len(t, out.Link.Tunnels, 5)
	require.Equal(t, uint8(ipGRE), out.Proto)
	require.EqualValues(t, 1, d.Stats().Depth)
	require.EqualValues(t, 1, d.Stats().Opaque[capture.ReasonDepth])
}

// TestHostileNests: layers in layers as deep as a packet can hold them cost neither the stack nor a panic.
func TestHostileNests(t *testing.T) {
	in := inner4()
	fill := func(unit []byte) []byte {
		b := []byte{}
		for len(b) < 65000 {
			b = append(b, unit...)
		}
		return append(b, in...)
	}
	teb := join(testDstMAC[:], testSrcMAC[:], u16(etherTEB))
	ipip := ip4Bytes(ipIPv4, "10.0.0.1", "10.0.0.2", nil)
	ipip[2], ipip[3] = 0, 0
	greip := ip4Bytes(ipGRE, "10.0.0.1", "10.0.0.2", gre(0, etherIPv4))
	greip[2], greip[3] = 0, 0
	for name, c := range map[string]struct {
		link capture.LinkType
		b    []byte
	}{
		"ethernet": {capture.LinkEthernet, fill(teb)},
		"llc":      {linkATM, fill(snapBytes(etherJumboLLC, nil))},
		"nlpid":    {capture.LinkFrameRelay, join([]byte{0x18, 0x41, 3}, fill(join([]byte{0x80, 0, 0, 0}, u16(etherJumboLLC), []byte{0xfe, 0xfe, 3})))},
		"mpls":     {capture.LinkEthernet, join(testDstMAC[:], testSrcMAC[:], u16(etherMPLS), fill(u32(1<<12)))},
		"pbb":      {capture.LinkEthernet, etherBytes(etherPBB, fill(join(u32(0), testDstMAC[:], testSrcMAC[:], u16(etherPBB))))},
		"nsh":      {capture.LinkEthernet, etherBytes(etherNSH, fill(join([]byte{0, 2, 2, 3}, u32(0), testDstMAC[:], testSrcMAC[:], u16(etherNSH))))},
		"hsr":      {capture.LinkEthernet, etherBytes(etherHSR, fill(join(u32(0), u16(etherHSR))))},
		"ipip":     {capture.LinkRaw, fill(ipip)},
		"gre":      {capture.LinkRaw, fill(greip)},
	} {
		t.Run(name, func(t *testing.T) {
			d := New(Options{})
			var out Headers
			p := capture.Packet{Data: c.b, OrigLen: uint32(len(c.b)), Link: c.link}
			layer := d.Decode(&p, &out)
			require.LessOrEqual(t, d.nests, maxNests+1)
			require.LessOrEqual(t, len(d.path), 512)
			if c.link == capture.LinkRaw {
				require.Equal(t, LayerIP, layer)
				require.Len(t, out.Link.Tunnels, 8)
			}
		})
	}
}
