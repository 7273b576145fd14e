package alert

import "context"

// Sink sends alerts to one receiver. One goroutine uses it at a time.
type Sink interface {
	// Deliver sends a batch in order. n alerts from the front are done: the receiver confirmed them as far as its protocol
	// can, or refused them for good (refused lists those and why). err is why it stopped after n; the caller offers the rest
	// again later under the same ids. err is nil iff n == len(batch). Deliver returns soon after ctx is done.
	Deliver(ctx context.Context, batch []*Alert) (n int, refused []Refusal, err error)
	// Close releases connections and files.
	Close() error
}

// Refusal is an alert that a receiver will never accept.
type Refusal struct {
	Index  int    // in the batch
	Reason string // in the receiver's words, bounded to 1 KiB, without secrets
}
