package main

import (
	"container/heap"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/miekg/dns"
)

// plan describes a capture.
type plan struct {
	profile string
	bytes   int64 // where bulk and hs are cut off, in the middle of connections
	flows   int   // number of connections of the profile flows
	clients int
	seed    uint64
}

// summary counts what a capture holds, by the kinds of lines that `avbeacon observe` should print.
type summary struct {
	Packets      int `json:"packets"`
	Bytes        int `json:"bytes"` // of packets
	Flows        int `json:"flows"`
	DNSQueries   int `json:"dns_query"`
	DNSResponses int `json:"dns_response"`
	TLSNames     int `json:"tls_client_hello"` // those that have a server name
	QUICNames    int `json:"quic_client_hello"`
	HTTPRequests int `json:"http_request"`
	Vendors      int `json:"vendor_contacts"`
}

// start is the time at which every capture begins, since 1970: 2 March 2026, 09:00 UTC.
const start = 1772442000 * time.Second

// generator makes one capture.
type generator struct {
	random
	plan  plan
	world *world
	out   *pcapWriter
	now   time.Duration // since 1970
	open  flows
	made  summary
	tls   [3]handshake // TLS 1.2, 1.3, 1.3 with a post-quantum key share
	quic  [2]handshake
	// browsers is ClientHellos as browsers send them, each with its extensions in another order.
	browsers []hello
	pool     []byte // random content of bodies and of encrypted data
	records  []byte // TLS records, one behind another
	ends     []int  // where each of them ends
}

func generate(p plan, w io.Writer) (summary, error) {
	rate, known := map[string]float64{"bulk": 2500, "hs": 8000, "flows": 10000}[p.profile]
	if !known {
		return summary{}, fmt.Errorf("%q is not a profile (bulk, hs or flows)", p.profile)
	}
	g := &generator{random: random{p.seed}, plan: p, now: start}
	g.pool = make([]byte, 6<<20)
	(&random{0x5eed}).fill(g.pool)
	if err := g.loadHandshakes(); err != nil {
		return summary{}, err
	}
	g.makeRecords()
	g.world = newWorld(&g.random, p.clients)
	g.out = newPcap(w)
	g.run(rate)
	g.made.Packets, g.made.Bytes = g.out.packets, g.out.payload
	return g.made, g.out.flush()
}

// run starts connections at an average rate a second and writes their packets in order of time.
func (g *generator) run(rate float64) {
	next := g.now
	for {
		arriving := g.made.Flows < g.plan.flows
		if g.plan.profile != "flows" {
			arriving = true
			if g.out.written >= g.plan.bytes {
				return
			}
		}
		if arriving && (len(g.open) == 0 || next <= g.open[0].at) {
			g.now = next
			g.arrive()
			next += time.Duration(-math.Log(1-g.float()) / rate * 1e9)
			continue
		}
		if len(g.open) == 0 {
			return
		}
		g.now = g.open[0].at
		if g.step(g.open[0]) {
			heap.Fix(&g.open, 0)
		} else {
			heap.Pop(&g.open)
		}
	}
}

// begin starts a connection after a delay.
func (g *generator) begin(f *flow, after time.Duration) {
	f.at = g.now + after
	g.made.Flows++
	heap.Push(&g.open, f)
}

// flows is a heap by time of the next packet.
type flows []*flow

func (h flows) Len() int           { return len(h) }
func (h flows) Less(i, j int) bool { return h[i].at < h[j].at }
func (h flows) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *flows) Push(f any)        { *h = append(*h, f.(*flow)) }
func (h *flows) Pop() any {
	last := len(*h) - 1
	f := (*h)[last]
	*h = (*h)[:last]
	return f
}

// arrive starts what one client does next.
func (g *generator) arrive() {
	c := &g.world.clients[g.intn(len(g.world.clients))]
	s := g.world.pick(&g.random)
	switch x := g.float(); g.plan.profile {
	case "bulk":
		g.arriveBulk(c, s, x)
	case "hs":
		g.arriveHandshake(c, s, x)
	case "flows":
		g.arriveShort(c, s, x)
	}
}

func (g *generator) arriveBulk(c *client, s *site, x float64) {
	switch {
	case x < 0.50:
		after := g.lookUp(c, s, 0.3, 0.002)
		g.begin(g.tlsFlow(c, s, g.between(1, 6), g.longTail(9000, 3e6)), after)
	case x < 0.68:
		after := g.lookUp(c, s, 0.3, 0)
		g.begin(g.quicFlow(c, s, 8+g.longTail(10000, 3e6)/850), after)
	case x < 0.76:
		after := g.lookUp(c, s, 0.3, 0)
		g.begin(g.httpFlow(c, s, g.between(1, 3), g.longTail(10000, 2.9e6)), after)
	case x < 0.80:
		g.lookUp(c, s, 1, 0)
	case x < 0.82:
		g.begin(g.ntpFlow(c), 0)
	default:
		g.begin(g.lateFlow(c, s, g.between(1, 20), g.longTail(12000, 6e6)), 0)
	}
}

func (g *generator) arriveHandshake(c *client, s *site, x float64) {
	after := g.lookUp(c, s, 1, 0.003)
	switch {
	case x < 0.60:
		g.begin(g.tlsFlow(c, s, 0, 0), after)
	case x < 0.85:
		g.begin(g.quicFlow(c, s, 0), after)
	default:
		g.begin(g.httpFlow(c, s, 1, g.between(100, 900)), after)
	}
}

func (g *generator) arriveShort(c *client, s *site, x float64) {
	switch {
	case x < 0.45:
		g.begin(g.dnsFlow(c, s, dns.TypeA, false), 0)
	case x < 0.60:
		g.begin(g.ntpFlow(c), 0)
	case x < 0.65:
		g.begin(g.quicFlow(c, s, 0), 0)
	case x < 0.85:
		g.begin(g.tlsFlow(c, s, 0, 0), 0)
	case x < 0.90:
		g.begin(g.httpFlow(c, s, 1, 100), 0)
	default:
		g.begin(g.refusedFlow(c, s), 0)
	}
}

// longTail draws a number of bytes with a Pareto tail: mostly around the median, rarely very many.
func (g *generator) longTail(median, limit float64) int {
	return int(min(median*math.Pow(2*(1-g.float()), -1/1.05), limit))
}
