package main

import (
	"math"
	"runtime/debug"

	"go.uber.org/zap"

	"avbeacon/internal/config"
)

// What the daemon needs beside its tables (program, catalogue, place data, spool, store), and what an entry of each table
// comes to, both in bytes and rounded up from what `go test -bench . ./internal/pipeline` and `make bench` show.
const (
	besideTables = 96 << 20
	leastTables  = 32 << 20
	bytesOfFlow  = 160
	bytesOfHost  = 2600
	bytesOfName  = 300
)

// fitTables makes the tables small enough for the limit of memory; a fifth of it is left for what waits to be collected.
func fitTables(l *config.Limits) {
	if l.Memory <= 0 {
		return
	}
	room := float64(max(int64(l.Memory)-besideTables, leastTables)) * 0.8
	l.Flows = min(l.Flows, int(room*0.40/bytesOfFlow))
	l.Hosts = min(l.Hosts, int(room*0.45/bytesOfHost))
	l.Names = min(l.Names, int(room*0.15/bytesOfName))
}

// limitMemory tells the collector the limit of the configuration; without one, GOMEMLIMIT of the environment holds. The
// function it returns is to be called at the end.
func limitMemory(l config.Limits, log *zap.Logger) (done func()) {
	if l.Memory <= 0 {
		if now := debug.SetMemoryLimit(-1); now < math.MaxInt64 {
			log.Info("the environment limits memory", zap.Int64("bytes", now))
		}
		return func() {}
	}
	before := debug.SetMemoryLimit(int64(l.Memory))
	log.Info("memory is limited", zap.Int64("bytes", int64(l.Memory)), zap.Int("flows", l.Flows), zap.Int("hosts", l.Hosts), zap.Int("names", l.Names))
	return func() { debug.SetMemoryLimit(before) }
}
