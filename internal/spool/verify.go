package spool

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/highwayhash"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The server cuts a block off at the first record that it cannot read, without a word, and with it every record behind
// that. So the blocks are looked through before it starts. A block is a list of records (filestore.go, version 2.15):
//
//	length 4, high bit: has headers | sequence 8 | time 8 | length of the subject 2 | subject |
//	with headers: their length 4, headers | data | highwayhash-64 over all from the sequence on, less the headers' length
//
// all little endian; the length is the whole record's.
const (
	recordHead   = 22
	recordHash   = 8
	hasHeaders   = 1 << 31
	recordErased = 1 << 63         // of the sequence: the message is deleted
	recordTomb   = 1 << 62         // of the sequence: the message of that sequence, elsewhere, is deleted
	mostRecord   = 2 * mostPayload // bytes
)

// record is a message as it lies in a block.
type record struct {
	seq     uint64 // with its bits
	subject string
	data    []byte
	size    int
}

// block is one file of the stream.
type block struct {
	file  string
	index int
	sum   hash.Hash64
}

// blocksOf lists the blocks of the stream under a server's folder, in their order.
func blocksOf(store string) []*block {
	files, _ := filepath.Glob(filepath.Join(store, "*", "streams", embedded, "msgs", "*.blk")) // the pattern is right
	var all []*block
	for _, file := range files {
		index, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(file), ".blk"))
		if err != nil {
			continue
		}
		key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", embedded, index))
		sum, err := highwayhash.New64(key[:])
		if err != nil { // a key of another length than 32
			continue
		}
		all = append(all, &block{file, index, sum})
	}
	slices.SortFunc(all, func(a, b *block) int { return cmp.Compare(a.index, b.index) })
	return all
}

// read gives the records of a block to f. It counts the bytes before the last of them that are none; tail is what lies
// behind that.
func (b *block) read(f func(record)) (bad int, tail []byte, err error) {
	data, err := os.ReadFile(b.file)
	if err != nil {
		return 0, nil, fmt.Errorf("read the stream: %w", err)
	}
	end := 0 // of the last record
	for at := 0; at < len(data); {
		r, ok := b.record(data[at:])
		if !ok {
			at++
			continue
		}
		bad += at - end
		f(r)
		at += r.size
		end = at
	}
	return bad, data[end:], nil
}

// torn says that a tail may be what a crash left of the last record: its beginning, or room that was never written.
func torn(tail []byte) bool {
	if len(tail) < recordHead || len(bytes.Trim(tail, "\x00")) == 0 {
		return true
	}
	size := int(binary.LittleEndian.Uint32(tail) &^ hasHeaders)
	subject := tail[recordHead:min(len(tail), recordHead+len(subjects))]
	return size >= len(tail) && size <= mostRecord && bytes.HasPrefix([]byte(subjects), subject)
}

// record reads the one that data begins with.
func (b *block) record(data []byte) (record, bool) {
	if len(data) < recordHead+recordHash {
		return record{}, false
	}
	length := binary.LittleEndian.Uint32(data)
	size, subject := int(length&^hasHeaders), int(binary.LittleEndian.Uint16(data[20:]))
	begin := recordHead + subject
	if size > mostRecord || size > len(data) || begin+recordHash > size {
		return record{}, false
	}
	end, rest := size-recordHash, begin
	if length&hasHeaders != 0 {
		if rest += 4; rest > end {
			return record{}, false
		}
	}
	b.sum.Reset()
	for _, part := range [][]byte{data[4:20], data[recordHead:begin], data[rest:end]} {
		_, _ = b.sum.Write(part) // hash.Hash does not fail
	}
	if !bytes.Equal(b.sum.Sum(nil), data[end:size]) {
		return record{}, false
	}
	if rest != begin {
		rest += min(int(binary.LittleEndian.Uint32(data[begin:])), end-rest)
	}
	return record{seq: binary.LittleEndian.Uint64(data[4:]), subject: string(data[recordHead:begin]), data: data[rest:end], size: size}, true
}

// verify is an error where the blocks hold what cannot be read. What a crash left half-written at the very end was never
// acknowledged, and is none.
func verify(folder string) error {
	blocks := blocksOf(storeOf(folder))
	lost := 0
	for i, b := range blocks {
		bad, tail, err := b.read(func(record) {})
		if err != nil {
			return err
		}
		if i < len(blocks)-1 || !torn(tail) {
			bad += len(tail)
		}
		lost += bad
	}
	if lost > 0 {
		return fmt.Errorf("%w: %d bytes of the stream cannot be read", errDamaged, lost)
	}
	return nil
}

// salvage writes the alerts that can be read in a store that was moved aside into the new stream, in their order.
func (e *engine) salvage(ctx context.Context, store string) (alerts int, err error) {
	blocks := blocksOf(store)
	gone := map[uint64]bool{}
	for _, b := range blocks {
		if _, _, err := b.read(func(r record) {
			if r.seq&recordTomb != 0 {
				gone[r.seq&^recordTomb] = true
			}
		}); err != nil {
			return 0, err
		}
	}
	now := newRound()
	add := func(r record) {
		if r.seq&(recordErased|recordTomb) != 0 || r.subject == "" || gone[r.seq] || err != nil {
			return
		}
		some, _ := decode(r.data)
		for i, line := range slices.Collect(bytes.Lines(r.data)) {
			if len(some) <= i || err != nil {
				return
			}
			if !now.add(some[i], line) {
				alerts, err = alerts+now.size, e.put(ctx, now)
				now = newRound()
				now.add(some[i], line)
			}
		}
	}
	for _, b := range blocks {
		if _, _, e := b.read(add); e != nil || err != nil {
			return alerts, cmp.Or(err, e)
		}
	}
	if err = e.put(ctx, now); err == nil {
		alerts += now.size
	}
	return alerts, err
}

// put writes a round.
func (e *engine) put(ctx context.Context, r *round) error {
	for _, p := range r.packs {
		if p == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, callTime)
		_, err := e.js.PublishMsg(ctx, e.message(p), jetstream.WithMsgID(p.id()))
		cancel()
		if err != nil {
			return fmt.Errorf("write what could be read: %w", err)
		}
	}
	return nil
}

// message is how a pack is published.
func (e *engine) message(p *pack) *nats.Msg {
	return &nats.Msg{Subject: e.subject(p.level), Data: p.data,
		Header: nats.Header{countHeader: []string{strconv.Itoa(len(p.alerts))}}}
}

// salvageTime bounds how long a start may take for a store that is damaged; what is left then is in the folder aside.
const salvageTime = 30 * time.Second
