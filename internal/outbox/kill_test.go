package outbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"
	"avbeacon/internal/testkit/rounds"
)

// Environment of the test binary when it runs again as a child, which is killed.
const (
	killedDir  = "AVBEACON_TEST_OUTBOX"      // folder of the store; out.ndjson beside it is the file sink's
	killedAddr = "AVBEACON_TEST_OUTBOX_ADDR" // of the collector
	killedFrom = "AVBEACON_TEST_OUTBOX_FROM" // number of the first alert to offer
	killedTo   = "AVBEACON_TEST_OUTBOX_TO"   // the one after the last
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedDir); dir != "" {
		if err := offerUntilKilled(dir); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// offerUntilKilled says on standard output which alerts are stored, after they are.
func offerUntilKilled(dir string) error {
	from, _ := strconv.Atoi(os.Getenv(killedFrom))
	to, _ := strconv.Atoi(os.Getenv(killedTo))
	out := bufio.NewWriter(os.Stdout)
	db, err := store.Open(filepath.Join(dir, "a.db"), store.Options{Steady: true})
	if err != nil {
		return err
	}
	fmt.Println("open")
	s := New(db, Options{Drain: 30 * time.Second})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	file, err := os.OpenFile(filepath.Join(dir, "out.ndjson"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := s.Attach(ctx, "file", alert.Filter{}, 0, &fileSink{file}); err != nil {
		return err
	}
	if err := s.Attach(ctx, "tcp", alert.Filter{}, 50, &tcpSink{address: os.Getenv(killedAddr)}); err != nil {
		return err
	}
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	var batch []*alert.Alert
	for n := from; n < to; n++ {
		a := made(n, n/50%5)
		db.KeepAlert(Send(a, time.Now()))
		if batch = append(batch, a); n%20 == 0 || n == to-1 {
			if err := db.Flush(ctx, time.Now()); err != nil {
				return err
			}
			for _, a := range batch {
				fmt.Fprintln(out, "stored", a.ID)
			}
			_ = out.Flush()
			batch = batch[:0]
			time.Sleep(5 * time.Millisecond) // 4,000 a second
		}
	}
	cancel()
	if err := <-ended; err != nil {
		return err
	}
	fmt.Fprintln(out, "damaged", db.Damage())
	_ = out.Flush()
	return db.Close()
}

// fileSink writes lines, and brings them to the disk before it says that they are delivered.
type fileSink struct{ *os.File }

func (f *fileSink) Deliver(_ context.Context, batch []*alert.Alert) (int, []alert.Rejection, error) {
	var lines bytes.Buffer
	lines.WriteByte('\n') // ends what a kill left
	for _, a := range batch {
		if err := json.NewEncoder(&lines).Encode(a); err != nil {
			return 0, nil, err
		}
	}
	if _, err := f.Write(lines.Bytes()); err != nil {
		return 0, nil, err
	}
	if err := f.Sync(); err != nil {
		return 0, nil, err
	}
	return len(batch), nil, nil
}

// tcpSink waits for a line of the collector's after each batch.
type tcpSink struct {
	address string
	conn    net.Conn
}

func (c *tcpSink) Deliver(_ context.Context, batch []*alert.Alert) (n int, _ []alert.Rejection, err error) {
	defer func() {
		if err != nil {
			_ = c.Close()
		}
	}()
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.address); err != nil {
			return 0, nil, err
		}
	}
	to := json.NewEncoder(c.conn)
	for _, a := range batch {
		if err := to.Encode(a); err != nil {
			return 0, nil, err
		}
	}
	if _, err := io.ReadFull(c.conn, make([]byte, len(batch))); err != nil {
		return 0, nil, err
	}
	return len(batch), nil, nil
}

func (c *tcpSink) Close() (err error) {
	if c.conn != nil {
		err = c.conn.Close()
		c.conn = nil
	}
	return err
}

// collector takes lines over TCP and answers each with a byte.
type collector struct {
	net.Listener
	mu  sync.Mutex
	got []string
}

func collect(t *testing.T) *collector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &collector{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.read(conn)
		}
	}()
	return c
}

func (c *collector) read(conn net.Conn) {
	defer conn.Close()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		var a alert.Alert
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			return // cut off by a kill
		}
		c.mu.Lock()
		c.got = append(c.got, a.ID)
		c.mu.Unlock()
		if _, err := conn.Write([]byte{1}); err != nil {
			return
		}
	}
}

// The process is killed 50 times while 10,000 alerts flow to a file and to a collector: each that was stored arrives at
// both, in the order of its host but for what is sent again, and the store is never damaged.
func TestKilledProcessesLoseNothing(t *testing.T) { // not parallel: a child that is being started holds the locks of all open files for a moment
	rounds := rounds.Of(t, 13)
	all := 200 * rounds
	dir, c := t.TempDir(), collect(t)
	stored := map[string]bool{}
	next := 0
	for round := range rounds {
		most := all * (round + 1) / rounds // so that there is something left for each round
		next = killOne(t, dir, c, next, most, time.Duration(20+rand.IntN(200))*time.Millisecond, stored)
	}
	require.Greater(t, len(stored), rounds, "the children stored hardly anything")
	require.Equal(t, all, killOne(t, dir, c, next, all, 0, stored))

	requireAll(t, "the collector", c.got, all)
	data, err := os.ReadFile(filepath.Join(dir, "out.ndjson"))
	require.NoError(t, err)
	var filed []string
	for line := range bytes.Lines(data) {
		var a alert.Alert
		if json.Unmarshal(line, &a) == nil {
			filed = append(filed, a.ID)
		}
	}
	requireAll(t, "the file", filed, all)
	t.Logf("%d killed; twice or more: %d at the collector, %d in the file", rounds, len(c.got)-all, len(filed)-all)
}

// requireAll wants each alert, and each host's in order when what came before is left out.
func requireAll(t *testing.T, who string, got []string, all int) {
	t.Helper()
	seen := map[string]bool{}
	var first []string
	for _, id := range got {
		if !seen[id] {
			seen[id] = true
			first = append(first, id)
		}
	}
	require.Equal(t, all, len(seen), who)
	requireOrder(t, first)
}

// killOne lets a child offer alerts until it is killed after some time; 0 lets it end by itself. It gives the number of the
// first alert that is not known to be stored.
func killOne(t *testing.T, dir string, c *collector, from, to int, after time.Duration, stored map[string]bool) int {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(self)
	child.Env = append(os.Environ(), killedDir+"="+dir, killedAddr+"="+c.Addr().String(),
		fmt.Sprintf("%s=%d", killedFrom, from), fmt.Sprintf("%s=%d", killedTo, to))
	var said bytes.Buffer
	child.Stderr = &said
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	kill := func() { time.AfterFunc(after, func() { _ = child.Process.Kill() }) }
	if after > 0 && after/time.Millisecond%5 == 0 { // it may die before it has opened the store
		kill()
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "open":
			if after > 0 {
				kill()
			}
		case "damaged":
			require.Empty(t, rest)
		case "stored":
			stored[rest] = true
		default:
			t.Fatal(lines.Text())
		}
	}
	err = child.Wait()
	if after == 0 {
		require.NoError(t, err, said.String())
	}
	for stored[made(from, 0).ID] {
		from++
	}
	return from
}
