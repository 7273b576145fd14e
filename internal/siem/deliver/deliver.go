// Package deliver delivers alerts to receivers: batches of alerts go in, records reach a file, a stream or a server, and the
// number of finished alerts comes back (alert.Sink). A receiver is one file: its section of the configuration with the
// checks of it, and the sink that it opens. The table of package siem lists them. courier.go cuts batches for receivers
// that take requests, http.go posts, lines.go writes lines. Start reading at Receiver, then at one receiver (webhook.go is
// the shortest).
package deliver

import (
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
	"avbeacon/internal/siem/format"
)

// Receiver is a section of the configuration that a sink can be opened from.
type Receiver interface {
	// Check reports what is wrong with the section.
	Check(k setting.Check)
	// Open makes the sink from a section that Check accepts. It does not connect: the first delivery does, and
	// reports an unreachable receiver. Errors begin with the key.
	Open(s Setup) (alert.Sink, error)
	// Plain reports whether secrets or alerts cross a network unencrypted.
	Plain() bool
}

// Setup is what a sink needs in addition to its section. All fields are set.
type Setup struct {
	Format  format.Format
	Options format.Options
	Batch   int           // most alerts in a delivery; 0 is the receiver's own number
	Timeout time.Duration // of one delivery
	TLS     TLS
	Proxy   string // URL; "" none; "environment" as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say
	Logger  *zap.Logger
	Stdout  io.Writer
	Version string // of avbeacon; "" if unknown
}

// encoder returns the encoder of the sink's format.
func (s *Setup) encoder() (format.Encoder, error) {
	encode, err := s.Format.Encoder(s.Options)
	if err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	return encode, nil
}

// Reopener is a Sink whose file may be moved away, as by logrotate. Reopen may be called during Deliver; the next batch
// goes to the file that has the name by then.
type Reopener interface{ Reopen() }

// Resender is a Sink without acknowledgements that sends messages again if they may have been lost. Resent counts them; it
// may be called during Deliver.
type Resender interface{ Resent() uint64 }
