package report

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/wire"
)

// some is an Observation with what all have.
func some(kind capture.Kind, proto, transport capture.Proto) capture.Observation {
	return capture.Observation{
		Time: time.Date(2026, 3, 2, 9, 0, 0, 5, time.UTC), Frame: 7, Kind: kind, Proto: proto, Transport: transport,
		Src: netip.MustParseAddrPort("192.168.1.7:50000"), Dst: netip.MustParseAddrPort("[2001:db8::1]:443"),
		SrcMAC: [6]byte{0, 0, 0x5e, 0, 0x53, 0xaf}, HasSrcMAC: true,
	}
}

func samples() map[string]capture.Observation {
	lookup, answer := some(capture.Lookup, capture.DNS, capture.UDP), some(capture.Answer, capture.MDNS, capture.UDP)
	lookup.DNS = &wire.DNS{ID: 1, Questions: []wire.DNSQuestion{{Name: "a.example", QType: "A"}, {Name: ".", QType: "NS"}}}
	answer.DNS = &wire.DNS{ID: 2, RCode: "NOERROR", Answers: []wire.DNSRecord{
		{Name: "a.example", Type: "TXT", TTL: 60, Texts: []string{"x\xff", ""}}, {Name: "a.example", Type: "A", Data: "192.0.2.1"},
	}}
	hello, quic := some(capture.Hello, capture.TLS, capture.TCP), some(capture.Hello, capture.QUIC, capture.UDP)
	hello.Hello = &wire.ClientHello{SNI: "a.example", ALPN: []string{"h2", "http/1.1"}, Version: 0x0304, JA3: "j3", JA4: "j4", ECH: true}
	hello.Link = &capture.Link{VLANs: []uint16{5, 6}, Tunnels: []capture.Tunnel{{Type: "gre", Src: hello.Src.Addr(), Dst: hello.Dst.Addr(), ID: 9}}}
	quic.Hello = &wire.ClientHello{QUIC: 1}
	request, response := some(capture.Request, capture.HTTP, capture.TCP), some(capture.Response, capture.HTTP, capture.TCP)
	request.Req = &wire.Request{Method: "GET", URI: "/\x1b\"", Version: "1.1", Headers: []wire.Header{{Name: "Via", Value: ""}}}
	response.Resp = &wire.Response{Status: 404}
	cert, server := some(capture.Cert, capture.TLS, capture.TCP), some(capture.ServerHello, capture.TLS, capture.TCP)
	cert.Cert = &wire.Certificate{SubjectCN: "a.example", SAN: []string{"b.example"}, NotBefore: time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC)}
	server.Server = &wire.ServerHello{Version: 0x0303, Cipher: 0x1301}
	arp, nbns := some(capture.Identity, capture.ARP, capture.ProtoNone), some(capture.Identity, capture.NBNS, capture.UDP)
	arp.ID = &capture.IdentityDetail{ARP: &wire.ARP{Sender: netip.MustParseAddr("192.168.1.7"), SenderMAC: [6]byte{2}}}
	nbns.ID = &capture.IdentityDetail{NBNS: &wire.NBNS{Name: "PC", Suffix: 0x20, Op: "query"}}
	flow, open := some(capture.Contact, capture.TCP, capture.TCP), some(capture.Contact, capture.TCP, capture.TCP)
	flow.Flow = &capture.FlowRecord{Final: true, First: flow.Time, Last: flow.Time, RTT: 1500 * time.Microsecond, Outcome: capture.Refused}
	open.Flow = &capture.FlowRecord{}
	return map[string]capture.Observation{"dns_query": lookup, "mdns_response": answer, "tls_client_hello": hello, "quic_client_hello": quic,
		"http_request": request, "http_response": response, "tls_certificate": cert, "tls_server_hello": server, "arp": arp, "nbns": nbns,
		"flow": flow, "": open}
}

func TestLines(t *testing.T) {
	const start = `{"file":"x.pcap","frame":7,"time":"2026-03-02T09:00:00.000000005Z","kind":"`
	const udp = `","transport":"udp","src":"192.168.1.7","sport":50000,"dst":"2001:db8::1","dport":443,"mac":"00:00:5e:00:53:af"`
	const tcp = `","transport":"tcp","src":"192.168.1.7","sport":50000,"dst":"2001:db8::1","dport":443,"mac":"00:00:5e:00:53:af"`
	const none = `"0000000000000000000000000000000000000000000000000000000000000000"`
	want := map[string]string{
		"":          "",
		"dns_query": start + "dns_query" + udp + `,"name":"a.example","qtype":"A","id":1}` + "\n" + start + "dns_query" + udp + `,"name":".","qtype":"NS","id":1}` + "\n",
		"mdns_response": start + "mdns_response" + udp + `,"id":2,"rcode":"NOERROR","answers":[{"name":"a.example","type":"TXT","ttl":60,` +
			`"data":["x\\255",""]},{"name":"a.example","type":"A","ttl":0,"data":"192.0.2.1"}]}` + "\n",
		"tls_client_hello": strings.Replace(start+"tls_client_hello"+tcp, `,"mac"`, `,"vlan":[5,6],"tunnel":[{"type":"gre","src":"192.168.1.7",`+
			`"dst":"2001:db8::1","id":9}],"mac"`, 1) + `,"sni":"a.example","alpn":["h2","http/1.1"],"version":"1.3","ja3":"j3","ja4":"j4","ech":"grease_or_offered"}` + "\n",
		"quic_client_hello": start + "quic_client_hello" + udp + `,"ech":"none","quic_version":"1"}` + "\n",
		"http_request":      start + "http_request" + tcp + `,"version":"1.1","method":"GET","uri":"/\u001b\"","headers":[{"name":"Via","value":""}]}` + "\n",
		"http_response":     start + "http_response" + tcp + `,"status":404}` + "\n",
		"tls_certificate": start + "tls_certificate" + tcp + `,"index":0,"subject_cn":"a.example","san":["b.example"],"sha256":` + none +
			`,"not_before":"1950-01-01T00:00:00.000000000Z"}` + "\n",
		"tls_server_hello": start + "tls_server_hello" + tcp + `,"version":"1.2","cipher":"0x1301"}` + "\n",
		"arp":              start + `arp","src":"192.168.1.7","dst":"2001:db8::1","mac":"02:00:00:00:00:00","address":"192.168.1.7"}` + "\n",
		"nbns":             start + "nbns" + udp + `,"name":"PC","suffix":"20","op":"query"}` + "\n",
		"flow": start + "flow" + tcp + `,"packets_out":0,"packets_in":0,"bytes_out":0,"bytes_in":0,"first":"2026-03-02T09:00:00.000000005Z",` +
			`"last":"2026-03-02T09:00:00.000000005Z","rtt_ms":1.5,"outcome":"refused"}` + "\n",
	}
	lines := Lines{Files: []string{"x.pcap"}}
	for kind, o := range samples() {
		got := string(lines.Append(nil, &o))
		require.Equal(t, want[kind], got, kind)
		for line := range strings.Lines(got) {
			require.True(t, json.Valid([]byte(line)), line)
		}
	}
}

func TestLinesAllocateNothing(t *testing.T) {
	lines := Lines{Files: []string{"x.pcap"}}
	buf := make([]byte, 0, 4096)
	for kind, o := range samples() {
		require.Zero(t, testing.AllocsPerRun(100, func() { buf = lines.Append(buf[:0], &o) }), kind)
	}
}

func BenchmarkLines(b *testing.B) {
	lines := Lines{Files: []string{"x.pcap"}}
	buf := make([]byte, 0, 4096)
	for kind, o := range samples() {
		if kind == "" {
			continue
		}
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf = lines.Append(buf[:0], &o)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}
