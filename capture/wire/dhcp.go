package wire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Offsets in a BOOTP header (RFC 2131 2) and the codes of the options that are read (RFC 2132, 4702).
const (
	dhcpCiaddr  = 12
	dhcpYiaddr  = 16
	dhcpChaddr  = 28
	dhcpSname   = 44
	dhcpFile    = 108
	dhcpCookie  = 236
	dhcpOptions = 240

	dhcpOptHostname    = 12
	dhcpOptAddress     = 50
	dhcpOptLease       = 51
	dhcpOptOverload    = 52
	dhcpOptMessage     = 53
	dhcpOptServer      = 54
	dhcpOptVendorClass = 60
	dhcpOptClientID    = 61
	dhcpOptFQDN        = 81
)

const dhcpMagic = 0x63825363 // RFC 2131 3

// ParseDHCP reads a DHCPv4 message. Address is the one that the server assigns, else the one that the client has or asks
// for. Message is "" for plain BOOTP, without option 53. A broken option ends the reading; what came before it is kept.
func ParseDHCP(b []byte) (*DHCP, error) {
	if len(b) < dhcpCookie {
		return nil, fmt.Errorf("%w: dhcp message of %d bytes", ErrTruncated, len(b))
	}
	if b[0] != 1 && b[0] != 2 || b[2] > 16 {
		return nil, fmt.Errorf("%w: dhcp operation %d, hardware address of %d bytes", ErrMalformed, b[0], b[2])
	}
	d := &DHCP{IPVersion: 4, MAC: hardwareAddr(b[dhcpChaddr : dhcpChaddr+int(b[2])])}
	d.Address = firstAddr(b[dhcpYiaddr:dhcpYiaddr+4], b[dhcpCiaddr:dhcpCiaddr+4])
	if len(b) < dhcpOptions || binary.BigEndian.Uint32(b[dhcpCookie:]) != dhcpMagic {
		return d, nil
	}
	overload := d.options(b[dhcpOptions:])
	if overload&1 != 0 {
		d.options(b[dhcpFile:dhcpCookie])
	}
	if overload&2 != 0 {
		d.options(b[dhcpSname:dhcpFile])
	}
	return d, nil
}

// firstAddr returns the first of the addresses that is not 0.0.0.0.
func firstAddr(addrs ...[]byte) netip.Addr {
	for _, b := range addrs {
		if a := netip.AddrFrom4([4]byte(b)); !a.IsUnspecified() {
			return a
		}
	}
	return netip.Addr{}
}

// options reads a list of options and returns the value of option 52, which says where more options are (RFC 2132 9.3).
func (d *DHCP) options(b []byte) (overload byte) {
	for len(b) > 0 && b[0] != 255 {
		if b[0] == 0 {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b)-2 < int(b[1]) {
			return overload
		}
		code, value := b[0], b[2:2+int(b[1])]
		b = b[2+len(value):]
		value, b = joinOption(code, value, b)
		if code == dhcpOptOverload && len(value) == 1 {
			overload = value[0]
		}
		d.option(code, value)
	}
	return overload
}

// joinOption appends to a value of full length its further parts, which follow under the same code (RFC 3396).
func joinOption(code byte, value, rest []byte) (joined, behind []byte) {
	last := len(value)
	for last == 255 && len(rest) >= 2 && rest[0] == code && len(rest)-2 >= int(rest[1]) {
		last = int(rest[1])
		value = append(value[:len(value):len(value)], rest[2:2+last]...)
		rest = rest[2+last:]
	}
	return value, rest
}

func (d *DHCP) option(code byte, v []byte) {
	switch code {
	case dhcpOptHostname:
		setFirst(&d.Hostname, trimText(v))
	case dhcpOptVendorClass:
		setFirst(&d.VendorClass, trimText(v))
	case dhcpOptClientID:
		setFirst(&d.ClientID, hex.EncodeToString(v))
	case dhcpOptFQDN:
		setFirst(&d.FQDN, optionFQDN(v))
	case dhcpOptMessage:
		if len(v) == 1 {
			setFirst(&d.Message, dhcpMessage(v[0]))
		}
	case dhcpOptAddress:
		if len(v) == 4 && !d.Address.IsValid() {
			d.Address = firstAddr(v)
		}
	case dhcpOptServer:
		if len(v) == 4 {
			d.Server = firstAddr(v)
		}
	case dhcpOptLease:
		if len(v) == 4 {
			d.Lease = binary.BigEndian.Uint32(v)
		}
	}
}

// dhcpMessage names a message type (RFC 2132 9.6, 3203, 4388); a rarer one is its number.
func dhcpMessage(n byte) string {
	names := [...]string{"", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM", "FORCERENEW",
		"LEASEQUERY", "LEASEUNASSIGNED", "LEASEUNKNOWN", "LEASEACTIVE"}
	if n == 0 || int(n) >= len(names) {
		return strconv.Itoa(int(n))
	}
	return names[n]
}

// optionFQDN reads option 81 (RFC 4702 2): flags, two unused bytes, and a name in plain text or, if the E flag is set, as
// DNS labels.
func optionFQDN(v []byte) string {
	if len(v) < 3 {
		return ""
	}
	if v[0]&4 != 0 {
		return labelsText(v[3:])
	}
	return strings.ToLower(strings.TrimSuffix(trimText(v[3:]), "."))
}

// labelsText returns a DNS name of uncompressed labels, whole or partial, in the form of DNSPeek.Name.
func labelsText(b []byte) string {
	var out strings.Builder
	for len(b) > 0 && b[0] != 0 {
		n := int(b[0])
		if n > 63 || len(b)-1 < n || out.Len() > 255*4 {
			return ""
		}
		if out.Len() > 0 {
			out.WriteByte('.')
		}
		for _, c := range b[1 : 1+n] {
			writeNameByte(&out, c)
		}
		b = b[1+n:]
	}
	return out.String()
}

func writeNameByte(out *strings.Builder, c byte) {
	switch {
	case c < 33 || c > 126:
		fmt.Fprintf(out, `\%03d`, c)
	case 'A' <= c && c <= 'Z':
		out.WriteByte(c | 0x20)
	default:
		out.WriteByte(c)
	}
}

// hardwareAddr is the canonical text of a hardware address, "" for one of no bytes or of zeros alone.
func hardwareAddr(b []byte) string {
	for _, c := range b {
		if c != 0 {
			return net.HardwareAddr(b).String()
		}
	}
	return ""
}

// trimText is b without blanks and NULs at its ends.
func trimText(b []byte) string { return strings.Trim(string(b), " \t\r\n\x00") }
