package session

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"avbeacon/capture"
	"avbeacon/classify"
	"avbeacon/internal/names"
	"avbeacon/internal/report"
	"avbeacon/internal/store"
)

// Resume restores what earlier runs left in the store and the outbox: the classifier's memory, the names that hosts learned
// from DNS, and the earlier alerts and findings that the book needs. Unreadable parts of the classifier's memory are counted
// in Restored; they are not an error.
func (s *Session) Resume(ctx context.Context) (r classify.Restored, err error) {
	if s.Alerter.Book != nil {
		if err := s.resumeBook(ctx); err != nil {
			return r, err
		}
	}
	db := s.opt.Store
	if db == nil {
		return r, nil
	}
	pieces, err := s.pieces(ctx)
	if err != nil {
		return r, err
	}
	r = s.Pipeline.Classifier.Restore(pieces)
	if s.opt.Live {
		if err := s.Pipeline.Names.Restore(namesIn(pieces)); err != nil {
			s.opt.Log.Error(Unreadable, zap.Error(err))
		}
	}
	s.saver.Fresh()
	if s.Alerter.Book != nil {
		found, err := db.Findings(ctx, s.Know.Catalog)
		if err != nil {
			return r, err
		}
		for i := range found {
			s.Alerter.Book.Recall(found[i].Finding, found[i].Decision)
		}
	}
	if err := db.UseCatalog(ctx, s.Know.Catalog, time.Now()); err != nil {
		return r, err
	}
	if s.run, err = db.NextRun(ctx); err != nil {
		return r, err
	}
	s.Pipeline.Source = &capture.Numbered{Source: s.opt.Source, First: int32(s.run.First)} // frames refer to the store's inputs
	return r, nil
}

// Unreadable is logged if a part of a store's memory cannot be read.
const Unreadable = "parts of the store cannot be read; what they held is lost"

// pieces returns the memory of as many hosts as the limit allows.
func (s *Session) pieces(ctx context.Context) ([]classify.Saved, error) {
	if s.opt.Hosts <= 0 {
		return s.opt.Store.Memory(ctx)
	}
	return s.opt.Store.MemoryOf(ctx, s.opt.Hosts)
}

// Part says which part of a run's memory Keep hands to the store.
type Part int

// Changes is for a run in progress, Rest for its end. All includes what did not change, so that every finding in the store is
// judged by the policy in use.
const (
	Changes Part = iota
	Rest
	All
)

// Keep hands the store a part of the run's memory, together with the alerts it caused. The store's Flush or PutRun writes it.
func (s *Session) Keep(part Part) {
	var pieces []classify.Saved
	if part == Rest {
		pieces = s.saver.Rest()
	} else {
		pieces = s.saver.Changed(part == All)
	}
	if s.opt.Live {
		pieces = append(pieces, s.learned()...)
	}
	s.opt.Store.KeepMemory(pieces, s.Know.Policy.Decide, s.take()...)
}

// PutRun writes the run's progress and everything pending, in one transaction.
func (s *Session) PutRun(ctx context.Context, c report.Coverage) error {
	run := &store.Run{Began: s.began, Version: s.opt.Version, Inputs: s.opt.Source.Inputs(), Coverage: c}
	return s.opt.Store.PutRun(ctx, s.run, run, time.Now())
}

// What hosts learned from DNS is stored with the classifier's memory, under keys without a host that no vendor uses. A
// connection that shows no name can then be recognised by a DNS query from before a restart.
const namesKey = "dns/"

// learned returns what hosts learned from DNS since the last call.
func (s *Session) learned() (list []classify.Saved) {
	for _, p := range s.Pipeline.Names.Changed(s.Alerter.Now()) {
		list = append(list, classify.Saved{Vendor: fmt.Sprintf("%s%02x", namesKey, p.Part), Data: p.Data})
	}
	return list
}

func namesIn(pieces []classify.Saved) (list []names.Piece) {
	for i := range pieces {
		if p := &pieces[i]; p.Host == "" && strings.HasPrefix(p.Vendor, namesKey) {
			list = append(list, names.Piece{Data: p.Data})
		}
	}
	return list
}
