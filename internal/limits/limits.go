// Package limits names the bounds of the tables that packets make grow: their defaults for a run over captures and for a tap,
// what happens when one is full, and the metric that counts it. The packages that hold the tables, the configuration's defaults,
// monitor's metrics and ARCHITECTURE.md read it; fixed bounds of one format or protocol stay with its parser.
package limits

// Defaults. A run over captures ends, so that it may take more memory than a daemon that shares its machine.
const (
	Flows        = 1 << 20 // open TCP, UDP and ICMP flows
	Hosts        = 1 << 17 // hosts, in internal/hosts and in classify; findings that the alerts' book remembers
	MonitorHosts = 1 << 16
	Names        = 1 << 17 // pairs of host and address with a name
	MonitorNames = 1 << 16
	HostFlows    = 1 << 14 // open flows of interest, each of which keeps its host; never more than hosts
	Lookups      = 1 << 12 // DNS queries that wait for their answer
	Pending      = 1 << 16 // alerts that wait in memory to be written
)

// Limit is one row of the table.
type Limit struct {
	Table            string // label "table" of avbeacon_table_entries and avbeacon_table_evicted_total; "" where it has none
	Key              string // configuration key of monitor; "" where it is fixed
	What             string
	Analyze, Monitor int
	Full             string // what happens when it is reached
}

// Table lists them.
func Table() []Limit {
	return []Limit{
		{"flows", "limits.flows", "flows", Flows, Flows, "of eight candidates the longest silent one ends early"},
		{"hosts", "limits.hosts", "hosts", Hosts, MonitorHosts, "of a sample the longest unseen is forgotten, first those without a finding"},
		{"addresses", "limits.hosts", "addresses with a name or an owner", Hosts, MonitorHosts, "of a sample the longest unseen is forgotten"},
		{"told", "limits.hosts", "findings that alerts remember", Hosts, MonitorHosts, "the one judged longest ago is forgotten"},
		{"names", "limits.names", "names of addresses", Names, MonitorNames, "the oldest is forgotten"},
		{"", "", "open flows of interest", HostFlows, HostFlows, "the oldest is forgotten; it may count twice"},
		{"", "", "DNS queries that wait for an answer", Lookups, Lookups, "the oldest is judged as unanswered"},
		{"", "", "alerts that wait in memory", Pending, Pending, "the oldest of the lowest severity is dropped and counted"},
	}
}
