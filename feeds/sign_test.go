package feeds

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEmbeddedSigns(t *testing.T) {
	c := mustEmbedded(t)
	kaspersky := "*B0cBAAQAjyajPZi3NqrqOlLbWHEBn0dO1ZHOsQUs2xEOPsB8LFbPAkWACAAAA8AA"
	for _, tc := range []struct {
		kind  Signal
		value string
		want  string // vendor, role and strength; "" for none
	}{
		{SignalPath, "/updaters/updater.xml.klz", "kaspersky update strong"},
		{SignalPath, "/updaters/updater.xml", "kaspersky update strong"},
		{SignalPath, "/x/updaters/updater.xml", ""},
		{SignalPath, "/index/u0607g.xml.klz", "kaspersky update strong"},
		{SignalPath, "/diffs/bases/av/kdb/i386/kdb-i386-0607g.xml.dif", "kaspersky update strong"},
		{SignalPath, "/diffs/main.css", ""},
		{SignalPath, "/bases/logo.png", ""},
		{SignalPath, "/xmlzone/release/1120/versions.xml", "drweb update strong"},
		{SignalPath, "/404/for-windows", ""},
		{SignalPath, "/eset_upd/v10/update.ver", "eset update strong"},
		{SignalPath, "/softw/90/update/avg9infoavi.ctf", "avg update strong"},
		{SignalPath, "/daily-27000.cdiff", "clamav update strong"},
		{SignalPath, "/daily.html", ""},
		{SignalQuery, "a=1&act-pid=kis&act-pv=15.0.1.415", "kaspersky telemetry strong"},
		{SignalQuery, "pact-pid=kis", ""},
		{SignalUserAgent, kaspersky, "kaspersky update strong"},
		{SignalUserAgent, "*", ""},
		{SignalUserAgent, "DrWebUpdate-12.0.56.02100 (windows: 6.1.7601)", "drweb update strong"},
		{SignalUserAgent, "ESS Update (Windows; U; 32bit; VDB 15881; APP eea; HWF: 0100-2)", "eset update strong"},
		{SignalUserAgent, "AVGINET9-WVSXX86 BUILD=707", "avg update strong"},
		{SignalUserAgent, "AntiVir-NGUpd/10.0.0.37 (PERS; WKS)", "avira update strong"},
		{SignalUserAgent, "Syncer/4.80 (av_pro-1169;f)", "avast update strong"},
		{SignalUserAgent, "CrowdStrike Falcon Sensor/7.1", "crowdstrike telemetry strong"},
		{SignalUserAgent, "clamav/0.92.1", "clamav update strong"},
		{SignalUserAgent, "MCUPDATE", "mcafee update strong"},
		{SignalUserAgent, "Mozilla/5.0 (Windows NT 10.0) Kaspersky", ""},
		{SignalUserAgent, "{D699054D-1699-47D2-9B2B-E96F438C1160}", ""}, // counts only towards Avast
		{SignalHeader, "x-drweb-keynumber", "drweb update strong"},
		{SignalHeader, "X-DrWeb-SpamState", ""}, // of mail gateways
		{SignalHeader, "X-ESET-UpdateID", "eset update strong"},
		{SignalHeader, "X-AVAST-Client-Id-0", "avast telemetry strong"},
		{SignalBody, "KLD2\x00\x01", "kaspersky update medium"},
		{SignalBody, "KLZF", "kaspersky update medium"},
		{SignalBody, "<html>KLD2", ""},
		{SignalPayload, "NOSA\x00\x01\xff", "avast management strong"},
		{SignalPayload, "NOSAX", ""},
		{SignalIssuer, "Sophos MCS Root CA3", "sophos management strong"},
		{SignalIssuer, "DigiCert Global Root CA", ""},
	} {
		var got []*Entry
		switch tc.kind {
		case SignalPath:
			got = c.MatchPathTo(tc.value, Peer{})
		case SignalQuery:
			got = c.MatchQuery(tc.value)
		case SignalUserAgent:
			got = c.MatchUserAgent(tc.value)
		case SignalHeader:
			got = c.MatchHeader(tc.value)
		case SignalBody:
			got = c.MatchBody([]byte(tc.value))
		case SignalPayload:
			got = c.MatchPayload([]byte(tc.value))
		case SignalIssuer:
			got = c.MatchIssuer(tc.value)
		}
		if tc.want == "" {
			require.Empty(t, keys(got), "%s %q", tc.kind, tc.value)
			continue
		}
		require.NotEmpty(t, got, "%s %q", tc.kind, tc.value)
		require.Equal(t, tc.want, got[0].Vendor.Key+" "+got[0].Role.String()+" "+got[0].Strength.String(), tc.value)
		require.Equal(t, tc.kind, got[0].Signal)
	}
	require.Equal(t, []string{"X-AVAST-Client-Id-0", "X-DrWeb-KeyNumber", "X-DrWeb-SysHash", "X-DrWeb-Validate", "X-ESET-UpdateID",
		"X-TM-UF-INFO"},
		c.HeaderNames())
}

// Paths that others use too count only towards the vendor: by name, or by its own network.
func TestPathNeeds(t *testing.T) {
	c := mustEmbedded(t)
	peer := func(name, addr string) Peer {
		p := Peer{Name: name}
		if addr != "" {
			p.Addr = netip.MustParseAddr(addr)
		}
		return p
	}
	for _, tc := range []struct {
		path string
		peer Peer
		want string
	}{
		{"/bases/av/x", peer("p01.upd.kaspersky.com", ""), "kaspersky"},
		{"/bases/av/x", peer("notkaspersky.com", ""), ""},
		{"/bases/av/x", peer("", "77.74.178.1"), "kaspersky"},
		{"/updates/bin/a", peer("", "119.255.133.35"), "kaspersky"},
		{"/updates/bin/a", peer("example.org", "192.0.2.1"), ""},
		{"/unix/1000/x", peer("update.drweb.com", ""), "drweb"},
		{"/unix/1000/x", peer("mirror.example.org", ""), ""},
		{"/activeupdate/server.ini", peer("osce14-p.activeupdate.trendmicro.com", ""), "trendmicro"},
		{"/activeupdate/server.ini", peer("", ""), ""},
		{"/updaters/updater.xml", peer("", "94.75.236.123"), "kaspersky"}, // needs nothing
	} {
		got := c.MatchPathTo(tc.path, tc.peer)
		if tc.want == "" {
			require.Empty(t, keys(got), "%s %v", tc.path, tc.peer)
			continue
		}
		require.Len(t, got, 1, "%s %v", tc.path, tc.peer)
		require.Equal(t, tc.want, got[0].Vendor.Key)
	}
	require.Len(t, c.MatchUserAgentTo("{D699054D-1699-47D2-9B2B-E96F438C1160}", peer("bcu.ff.avast.com", "")), 1)
}

func TestMatchPort(t *testing.T) {
	c := mustEmbedded(t)
	own, other := netip.MustParseAddr("77.74.178.1"), netip.MustParseAddr("192.0.2.1")
	for _, tc := range []struct {
		udp  bool
		port uint16
		lan  bool
		peer Peer
		want []string
	}{
		{false, 13000, true, Peer{}, []string{"kaspersky tcp 13000"}},
		{true, 13000, true, Peer{}, nil},
		{false, 13000, false, Peer{}, nil}, // a port of the site says nothing on the Internet
		{true, 15000, true, Peer{}, []string{"kaspersky udp 15000"}},
		{true, 15000, false, Peer{}, nil},
		{false, 23100, false, Peer{}, nil},
		{false, 23150, false, Peer{Addr: own}, []string{"kaspersky tcp 23100-23199"}},
		{false, 23150, false, Peer{Addr: other}, nil},
		{false, 23200, false, Peer{Addr: own}, nil},
		{false, 53535, false, Peer{Addr: other}, nil},
		{false, 53535, false, Peer{Name: "i1.c.eset.com"}, []string{"eset tcp+udp 53535"}},
		{true, 53535, false, Peer{Addr: netip.MustParseAddr("91.228.166.1")}, []string{"eset tcp+udp 53535"}},
		{false, 8883, false, Peer{}, nil},
		{false, 8883, false, Peer{Name: "epns.eset.com"}, []string{"eset tcp 8883"}},
		{false, 2222, true, Peer{}, []string{"eset tcp 2222"}},
	} {
		require.Equal(t, tc.want, keys(c.MatchPortTo(tc.udp, tc.port, tc.lan, tc.peer)), "%+v", tc)
	}
}

func TestTools(t *testing.T) {
	c := mustEmbedded(t)
	for ua, want := range map[string]string{
		"Wget/1.14 (darwin12.2.0)":  "wget",
		"curl/8.5.0":                "curl",
		"python-requests/2.31.0":    "python-requests",
		"Python-urllib/3.12":        "python-urllib",
		"Go-http-client/1.1":        "Go-http-client",
		"Python/3.11 aiohttp/3.9.1": "aiohttp",
		"libwww-perl/6.67":          "libwww-perl",
		"Java/1.8.0_292":            "Java",
		"okhttp/4.9.3":              "okhttp",
		"PostmanRuntime/7.36.0":     "Postman",
		"Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041": "PowerShell",
		"DrWebUpdate-12.0.56.02100 (windows: 6.1.7601)":                                "",
		"MyUpdater/curl":     "",
		"Microsoft BITS/7.0": "",
		"":                   "",
	} {
		require.Equal(t, want, c.Tool(ua), ua)
	}
	for ua, want := range map[string]bool{
		"Mozilla/5.0 (Windows NT 6.1; rv:34.0) Gecko/20100101 Firefox/34.0":                                                                 true,
		"Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko":                                                                     true,
		"Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)":                                                                           true,
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 Edge/12.10240": true,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_12_3) AppleWebKit/602.4.8 (KHTML, like Gecko) Version/10.0.3 Safari/602.4.8":             true,
		"Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)":                                                                         false,
		"Mozilla/5.0": false, "curl/8.0": false, "Microsoft-CryptoAPI/10.0": false, "": false,
	} {
		require.Equal(t, want, c.Browser(ua), ua)
	}
}

// What identifies a person or a machine is gone, and what names the product is still there.
func TestHide(t *testing.T) {
	c := mustEmbedded(t)
	hide := func(string) string { return "#" }
	one := func(list []*Entry) *Entry {
		require.Len(t, list, 1)
		return list[0]
	}
	id := strings.Repeat("0a", 20)
	for _, tc := range []struct {
		entry       *Entry
		value, want string
	}{
		{one(c.MatchUserAgent("AVGINET9-WVSXX86")), "AVGINET9-WVSXX86 BUILD=707 LIC=9X-ABCDE-FGHIJ DIAG=1", "AVGINET9-WVSXX86 BUILD=707 LIC=# DIAG=1"},
		{one(c.MatchUserAgent("ESS Update (Windows;")), "ESS Update (Windows; APP eea; HWF: 01-02; X)", "ESS Update (Windows; APP eea; HWF: #; X)"},
		{one(c.MatchUserAgent("AntiVir-NGUpd/1")), "AntiVir-NGUpd/10.0 (PERS; " + id + "; x)", "AntiVir-NGUpd/10.0 (PERS; #; x)"},
		{one(c.MatchUserAgent("*" + strings.Repeat("A", 64))), "*" + strings.Repeat("A", 64), "#"},
		{one(c.MatchUserAgent("DrWebUpdate-12")), "DrWebUpdate-12.0 (windows)", "DrWebUpdate-12.0 (windows)"},
		{one(c.MatchHeader("X-DrWeb-KeyNumber")), "0123456789", "#"},
		{one(c.MatchQuery("act-pid=kis")), "act-pid=kis&act-pcid=1234&act-lic-num=9&act-pv=15", "act-pid=kis&act-pcid=#&act-lic-num=#&act-pv=15"},
		{one(c.MatchName("usea1-acme.sentinelone.net")), "usea1-acme.sentinelone.net", "#.sentinelone.net"},
		{one(c.MatchName("a.acme.sentinelone.net")), "a.acme.sentinelone.net", "#.sentinelone.net"},
		{one(c.MatchName("sentinelone.net")), "sentinelone.net", "sentinelone.net"},
		{one(c.MatchName("upload.acme.xdr.trendmicro.com")), "acme.xdr.trendmicro.com", "#.xdr.trendmicro.com"},
		{one(c.MatchName("cc-acme.traps.paloaltonetworks.com")), "cc-acme.traps.paloaltonetworks.com", "cc-#.traps.paloaltonetworks.com"},
		{one(c.MatchName("netgear-00000000-0d1e.2d7dd.cdn.bitdefender.net")), "netgear-00000000-0d1e.2d7dd.cdn.bitdefender.net", "netgear-#.2d7dd.cdn.bitdefender.net"},
		{one(c.MatchName("abc.dns.nextdns.io")), "abc.dns.nextdns.io", "#.dns.nextdns.io"},
		{one(c.MatchName("update.drweb.com")), "update.drweb.com", "update.drweb.com"},
	} {
		require.Equal(t, tc.want, tc.entry.Hide(tc.value, hide))
	}
}

func TestEmbeddedMarksOfUse(t *testing.T) {
	c := mustEmbedded(t)
	require.Equal(t, "NETGEAR Armor", c.MatchName("netgear-0a.2d7dd.cdn.bitdefender.net")[0].OEM)
	require.True(t, c.MatchName("wdcp.microsoft.com")[0].Builtin)
	require.False(t, c.MatchName("edr-weu.eu.endpoint.security.microsoft.com")[0].Builtin)
	require.Equal(t, "SK/RU", c.MatchName("esetnod32.ru")[0].Country)
	require.Equal(t, "proxy", c.MatchName("gateway.zscaler.net")[0].Mark)
	require.Equal(t, "threat-intel", c.MatchName("www.virustotal.com")[0].Mark)
	require.Equal(t, "oem", c.MatchName("ff.avast.sec.miui.com")[0].Mark)
}
