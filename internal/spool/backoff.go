package spool

import (
	"errors"
	"math/rand/v2"
	"time"
)

// backoff is how long to wait between tries: at random between nothing and a bound that doubles from least to most.
type backoff struct {
	least, most time.Duration
	bound       time.Duration
}

func (b *backoff) next() time.Duration {
	b.bound = min(max(b.bound*2, b.least), b.most)
	return rand.N(b.bound) + 1
}

func (b *backoff) reset() { b.bound = 0 }

// mostPatience bounds the wait that a receiver may ask for.
const mostPatience = time.Hour

// asked is the wait that an error asks for: that of a receiver that said when to come again. 0 for none.
func asked(err error) time.Duration {
	var says interface{ RetryAfter() time.Duration }
	if !errors.As(err, &says) {
		return 0
	}
	return min(max(says.RetryAfter(), 0), mostPatience)
}
