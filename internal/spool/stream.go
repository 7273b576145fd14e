package spool

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"avbeacon/internal/config"
)

// Subjects are avbeacon.alerts.SEVERITY.SENSOR.
const subjects = "avbeacon.alerts."

// Bounds of a message, and of what is purged at a time.
const (
	mostPayload = 1 << 20   // bytes; the default of NATS servers
	mostMessage = 512 << 10 // bytes of a message with several alerts
	mostAlerts  = 256       // in a message
	mostPurged  = 256       // messages at a time
)

// duplicates is how long the stream knows a message again that is sent a second time. It must be longer than the longest
// wait between two tries to write (longestWrite).
const duplicates = 2 * time.Minute

// countHeader says how many alerts a message holds.
const countHeader = "Avbeacon-Alerts"

// streamConfig bounds the stream by bytes alone. A full stream refuses, and leaves it to us what has to go.
func streamConfig(name, sensor string, cfg config.Spool) jetstream.StreamConfig {
	storage := jetstream.FileStorage
	if cfg.NATS == "" && cfg.Dir == "" {
		storage = jetstream.MemoryStorage
	}
	return jetstream.StreamConfig{
		Name: name, Description: "alerts of avbeacon", Subjects: []string{subjects + "*." + sensor},
		Storage: storage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		MaxBytes: int64(cfg.Size), MaxMsgs: -1, MaxConsumers: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
		Duplicates: duplicates, Replicas: 1,
	}
}

// token makes a name one part of a subject, and of a stream's name.
func token(name string) string {
	keep := func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}
	if name = strings.Map(keep, name); name == "" {
		return "sensor"
	}
	return name[:min(len(name), 64)]
}

func (e *engine) subject(level int) string { return subjects + severity(level) + "." + e.sensor }

// every matches the subjects of a severity, whatever the sensor was called when it wrote.
func (e *engine) every(level int) string {
	if e.server == nil {
		return e.subject(level)
	}
	return subjects + severity(level) + ".*"
}

// full says that the stream has no room for a message.
func full(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.Code == 503 && strings.Contains(api.Description, "maximum bytes") ||
		err != nil && strings.Contains(err.Error(), "maximum bytes exceeded")
}

// purged is what was taken out of the stream to make room.
type purged struct {
	alerts [severities]uint64 // that not every sink had
	aged   uint64             // messages that every sink had
}

// makeRoom takes something out of a full stream for a message of a level: what every sink has, else the oldest of the
// lowest severity, at most that of the message. false says that there is nothing but graver alerts.
func (e *engine) makeRoom(ctx context.Context, level, size int) (purged, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*callTime)
	defer cancel()
	stream, err := e.js.Stream(ctx, e.name)
	if err != nil {
		return purged{}, false, fmt.Errorf("find the stream: %w", err)
	}
	aged, err := purgeTold(ctx, stream)
	if err != nil || aged > 0 {
		return purged{aged: aged}, aged > 0, err
	}
	for at := range level + 1 {
		n, err := purgeOldest(ctx, stream, e.every(at), size)
		if err != nil || n > 0 {
			var out purged
			out.alerts[at] = n
			return out, n > 0, err
		}
	}
	return purged{}, false, nil
}

// purgeTold takes out of the messages that every sink had the oldest, at most an eighth of the stream; how many went.
func purgeTold(ctx context.Context, stream jetstream.Stream) (uint64, error) {
	state := stream.CachedInfo().State
	told, sinks := uint64(math.MaxUint64), stream.ListConsumers(ctx)
	for info := range sinks.Info() {
		if info.Config.Durable != "" {
			told = min(told, info.AckFloor.Stream)
		}
	}
	if sinks.Err() != nil {
		return 0, fmt.Errorf("ask how far the sinks are: %w", sinks.Err())
	}
	if told == math.MaxUint64 || told < state.FirstSeq {
		return 0, nil
	}
	upTo := min(told+1, state.FirstSeq+max(1, (state.LastSeq-state.FirstSeq)/8))
	if err := stream.Purge(ctx, jetstream.WithPurgeSequence(upTo)); err != nil {
		return 0, fmt.Errorf("purge what was told: %w", err)
	}
	return upTo - state.FirstSeq, nil
}

// purgeOldest takes so many of the oldest messages of a subject out that a message of size has room, and a bit more, so
// that it is not done for each; it counts their alerts.
func purgeOldest(ctx context.Context, stream jetstream.Stream, subject string, size int) (alerts uint64, err error) {
	want := size + int(stream.CachedInfo().Config.MaxBytes/64)
	next, freed := uint64(1), 0
	for n := 0; n < mostPurged && freed < want; n++ {
		m, err := stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		} else if err != nil {
			return 0, fmt.Errorf("read what has to go: %w", err)
		}
		one, err := strconv.ParseUint(m.Header.Get(countHeader), 10, 64)
		if err != nil {
			one = 1 // not ours, but it counts
		}
		next, freed, alerts = m.Sequence+1, freed+len(m.Data), alerts+one
	}
	if alerts == 0 {
		return 0, nil
	}
	err = stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(next))
	if err != nil {
		return 0, fmt.Errorf("purge %s: %w", subject, err)
	}
	return alerts, nil
}
