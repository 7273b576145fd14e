package spool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"avbeacon/internal/alert"
)

// Replayed says what became of dead letters.
type Replayed struct {
	Delivered int // they are in the file no more
	Refused   int // again; they are in the file with the new reason
	Left      int // they are in the file as they were: another sink's, or the receiver failed
}

// aside is what a Replay works on; where one was killed, the next begins with it.
const aside = ".replay"

// Replay delivers the dead letters of a file once more: those of the sink called name, or all where that is "". A daemon
// may write to the file meanwhile. The error says why the receiver did not get all of them; letters are never lost by it,
// but where this process is killed they may be delivered twice. The sink is the caller's.
func Replay(ctx context.Context, file, name string, batch int, to alert.Sink) (Replayed, error) {
	if _, err := os.Stat(file); err != nil {
		if _, left := os.Stat(file + aside); left != nil {
			return Replayed{}, fmt.Errorf("replay dead letters: %w", err)
		}
	}
	work, err := openLocked(file + aside)
	if err != nil {
		return Replayed{}, fmt.Errorf("replay dead letters: %w", err)
	}
	defer work.Close()
	lines, err := claim(file, work)
	if err != nil {
		return Replayed{}, fmt.Errorf("replay dead letters: %w", err)
	}
	if batch <= 0 {
		batch = defaultBatch
	}
	r := replay{name: name, batch: batch, to: to}
	err = r.run(ctx, lines)
	if back := r.putBack(file); back != nil {
		return r.done, errors.Join(err, back)
	}
	if gone := os.Remove(work.Name()); gone != nil {
		return r.done, errors.Join(err, gone)
	}
	return r.done, err
}

// claim moves the letters of a file behind those that a killed Replay left, and gives them all.
func claim(file string, work *os.File) ([]byte, error) {
	from, err := openLocked(file)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	lines, err := io.ReadAll(from)
	if err != nil {
		return nil, err
	}
	if len(lines) > 0 {
		if err := appendWhole(work, lines); err != nil {
			return nil, err
		}
		if err := errors.Join(from.Truncate(0), from.Sync()); err != nil {
			return nil, err
		}
	}
	if _, err := work.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(work)
}

// replay is one run over the letters of a file.
type replay struct {
	name  string
	batch int
	to    alert.Sink
	done  Replayed
	back  bytes.Buffer // lines that stay in the file
}

func (r *replay) run(ctx context.Context, lines []byte) error {
	var letters []letter
	for line := range bytes.Lines(lines) {
		var one letter
		if err := json.Unmarshal(line, &one); err != nil || one.Alert == nil || r.name != "" && one.Sink != r.name {
			r.keep(line)
			continue
		}
		letters = append(letters, one)
	}
	for len(letters) > 0 {
		n, err := r.deliver(ctx, letters[:min(r.batch, len(letters))])
		letters = letters[n:]
		if err == nil && n == 0 {
			err = errStopped
		}
		if err != nil {
			for _, one := range letters {
				err = errors.Join(err, r.add(one))
				r.done.Left++
			}
			return fmt.Errorf("deliver dead letters: %w", err)
		}
	}
	return nil
}

func (r *replay) deliver(ctx context.Context, some []letter) (int, error) {
	alerts := make([]*alert.Alert, len(some))
	for i, one := range some {
		alerts[i] = one.Alert
	}
	n, refused, err := r.to.Deliver(ctx, alerts)
	n = min(max(n, 0), len(some))
	r.done.Delivered += n
	for _, one := range refused {
		if one.Index < 0 || one.Index >= n {
			continue
		}
		again := some[one.Index]
		again.Time, again.Reason = time.Now().UTC(), one.Reason
		r.done.Delivered, r.done.Refused = r.done.Delivered-1, r.done.Refused+1
		err = errors.Join(err, r.add(again))
	}
	return n, err
}

// keep leaves a line in the file as it is.
func (r *replay) keep(line []byte) {
	r.done.Left++
	r.back.Write(line)
	if line[len(line)-1] != '\n' {
		r.back.WriteByte('\n')
	}
}

func (r *replay) add(one letter) error { return json.NewEncoder(&r.back).Encode(one) }

func (r *replay) putBack(file string) error {
	if r.back.Len() == 0 {
		return nil
	}
	return (&letters{file: file}).append(r.back.Bytes())
}
