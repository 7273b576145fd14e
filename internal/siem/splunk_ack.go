package siem

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"avbeacon/internal/alert"
)

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

// await asks until the indexer has acknowledged all receipts, for as long as the sink's timeout. Otherwise it gives the
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

// open is where in the batch the first alert stands that is not acknowledged.
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
		return fmt.Errorf("%s: this is no answer to a question for acknowledgements", s.http.said(answer))
	}
	s.receipts = slices.DeleteFunc(s.receipts, func(r receipt) bool { return said.Acks[strconv.FormatInt(r.id, 10)] })
	return nil
}

// notRejected keeps an answer to a question from counting as one to alerts.
func notRejected(err error) error {
	if r, ok := err.(*rejected); ok {
		return fmt.Errorf("the question for acknowledgements: %s", r.reason)
	}
	return err
}
