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

// progress passes a source's blocks on and shows on a terminal how far it is, once the work has lasted a second. What is
// shown is cleared at the end. Time here is the wall clock's and touches nothing that is reported.
type progress struct {
	capture.Source
	w     io.Writer // nil: nothing is shown
	bar   *progressbar.ProgressBar
	start time.Time
	next  time.Time
}

// newProgress shows a bar on w if that is a terminal that can go back in its line.
func newProgress(src capture.Source, w io.Writer, quiet bool) *progress {
	p := &progress{Source: src, start: time.Now()}
	p.next = p.start.Add(time.Second)
	if f, ok := w.(*os.File); ok && !quiet && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.w = w
	}
	return p
}

// Next implements capture.Source.
func (p *progress) Next(ctx context.Context, b *capture.Block) error {
	err := p.Source.Next(ctx, b)
	if p.w == nil {
		return err
	}
	if now := time.Now(); now.After(p.next) {
		p.show()
		p.next = now.Add(250 * time.Millisecond)
	}
	return err
}

// show draws the bar; errors are left alone, since a terminal that went away is no reason to stop.
func (p *progress) show() {
	var size, read int64
	known := true
	for _, in := range p.Inputs() {
		size += in.Size
		read += in.Read
		known = known && in.Size > 0 || in.Err != nil
	}
	if !known {
		size = -1
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(p.w), progressbar.OptionShowBytes(true),
			progressbar.OptionSetDescription("reading"), progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true),
			progressbar.OptionSetPredictTime(known), progressbar.OptionShowTotalBytes(known))
	}
	if known {
		p.bar.ChangeMax64(max(size, read+1)) // it must not finish by itself
	}
	_ = p.bar.Set64(read)
}

// finish clears the line.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Clear()
		_ = p.bar.Exit()
	}
}
