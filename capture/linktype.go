package capture

import "strconv"

// LinkType is a link-layer header type, numbered as in https://www.tcpdump.org/linktypes.html.
type LinkType uint16

// The link types that decode.Decoder understands, beside rarer ones in package decode.
const (
	LinkNull       LinkType = 0
	LinkEthernet   LinkType = 1
	LinkPPP        LinkType = 9
	LinkRawBSD     LinkType = 12 // and 14: DLT_RAW as some systems number it
	LinkRawOpenBSD LinkType = 14
	LinkPPPHDLC    LinkType = 50
	LinkPPPoE      LinkType = 51
	LinkRaw        LinkType = 101
	LinkCHDLC      LinkType = 104
	Link80211      LinkType = 105
	LinkFrameRelay LinkType = 107
	LinkLoop       LinkType = 108
	LinkLinuxSLL   LinkType = 113
	LinkPrism      LinkType = 119
	LinkRadiotap   LinkType = 127
	LinkAVS        LinkType = 163
	LinkPPPWithDir LinkType = 204
	LinkIPv4       LinkType = 228
	LinkIPv6       LinkType = 229
	LinkNFLog      LinkType = 239
	LinkLinuxSLL2  LinkType = 276
)

// String names, for reports, link types that no Decoder understands: common ones as tcpdump's list does, others by number.
func (t LinkType) String() string {
	switch t {
	case 6:
		return "Token Ring"
	case 7, 129:
		return "ARCNET"
	case 123:
		return "SunATM"
	case 138:
		return "IEEE 1394"
	case 143:
		return "DOCSIS"
	case 147, 148, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160, 161, 162:
		return "private use " + strconv.Itoa(int(t)-147)
	case 186, 189, 220, 249:
		return "USB"
	case 187, 201, 251, 254, 255:
		return "Bluetooth"
	case 190, 227:
		return "CAN bus"
	case 195, 215, 230, 283:
		return "IEEE 802.15.4"
	case 252:
		return "Wireshark upper PDU"
	case 253:
		return "netlink"
	}
	return "link type " + strconv.Itoa(int(t))
}
