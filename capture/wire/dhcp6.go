package wire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"net/netip"
	"strconv"
)

// Message types and codes of the options that are read (RFC 8415 7.3, 21; 4704; 6939).
const (
	dhcp6RelayForw = 12
	dhcp6RelayRepl = 13

	dhcp6OptClientID    = 1
	dhcp6OptIANA        = 3
	dhcp6OptIATA        = 4
	dhcp6OptIAAddr      = 5
	dhcp6OptRelayMsg    = 9
	dhcp6OptUnicast     = 12
	dhcp6OptVendorClass = 16
	dhcp6OptFQDN        = 39
	dhcp6OptLinkAddr    = 79
)

// Lengths of the headers before the options, of a relayed message and of others (RFC 8415 8, 9).
const (
	dhcp6HeaderLen = 4
	dhcp6RelayLen  = 34
	dhcp6HopsMax   = 8 // HOP_COUNT_LIMIT, RFC 8415 7.6
)

// ParseDHCPv6 reads a DHCPv6 message. A relayed message is unwrapped, so that the result is about the client. The hardware
// address comes from the client's DUID or from the first relay's option. Server is set only if the server names an address
// of its own. A broken option ends the reading; what came before it is kept.
func ParseDHCPv6(b []byte) (*DHCP, error) {
	d := &DHCP{IPVersion: 6}
	for range dhcp6HopsMax + 1 {
		if len(b) < dhcp6HeaderLen {
			return nil, fmt.Errorf("%w: dhcpv6 message of %d bytes", ErrTruncated, len(b))
		}
		if b[0] != dhcp6RelayForw && b[0] != dhcp6RelayRepl {
			d.Message = dhcp6Message(b[0])
			if d.Message == "" {
				return nil, fmt.Errorf("%w: dhcpv6 message type %d", ErrMalformed, b[0])
			}
			d.options6(b[dhcp6HeaderLen:])
			return d, nil
		}
		if len(b) < dhcp6RelayLen {
			return nil, fmt.Errorf("%w: dhcpv6 relay message of %d bytes", ErrTruncated, len(b))
		}
		b = d.relayed(b[dhcp6RelayLen:])
	}
	return nil, fmt.Errorf("%w: dhcpv6 message relayed more than %d times", ErrMalformed, dhcp6HopsMax)
}

// relayed reads the options of a relay and returns the message that it forwards.
func (d *DHCP) relayed(b []byte) (message []byte) {
	for code, value := range dhcp6Options(b) {
		switch code {
		case dhcp6OptRelayMsg:
			message = value
		case dhcp6OptLinkAddr:
			// The innermost relay is next to the client, so its option overrides the others.
			if len(value) == 8 && binary.BigEndian.Uint16(value) == 1 {
				d.MAC = hardwareAddr(value[2:])
			}
		}
	}
	return message
}

// dhcp6Options yields code and value of the options in b up to one that breaks off (RFC 8415 21.1).
func dhcp6Options(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= 4 {
			n := int(binary.BigEndian.Uint16(b[2:]))
			if len(b)-4 < n || !yield(binary.BigEndian.Uint16(b), b[4:4+n]) {
				return
			}
			b = b[4+n:]
		}
	}
}

func (d *DHCP) options6(b []byte) {
	for code, value := range dhcp6Options(b) {
		switch code {
		case dhcp6OptClientID:
			d.duid(value)
		case dhcp6OptIANA:
			d.association(value, 12)
		case dhcp6OptIATA:
			d.association(value, 4)
		case dhcp6OptUnicast:
			if len(value) == 16 {
				d.Server = netip.AddrFrom16([16]byte(value))
			}
		case dhcp6OptVendorClass:
			setFirst(&d.VendorClass, vendorClass6(value))
		case dhcp6OptFQDN:
			if len(value) > 1 {
				setFirst(&d.FQDN, labelsText(value[1:]))
			}
		}
	}
}

// duid reads the client's identifier; types 1 and 3 contain a hardware address (RFC 8415 11.2, 11.4).
func (d *DHCP) duid(v []byte) {
	if len(v) < 2 || len(v) > 130 {
		return
	}
	setFirst(&d.ClientID, hex.EncodeToString(v))
	at := 0
	switch binary.BigEndian.Uint16(v) {
	case 1:
		at = 8
	case 3:
		at = 4
	}
	if at > 0 && len(v) == at+6 && binary.BigEndian.Uint16(v[2:]) == 1 {
		setFirst(&d.MAC, hardwareAddr(v[at:]))
	}
}

// association reads the first address of an identity association whose options begin at offset at (RFC 8415 21.4-6).
func (d *DHCP) association(v []byte, at int) {
	for code, value := range dhcp6Options(v[min(at, len(v)):]) {
		if code == dhcp6OptIAAddr && len(value) >= 24 && !d.Address.IsValid() {
			d.Address = netip.AddrFrom16([16]byte(value[:16]))
			d.Lease = binary.BigEndian.Uint32(value[20:])
		}
	}
}

// vendorClass6 returns the first part of a vendor class, after the enterprise number (RFC 8415 21.16).
func vendorClass6(v []byte) string {
	if len(v) < 6 {
		return ""
	}
	n := int(binary.BigEndian.Uint16(v[4:]))
	return trimText(v[6:min(len(v), 6+n)])
}

// dhcp6Message names a message type (RFC 8415 7.3, 5007 4.2.1); "" for 0, a number for a rarer one.
func dhcp6Message(n byte) string {
	names := [...]string{"", "SOLICIT", "ADVERTISE", "REQUEST", "CONFIRM", "RENEW", "REBIND", "REPLY", "RELEASE",
		"DECLINE", "RECONFIGURE", "INFORMATION-REQUEST", "", "", "LEASEQUERY", "LEASEQUERY-REPLY"}
	if int(n) < len(names) {
		return names[n]
	}
	return strconv.Itoa(int(n))
}
