package wire

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dhcp4 is a DHCPv4 message from a client with the options given.
func dhcp4(options ...[]byte) []byte {
	b := make([]byte, dhcpOptions)
	b[0], b[1], b[2] = 1, 1, 6
	copy(b[dhcpChaddr:], []byte{2, 0, 0, 0, 0, 7})
	binary.BigEndian.PutUint32(b[dhcpCookie:], dhcpMagic)
	for _, o := range options {
		b = append(b, o...)
	}
	return append(b, 255)
}

func opt(code byte, value string) []byte {
	return append([]byte{code, byte(len(value))}, value...)
}

func TestParseDHCP(t *testing.T) {
	base := DHCP{IPVersion: 4, MAC: "02:00:00:00:00:07"}
	with := func(change func(d *DHCP)) DHCP {
		d := base
		change(&d)
		return d
	}
	offer := dhcp4(opt(53, "\x02"), opt(54, "\x0a\x00\x00\x01"), opt(51, "\x00\x00\x0e\x10"))
	offer[0] = 2
	copy(offer[dhcpYiaddr:], []byte{10, 0, 0, 5})
	overloaded := dhcp4(opt(53, "\x03"), opt(52, "\x03"))
	copy(overloaded[dhcpFile:], append(opt(12, "in-file"), 255))
	copy(overloaded[dhcpSname:], append(opt(60, "in-sname"), 255))
	tests := []struct {
		name string
		in   []byte
		want DHCP
	}{
		{"discover", dhcp4(opt(53, "\x01"), opt(12, "PC-7\x00"), opt(60, "MSFT 5.0\x00\x00"), opt(61, "\x01\x02\x00\x00\x00\x00\x07")),
			with(func(d *DHCP) {
				d.Message, d.Hostname, d.VendorClass, d.ClientID = "DISCOVER", "PC-7", "MSFT 5.0", "01020000000007"
			})},
		{"offer", offer, with(func(d *DHCP) {
			d.Message, d.Address, d.Server, d.Lease = "OFFER", netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.1"), 3600
		})},
		{"request", dhcp4(opt(53, "\x03"), []byte{0, 0}, opt(50, "\x0a\x00\x00\x05"), opt(81, "\x00\x00\x00PC-7.Corp.Example.")),
			with(func(d *DHCP) {
				d.Message, d.Address, d.FQDN = "REQUEST", netip.MustParseAddr("10.0.0.5"), "pc-7.corp.example"
			})},
		{"name in labels", dhcp4(opt(53, "\x08"), opt(81, "\x04\x00\x00\x05PC\xe4.7\x04corp\x00")),
			with(func(d *DHCP) { d.Message, d.FQDN = "INFORM", `pc\228.7.corp` })},
		{"overload", overloaded, with(func(d *DHCP) { d.Message, d.Hostname, d.VendorClass = "REQUEST", "in-file", "in-sname" })},
		{"long option", dhcp4(opt(53, "\x01"), opt(60, strings.Repeat("a", 255)), opt(60, "bc")),
			with(func(d *DHCP) { d.Message, d.VendorClass = "DISCOVER", strings.Repeat("a", 255)+"bc" })},
		{"option breaks off", dhcp4(opt(53, "\x01"), []byte{12, 200, 'a'}), with(func(d *DHCP) { d.Message = "DISCOVER" })},
		{"rare type", dhcp4(opt(53, "\x12")), with(func(d *DHCP) { d.Message = "18" })},
		{"bootp", dhcp4(opt(12, "old")), with(func(d *DHCP) { d.Hostname = "old" })},
		{"no cookie", dhcp4()[:dhcpCookie], base},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseDHCP(tt.in)
			require.NoError(t, err)
			require.Equal(t, &tt.want, got)
		})
	}
	_, err := ParseDHCP(make([]byte, dhcpCookie-1))
	require.ErrorIs(t, err, ErrTruncated)
	_, err = ParseDHCP(make([]byte, dhcpOptions))
	require.ErrorIs(t, err, ErrMalformed)
}

func opt6(code uint16, value string) string {
	return string([]byte{byte(code >> 8), byte(code), byte(len(value) >> 8), byte(len(value))}) + value
}

func TestParseDHCPv6(t *testing.T) {
	duid := "\x00\x01\x00\x01\x00\x00\x00\x09\x02\x00\x00\x00\x00\x07"
	addr := netip.MustParseAddr("2001:db8::5")
	raw := addr.As16()
	body := opt6(1, duid) + opt6(16, "\x00\x00\x01\x37\x00\x08MSFT 5.0") + opt6(39, "\x00\x04PC-7") +
		opt6(3, strings.Repeat("\x00", 12)+opt6(5, string(raw[:])+"\x00\x00\x00\x01\x00\x00\x0e\x10"))
	want := &DHCP{IPVersion: 6, Message: "REQUEST", MAC: "02:00:00:00:00:07", FQDN: "pc-7", VendorClass: "MSFT 5.0",
		ClientID: "00010001000000090200" + "00000007", Address: addr, Lease: 3600}
	message := "\x03abc" + body
	got, err := ParseDHCPv6([]byte(message))
	require.NoError(t, err)
	require.Equal(t, want, got)

	relay := func(s string) string {
		return "\x0c" + strings.Repeat("\x00", 33) + opt6(79, "\x00\x01\x02\x00\x00\x00\x00\x08") + opt6(9, s)
	}
	got, err = ParseDHCPv6([]byte(relay(relay(message))))
	require.NoError(t, err)
	want.MAC = "02:00:00:00:00:08"
	require.Equal(t, want, got)

	deep := message
	for range dhcp6HopsMax + 1 {
		deep = relay(deep)
	}
	_, err = ParseDHCPv6([]byte(deep))
	require.ErrorIs(t, err, ErrMalformed)
	_, err = ParseDHCPv6([]byte{0, 1, 2, 3})
	require.ErrorIs(t, err, ErrMalformed)
	_, err = ParseDHCPv6([]byte{12, 1, 2, 3})
	require.ErrorIs(t, err, ErrTruncated)
}

func FuzzDHCP(f *testing.F) {
	f.Add(dhcp4(opt(53, "\x01"), opt(52, "\x03"), opt(81, "\x04\x00\x00\x02pc")))
	f.Add([]byte("\x03abc" + opt6(39, "\x00\x04PC-7") + opt6(3, strings.Repeat("\x00", 40))))
	f.Add([]byte("\x0c" + strings.Repeat("\x00", 33) + opt6(9, "\x01abc")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := ParseDHCP(b); err == nil {
			require.Equal(t, 4, d.IPVersion)
			require.LessOrEqual(t, len(d.Hostname), len(b))
		}
		if d, err := ParseDHCPv6(b); err == nil {
			require.NotEmpty(t, d.Message)
			require.LessOrEqual(t, len(d.FQDN), 4*len(b))
		}
	})
}
