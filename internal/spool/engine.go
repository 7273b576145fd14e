package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"avbeacon/internal/config"
)

// engine is a way to a stream: of a server in this process, or of one outside.
type engine struct {
	flags
	server *server.Server // nil: outside
	conn   *nats.Conn
	js     jetstream.JetStream
	name   string                 // of the stream
	sensor string                 // the subjects' last part
	make   jetstream.StreamConfig // how the stream is made where there is none
}

// embedded names the stream in this process: there is but one, whatever the sensor is called.
const embedded = "AVBEACON"

// startTime bounds how long the embedded server may take to read its store.
const startTime = time.Minute

var (
	errNoRoom  = errors.New("no room on the disk")
	errAway    = errors.New("the stream is away")
	errDamaged = errors.New("damaged")
)

// start makes the engine of the embedded server over the store that is there, or over a new one where that is damaged.
func (s *Spool) start() error {
	if err := s.room(0); err != nil {
		return err
	}
	folder := s.cfg.Dir
	if folder == "" {
		folder = s.temp
	}
	if err := probe(folder); err != nil {
		return err
	}
	var e *engine
	err := verify(folder)
	if err == nil {
		e, err = s.serve(folder)
	}
	if errors.Is(err, errDamaged) {
		e, err = s.beginAnew(folder, err)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.engine = e
	s.mu.Unlock()
	return nil
}

// beginAnew moves a store that is damaged aside, begins a new one and writes into that what can be read of the old one.
// The sinks get it once more from its beginning, because their positions were those of the old one.
func (s *Spool) beginAnew(folder string, why error) (*engine, error) {
	aside, err := moveAside(folder, s.opt.Now())
	if err != nil {
		return nil, errors.Join(why, err)
	}
	e, err := s.serve(folder)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), salvageTime)
	defer cancel()
	saved, err := e.salvage(ctx, aside)
	s.count.damaged(fmt.Sprintf("%v; it was moved to %s, %d alerts were saved from it", why, aside, saved))
	s.log.Error("the spool is damaged: it was moved aside and a new one begun", zap.NamedError("damage", why),
		zap.String("kept", aside), zap.Int("alerts saved", saved), zap.Error(err))
	return e, nil
}

// serve starts a server over folder and finds or makes the stream there. An error means that nothing runs.
func (s *Spool) serve(folder string) (e *engine, err error) {
	defer func() {
		if p := recover(); p != nil { // the library reads what may be damaged
			e.stop()
			e, err = nil, fmt.Errorf("%w: start the embedded server: panic: %v", errDamaged, p)
		}
	}()
	had := holdsMessages(folder)
	e = &engine{name: embedded, sensor: token(s.opt.Sensor)}
	e.make = streamConfig(embedded, ">", s.cfg)
	if err := e.run(folder, s.cfg, s.log); err != nil {
		e.stop()
		return nil, err
	}
	if err := e.ready(had); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

func (e *engine) run(folder string, cfg config.Spool, log *zap.Logger) error {
	srv, err := server.NewServer(&server.Options{
		ServerName: "avbeacon-spool", DontListen: true, NoSigs: true, NoLog: true, DisableJetStreamBanner: true,
		JetStream: true, StoreDir: folder, SyncAlways: true, MaxPayload: mostPayload,
		JetStreamMaxStore: int64(cfg.Size) + 64<<20, JetStreamMaxMemory: int64(cfg.Size) + 64<<20,
	})
	if err != nil {
		return fmt.Errorf("set up the embedded server: %w", err)
	}
	e.server = srv
	said := &serverLog{log: log.Named("nats")}
	srv.SetLogger(said, false, false)
	srv.Start()
	if !srv.ReadyForConnections(startTime) || !srv.JetStreamEnabled() {
		return fmt.Errorf("%w: start the embedded server: %s", errDamaged, said.last())
	}
	e.conn, err = nats.Connect("", append(connOptions(log), nats.InProcessServer(srv))...)
	if err != nil {
		return fmt.Errorf("reach the embedded server: %w", err)
	}
	e.js, err = jetstream.New(e.conn)
	return err
}

// ready finds the stream, with this version's limits, or makes it. had says that one must be there.
func (e *engine) ready(had bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTime*3)
	defer cancel()
	_, err := e.js.Stream(ctx, e.name)
	switch {
	case had && errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("%w: the stream cannot be read", errDamaged)
	case err != nil && !errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("find the stream: %w", err)
	}
	if _, err := e.js.CreateOrUpdateStream(ctx, e.make); err != nil {
		return fmt.Errorf("make the stream: %w", err)
	}
	return nil
}

// stop ends the connection and the server; what was stored is on the disk.
func (e *engine) stop() {
	if e == nil {
		return
	}
	if e.conn != nil {
		_ = e.conn.FlushTimeout(callTime) // last acknowledgements; without them alerts come twice
		e.conn.Close()
	}
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
}

// room is an error where need bytes more would leave too little on the disk.
func (s *Spool) room(need int) error {
	if s.cfg.Dir == "" || s.cfg.NATS != "" {
		return nil
	}
	free, known := s.opt.disk()
	if want := uint64(need) + roomLeft; known && free < want {
		return fmt.Errorf("%w: %d KiB are free where %s lies, %d KiB needed", errNoRoom, free>>10, s.cfg.Dir, want>>10)
	}
	return nil
}

// repair starts the embedded server anew, after a call failed and when there is room: a stream whose disk was full takes
// nothing any more. A connection to the outside mends itself.
func (s *Spool) repair() error {
	if s.cfg.NATS != "" {
		return nil
	}
	if err := s.room(0); err != nil {
		return err
	}
	s.mu.Lock()
	old := s.engine
	s.engine = nil
	s.mu.Unlock()
	old.stop()
	if err := s.start(); err != nil {
		s.mu.Lock()
		s.why = err
		s.mu.Unlock()
		return err
	}
	s.log.Info("the spool's server was started anew")
	return nil
}

// probe writes to the folder: a quota, or a disk that is full of small files, does not show in the free bytes, and a
// server that cannot write looks as one whose store is damaged.
func probe(folder string) error {
	name := filepath.Join(folder, "probe")
	err := os.WriteFile(name, make([]byte, 64<<10), 0o600)
	err = errors.Join(err, os.Remove(name))
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", errNoRoom, err)
	}
	return err
}

// holdsMessages says whether a stream with something in it lies in the folder.
func holdsMessages(folder string) bool {
	blocks, _ := filepath.Glob(filepath.Join(storeOf(folder), "*", "streams", embedded, "msgs", "*.blk")) // the pattern is right
	for _, b := range blocks {
		if st, err := os.Stat(b); err == nil && st.Size() > 0 {
			return true
		}
	}
	return false
}

// storeOf is the folder that the server makes in the one that it is given.
func storeOf(folder string) string { return filepath.Join(folder, server.JetStreamStoreDir) }

// moveAside renames a damaged store, so that somebody can look at it.
func moveAside(folder string, now time.Time) (string, error) {
	aside := filepath.Join(folder, "damaged-"+now.UTC().Format("20060102T150405.000000000"))
	if err := os.Rename(storeOf(folder), aside); err != nil {
		return "", fmt.Errorf("move the damaged spool aside: %w", err)
	}
	return aside, nil
}
