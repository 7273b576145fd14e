package alert

import "context"

// Sink sends alerts to one receiver. One goroutine uses it at a time.
type Sink interface {
	// Deliver sends a batch in order. n alerts from the front are done: the receiver confirmed them as far as its protocol
	// can, or rejected them for good (rejected lists those and why). err is why it stopped after n; the caller offers the rest
	// again later under the same ids. err is nil iff n == len(batch). Deliver returns soon after ctx is done.
	Deliver(ctx context.Context, batch []*Alert) (n int, rejected []Rejection, err error)
	// Close releases connections and files.
	Close() error
}

// Rejection is an alert that a receiver will never accept.
type Rejection struct {
	Index  int    // in the batch
	Reason string // in the receiver's words, bounded to 1 KiB, without secrets
}
