package wire

import (
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// EDNS options in which dnsmasq sends the client's hardware address to the resolver upstream (its dns-protocol.h; both are
// in the range for local use of RFC 6891 9).
const (
	// optMAC holds the bytes as they are (--add-mac).
	optMAC = 65001
	// optDeviceID holds text: base64 of the six bytes or hex with colons (--add-mac=base64, --add-mac=text).
	optDeviceID = 65073
)

// edns reads the OPT pseudo-record at head. Only the first one of a message counts (RFC 6891 6.1.1).
func (r *dnsReader) edns(head *dnsRR) bool {
	if r.opt {
		r.flawed = true
		return true
	}
	r.opt = true
	if high := uint16(head.TTL >> 24); high != 0 { // RFC 6891 6.1.3
		r.RCode = rcodeText(high<<4 | uint16(r.msg[3]&0xF))
	}
	rr, err := unpackRR(r.msg, head)
	opt, ok := rr.(*dns.OPT)
	if err != nil || !ok {
		r.flawed = true
		return true
	}
	for _, o := range opt.Option {
		r.option(o)
	}
	return true
}

func (r *dnsReader) option(o dns.EDNS0) {
	switch o := o.(type) {
	case *dns.EDNS0_SUBNET:
		if !r.ClientSubnet.IsValid() {
			r.ClientSubnet = clientSubnet(o)
		}
	case *dns.EDNS0_LOCAL:
		if !r.HasClientMAC {
			r.ClientMAC, r.HasClientMAC = clientMAC(o)
		}
	}
}

// clientSubnet returns the option's source prefix (RFC 7871 6); the zero Prefix if it has no known address family.
func clientSubnet(o *dns.EDNS0_SUBNET) netip.Prefix {
	ip := []byte(o.Address)
	switch o.Family {
	case 1:
		ip = o.Address.To4()
	case 2:
	default:
		return netip.Prefix{}
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr, int(o.SourceNetmask)).Masked()
}

// clientMAC returns the hardware address in one of dnsmasq's options.
func clientMAC(o *dns.EDNS0_LOCAL) (mac [6]byte, ok bool) {
	var raw []byte
	var err error
	switch {
	case o.Code == optMAC:
		raw = o.Data
	case o.Code == optDeviceID && len(o.Data) == 8:
		raw, err = base64.StdEncoding.DecodeString(string(o.Data))
	case o.Code == optDeviceID && len(o.Data) == 17:
		raw, err = hex.DecodeString(strings.ReplaceAll(string(o.Data), ":", ""))
	}
	if err != nil || len(raw) != len(mac) {
		return mac, false
	}
	return [6]byte(raw), true
}
