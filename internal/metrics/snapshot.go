// Package metrics shows what the daemon is like, to machines: a Snapshot of numbers goes in once a second, Prometheus text
// and answers about health come out. It counts nothing itself.
package metrics

import "time"

// Snapshot is what the daemon is like at one moment. Whoever publishes it does not change it, nor what it points at,
// afterwards. Numbers of type uint64 only grow while the process lives, unless it is said otherwise. Entries of a list that
// have the same labels are added up; of more than MostSeries entries the later ones are put together under "other", so a
// list keeps its order from one Snapshot to the next.
type Snapshot struct {
	Time  time.Time // the wall clock, as time.Now gives it. That it moves on is the daemon's heartbeat
	Clock time.Time // the packet clock; zero before the first packet

	Interfaces []Interface // or files, where packets come from those
	Panics     uint64      // packets and observations that made us panic, and were left out

	Undecoded    []Count // packets that gave no headers, by reason
	Malformed    []Count // messages that were no messages, by protocol
	Observations []Count // by kind
	Tables       []Table
	Queues       []Queue

	Findings   []Findings
	Alerts     []Alerts
	Suppressed []Count // alerts that were not told, by what kept them: suppression, maintenance, quiet_hours, group ...

	Sinks []Sink
	Spool Spool
	Store Store

	Knowledge Knowledge
	Reloads   []Reload

	Draining bool // the daemon is about to end: not ready any more
}

// Interface is one place that packets come from.
type Interface struct {
	Name    string
	Up      bool   // packets can come; of a file: it can be read
	Losses  uint64 // times that it went down, or away
	Packets uint64
	Bytes   uint64
	Kernel  uint64 // packets that the kernel dropped
	Freezes uint64 // times that the ring was full
	Cut     uint64 // packets that were longer than what is kept of them
}

// Count is how many there are of one kind.
type Count struct {
	Label string
	N     uint64
}

// Table is a memory that has a limit.
type Table struct {
	Name    string // flows, hosts, names, findings ...
	Entries int    // now
	Limit   int    // 0: not known
	Evicted uint64 // entries that went because it was full
}

// Queue is what waits between two parts.
type Queue struct {
	Name    string // spool, store ...
	Waiting int    // now
	Limit   int    // 0: not known
	Lost    uint64 // entries that were dropped because it was full
}

// Findings is how many findings of a vendor there are now. Vendors beyond MostSeries are put together.
type Findings struct {
	Vendor  string // key of the catalogue
	Verdict string
	Concern bool
	N       int
}

// Alerts is how many alerts were made.
type Alerts struct {
	Event    string
	Severity string
	N        uint64
}

// Sink is one receiver of alerts.
type Sink struct {
	Name      string
	Delivered uint64
	Refused   uint64 // for good, by the receiver
	Retries   uint64 // deliveries that had to be tried again
	Pending   uint64 // alerts that it has yet to get, now
	Open      bool   // its circuit is open: it failed so often that it is left alone for a while
	Oldest    time.Time
	// Oldest is the time of the oldest alert that it has yet to get; zero where there is none.
}

// Spool is the durable stream.
type Spool struct {
	Bytes   uint64 // now
	Limit   uint64 // 0: not known
	Dropped []Count
	// Dropped are alerts that were dropped because it was full, by severity.
	Err string // why nothing can be written to it; "" where that goes well
}

// Store is the memory that outlives the process.
type Store struct {
	Used    bool // there is one
	Bytes   uint64
	Limit   uint64 // 0: none
	Failed  uint64 // writes that failed
	Written time.Time
	// Written is when it was last written; zero before the first time.
	Err string // why the last write failed; "" where it went well
}

// Knowledge is what is in use.
type Knowledge struct {
	Catalog   time.Time // date of the catalogue
	Entries   int       // of the catalogue
	Databases []Database
}

// Database is data of places.
type Database struct {
	Name string
	Date time.Time
}

// Reload tells of one kind of knowledge that is taken up while the daemon runs.
type Reload struct {
	What    string    // catalog, policy, places, configuration
	Success time.Time // when it last went well, the start included; zero: never
	Failure time.Time // when it was last refused; zero: never
}
