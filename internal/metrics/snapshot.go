// Package metrics shows the daemon's state to monitoring systems: a Snapshot of numbers goes in once a second, Prometheus
// text and answers about health come out. It counts nothing itself. Start reading at Snapshot, then Registry.
package metrics

import "time"

// Snapshot is the daemon's state at one moment. Its publisher changes neither it nor anything it points to afterwards.
// Numbers of type uint64 only grow while the process lives, unless noted otherwise. Entries of a list with equal labels are
// added up. Beyond MostSeries entries the later ones are merged as "other", so a list must keep its order from one Snapshot
// to the next.
type Snapshot struct {
	Time  time.Time // the wall clock, from time.Now; it is the daemon's heartbeat
	Clock time.Time // the packet clock; zero before the first packet

	Interfaces []Interface // or files, if packets come from files
	Panics     uint64      // packets and observations that caused a panic and were skipped

	Undecoded    []Count // packets whose headers could not be decoded, by reason
	Malformed    []Count // messages that could not be parsed, by protocol
	Observations []Count // by kind
	Tables       []Table
	Queues       []Queue

	Findings   []Findings
	Alerts     []Alerts
	Suppressed []Count // alerts withheld, by cause: suppression, maintenance, quiet_hours, group ...

	Sinks []Sink
	Spool Spool
	Store Store

	Knowledge Knowledge
	Reloads   []Reload

	Draining bool // the daemon is shutting down: not ready any more
}

// Interface is one source of packets.
type Interface struct {
	Name    string
	Up      bool   // it can deliver packets; a file: it can be read
	Losses  uint64 // times that it went down or disappeared
	Packets uint64
	Bytes   uint64
	Kernel  uint64 // packets dropped by the kernel
	Freezes uint64 // times that the ring filled up
	Cut     uint64 // packets too long to be captured in full
}

// Count is the number of things with one label.
type Count struct {
	Label string
	N     uint64
}

// Table is the state of a bounded table.
type Table struct {
	Name    string // flows, hosts, names, findings ...
	Entries int    // now
	Limit   int    // 0: unknown
	Evicted uint64 // entries removed because it was full
}

// Queue is the state of a queue between two parts of the daemon.
type Queue struct {
	Name    string // spool, store ...
	Waiting int    // now
	Limit   int    // 0: unknown
	Lost    uint64 // entries dropped because it was full
}

// Findings is the current number of findings for a vendor and verdict. Vendors beyond MostSeries are merged.
type Findings struct {
	Vendor  string // key in the catalogue
	Verdict string
	Concern bool
	N       int
}

// Alerts is the number of alerts created for an event and severity.
type Alerts struct {
	Event    string
	Severity string
	N        uint64
}

// Sink is the state of one receiver of alerts.
type Sink struct {
	Name      string
	Delivered uint64
	Refused   uint64 // permanently rejected by the receiver
	Retries   uint64 // deliveries that had to be retried
	Pending   uint64 // alerts not yet delivered, now
	Open      bool   // its circuit is open: deliveries are paused after repeated failures
	Oldest    time.Time
	// Oldest is the time of the oldest alert not yet delivered; zero if there is none.
}

// Spool is the state of the alerts that wait in the store for a sink.
type Spool struct {
	Bytes   uint64 // now
	Limit   uint64 // 0: unknown
	Dropped []Count
	// Dropped counts alerts deleted because too many were waiting, by severity.
	Err string // why alerts cannot be written; "" if they can
}

// Store is the state of the store.
type Store struct {
	Used    bool // a store is configured
	Bytes   uint64
	Limit   uint64 // 0: none
	Failed  uint64 // failed writes
	Written time.Time
	// Written is the time of the last write; zero before the first.
	Err string // why the last write failed; "" if it succeeded
}

// Knowledge is the catalogue and the place databases in use.
type Knowledge struct {
	Catalog   time.Time // date of the catalogue
	Entries   int       // of the catalogue
	Databases []Database
}

// Database is one place database.
type Database struct {
	Name string
	Date time.Time
}

// Reload is the state of one kind of data that can be reloaded while the daemon runs.
type Reload struct {
	What    string    // catalog, policy, places, configuration
	Success time.Time // time of the last successful load, the start included; zero: never
	Failure time.Time // time of the last rejected load; zero: never
}
