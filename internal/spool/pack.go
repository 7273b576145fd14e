package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"avbeacon/internal/alert"
)

// pack is a message in the making: alerts of one severity, in their order, as lines of JSON.
type pack struct {
	level  int
	alerts []*alert.Alert
	data   []byte
}

// id is the same whenever the same alerts are packed together, so that a message that is sent again is known again.
func (p *pack) id() string {
	sum := sha256.New()
	for _, a := range p.alerts {
		sum.Write([]byte(a.ID)) // hash.Hash does not fail
		sum.Write([]byte{0})
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// round is what is written at once: one message a severity at most. Messages of a round may be stored in any order, so
// that a host is in one of them only.
type round struct {
	packs [severities]*pack
	hosts map[string]int // level of the message that holds alerts of the host
	sole  bool           // it speaks of nobody known: nothing may pass it
	size  int            // alerts
}

func newRound() *round { return &round{hosts: map[string]int{}} }

// add takes the alert whose line is given into the round; false where it has to wait for the next one.
func (r *round) add(a *alert.Alert, line []byte) bool {
	at, who := level(a), hostKeys(a)
	if r.sole || len(who) == 0 && r.size > 0 {
		return false
	}
	for _, key := range who {
		if other, ok := r.hosts[key]; ok && other != at {
			return false
		}
	}
	p := r.packs[at]
	if p == nil {
		p = &pack{level: at}
		r.packs[at] = p
	}
	if len(p.alerts) > 0 && (len(p.alerts) >= mostAlerts || len(p.data)+len(line) > mostMessage) {
		return false
	}
	for _, key := range who {
		r.hosts[key] = at
	}
	r.sole = len(who) == 0
	p.alerts, p.data = append(p.alerts, a), append(p.data, line...)
	r.size++
	return true
}

// hostKeys are what a host is known by; an address may change its card and a card its address, so both keep the order.
func hostKeys(a *alert.Alert) []string {
	if a.Event == alert.Summary {
		return nil
	}
	var keys []string
	if a.Host.Address.IsValid() {
		keys = append(keys, a.Host.Address.String())
	}
	if a.Host.MAC != "" {
		keys = append(keys, a.Host.MAC)
	}
	return keys
}

// mostLine bounds an alert in the stream, in bytes: the least that every NATS server takes, less its header.
const mostLine = mostPayload - 64<<10

// encode gives the line of an alert. One that is too long loses its lists, and says so.
func encode(a *alert.Alert) ([]byte, error) {
	line, err := json.Marshal(a)
	if err == nil && len(line) > mostLine {
		short := *a
		short.Evidence, short.Destinations, short.Beacons, short.Reasons, short.Hosts = nil, nil, nil, nil, nil
		short.Note = "evidence, destinations and reasons were cut: the alert was too large"
		if line, err = json.Marshal(&short); err == nil && len(line) > mostLine {
			err = fmt.Errorf("it has %d bytes, at most %d are possible", len(line), mostLine)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("encode alert %s: %w", a.ID, err)
	}
	return append(line, '\n'), nil
}

// decode reads the lines of a message. bad are those that are no alert.
func decode(data []byte) (alerts []*alert.Alert, bad [][]byte) {
	for line := range bytes.Lines(data) {
		a := new(alert.Alert)
		if err := json.Unmarshal(line, a); err != nil {
			bad = append(bad, line)
			continue
		}
		alerts = append(alerts, a)
	}
	return alerts, bad
}
