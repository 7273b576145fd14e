package main

import (
	"fmt"
	"time"

	"avbeacon/internal/testkit"
)

// clientHello returns a record with a ClientHello for the name.
func (g *generator) clientHello(h *hello, name string) []byte {
	message := h.build(make([]byte, 5, 2048), name, &g.random)
	n := len(message) - 5
	copy(message, []byte{22, 3, 1, byte(n >> 8), byte(n)})
	return message
}

// tlsFlow is a TLS connection with a number of requests and about size bytes of answers in all. Without requests it is the
// handshake alone.
func (g *generator) tlsFlow(c *client, s *site, requests, size int) *flow {
	f := g.newFlow(c, s, 443)
	f.handshake()
	name := s.name
	if !s.vendor && g.chance(0.01) {
		name = ""
	}
	answers := &g.tls[2]
	asks := &answers.asks
	switch x := g.float(); {
	case x < 0.15:
		answers, asks = &g.tls[0], &g.tls[0].asks
	case x < 0.50:
		answers, asks = &g.tls[1], &g.tls[1].asks
	case x >= 0.65:
		asks = &g.browsers[g.intn(len(g.browsers))]
	}
	f.add(step{gap: 200 * time.Microsecond, data: g.clientHello(asks, name), sent: func() {
		if name != "" {
			g.made.TLSNames++
			g.called(s)
		}
	}})
	f.add(step{from: fromServer, gap: f.rtt, data: answers.Server})
	f.add(step{gap: time.Millisecond, data: answers.ClientFinish})
	if len(answers.ServerFinish) > 0 {
		f.add(step{from: fromServer, gap: f.rtt, data: answers.ServerFinish})
	}
	g.exchange(f, requests, size)
	g.hangUp(f)
	return f
}

// lateFlow is a TLS connection whose beginning the capture missed.
func (g *generator) lateFlow(c *client, s *site, requests, size int) *flow {
	f := g.newFlow(c, s, 443)
	g.exchange(f, requests, size)
	g.hangUp(f)
	return f
}

// refusedFlow is a connection attempt to a closed port.
func (g *generator) refusedFlow(c *client, s *site) *flow {
	f := g.newFlow(c, s, 443)
	f.add(step{flags: testkit.SYN})
	f.add(step{flags: testkit.RST | testkit.ACK, from: fromServer, gap: f.rtt})
	return f
}

// exchange adds encrypted requests and answers.
func (g *generator) exchange(f *flow, requests, size int) {
	for range requests {
		f.add(step{gap: time.Duration(g.between(1, 30)) * time.Millisecond, data: g.encrypted(g.between(80, 900))})
		f.add(step{from: fromServer, gap: f.rtt, data: g.encrypted(size / requests)})
	}
}

// encrypted returns whole application data records of n bytes or a few more. The caller must not change them.
func (g *generator) encrypted(n int) []byte {
	if n < 3000 {
		from := g.intn(len(g.pool) - n)
		return append([]byte{23, 3, 3, byte(n >> 8), byte(n)}, g.pool[from:from+n]...)
	}
	first := g.intn(len(g.ends) / 2)
	last := first + 1
	for last < len(g.ends)-1 && g.ends[last]-g.ends[first] < n {
		last++
	}
	return g.records[g.ends[first]:g.ends[last]]
}

// makeRecords makes the records that encrypted returns parts of.
func (g *generator) makeRecords() {
	g.ends = []int{0}
	for from := 0; len(g.records) < 12<<20; {
		n := 16401 // a full one with its tag
		if g.chance(0.3) {
			n = g.between(200, 8000)
		}
		if from+n > len(g.pool) {
			from = 0
		}
		g.records = append(g.records, 23, 3, 3, byte(n>>8), byte(n))
		g.records = append(g.records, g.pool[from:from+n]...)
		from += n
		g.ends = append(g.ends, len(g.records))
	}
}

// httpFlow is an HTTP connection.
func (g *generator) httpFlow(c *client, s *site, requests, size int) *flow {
	agents := [...]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		"Microsoft-CryptoAPI/10.0",
		"Debian APT-HTTP/1.3 (2.6.1)",
		"Windows-Update-Agent/10.0.10011.16384 Client-Protocol/2.50",
	}
	f := g.newFlow(c, s, 80)
	f.handshake()
	agent := agents[g.intn(len(agents))]
	for range requests {
		request := fmt.Sprintf("GET /files/%d/%x.bin?v=%d HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\n"+
			"Accept-Encoding: identity\r\nConnection: keep-alive\r\n\r\n", g.intn(1000), g.next()&0xffffffffff, g.intn(100), s.name, agent)
		f.add(step{gap: time.Millisecond, data: []byte(request), sent: func() { g.made.HTTPRequests++; g.called(s) }})
		n := min(max(size/requests, 20), len(g.pool)/2)
		answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\n"+
			"Content-Length: %d\r\nConnection: keep-alive\r\n\r\n", n)
		from := g.intn(len(g.pool) / 2)
		f.add(step{from: fromServer, gap: f.rtt, data: append(answer, g.pool[from:from+n]...)})
	}
	g.hangUp(f)
	return f
}
