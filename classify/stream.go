package classify

import (
	"time"

	"avbeacon/capture"
)

// stream looks for questions that come at an even pace, many each second: a load generator's or a busy forwarder's. A
// person's programs ask as many in one second, but then in bursts, and each from a port of its own.
type stream struct {
	even   bool   // such a stream was seen
	second int64  // since 1970, of asked
	asked  uint32 // in that second
	most   uint32 // in one second of the run
	sum    uint32 // in the run, asked left out
	run    uint32 // seconds in a row before this one with streamPace questions or more
}

// What makes a stream.
const (
	streamPace = 10 // questions a second
	streamRun  = 8  // seconds in a row
	streamEven = 2  // times the mean, that the fullest second of a run may hold
	streamPort = 50 // questions from one port at such a pace
)

// ask notes a question at a second since 1970. One that comes late is left out.
func (s *stream) ask(at int64) {
	switch {
	case at == s.second:
		s.asked++
		return
	case at < s.second:
		return
	case s.asked < streamPace:
		s.run, s.sum, s.most = 0, 0, 0
	default:
		s.run, s.sum, s.most = s.run+1, s.sum+min(s.asked, 1<<20), max(s.most, s.asked)
		s.even = s.even || s.run >= streamRun && uint64(s.most)*uint64(s.run) <= streamEven*uint64(s.sum)
	}
	if at != s.second+1 {
		s.run, s.sum, s.most = 0, 0, 0
	}
	s.second, s.asked = at, 1
}

// flow takes a DNS flow. A client that asks one question from each port, or a few, makes none with many.
func (s *stream) flow(rec *capture.FlowRecord) {
	if rec.Lookups > 0 {
		s.ask(rec.First.Unix())
	}
	seconds := uint32(min(max(rec.Last.Sub(rec.First)/time.Second, 0), 1<<20)) + 1
	s.even = s.even || rec.Lookups >= streamPort && rec.Lookups >= streamPace*seconds
}
