package wire

import (
	"net/netip"
	"time"
)

// DNS is a whole DNS, mDNS or LLMNR message as far as this project reads it. It aliases no packet memory.
type DNS struct {
	ID       uint16
	Response bool   // QR
	Opcode   uint8  // RFC 1035 4.1.1
	AA       bool   // authoritative answer
	TC       bool   // truncated
	RD       bool   // recursion desired
	RA       bool   // recursion available
	RCode    string // NOERROR, NXDOMAIN, ...; the extended code where EDNS carries one

	Questions []DNSQuestion
	Answers   []DNSRecord // answer section alone
	Referral  bool        // response without answers whose authority section holds NS records

	// ClientSubnet is valid iff the message carries EDNS client subnet (RFC 7871).
	ClientSubnet netip.Prefix
	// ClientMAC is valid iff HasClientMAC: the EDNS option that dnsmasq and others add (65001 or 65073; see the parser).
	ClientMAC    [6]byte
	HasClientMAC bool

	// Incomplete: the message broke off, or broke its format, after what is here.
	Incomplete bool
}

// DNSQuestion is one entry of the question section. Name has the form of DNSPeek.Name.
type DNSQuestion struct {
	Name  string
	QType string // text: A, AAAA, HTTPS, TYPE65400
	Class uint16
	// Unicast reports whether the class had mDNS's top bit set: an answer by unicast is wanted (RFC 6762 5.4).
	Unicast bool
}

// DNSRecord is one resource record of the answer section.
type DNSRecord struct {
	Name string
	Type string
	TTL  uint32 // seconds
	// Data is presentation text; for A and AAAA the canonical address; empty for TXT.
	Data string
	// Texts is valid iff Type is TXT: its character-strings.
	Texts []string
	// Addr is valid iff Type is A or AAAA.
	Addr netip.Addr
	// Target is valid iff Type is CNAME, DNAME, HTTPS, SVCB, PTR, NS or MX: the name pointed to.
	Target string
}

// ClientHello is what a TLS, DTLS or QUIC client sends before encryption starts. It aliases no packet memory.
type ClientHello struct {
	SNI     string   // "" where absent
	ALPN    []string // in the order offered
	Version uint16   // highest version offered (GREASE left out)
	JA3     string   // MD5 hex of the JA3 string
	JA4     string   // JA4 (TLS client fingerprint) as FoxIO's public specification defines it
	ECH     bool     // encrypted_client_hello present: offered or GREASE, which look the same
	DTLS    bool
	QUIC    uint32 // QUIC version, 0 where not QUIC
}

// ServerHello is the server's choice.
type ServerHello struct {
	Version uint16 // negotiated; supported_versions looked into
	Cipher  uint16
	ALPN    string // "" where hidden (TLS 1.3) or absent
	JA3S    string
	DTLS    bool
}

// Certificate is one X.509 certificate of a server's flight, as far as it names the server.
type Certificate struct {
	Index     int // 0 is the leaf
	SubjectCN string
	SAN       []string // DNS names and IP addresses
	IssuerCN  string
	IssuerOrg string
	SHA256    [32]byte
	NotBefore time.Time
	NotAfter  time.Time
	DTLS      bool
}

// Request is the head of an HTTP/1.x request (or of an SSDP message). It aliases no packet memory.
type Request struct {
	Method    string
	URI       string // the target as sent
	Version   string // "1.1"; "2" for an HTTP/2 request in the clear
	Host      string // Host header as sent; the target's authority where there is none
	UserAgent string
	// Headers holds those header fields that were asked for, in the order they were sent.
	Headers []Header
	// Via: there is a Via, X-Forwarded-For or Forwarded header, so a proxy sent the request.
	Via bool
}

// Header is one header field; its Name is as sent.
type Header struct{ Name, Value string }

// Response is the head of an HTTP/1.x response and the first bytes of its body.
type Response struct {
	Status      int
	Version     string
	ContentType string
	Server      string
	Body        []byte // at most BodyPeek bytes, a copy
}

// BodyPeek is how many bytes of a response's body are kept: products are recognised by its first bytes.
const BodyPeek = 16

// DHCP is what a DHCPv4 or DHCPv6 message says about its client, the sender of a request or the receiver of a reply.
type DHCP struct {
	IPVersion   int    // 4 or 6
	Message     string // DISCOVER, REQUEST, SOLICIT, ...
	MAC         string // client's hardware address, canonical text; from the DUID in DHCPv6
	Hostname    string // option 12
	FQDN        string // option 81; DHCPv6 option 39
	VendorClass string // option 60; DHCPv6 option 16
	ClientID    string // option 61, hex; DHCPv6: the DUID, hex
	Address     netip.Addr
	Server      netip.Addr
	Lease       uint32 // seconds, 0 where absent
}

// NBNS is one name in a NetBIOS name service packet (RFC 1002).
type NBNS struct {
	Name     string // trimmed
	Suffix   uint8
	Op       string // query, registration, release, wack, refresh, response ...
	Response bool
	Addr     netip.Addr // valid iff the packet has one
}

// ARP is one ARP packet for IPv4 over Ethernet.
type ARP struct {
	Reply     bool
	SenderMAC [6]byte
	Sender    netip.Addr
	TargetMAC [6]byte
	Target    netip.Addr
}
