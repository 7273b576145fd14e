package deliver

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
	"avbeacon/internal/siem/format/hec"
)

// Bounds of one request to an HTTP Event Collector, where the configuration sets none. Splunk's own limit was 1 MB for long
// (max_content_length in limits.conf).
const (
	splunkBatch = 200
	splunkBytes = 900_000
)

// Splunk is an HTTP Event Collector of Splunk.
type Splunk HTTP

// Check reports what is wrong with the section.
func (w *Splunk) Check(k setting.Check) { (*HTTP)(w).check(k, "splunk") }

// Plain reports whether requests can be read on the path.
func (w *Splunk) Plain() bool { return (*HTTP)(w).Plain() }

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

// Open makes the sink; the first delivery connects.
func (w *Splunk) Open(s Setup) (alert.Sink, error) {
	s.Options.Index = w.Index
	encode, err := s.encoder()
	if err != nil {
		return nil, err
	}
	if s.Format.Name != "hec" {
		encode = hec.Wrap(encode, s.Format, s.Options)
	}
	// Only the indexer that took a request knows its acknowledgement: the load balancer's cookie leads there again.
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client, err := (*HTTP)(w).client(s, "Splunk", jar)
	if err != nil {
		return nil, err
	}
	channel := newChannel()
	sink := &splunk{http: client, ack: w.Ack, wait: client.timeout, firstGap: 250 * time.Millisecond}
	sink.to, sink.asked = collector(client.base, channel)
	sink.header = http.Header{"Content-Type": {"application/json"}, "X-Splunk-Request-Channel": {channel}}
	sink.courier = courier{encode: encode, most: cmp.Or(s.Batch, splunkBatch), limit: splunkBytes, send: sink.post, end: client.close}
	return sink, nil
}

// newChannel is a random GUID: the client that acknowledgements are counted for.
func newChannel() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// collector returns the URLs for events and for acknowledgements. The configured URL is the collector's root, or already
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
func (s *splunk) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Rejection, error) {
	waiting := s.waiting(batch)
	n, rejected, err := s.courier.Deliver(ctx, batch[waiting:])
	n += waiting
	for i := range rejected {
		rejected[i].Index += waiting
	}
	if !s.ack {
		return n, rejected, err
	}
	first, ackErr := s.await(ctx, batch, n)
	if ackErr != nil {
		_, rejected = stopped([]item{{index: first}}, len(batch), rejected)
		return first, rejected, ackErr
	}
	return n, rejected, err
}

func (s *splunk) post(ctx context.Context, part []item) (int, []alert.Rejection, error) {
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
			return 0, nil, &Denied{fmt.Errorf("%s returns no acknowledgement id: turn on indexer acknowledgement for the token, or set ack: false", s.http.base.Host)}
		}
		s.receipts = append(s.receipts, newReceipt(*said.AckID, part))
	}
	return len(part), nil, nil
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
		return said, fmt.Errorf("%s: this is not an answer of an HTTP Event Collector", s.http.said(r))
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
		return said, &partRejected{at: at, reason: words.Error()}
	}
	return said, &Busy{After: pauseAsked(r.header), Err: words}
}

// receipt is a request that the collector has taken and the indexer has not acknowledged yet.
type receipt struct {
	id     int64
	alerts []string // their ids, in order
	posted time.Time
}

func newReceipt(id int64, part []item) receipt {
	r := receipt{id: id, posted: time.Now()}
	for _, one := range part {
		r.alerts = append(r.alerts, one.id)
	}
	return r
}

// Bounds of waiting for acknowledgements.
const (
	maxAckGap   = 5 * time.Second
	ackPatience = 10 // times the sink's timeout: then the alerts are sent again, with the same ids
)

// waiting counts the alerts at the front of a batch that were sent in an earlier call and still wait for the indexer. Receipts
// for anything else, or that have waited too long, are forgotten.
func (s *splunk) waiting(batch []*alert.Alert) int {
	n := 0
	for i, r := range s.receipts {
		if time.Since(r.posted) > ackPatience*s.wait || !slices.EqualFunc(batch[n:min(len(batch), n+len(r.alerts))], r.alerts,
			func(a *alert.Alert, id string) bool { return a.ID == id }) {
			s.receipts = s.receipts[:i]
			break
		}
		n += len(r.alerts)
	}
	return n
}

// await asks until the indexer has acknowledged all receipts, for as long as the sink's timeout. Otherwise it returns the
// first alert of the batch, of the n that were sent, that is not acknowledged.
func (s *splunk) await(ctx context.Context, batch []*alert.Alert, n int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	for gap := s.firstGap; len(s.receipts) > 0; gap = min(2*gap, maxAckGap) {
		if err := s.ask(ctx); err != nil {
			return s.open(batch, n), err
		}
		if len(s.receipts) == 0 {
			break
		}
		pause := time.NewTimer(gap)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return s.open(batch, n), fmt.Errorf("%s: the indexer has not acknowledged %d requests: %w", s.http.base.Host, len(s.receipts), ctx.Err())
		}
	}
	return n, nil
}

// open returns the index in the batch of the first alert that is not acknowledged.
func (s *splunk) open(batch []*alert.Alert, n int) int {
	if len(s.receipts) == 0 {
		return n
	}
	first := s.receipts[0].alerts[0]
	if i := slices.IndexFunc(batch[:n], func(a *alert.Alert) bool { return a.ID == first }); i >= 0 {
		return i
	}
	return 0
}

// ask asks once for all receipts, and drops those that are acknowledged.
func (s *splunk) ask(ctx context.Context) error {
	var question struct {
		Acks []int64 `json:"acks"`
	}
	for _, r := range s.receipts {
		question.Acks = append(question.Acks, r.id)
	}
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	answer, err := s.http.post(ctx, s.asked, s.header, body)
	if err != nil {
		return err
	}
	var said struct {
		Acks map[string]bool `json:"acks"`
	}
	if err := json.Unmarshal(answer.body, &said); err != nil || said.Acks == nil {
		if _, err := s.read(answer); err != nil {
			return notRejected(err)
		}
		return fmt.Errorf("%s: this is not an answer to a query for acknowledgements", s.http.said(answer))
	}
	s.receipts = slices.DeleteFunc(s.receipts, func(r receipt) bool { return said.Acks[strconv.FormatInt(r.id, 10)] })
	return nil
}

// notRejected keeps an answer to a question from counting as one to alerts.
func notRejected(err error) error {
	if r, ok := err.(*partRejected); ok {
		return fmt.Errorf("the query for acknowledgements: %s", r.reason)
	}
	return err
}
