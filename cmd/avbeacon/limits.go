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
	besideTables = 128 << 20
	leastTables  = 32 << 20
	bytesOfFlow  = 216
	bytesOfHost  = 5000
	bytesOfName  = 300

	programPages = 40 << 20 // pages of the program that are in use, which Go does not count
)

// rings is the memory, in bytes, that the kernel puts packets into.
func rings(c *config.Config) int64 { return int64(len(c.Capture.Interfaces)) * int64(c.Capture.Ring) }

// fitTables makes the tables small enough for the limit of memory; a third of it is left for what waits to be collected.
func fitTables(c *config.Config) {
	l := &c.Limits
	if l.Memory <= 0 {
		return
	}
	room := float64(max(int64(l.Memory)-besideTables-rings(c), leastTables)) * 0.65
	l.Flows = min(l.Flows, int(room*0.40/bytesOfFlow))
	l.Hosts = min(l.Hosts, int(room*0.45/bytesOfHost))
	l.Names = min(l.Names, int(room*0.15/bytesOfName))
}

// limitMemory tells the collector what the limit of the configuration leaves it, a tenth less, since it may go over that
// for a moment; without a limit, GOMEMLIMIT of the environment holds. The function it returns is to be called at the end.
func limitMemory(c *config.Config, log *zap.Logger) (done func()) {
	l := &c.Limits
	if l.Memory <= 0 {
		if now := debug.SetMemoryLimit(-1); now < math.MaxInt64 {
			log.Info("the environment limits memory", zap.Int64("bytes", now))
		}
		return func() {}
	}
	before := debug.SetMemoryLimit(max(int64(l.Memory)*9/10-programPages-rings(c), leastTables))
	log.Info("memory is limited", zap.Int64("bytes", int64(l.Memory)), zap.Int("flows", l.Flows), zap.Int("hosts", l.Hosts), zap.Int("names", l.Names))
	return func() { debug.SetMemoryLimit(before) }
}
