package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"avbeacon/capture"
	"avbeacon/internal/report"
)

// Input is one capture that was read.
type Input struct {
	capture.Input
	Run int64
}

// Inputs returns the captures that were read, in order. Frames refer to a capture by its index in this list.
func (s *Store) Inputs(ctx context.Context) ([]Input, error) {
	var out []Input
	err := s.each(ctx, "input.all", nil, func(row scanner) error {
		var in Input
		var id int64
		var wrong string
		err := row.Scan(&id, &in.Run, &in.Name, &in.SHA256, &in.Size, &in.Packets, &in.Bytes, &in.Drops, &in.First, &in.Last, &in.Truncated, &wrong)
		if err != nil {
			return err
		}
		if id != int64(len(out)) { // frames would point to the wrong file
			return fmt.Errorf("%w: input %d is missing", ErrCorrupt, len(out))
		}
		if wrong != "" {
			in.Err = errors.New(wrong)
		}
		out = append(out, in)
		return nil
	})
	return out, err
}

// Run is the outcome of one run over captures.
type Run struct {
	Began    time.Time
	Version  string
	Inputs   []capture.Input
	Coverage report.Coverage
}

// AddRun writes the batch and its run in one transaction: afterwards all of the run is in the store, or nothing. The frames of its
// findings must name its inputs from len(Inputs) on.
func (s *Store) AddRun(ctx context.Context, r *Run, now time.Time) error {
	n, err := s.NextRun(ctx)
	if err != nil {
		return err
	}
	return s.PutRun(ctx, n, r, now)
}

// RunNumber is which run of a store it is. First is what frames call the run's first input.
type RunNumber struct {
	id    int64
	First int64
}

// NextRun returns the number of the next run.
func (s *Store) NextRun(ctx context.Context) (n RunNumber, err error) {
	if n.id, err = s.number(ctx, "run.next"); err != nil {
		return n, err
	}
	n.First, err = s.number(ctx, "input.next")
	return n, err
}

// PutRun writes the batch and a run in one transaction. A run in progress may be put several times, with the same inputs.
func (s *Store) PutRun(ctx context.Context, n RunNumber, r *Run, now time.Time) error {
	coverage, err := json.Marshal(&r.Coverage)
	if err != nil {
		return err
	}
	return s.flush(ctx, now, func(t *tx) error {
		t.do("run.put", n.id, nanos(r.Began), r.Version, string(coverage))
		for i := range r.Inputs {
			in := &r.Inputs[i]
			wrong := ""
			if in.Err != nil {
				wrong = in.Err.Error()
			}
			t.do("input.put", n.First+int64(i), n.id, in.Name, in.SHA256, in.Size, int64(in.Packets), int64(in.Bytes), int64(in.Drops), in.First, in.Last,
				whole(in.Truncated), wrong)
		}
		return nil
	})
}

func (s *Store) number(ctx context.Context, query string) (n int64, err error) {
	err = s.db.QueryRowContext(ctx, queries[query]).Scan(&n)
	return n, plain(err)
}

// RunCoverage returns the coverage of all runs together: counters add up, and with several runs each sentence names its run.
func (s *Store) RunCoverage(ctx context.Context) (report.Coverage, error) {
	inputs, err := s.Inputs(ctx)
	if err != nil {
		return report.Coverage{}, err
	}
	sum := report.Coverage{Undecoded: map[string]uint64{}, Lost: map[string]uint64{}, Words: []string{}}
	var each [][]string
	var ids []int64
	err = s.each(ctx, "run.all", nil, func(row scanner) error {
		var id, began int64
		var version, text string
		var c report.Coverage
		if err := row.Scan(&id, &began, &version, &text); err != nil {
			return err
		}
		if err := said(text, &c); err != nil {
			return err
		}
		addCoverage(&sum, &c)
		each, ids = append(each, c.Words), append(ids, id)
		return nil
	})
	for i, words := range each {
		for _, w := range words {
			if len(each) > 1 {
				w = filesOf(inputs, ids[i]) + ": " + w
			}
			sum.Words = append(sum.Words, w)
		}
	}
	return sum, err
}

// filesOf names the captures of a run, or the first of many.
func filesOf(inputs []Input, run int64) string {
	var names []string
	for i := range inputs {
		if inputs[i].Run == run {
			names = append(names, inputs[i].Name)
		}
	}
	if n := len(names); n > 3 {
		return fmt.Sprintf("%s and %d more", names[0], n-1)
	}
	return strings.Join(names, ", ")
}

// addCoverage adds counters. Words are RunCoverage's to join, and hours are in a table of their own.
func addCoverage(sum, c *report.Coverage) {
	sum.Packets += c.Packets
	sum.Bytes += c.Bytes
	sum.KernelDrops += c.KernelDrops
	sum.Truncated += c.Truncated
	sum.OneSidedFlows += c.OneSidedFlows
	sum.Flows += c.Flows
	h, x := &sum.HiddenNames, &c.HiddenNames
	h.ECH, h.DoH, h.DoT, h.DoQ, h.Unnamed = h.ECH+x.ECH, h.DoH+x.DoH, h.DoT+x.DoT, h.DoQ+x.DoQ, h.Unnamed+x.Unnamed
	for what, n := range c.Undecoded {
		sum.Undecoded[what] += n
	}
	for what, n := range c.Lost {
		sum.Lost[what] += n
	}
}
