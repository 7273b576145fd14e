package daemon

import (
	"context"
	"fmt"

	"avbeacon/capture"
	"avbeacon/classify"
	"avbeacon/internal/report"
	"avbeacon/internal/session"
)

// mostShown is the most findings that the last report shows; those of concern come first.
const mostShown = 1000

// finish judges what is still pending, and hands all changes to the store. The pipeline has ended: nothing else touches the Session.
// Without a store, the temporary one of the outbox gets the alerts from Finish.
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

// summary writes the report at the end of the run.
func (o *owner) summary(st capture.Stats) error {
	if o.d.opt.Summary == nil {
		return nil
	}
	list, all := o.gravest()
	r := o.report(st, list)
	o.NoteSuppressed(r, list)
	err := r.WriteText(o.d.opt.Summary, report.TextOptions{})
	if err == nil && all > len(list) {
		_, err = fmt.Fprintf(o.d.opt.Summary, "Only %d of %d findings are shown, those of concern first.\n", len(list), all)
	}
	if err != nil {
		return fmt.Errorf("write the last summary: %w", err)
	}
	return nil
}

// gravest returns the findings for the last report, and the total number of findings.
func (o *owner) gravest() (list []*classify.Finding, all int) {
	var others []*classify.Finding
	_ = o.Pipeline.Classifier.Each(func(f *classify.Finding) error { // the callback never fails
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

// report makes the report of the run, as `analyze` does, with the given findings only.
func (o *owner) report(st capture.Stats, list []*classify.Finding) *report.Report {
	r := report.New(o.Facts(st, list))
	if n := o.d.unreadFiles(); n > 0 {
		r.Coverage.Words = append(r.Coverage.Words, fmt.Sprintf("Capture files of the folder that were not read to their end: %d; the log has names and reasons.", n))
	}
	return r
}

// unreadFiles counts files of the watched folder that were lost, in whole or in part.
func (d *Daemon) unreadFiles() uint64 {
	if d.folder == nil {
		return 0
	}
	s := d.folder.Stats()
	return s.Broken + s.Vanished
}
