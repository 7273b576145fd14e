package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

// templatesJSON holds real handshakes, recorded by `mkbench -templates`, so that a seed makes the same capture with every
// version of Go.
//
//go:embed templates.json
var templatesJSON []byte

// handshake is a recorded handshake. Hello is the message without its record header; the others are whole flights.
type handshake struct {
	Name          string
	Hello         []byte
	Server        []byte
	ClientFinish  []byte
	ServerFinish  []byte // TLS 1.2 only
	QUICHandshake []byte // QUIC only: what follows the ServerHello

	asks hello // Hello, parsed
}

type templates struct{ TLS, QUIC []handshake }

// hello is a parsed ClientHello, to be built again with other names and in another order.
type hello struct {
	version    uint16
	suites     []byte
	session    bool // has a session ID
	extensions []extension
}

type extension struct {
	number uint16
	data   []byte
}

// TLS extensions (IANA registry; alps is Chromium's ALPS, echExtension RFC 9849).
const (
	serverName   = 0
	compressCert = 27
	keyShare     = 51
	alps         = 0x44cd
	echExtension = 0xfe0d
)

// loadHandshakes parses the recorded handshakes and derives the browsers' hellos.
func (g *generator) loadHandshakes() error {
	var t templates
	if err := json.Unmarshal(templatesJSON, &t); err != nil {
		return fmt.Errorf("templates.json: %w", err)
	}
	if copy(g.tls[:], t.TLS) < len(g.tls) || copy(g.quic[:], t.QUIC) < len(g.quic) {
		return errors.New("templates.json: too few handshakes")
	}
	for _, all := range [][]handshake{g.tls[:], g.quic[:]} {
		for i := range all {
			var err error
			if all[i].asks, err = parseHello(all[i].Hello); err != nil {
				return fmt.Errorf("templates.json: %s: %w", all[i].Name, err)
			}
		}
	}
	for i := range 32 { // the name comes late in a quarter
		g.browsers = append(g.browsers, g.asBrowser(g.tls[2].asks, i%4 == 0))
	}
	return nil
}

func parseHello(message []byte) (hello, error) {
	var h hello
	var session, suites, extensions cryptobyte.String
	s := cryptobyte.String(message)
	if !s.Skip(4) || !s.ReadUint16(&h.version) || !s.Skip(32) || !s.ReadUint8LengthPrefixed(&session) ||
		!s.ReadUint16LengthPrefixed(&suites) || !s.Skip(2) || !s.ReadUint16LengthPrefixed(&extensions) {
		return h, errors.New("no ClientHello")
	}
	h.session, h.suites = len(session) == 32, suites
	for !extensions.Empty() {
		var e extension
		if !extensions.ReadUint16(&e.number) || !extensions.ReadUint16LengthPrefixed((*cryptobyte.String)(&e.data)) {
			return h, errors.New("broken extensions")
		}
		h.extensions = append(h.extensions, e)
	}
	return h, nil
}

// build appends the message to b. An empty name leaves the server name extension out.
func (h *hello) build(b []byte, name string, r *random) []byte {
	var chance [64]byte // the random, and the session ID
	r.fill(chance[:])
	start := len(b)
	b = append(b, 1, 0, 0, 0, byte(h.version>>8), byte(h.version))
	b = append(b, chance[:32]...)
	if h.session {
		b = append(append(b, 32), chance[32:]...)
	} else {
		b = append(b, 0)
	}
	b = append(append(b, byte(len(h.suites)>>8), byte(len(h.suites))), h.suites...)
	b = append(b, 1, 0, 0, 0)
	body := len(b)
	for _, e := range h.extensions {
		data := e.data
		if e.number == serverName {
			if name == "" {
				continue
			}
			n := len(name)
			data = append([]byte{byte((n + 3) >> 8), byte(n + 3), 0, byte(n >> 8), byte(n)}, name...)
		}
		b = append(b, byte(e.number>>8), byte(e.number), byte(len(data)>>8), byte(len(data)))
		b = append(b, data...)
	}
	b[body-2], b[body-1] = byte((len(b)-body)>>8), byte(len(b)-body)
	n := len(b) - start - 4
	b[start+1], b[start+2], b[start+3] = byte(n>>16), byte(n>>8), byte(n)
	return b
}

// asBrowser adds what a browser of the Chromium family sends beyond Go's hello: GREASE, certificate compression,
// application settings and a GREASE ECH of 250 bytes, the extensions shuffled.
func (g *generator) asBrowser(h hello, nameLate bool) hello {
	h.suites = append([]byte{0x4a, 0x4a}, h.suites...)
	ech := []byte{0, 0, 1, 0, 1, byte(g.next()), 0, 32}
	ech = append(ech, g.pool[1000:1032]...)
	ech = append(ech, 0, 208)
	ech = append(ech, g.pool[2000:2208]...)
	middle := append(slices.Clone(h.extensions), extension{echExtension, ech},
		extension{compressCert, []byte{2, 0, 2}}, extension{alps, []byte{0, 3, 2, 'h', '2'}})
	for i := len(middle) - 1; i > 0; i-- {
		j := g.intn(i + 1)
		middle[i], middle[j] = middle[j], middle[i]
	}
	at := func(number uint16) int {
		return slices.IndexFunc(middle, func(e extension) bool { return e.number == number })
	}
	if name, key := at(serverName), at(keyShare); (name > key) != nameLate {
		middle[name], middle[key] = middle[key], middle[name]
	}
	h.extensions = slices.Concat([]extension{{0x2a2a, nil}}, middle, []extension{{0x3a3a, []byte{0}}})
	return h
}
