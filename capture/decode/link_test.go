package decode

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
)

func le16(v int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
func le32(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

func snapBytes(proto int, payload []byte) []byte {
	return join([]byte{0xaa, 0xaa, 3, 0, 0, 0}, u16(proto), payload)
}

func cookedBytes(hardware, proto int, payload []byte) []byte {
	return join(u16(0), u16(hardware), u16(6), testSrcMAC[:], u16(0), u16(proto), payload)
}

func cooked2Bytes(hardware, proto int, payload []byte) []byte {
	return join(u16(proto), u16(0), u32(3), u16(hardware), []byte{0, 6}, testSrcMAC[:], u16(0), payload)
}

// wifiBytes is an 802.11 frame: control and flags, then what is between the sequence number and the payload.
func wifiBytes(control, flags byte, extra, payload []byte) []byte {
	a1, a2, a3 := []byte{1, 1, 1, 1, 1, 1}, []byte{2, 2, 2, 2, 2, 2}, []byte{4, 4, 4, 4, 4, 4}
	return join([]byte{control, flags, 0, 0}, a1, a2, a3, []byte{0, 0}, extra, payload)
}

func radiotapBytes(flags byte, frame []byte) []byte {
	return join([]byte{0, 0}, le16(25), le32(3|1<<31), le32(0), make([]byte, 4), make([]byte, 8), []byte{flags}, frame)
}

// linkCase is inner4 or inner6 under a link header; src is the sender's hardware address in hex, "" where there is none.
type linkCase struct {
	link capture.LinkType
	six  bool
	b    []byte
	src  string
}

func linkCases() map[string]linkCase {
	in4, in6 := inner4(), inner6()
	nflog := join([]byte{2, 0, 0, 0}, le16(8), le16(1), []byte{8, 0, 0, 0}, le16(16), le16(8), u16(6), u16(0), testSrcMAC[:], u16(0), le16(5), le16(10), []byte{0, 0, 0, 0})
	return map[string]linkCase{
		"ethernet":             {capture.LinkEthernet, true, etherBytes(etherIPv6, in6), "020000000001"},
		"802.3 SNAP":           {capture.LinkEthernet, false, etherBytes(8+len(in4), join(snapBytes(etherIPv4, in4), make([]byte, 7))), "020000000001"},
		"802.3 SAP 6":          {capture.LinkEthernet, false, etherBytes(3+len(in4), join([]byte{6, 6, 3}, in4)), "020000000001"},
		"null little":          {capture.LinkNull, false, join(le32(2), in4), ""},
		"null big":             {capture.LinkNull, false, join(u32(2), in4), ""},
		"null IPv6 BSD":        {capture.LinkNull, true, join(le32(24), in6), ""},
		"null IPv6 FreeBSD":    {capture.LinkNull, true, join(u32(28), in6), ""},
		"null IPv6 macOS":      {capture.LinkNull, true, join(le32(30), in6), ""},
		"null IPv6 Linux":      {capture.LinkNull, true, join(le32(10), in6), ""},
		"loop":                 {capture.LinkLoop, true, join(u32(24), in6), ""},
		"raw":                  {capture.LinkRaw, true, in6, ""},
		"raw BSD":              {capture.LinkRawBSD, false, in4, ""},
		"raw OpenBSD":          {capture.LinkRawOpenBSD, false, in4, ""},
		"IPv4":                 {capture.LinkIPv4, false, in4, ""},
		"IPv6":                 {capture.LinkIPv6, true, in6, ""},
		"cooked":               {capture.LinkLinuxSLL, false, cookedBytes(1, etherIPv4, in4), "020000000001"},
		"cooked VLAN 0":        {capture.LinkLinuxSLL, false, cookedBytes(1, etherVLAN, join(u16(0), u16(etherIPv4), in4)), "020000000001"},
		"cooked loopback":      {capture.LinkLinuxSLL, true, cookedBytes(772, etherIPv6, in6), ""},
		"cooked LLC":           {capture.LinkLinuxSLL, false, cookedBytes(1, 4, snapBytes(etherIPv4, in4)), "020000000001"},
		"cooked radiotap":      {capture.LinkLinuxSLL, false, cookedBytes(803, 4, radiotapBytes(0, wifiBytes(8, 1, nil, snapBytes(etherIPv4, in4)))), "020202020202"},
		"cooked tun":           {capture.LinkLinuxSLL, false, cookedBytes(0xfffe, 0, in4), ""},
		"cooked 2":             {capture.LinkLinuxSLL2, true, cooked2Bytes(1, etherIPv6, in6), "020000000001"},
		"ppp bare":             {capture.LinkPPP, false, join([]byte{0, 0x21}, in4), ""},
		"ppp framed":           {capture.LinkPPP, true, join([]byte{0xff, 3, 0, 0x57}, in6), ""},
		"ppp short protocol":   {capture.LinkPPP, false, join([]byte{0x21}, in4), ""},
		"ppp hdlc":             {capture.LinkPPPHDLC, false, join([]byte{0xff, 3, 0, 0x21}, in4), ""},
		"ppp as chdlc":         {capture.LinkPPPHDLC, false, join([]byte{0x0f, 0, 8, 0}, in4), ""},
		"ppp with direction":   {capture.LinkPPPWithDir, false, join([]byte{1, 0xff, 3, 0, 0x21}, in4), ""},
		"pppd":                 {linkPPPD, false, join([]byte{1, 3, 0, 0x21}, in4), ""},
		"chdlc":                {capture.LinkCHDLC, true, join([]byte{0x0f, 0}, u16(etherIPv6), in6), ""},
		"frame relay NLPID":    {capture.LinkFrameRelay, false, join([]byte{0x18, 0x41, 3, 0xcc}, in4), ""},
		"frame relay NLPID v6": {capture.LinkFrameRelay, true, join([]byte{0x18, 0x41, 3, 0x8e}, in6), ""},
		"frame relay SNAP":     {capture.LinkFrameRelay, false, join([]byte{0x18, 0x41, 3, 0, 0x80, 0, 0, 0}, u16(etherIPv4), in4), ""},
		"frame relay bridged":  {capture.LinkFrameRelay, false, join([]byte{0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7}, etherBytes(etherIPv4, in4)), "020000000001"},
		"frame relay Cisco":    {capture.LinkFrameRelay, true, join([]byte{0x18, 0x41}, u16(etherIPv6), in6), ""},
		"frame relay 4 bytes":  {capture.LinkFrameRelay, false, join([]byte{0x18, 0x40, 0x40, 0x41, 3, 0xcc}, in4), ""},
		"ATM":                  {linkATM, false, snapBytes(etherIPv4, in4), ""},
		"ATM bridged":          {linkATM, false, join([]byte{0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7, 0, 0}, etherBytes(etherIPv4, in4)), "020000000001"},
		"FDDI":                 {linkFDDI, false, join([]byte{0x50}, testDstMAC[:], testSrcMAC[:], snapBytes(etherIPv4, in4)), "020000000001"},
		"SLIP":                 {linkSLIP, false, join(make([]byte, 16), in4), ""},
		"ENC":                  {linkENC, true, join(make([]byte, 12), in6), ""},
		"PFLOG":                {linkPFLog, false, join([]byte{61, 2}, make([]byte, 62), in4), ""},
		"NFLOG":                {capture.LinkNFLog, false, join(nflog, le16(4+len(in4)), le16(9), in4), "020000000001"},
		"NFLOG big":            {capture.LinkNFLog, true, join([]byte{10, 0, 0, 0}, u16(4+len(in6)), u16(9), in6), ""},
		"PPI":                  {linkPPI, false, join([]byte{0, 0}, le16(12), le32(1), make([]byte, 4), etherBytes(etherIPv4, in4)), "020000000001"},
		"PKTAP":                {linkPKTAP, true, join(le32(16), le32(1), le32(0), make([]byte, 4), le32(30), in6), ""},
	}
}

func wifiCases() map[string]linkCase {
	in4, in6, qos := inner4(), inner6(), []byte{0, 0}
	msdu := func(to byte, payload []byte) []byte {
		return join([]byte{to, 2, 2, 2, 2, 2}, testSrcMAC[:], u16(len(payload)), payload)
	}
	return map[string]linkCase{
		"wifi to AP":        {capture.Link80211, false, wifiBytes(8, 1, nil, snapBytes(etherIPv4, in4)), "020202020202"},
		"wifi from AP":      {capture.Link80211, true, wifiBytes(8, 2, nil, snapBytes(etherIPv6, in6)), "040404040404"},
		"wifi bridge":       {capture.Link80211, false, wifiBytes(8, 3, []byte{6, 6, 6, 6, 6, 6}, snapBytes(etherIPv4, in4)), "060606060606"},
		"wifi QoS":          {capture.Link80211, false, wifiBytes(0x88, 1, qos, snapBytes(etherIPv4, in4)), "020202020202"},
		"wifi HT control":   {capture.Link80211, false, wifiBytes(0x88, 0x81, join(qos, make([]byte, 4)), snapBytes(etherIPv4, in4)), "020202020202"},
		"wifi A-MSDU":       {capture.Link80211, false, wifiBytes(0x88, 1, []byte{0x80, 0}, join(msdu(1, []byte{0x42, 0x42, 3, 0, 0, 0}), msdu(2, snapBytes(etherIPv4, in4)))), "020000000001"},
		"radiotap":          {capture.LinkRadiotap, false, radiotapBytes(0, wifiBytes(8, 1, nil, snapBytes(etherIPv4, in4))), "020202020202"},
		"radiotap FCS, pad": {capture.LinkRadiotap, false, radiotapBytes(0x30, wifiBytes(0x88, 1, join(qos, qos), join(snapBytes(etherIPv4, in4), u32(0xdeadbeef)))), "020202020202"},
		"prism":             {capture.LinkPrism, false, join(le32(0x44), le32(144), make([]byte, 136), wifiBytes(8, 1, nil, snapBytes(etherIPv4, in4))), "020202020202"},
		"prism holding AVS": {capture.LinkPrism, false, join(u32(0x80211001), u32(64), make([]byte, 56), wifiBytes(8, 1, nil, snapBytes(etherIPv4, in4))), "020202020202"},
		"AVS":               {capture.LinkAVS, false, join(u32(0x80211001), u32(64), make([]byte, 56), wifiBytes(8, 1, nil, snapBytes(etherIPv4, in4))), "020202020202"},
	}
}

func TestLinkTypes(t *testing.T) {
	cases := linkCases()
	maps.Copy(cases, wifiCases())
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out, _ := decode(c.link, c.b)
			requireInner(t, c.six, out)
			require.Nil(t, out.Link)
			require.Equal(t, c.src != "", out.HasMAC)
			if out.HasMAC {
				require.Equal(t, c.src, hexOf(out.SrcMAC))
			}
			for n := range c.b { // cut anywhere: never a panic
				d := New(Options{})
				d.Decode(&capture.Packet{Data: c.b[:n], OrigLen: uint32(len(c.b)), Link: c.link}, &out)
			}
		})
	}
}

func hexOf(mac [6]byte) string {
	const digits = "0123456789abcdef"
	s := ""
	for _, c := range mac {
		s += string(digits[c>>4]) + string(digits[c&15])
	}
	return s
}

func TestLinkRefusals(t *testing.T) {
	in4 := inner4()
	for name, c := range map[string]struct {
		link capture.LinkType
		b    []byte
		want capture.Reason
	}{
		"bluetooth":            {187, in4, capture.ReasonLinkType},
		"wifi protected":       {capture.Link80211, wifiBytes(8, 0x41, nil, make([]byte, 40)), capture.ReasonWiFiEncrypted},
		"wifi beacon":          {capture.Link80211, wifiBytes(0x80, 0, nil, make([]byte, 40)), capture.ReasonWiFiNoData},
		"wifi acknowledgement": {capture.Link80211, []byte{0xd4, 0, 0, 0, 1, 1, 1, 1, 1, 1}, capture.ReasonWiFiNoData},
		"wifi null function":   {capture.Link80211, wifiBytes(0x48, 1, nil, nil), capture.ReasonWiFiNoData},
		"wifi fragment":        {capture.Link80211, join(wifiBytes(8, 1, nil, nil)[:22], []byte{1, 0}, snapBytes(etherIPv4, in4)), capture.ReasonWiFiFragment},
		"netlink":              {capture.LinkLinuxSLL, cookedBytes(824, 0, in4), capture.ReasonNotIP},
		"LCP":                  {capture.LinkPPP, []byte{0xff, 3, 0xc0, 0x21, 1, 1, 0, 4}, capture.ReasonNotIP},
		"compressed PPP":       {capture.LinkPPP, []byte{0xff, 3, 0, 0xfd, 1, 1, 0, 4}, capture.ReasonPPPCompressed},
		"PPI in PPI":           {linkPPI, join([]byte{0, 0}, le16(8), le32(192), []byte{0, 0}, le16(8), le32(1), in4), capture.ReasonLinkType},
		"NFLOG lies":           {capture.LinkNFLog, join([]byte{2, 0, 0, 0}, le16(200), le16(9), in4), capture.ReasonTunnelHeader},
		"null of another kind": {capture.LinkNull, join(le32(7), in4), capture.ReasonNotIP},
	} {
		t.Run(name, func(t *testing.T) {
			out, s := decode(c.link, c.b)
			require.Equal(t, LayerNone, out.Layer)
			require.Equal(t, c.want, refusal(t, s))
		})
	}
	_, s := decode(187, in4)
	require.Equal(t, map[capture.LinkType]uint64{187: 1}, s.LinkTypes)
	require.Equal(t, "Bluetooth", capture.LinkType(187).String())
	require.Equal(t, "link type 999", capture.LinkType(999).String())
}

func TestVLANs(t *testing.T) {
	in4 := inner4()
	tag := func(vid, proto int) []byte { return join(u16(0x6000|vid), u16(proto)) }
	for name, c := range map[string]struct {
		proto int
		tags  []byte
		card  int // -1: none
		want  []uint16
	}{
		"one":                 {etherVLAN, tag(42, etherIPv4), -1, []uint16{42}},
		"two":                 {etherQinQ, join(tag(7, etherVLAN), tag(42, etherIPv4)), -1, []uint16{7, 42}},
		"old numbers":         {0x9100, join(tag(7, 0x9200), tag(42, etherIPv4)), -1, []uint16{7, 42}},
		"priority alone":      {etherVLAN, tag(0, etherIPv4), -1, nil},
		"priority and one":    {etherVLAN, join(tag(0, etherVLAN), tag(42, etherIPv4)), -1, []uint16{42}},
		"stripped":            {etherIPv4, nil, 9, []uint16{9}},
		"stripped and one":    {etherVLAN, tag(42, etherIPv4), 9, []uint16{9, 42}},
		"FabricPath":          {etherFabric, join(u16(9), etherBytes(etherVLAN, tag(42, etherIPv4))), -1, []uint16{42}},
		"provider backbone":   {etherQinQ, join(tag(7, etherPBB), u32(1), etherBytes(etherVLAN, tag(42, etherIPv4))), -1, []uint16{7, 42}},
		"VN-tag, HSR and CMD": {etherVNTag, join(u32(1), u16(etherHSR), u32(2), u16(etherCMD), make([]byte, 6), u16(etherVLAN), tag(3, etherIPv4)), -1, []uint16{3}},
	} {
		t.Run(name, func(t *testing.T) {
			b := etherBytes(c.proto, join(c.tags, in4))
			p := capture.Packet{Data: b, OrigLen: uint32(len(b)), Link: capture.LinkEthernet, HasVLAN: c.card >= 0, VLAN: uint16(max(c.card, 0))}
			d := New(Options{})
			var out, again Headers
			d.Decode(&p, &out)
			requireInner(t, false, out)
			if c.want == nil {
				require.Nil(t, out.Link)
				require.Zero(t, out.VLAN)
				return
			}
			require.Equal(t, c.want, out.Link.VLANs)
			require.Equal(t, c.want[0], out.VLAN)
			d.Decode(&p, &again)
			require.Same(t, out.Link, again.Link)
		})
	}
}

func TestLinkTableIsBounded(t *testing.T) {
	d := New(Options{})
	var out Headers
	for i := range 3 * maxLinks {
		ip := ip4Bytes(ipGRE, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String(), "10.0.0.2", join([]byte{0, 0, 8, 0}, inner4()))
		d.Decode(&capture.Packet{Data: ip, OrigLen: uint32(len(ip)), Link: capture.LinkRaw}, &out)
		require.Equal(t, byte(i), out.Link.Tunnels[0].Src.As4()[3])
		require.LessOrEqual(t, len(d.links.others), maxLinks)
	}
}
