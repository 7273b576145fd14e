package daemon

import (
	"math"
	"runtime/debug"
	runtimes "runtime/metrics"
	"time"

	"go.uber.org/zap"
)

// The limit of memory (limits.memory, GOMEMLIMIT) holds for what the tables need on most sites. Where hosts have more than
// most to be remembered, fewer are remembered.
const (
	fullAt    = 0.75 // of the limit: what is in use; the collector needs the rest to work without haste
	roomAt    = 0.55 // of the limit: there is room again
	fewest    = 0.1  // of the hosts of the configuration: they are remembered in any case
	tellEvery = time.Minute
)

// relief bounds how many hosts are remembered by the memory that is in use.
type relief struct {
	limit  float64 // bytes; infinite where there is none
	hosts  int     // remembered at most now
	most   int     // by the configuration
	looked uint64  // collections before the last look
	told   time.Time
}

func newRelief(hosts int) relief {
	r := relief{limit: math.Inf(1), hosts: hosts, most: hosts}
	if n := debug.SetMemoryLimit(-1); n < math.MaxInt64 {
		r.limit = float64(n)
	}
	return r
}

// adjust takes the bytes that a collection found in use, and how many hosts there are, into account. true: hosts is another.
func (r *relief) adjust(used float64, hosts int) bool {
	before := r.hosts
	switch {
	case used > fullAt*r.limit:
		share := fullAt * r.limit / used // hosts have only a part of what is in use
		r.hosts = max(int(fewest*float64(r.most)), int(float64(min(r.hosts, hosts))*min(0.95, share*share)))
	case used < roomAt*r.limit && r.hosts < r.most:
		r.hosts = min(r.most, r.hosts+r.hosts/50+1)
	}
	return r.hosts != before
}

// relieve looks whether memory runs short. The owner calls it once a second.
func (o *owner) relieve() {
	r := &o.relief
	if math.IsInf(r.limit, 1) {
		return
	}
	list := []runtimes.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	runtimes.Read(list)
	used, cycles := float64(list[0].Value.Uint64()), list[1].Value.Uint64()
	if cycles == r.looked { // what the last one found is known
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
		o.d.log.Warn("memory runs short: fewer hosts are remembered", zap.Int("hosts", r.hosts), zap.Int("limits_hosts", r.most),
			zap.Uint64("bytes_in_use", uint64(used)), zap.Uint64("limit", uint64(r.limit)))
	}
}
