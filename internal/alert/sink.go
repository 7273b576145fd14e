package alert

import "context"

// Sink brings alerts to one receiver. It is used by one goroutine at a time.
type Sink interface {
	// Deliver hands over a batch in order. It returns how many from the front are done with: the receiver has them as
	// surely as its protocol can say, or refused them for good (refused tells which, and why). err says why it stopped
	// there; the rest, with the same ids, is offered again later. n == len(batch) goes with a nil error.
	// It ends soon after ctx is done.
	Deliver(ctx context.Context, batch []*Alert) (n int, refused []Refusal, err error)
	// Close gives up what the Sink holds.
	Close() error
}

// Refusal is an alert that a receiver will never take.
type Refusal struct {
	Index  int    // in the batch
	Reason string // in the receiver's words, bounded to 1 KiB, without secrets
}
