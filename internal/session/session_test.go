package session_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"avbeacon/capture/files"
	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/policy"
	"avbeacon/internal/report"
	"avbeacon/internal/session"
	"avbeacon/internal/siem"
	"avbeacon/internal/siem/deliver"
	"avbeacon/internal/store"
)

const pcaps = "../../testdata/pcap/"

var background = context.Background()

func know(t *testing.T, policyName string) *session.Knowledge {
	t.Helper()
	k, err := session.Load(&config.Knowledge{}, policyName)
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return k
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "a.db"), store.Options{Sensor: "tap"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// run judges captures, as a command does, and returns the session, its report and the facts of that.
func run(t *testing.T, opt session.Options, k *session.Knowledge, names ...string) (*session.Session, *report.Report, *report.Facts) {
	t.Helper()
	for i := range names {
		names[i] = pcaps + names[i]
	}
	src := files.Open(names, files.Options{HashUpTo: files.HashAll})
	t.Cleanup(func() { _ = src.Close() })
	opt.Source, opt.Sensor, opt.Version = src, "tap", "test"
	if opt.IDKey = make([]byte, 32); opt.Store != nil {
		opt.IDKey = opt.Store.IDKey()
	}
	s, err := session.New(opt, k)
	require.NoError(t, err)
	_, err = s.Resume(background)
	require.NoError(t, err)
	stats, err := s.Pipeline.Run(background)
	require.NoError(t, err)
	facts := s.Facts(stats, s.Pipeline.Classifier.Findings())
	s.Finish(nil)
	r := report.New(facts)
	if opt.Store != nil {
		s.Keep(session.All)
		require.NoError(t, s.PutRun(background, r.Coverage))
	}
	return s, r, facts
}

// conclusion is what two reports of the same packets agree on.
type conclusion struct {
	ID, Vendor, Verdict, State string
	Concern                    bool
	Contacts, Lookups          int
}

func conclusions(r *report.Report) map[string]conclusion {
	out := map[string]conclusion{}
	for i := range r.Findings {
		f := &r.Findings[i]
		out[f.ID] = conclusion{f.ID, f.Vendor, f.Verdict, f.State, f.Concern, int(f.Contacts), int(f.Lookups)}
	}
	return out
}

// A report of the store, by this run or by a later process, says what the run without a store says: catalogue, places and policy
// are the same for all three.
func TestEveryCommandJudgesAlike(t *testing.T) {
	k, db := know(t, policy.Default), openStore(t)
	_, alone, _ := run(t, session.Options{}, k, "office.pcap")
	s, r, facts := run(t, session.Options{Store: db}, k, "office.pcap")
	require.NotEmpty(t, r.Findings)
	require.Equal(t, conclusions(alone), conclusions(r))
	own, err := s.StoredReport(background, facts)
	require.NoError(t, err)
	later, err := session.StoredReport(background, db, know(t, policy.Default), "test")
	require.NoError(t, err)
	for _, other := range []*report.Report{own, later} {
		require.Equal(t, conclusions(r), conclusions(other))
		require.Equal(t, r.Catalog, other.Catalog)
		require.Equal(t, r.PlaceData, other.PlaceData)
		require.Equal(t, r.Policy, other.Policy)
	}
}

// Two runs over two captures with one store conclude what one run over both does.
func TestResumedRunGoesOn(t *testing.T) {
	k, db := know(t, policy.Default), openStore(t)
	_, whole, _ := run(t, session.Options{}, k, "fragments.pcap", "office.pcap")
	run(t, session.Options{Store: db}, k, "fragments.pcap")
	run(t, session.Options{Store: db}, k, "office.pcap")
	r, err := session.StoredReport(background, db, k, "test")
	require.NoError(t, err)
	require.Equal(t, conclusions(whole), conclusions(r))
	require.Len(t, r.Inputs, 2)
}

// One limit holds for every table of hosts.
func TestOneLimitOfHosts(t *testing.T) {
	c := config.Default()
	s, _, _ := run(t, session.Options{Hosts: 3, Names: 2, Alerts: &c.Alerts}, know(t, policy.Default), "office.pcap")
	require.LessOrEqual(t, s.Pipeline.Classifier.Stats().Hosts, 3)
	require.LessOrEqual(t, s.Pipeline.Hosts.Stats().Addresses, 3)
	require.LessOrEqual(t, s.Pipeline.Names.Stats().Pairs, 2)
	require.LessOrEqual(t, s.Alerter.Book.Stats().Tracked, 3)
	require.Positive(t, s.Pipeline.Classifier.Stats().HostsEvicted, "what went is counted")
}

// New knowledge takes the place of the old for observers, classifier, book and report at once, and findings stay.
func TestUseReplacesKnowledgeAndKeepsFindings(t *testing.T) {
	c := config.Default()
	s, before, facts := run(t, session.Options{Alerts: &c.Alerts}, know(t, policy.Default), "office.pcap")
	asked := s.Interest()
	folder := t.TempDir()
	for _, name := range []string{"_sources.yaml", "kaspersky.yaml"} {
		text, err := os.ReadFile("../../feeds/vendors/" + name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), text, 0o600))
	}
	loaded, err := session.Load(&config.Knowledge{Feeds: folder}, "all-av")
	require.NoError(t, err)
	defer loaded.Close()
	r, err := s.Use(background, loaded, 100)
	require.NoError(t, err)
	require.Positive(t, r.Findings)
	require.Positive(t, r.Unknown, "vendors that the new catalogue lacks")
	require.NotSame(t, asked, s.Interest())
	require.True(t, asked.Name([]byte("update.drweb.com")))
	require.False(t, s.Interest().Name([]byte("update.drweb.com")))
	require.True(t, s.Interest().Name([]byte("ds.kaspersky.com")))
	require.Same(t, loaded.Policy, s.Alerter.Policy)
	after := report.New(s.Facts(facts.Stats, s.Pipeline.Classifier.Findings()))
	require.Equal(t, "all-av", after.Policy)
	require.NotEqual(t, before.Catalog, after.Catalog)
	for id, f := range conclusions(after) {
		require.Equal(t, "kaspersky", f.Vendor)
		require.Equal(t, conclusions(before)[id].Contacts, f.Contacts)
	}
	require.NotEmpty(t, after.Findings)
}

// Workers ask what is of interest while the owner replaces it, and nothing orders the two. Every worker has asked in each round, and asks
// on: under the race detector (.ci/run) this fails if the owner writes to what they may read.
func TestInterestIsReplacedWhileWorkersAsk(t *testing.T) {
	k := know(t, policy.Default)
	s, err := session.New(session.Options{}, k)
	require.NoError(t, err)
	var end atomic.Bool
	var asked [3]atomic.Uint64
	var workers sync.WaitGroup
	for i := range asked {
		workers.Go(func() {
			for !end.Load() {
				s.Interest().Name([]byte("ds.kaspersky.com"))
				asked[i].Add(1)
			}
		})
	}
	for range 20 {
		for i := range asked {
			for before := asked[i].Load(); asked[i].Load() < before+2; {
				runtime.Gosched()
			}
		}
		_, err := s.Use(background, k, 10)
		require.NoError(t, err)
	}
	end.Store(true)
	workers.Wait()
}

// An alert is in the store only together with its finding, and goes to Sent once.
func TestAlertsAndFindingsAreStoredTogether(t *testing.T) {
	db := openStore(t)
	var sent []string
	c := config.Default()
	out := filepath.Join(t.TempDir(), "alerts.ndjson")
	c.Sinks = []siem.Sink{{Name: "soc", Type: "file", Format: "ecs", File: deliver.File{Path: out}}}
	box, err := session.OpenOutbox(background, &c, session.OutboxOptions{Log: zap.NewNop(), Sensor: "tap", Version: "test", Store: db})
	require.NoError(t, err)
	ctx, end := context.WithCancel(background)
	done := make(chan error)
	go func() { done <- box.Run(ctx) }()
	run(t, session.Options{Store: db, Alerts: &c.Alerts, Outbox: box, Sent: func(a *alert.Alert) { sent = append(sent, a.ID) }}, know(t, policy.Default), "office.pcap")
	end()
	require.NoError(t, <-done)
	require.NoError(t, box.Close())
	require.False(t, box.Temporary())
	list, err := session.StoredAlerts(background, db, "all")
	require.NoError(t, err)
	found, err := db.Findings(background, nil)
	require.NoError(t, err)
	ids := map[string]bool{}
	for i := range found {
		ids[found[i].ID] = true
	}
	var stored []string
	for _, a := range list {
		require.True(t, ids[a.Finding], a.Message)
		if a.Sent != nil {
			stored = append(stored, a.ID)
		}
	}
	require.NotEmpty(t, sent)
	require.ElementsMatch(t, sent, stored)
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	for _, id := range sent {
		require.Contains(t, string(text), id)
	}

	marked, err := session.Acknowledge(background, db, []string{list[0].ID})
	require.NoError(t, err)
	require.Len(t, marked, 1)
	require.Equal(t, list[0].Finding, marked[0].Finding)
	findings, err := session.Acknowledged(background, db)
	require.NoError(t, err)
	require.Equal(t, []string{list[0].Finding}, findings)
	_, err = session.Acknowledge(background, db, []string{list[0].ID, "nonsense"})
	require.ErrorContains(t, err, `no alert and no finding with alerts "nonsense"`)
}

// With more findings than are remembered, what was sent is asked of the store: nothing is new twice, nor sent twice.
func TestForgottenFindingsAreNotNewAgain(t *testing.T) {
	c := config.Default()
	c.Alerts.All, c.Alerts.Group.Over, c.Alerts.AtLeast = true, 0, "possible"
	for _, kept := range []bool{true, false} {
		opt := session.Options{Alerts: &c.Alerts, Hosts: 2}
		if kept {
			opt.Store = openStore(t)
		}
		began, again := map[string]int{}, 0
		opt.Sent = func(a *alert.Alert) {
			if a.Event == alert.New {
				if began[a.Finding]++; began[a.Finding] > 1 {
					again++
				}
			}
		}
		run(t, opt, know(t, policy.Default), "office.pcap")
		require.NotEmpty(t, began)
		require.Equal(t, !kept, again > 0, "without a store the capture makes findings new again: %d", again)
	}
}

// A trial counts what a rule matches and names evidence that it does not cover; the rule then holds for reports and later runs.
func TestSuppressionOfAStore(t *testing.T) {
	k, db := know(t, policy.Default), openStore(t)
	_, r, _ := run(t, session.Options{Store: db}, k, "office.pcap")
	rule, err := alert.NewSuppression(alert.SuppressionRule{Vendors: []string{"drweb"}, Reason: "licensed", Author: "ann"})
	require.NoError(t, err)
	x, err := session.TrySuppression(background, db, k.Catalog, rule)
	require.NoError(t, err)
	require.Equal(t, len(r.Findings), x.Findings)
	require.Equal(t, 2, x.Count, "the machine with the product, and the resolver that asks for it")
	require.Equal(t, "drweb", x.Silenced[0].Vendor)
	require.NoError(t, session.AddSuppression(background, db, rule, time.Now()))
	all, err := session.StoredSuppressions(background, db, time.Now())
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, 2, all[0].Findings)
	later, err := session.StoredReport(background, db, k, "test")
	require.NoError(t, err)
	require.Contains(t, later.Notes[len(later.Notes)-1], rule.ID)

	core, said := observer.New(zap.ErrorLevel)
	require.NoError(t, db.PutSuppression(background, store.Suppression{ID: "s-broken", Made: time.Now(), Body: []byte("{")}))
	rules, err := session.AllRules(background, []*alert.Suppression{rule}, db, zap.New(core))
	require.NoError(t, err)
	require.Equal(t, []*alert.Suppression{rule}, rules, "ours win over the store's with the same id, and what cannot be read has no effect")
	require.Equal(t, 1, said.Len())
}

// A capture that the store has is not read again, by whatever name; one that turns out to be the same once read is an error.
func TestStoredCapturesAreNotReadAgain(t *testing.T) {
	k, db := know(t, policy.Default), openStore(t)
	run(t, session.Options{Store: db}, k, "visit.pcap")
	seen, err := session.SeenIn(background, db)
	require.NoError(t, err)
	text, err := os.ReadFile(pcaps + "visit.pcap")
	require.NoError(t, err)
	renamed := filepath.Join(t.TempDir(), "other.pcap")
	require.NoError(t, os.WriteFile(renamed, text, 0o600))
	skipped := map[string]string{}
	fresh := seen.Fresh([]string{renamed, pcaps + "cut.pcap"}, func(name, as string) { skipped[name] = as })
	require.Equal(t, []string{pcaps + "cut.pcap"}, fresh)
	require.Equal(t, map[string]string{renamed: pcaps + "visit.pcap"}, skipped)
	_, _, facts := run(t, session.Options{}, k, "visit.pcap")
	require.ErrorContains(t, seen.Again(facts.Inputs), "the store already has it")
}

func TestSite(t *testing.T) {
	s, err := session.ParseSite([]string{"10.1.0.0/16", "::ffff:192.0.2.1", "2001:db8::/32"}, "50.11, 8.68")
	require.NoError(t, err)
	require.Equal(t, 50.11, s.SensorAt.Lat)
	for address, own := range map[string]bool{"10.1.2.3": true, "10.2.2.3": false, "192.0.2.1": true, "192.0.2.2": false, "2001:db8::9": true, "2001:db9::9": false} {
		require.Equal(t, own, s.Contains(netip.MustParseAddr(address)), address)
	}
	require.True(t, session.Site{}.Contains(netip.MustParseAddr("192.168.1.1")), "the private ranges by default")
	for _, wrong := range [][2]string{{"0.0.0.0/0", ""}, {"::ffff:10.0.0.0/100", ""}, {"ten", ""}, {"default", "91,0"}, {"default", "50"}, {"default", "NaN,0"}} {
		_, err := session.ParseSite([]string{wrong[0]}, wrong[1])
		require.Error(t, err, wrong)
	}
}

func TestKeys(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(name, make([]byte, 15), 0o600))
	_, err := session.ReadKey(name)
	require.ErrorContains(t, err, "at least 16 bytes")
	require.NoError(t, os.WriteFile(name, make([]byte, 16), 0o600))
	key, err := session.ReadKey(name)
	require.NoError(t, err)
	require.Len(t, key, 16)
	require.NotEqual(t, session.NewKey(), session.NewKey())
}
