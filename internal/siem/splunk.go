package siem

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"avbeacon/internal/alert"
)

// Bounds of one request to an HTTP Event Collector, where the configuration sets none. Splunk's own limit was 1 MB for long
// (max_content_length in limits.conf).
const (
	splunkBatch = 200
	splunkBytes = 900_000
)

// splunk brings alerts to an HTTP Event Collector, events back to back. With acks a request is done with when the indexer
// says that it has written it, else when the collector has taken it, which is less: it may be lost before it is indexed.
type splunk struct {
	courier
	http     *httpClient
	to       *url.URL
	asked    *url.URL    // where acknowledgements are asked for
	header   http.Header // with the channel
	ack      bool
	receipts []receipt // not acknowledged yet, in order of the alerts
	wait     time.Duration
	firstGap time.Duration // between two questions for acknowledgements; it grows
}

func newSplunk(cfg Sink, opt Options, encode Encoder) (*splunk, error) {
	if cfg.HTTP.Token == "" {
		return nil, bad(cfg, "http.token", "is missing")
	}
	// An acknowledgement is known to the indexer that took the request: its balancer's cookie leads there again.
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client, err := newHTTP(cfg, opt, authorization(cfg.HTTP, "Splunk"), jar)
	if err != nil {
		return nil, err
	}
	channel := newChannel()
	s := &splunk{http: client, ack: cfg.HTTP.Ack, wait: client.timeout, firstGap: 250 * time.Millisecond}
	s.to, s.asked = collector(client.base, channel)
	s.header = http.Header{"Content-Type": {"application/json"}, "X-Splunk-Request-Channel": {channel}}
	s.courier = courier{encode: encode, most: most(cfg, splunkBatch), limit: splunkBytes, send: s.post}
	return s, nil
}

// newChannel is a random GUID: the client that acknowledgements are counted for.
func newChannel() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// collector gives the URLs for events and for acknowledgements. The configured URL is the collector's root, or already
// has the path of the events.
func collector(base *url.URL, channel string) (events, acks *url.URL) {
	const root = "/services/collector"
	at := *base
	at.Path = strings.TrimRight(at.Path, "/")
	at.Path = strings.TrimSuffix(strings.TrimSuffix(at.Path, "/1.0"), "/event")
	if !strings.HasSuffix(at.Path, root) {
		at.Path += root
	}
	acks = at.JoinPath("ack")
	query := acks.Query()
	query.Set("channel", channel)
	acks.RawQuery = query.Encode()
	return at.JoinPath("event"), acks
}

// Deliver posts a batch. Alerts at its front that are only waiting for their acknowledgement since the last call are not
// sent again.
func (s *splunk) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Refusal, error) {
	waiting := s.waiting(batch)
	n, refused, err := s.deliver(ctx, batch[waiting:])
	n += waiting
	for i := range refused {
		refused[i].Index += waiting
	}
	if !s.ack {
		return n, refused, err
	}
	first, ackErr := s.await(ctx, batch, n)
	if ackErr != nil {
		_, refused = stopped([]item{{index: first}}, len(batch), refused)
		return first, refused, ackErr
	}
	return n, refused, err
}

// Close gives up the connection. What was not acknowledged comes again after the next start.
func (s *splunk) Close() error {
	s.http.close()
	return nil
}

func (s *splunk) post(ctx context.Context, part []item) (int, []alert.Refusal, error) {
	var body []byte
	for _, one := range part {
		body = append(append(body, one.body...), '\n')
	}
	answer, err := s.http.post(ctx, s.to, s.header, body)
	if err != nil {
		return 0, nil, err
	}
	said, err := s.read(answer)
	if err != nil {
		return 0, nil, err
	}
	if s.ack {
		if said.AckID == nil {
			return 0, nil, &Denied{fmt.Errorf("%s gives no acknowledgement id: switch indexer acknowledgement on for the token, or set ack: false", s.http.base.Host)}
		}
		s.receipts = append(s.receipts, newReceipt(*said.AckID, part))
	}
	return len(part), nil, nil
}

// splunkEvent puts a record of any format into an event.
type splunkEvent struct {
	encode Encoder
	text   bool // the record is no JSON
	source string
	kind   string
	index  string
}

// Append appends an event whose time is the alert's, in seconds with fraction.
func (e *splunkEvent) Append(dst []byte, a *alert.Alert) ([]byte, error) {
	record, err := e.encode.Append(nil, a)
	if err != nil {
		return dst, err
	}
	if e.text {
		if record, err = json.Marshal(string(record)); err != nil {
			return dst, err
		}
	}
	event, err := json.Marshal(struct {
		Time       json.Number     `json:"time,omitempty"`
		Host       string          `json:"host,omitempty"`
		Source     string          `json:"source"`
		Sourcetype string          `json:"sourcetype"`
		Index      string          `json:"index,omitempty"`
		Event      json.RawMessage `json:"event"`
	}{epochSeconds(moment(a)), a.Sensor, e.source, e.kind, e.index, record})
	return append(dst, event...), err
}

// epochSeconds is a time as a collector wants it, to the millisecond; "" for no time.
func epochSeconds(t time.Time) json.Number {
	if t.IsZero() {
		return ""
	}
	return json.Number(fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond)))
}

// hecAnswer is what a collector says.
type hecAnswer struct {
	Text  string `json:"text"`
	Code  *int   `json:"code"`
	AckID *int64 `json:"ackId"`
	At    *int   `json:"invalid-event-number"` // the first bad event, counted from 0
}

// Kinds of answers of a collector.
const (
	hecTaken    = iota
	hecAgain    // the receiver's trouble: it passes
	hecPerson   // a token, an index or a setting is wrong
	hecRejected // an event is bad
)

// hecMeaning sorts the reply codes of Splunk's HTTP Event Collector.
func hecMeaning(code int) int {
	switch code {
	case 0, 17: // success, healthy
		return hecTaken
	case 1, 2, 3, 4, // token disabled, required, wrongly given, unknown
		7,          // index unknown or not allowed for the token: ours is configured, so it meets every alert
		10, 11, 14, // channel missing or invalid, acknowledgement off
		16, 21, 22: // authorisation in the query, token invalid, token disabled
		return hecPerson
	case 5, 6, 12, 13, 15: // no data, bad format, event missing, event blank, bad indexed fields
		return hecRejected
	}
	return hecAgain // 8 internal error, 9 busy, 18 to 20 queues full, 23 shutting down; and codes of the future
}

// read judges an answer by the collector's code, and by the status where something before the collector answers.
func (s *splunk) read(r reply) (hecAnswer, error) {
	var said hecAnswer
	if err := json.Unmarshal(r.body, &said); err != nil || r.cut || said.Code == nil {
		if err := s.http.judge(r); err != nil {
			return said, err
		}
		return said, fmt.Errorf("%s: this is no answer of an HTTP Event Collector", s.http.said(r))
	}
	words := fmt.Errorf("%s answers code %d: %s", s.http.base.Host, *said.Code, s.http.words(said.Text))
	switch hecMeaning(*said.Code) {
	case hecTaken:
		return said, s.http.judge(r)
	case hecPerson:
		return said, &Denied{words}
	case hecRejected:
		at := -1
		if said.At != nil {
			at = *said.At
		}
		return said, &rejected{at: at, reason: words.Error()}
	}
	return said, &Busy{After: pauseAsked(r.header), Err: words}
}
