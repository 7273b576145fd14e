package observe

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/internal/testkit"
)

// replay is a Source that hands out the same packets over and over, half an hour later each time, until n are out.
type replay struct {
	packets []capture.Packet
	n, at   int
	past    int64
}

func (r *replay) Next(_ context.Context, b *capture.Block) error {
	if r.n <= 0 {
		return io.EOF
	}
	if r.at == len(r.packets) {
		r.at = 0
		r.past += int64(30 * time.Minute)
	}
	k := min(256, len(r.packets)-r.at, r.n)
	b.Packets = append(b.Packets[:0], r.packets[r.at:r.at+k]...)
	for i := range b.Packets {
		b.Packets[i].Time += r.past
	}
	r.at += k
	r.n -= k
	return nil
}

func (r *replay) Inputs() []capture.Input { return nil }
func (r *replay) Close() error            { return nil }

// mix is the traffic of 4,000 connections side by side.
func mix(b *testing.B, kind string) []capture.Packet {
	flights := session(b, testkit.TLS{})
	data := make([]byte, 1400)
	data[0] = 23
	var talks []*talk
	for i := range 4000 {
		k := opened(2000+i, 443)
		switch kind {
		case "bulk":
			k.say(client, flights[0].Data[:1400])
			k.say(client, flights[0].Data[1400:])
			for range 40 {
				k.say(server, data)
			}
		case "handshakes":
			k.say(client, flights[0].Data[:1400])
			k.say(client, flights[0].Data[1400:])
			k.say(server, flights[1].Data[:min(1400, len(flights[1].Data))])
		case "short flows":
			if i%2 == 0 {
				k.list = nil
				var u datagrams
				u.put(client, 2000+i, 53, question(b, fmt.Sprintf("n%d.example.org.", i), true))
				u.put(server, 2000+i, 53, replyOf(b, 2))
				k.list = u.list
			}
		}
		if len(k.list) > 2 {
			k.closed()
		}
		talks = append(talks, k)
	}
	var list []capture.Packet
	for i, left := 0, true; left; i++ {
		left = false
		for _, k := range talks {
			if i < len(k.list) {
				list, left = append(list, k.list[i]), true
			}
		}
	}
	return numbered(list)
}

// BenchmarkObserve gives the time and allocations of one packet, decoding included.
func BenchmarkObserve(b *testing.B) {
	for _, kind := range []string{"bulk", "handshakes", "short flows"} {
		list := mix(b, kind)
		for name, in := range map[string]capture.Interest{"none": no{}, "all": all{}} {
			b.Run(kind+"/interest="+name, func(b *testing.B) {
				b.ReportAllocs()
				opt := Options{Observer: ObserverOptions{Interest: in}}
				_, err := Run(context.Background(), &replay{packets: list, n: b.N}, opt, Sink{Observation: func(*capture.Observation) error { return nil }})
				if err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
