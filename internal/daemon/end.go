package daemon

import (
	"context"
	"fmt"

	"avbeacon/capture"
	"avbeacon/classify"
	"avbeacon/internal/report"
	"avbeacon/internal/session"
)

// mostShown is how many findings the last summary shows; those of concern come first.
const mostShown = 1000

// finish judges what still waits, and hands what changed to the store.
func (o *owner) finish(st capture.Stats) error {
	d := o.d
	o.ended = true
	o.Finish(nil)
	if d.store != nil {
		o.keep(session.Rest)
	}
	d.show(o, st)
	if d.store == nil {
		return nil
	}
	if err := o.PutRun(context.Background(), o.report(st, nil).Coverage); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// summary writes the last report.
func (o *owner) summary(st capture.Stats) error {
	if o.d.opt.Summary == nil {
		return nil
	}
	list, all := o.gravest()
	r := o.report(st, list)
	o.NoteSuppressed(r, list)
	err := r.WriteText(o.d.opt.Summary, report.TextOptions{})
	if err == nil && all > len(list) {
		_, err = fmt.Fprintf(o.d.opt.Summary, "%d of %d findings are shown, those of concern first.\n", len(list), all)
	}
	if err != nil {
		return fmt.Errorf("write the last summary: %w", err)
	}
	return nil
}

// gravest gives the findings that the last summary shows, and how many there are in all.
func (o *owner) gravest() (list []*classify.Finding, all int) {
	var others []*classify.Finding
	_ = o.Pipeline.Classifier.Each(func(f *classify.Finding) error { // it has no error of its own
		to := &others
		if concern, _ := o.Know.Policy.Judge(f); concern {
			to = &list
		}
		if all++; len(*to) < mostShown {
			*to = append(*to, f)
		}
		return nil
	})
	return append(list, others[:min(len(others), mostShown-len(list))]...), all
}

// report is that of the run, as `analyze` makes it, with some findings.
func (o *owner) report(st capture.Stats, list []*classify.Finding) *report.Report {
	r := report.New(o.Facts(st, list))
	if n := o.d.unreadFiles(); n > 0 {
		r.Coverage.Words = append(r.Coverage.Words, fmt.Sprintf("Times that a capture file of the folder was not read, or not to its end: %d; the log says which and why.", n))
	}
	return r
}

// unreadFiles is how often a file of the watched folder was lost, or a part of it.
func (d *Daemon) unreadFiles() uint64 {
	if d.folder == nil {
		return 0
	}
	s := d.folder.Stats()
	return s.Broken + s.Vanished
}
