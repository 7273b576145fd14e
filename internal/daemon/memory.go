package daemon

import (
	"math"
	"runtime/debug"

	"go.uber.org/zap"

	"avbeacon/internal/config"
)

// Memory that the daemon needs in addition to its tables (program, catalogue, place data, store), and per entry of each
// table: in bytes, rounded up from the results of `go test -bench . ./internal/pipeline` and `make bench`.
const (
	besideTables = 128 << 20
	leastTables  = 32 << 20
	bytesOfFlow  = 216
	bytesOfHost  = 5000
	bytesOfName  = 300

	programPages = 40 << 20 // resident pages of the program, which Go does not count
)

// rings returns the size in bytes of the kernel's packet buffers.
func rings(c *config.Config) int64 { return int64(len(c.Capture.Interfaces)) * int64(c.Capture.Ring) }

// FitTables shrinks the tables to fit the memory limit; a third of it is left for garbage not yet collected.
func FitTables(c *config.Config) {
	l := &c.Limits
	if l.Memory <= 0 {
		return
	}
	room := float64(max(int64(l.Memory)-besideTables-rings(c), leastTables)) * 0.65
	l.Flows = min(l.Flows, int(room*0.40/bytesOfFlow))
	l.Hosts = min(l.Hosts, int(room*0.45/bytesOfHost))
	l.Names = min(l.Names, int(room*0.15/bytesOfName))
}

// limitMemory sets the garbage collector's limit from the configured one, less a tenth, because memory may exceed it for a
// moment. Without a configured limit, GOMEMLIMIT of the environment applies. Call done at the end.
func limitMemory(c *config.Config, log *zap.Logger) (done func()) {
	l := &c.Limits
	if l.Memory <= 0 {
		if now := debug.SetMemoryLimit(-1); now < math.MaxInt64 {
			log.Info("memory is limited by GOMEMLIMIT", zap.Int64("bytes", now))
		}
		return func() {}
	}
	before := debug.SetMemoryLimit(max(int64(l.Memory)*9/10-programPages-rings(c), leastTables))
	log.Info("memory is limited", zap.Int64("bytes", int64(l.Memory)), zap.Int("flows", l.Flows), zap.Int("hosts", l.Hosts), zap.Int("names", l.Names))
	return func() { debug.SetMemoryLimit(before) }
}
