package daemon

import (
	"math"
	"runtime/debug"
	runtimes "runtime/metrics"
	"time"

	"go.uber.org/zap"
)

// The memory limit (limits.memory, GOMEMLIMIT) is enough for the tables of most sites. Where hosts need more memory than
// usual, fewer hosts are remembered.
const (
	fullAt    = 0.75 // share of the limit in use; the garbage collector needs the rest to keep its overhead low
	roomAt    = 0.55 // share of the limit at which there is room again
	fewest    = 0.1  // share of the configured hosts that are always remembered
	tellEvery = time.Minute
)

// relief lowers the number of hosts remembered when memory runs short, and raises it again afterwards.
type relief struct {
	limit  float64 // bytes; infinite if there is none
	hosts  int     // the limit in force now
	most   int     // the configured limit
	looked uint64  // garbage collections up to the last check
	told   time.Time
}

func newRelief(hosts int) relief {
	r := relief{limit: math.Inf(1), hosts: hosts, most: hosts}
	if n := debug.SetMemoryLimit(-1); n < math.MaxInt64 {
		r.limit = float64(n)
	}
	return r
}

// adjust computes the limit from the bytes that a collection found in use and the number of hosts. It reports whether the
// limit changed.
func (r *relief) adjust(used float64, hosts int) bool {
	before := r.hosts
	switch {
	case used > fullAt*r.limit:
		share := fullAt * r.limit / used // hosts use only a part of the memory
		r.hosts = max(int(fewest*float64(r.most)), int(float64(min(r.hosts, hosts))*min(0.95, share*share)))
	case used < roomAt*r.limit && r.hosts < r.most:
		r.hosts = min(r.most, r.hosts+r.hosts/50+1)
	}
	return r.hosts != before
}

// relieve checks whether memory runs short. The owner calls it once a second.
func (o *owner) relieve() {
	r := &o.relief
	if math.IsInf(r.limit, 1) {
		return
	}
	list := []runtimes.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	runtimes.Read(list)
	used, cycles := float64(list[0].Value.Uint64()), list[1].Value.Uint64()
	if cycles == r.looked { // no collection since the last check
		return
	}
	r.looked = cycles
	less := used > fullAt*r.limit
	if !r.adjust(used, o.Pipeline.Classifier.Stats().Hosts) {
		return
	}
	o.Pipeline.Classifier.Limit(r.hosts)
	if now := time.Now(); less && now.Sub(r.told) >= tellEvery {
		r.told = now
		o.d.log.Warn("memory is running short: fewer hosts are remembered", zap.Int("hosts", r.hosts), zap.Int("limits_hosts", r.most),
			zap.Uint64("bytes_in_use", uint64(used)), zap.Uint64("limit", uint64(r.limit)))
	}
}
