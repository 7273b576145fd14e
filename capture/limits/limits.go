// Package limits names the bounds of what packets make grow, in memory and on disk: their defaults for a run over captures and for a
// tap, and what happens when one is reached. Whoever keeps a bound, the configuration's defaults and README.md beside this file read it;
// fixed bounds of one format or protocol stay with its parser.
package limits

// Defaults. A run over captures ends, so that it may take more memory than a daemon that shares its machine.
// avbeacon_table_entries and avbeacon_table_evictions_total count the tables that Flows, Hosts and Names bound.
const (
	Flows        = 1 << 20 // open TCP, UDP and ICMP flows; of eight candidates the longest silent one ends early
	Hosts        = 1 << 17 // hosts, in internal/hosts and in classify, and findings that alerts remember; of a sample the longest unseen is forgotten
	MonitorHosts = 1 << 16
	Names        = 1 << 17 // pairs of host and address with a name; the oldest is forgotten
	MonitorNames = 1 << 16
	HostFlows    = 1 << 14   // open flows of interest, each of which keeps its host; the oldest is forgotten, and may count twice
	Lookups      = 1 << 12   // DNS queries that wait for their answer; the oldest is judged as unanswered
	Pending      = 1 << 16   // alerts that wait in memory to be written; the oldest of the lowest severity is dropped
	Waiting      = 16 << 20  // bytes of streams that wait for earlier ones; the oldest are given up
	WaitingEach  = 128 << 10 // of which in one direction of a flow; the direction is given up
	Ring         = 64 << 20  // bytes of an interface's ring; the kernel drops and counts
	Alerts       = 256 << 20 // bytes of the store for alerts that a sink lacks, about 200,000; the oldest of the lowest severity is deleted
	DeadLetters  = 64 << 20  // bytes of the store for alerts that a receiver rejected; the oldest is deleted
)
