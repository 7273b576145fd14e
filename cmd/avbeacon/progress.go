package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"avbeacon/capture"
)

// progress passes a source's blocks on and shows on a terminal how far it is.
type progress struct {
	capture.Source
	bar  *progressbar.ProgressBar // nil: nothing is shown
	next time.Time
}

// newProgress shows a bar on w if that is a terminal, once the work has lasted a second.
func newProgress(src capture.Source, w io.Writer, quiet bool) *progress {
	p := &progress{Source: src}
	f, ok := w.(*os.File)
	if quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	p.bar = progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true), progressbar.OptionSetDescription("reading"),
		progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionSetPredictTime(true))
	p.next = time.Now().Add(time.Second)
	return p
}

// Next implements capture.Source.
func (p *progress) Next(ctx context.Context, b *capture.Block) error {
	err := p.Source.Next(ctx, b)
	if p.bar != nil && time.Now().After(p.next) {
		p.show()
		p.next = time.Now().Add(250 * time.Millisecond)
	}
	return err
}

func (p *progress) show() {
	var size, read int64
	for _, in := range p.Inputs() {
		size += in.Size
		read += in.Read
	}
	if size > 0 {
		p.bar.ChangeMax64(size)
	}
	_ = p.bar.Set64(read) // a terminal that went away is no reason to stop
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
