package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/outbox"
	"avbeacon/internal/policy"
	"avbeacon/internal/siem"
	"avbeacon/internal/store"
)

// testTime is how long one sink may take.
const testTime = time.Minute

// TestSink sends one test alert directly to a sink, past its filter and the store. nil means that the receiver accepted it.
func TestSink(ctx context.Context, k siem.Sink, opt OutboxOptions) (err error) {
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	sink, err := siem.Open(k, siem.Options{Logger: opt.Log, Stdout: opt.Stdout, Version: opt.Version})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	_, rejected, err := sink.Deliver(ctx, []*alert.Alert{testAlert(opt.Sensor, opt.Version, time.Now())})
	if err == nil && len(rejected) > 0 {
		err = fmt.Errorf("the receiver rejected it: %s", rejected[0].Reason)
	}
	return err
}

// testAlert returns an alert that cannot be mistaken for a real one: its addresses are reserved for documentation (RFC
// 5737), and its vendor does not exist.
func testAlert(sensor, version string, now time.Time) *alert.Alert {
	now = now.UTC()
	host, server := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")
	return &alert.Alert{
		ID: alert.ID("test", "test", alert.Test, now), Finding: "test", Sensor: sensor, Event: alert.Test, State: alert.Open, Severity: policy.Info,
		Policy: "test", Rule: "test", Why: "Somebody ran 'avbeacon siem test'.", Message: "Test of avbeacon's alerts. Nothing happened.",
		Changed: now, Made: now, Decided: now, Count: 1, First: now, Last: now, Version: version,
		Vendor: alert.Vendor{Key: "test", Name: "Test"}, Verdict: "possible", HostRole: "unknown", FindingState: "active", Host: alert.Host{Address: host},
		Destinations: []alert.Destination{{Address: server, Port: 443, Transport: "tcp", Names: []string{"update.example.com"}}},
	}
}

// Replay delivers a sink's dead letters again, each alert under its id.
func Replay(ctx context.Context, db *store.Store, k siem.Sink, version string, log *zap.Logger) (r outbox.Replayed, err error) {
	sink, err := siem.Open(k, siem.Options{Logger: log, Stdout: io.Discard, Version: version})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	return outbox.Replay(ctx, db, k.Name, k.Batch, sink)
}
