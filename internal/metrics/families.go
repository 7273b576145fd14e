package metrics

import "github.com/prometheus/client_golang/prometheus"

// family is one metric: its name without the prefix, and what stands in its help. A name that ends in _total is a
// counter's, every other one a gauge's.
type family struct {
	name   string
	help   string
	labels []string
}

// prefix begins the name of every metric of ours.
const prefix = "avbeacon_"

// families are all metrics, but those of the Go runtime and of the process (go_*, process_*).
func families() []family {
	list := captureFamilies()
	list = append(list, memoryFamilies()...)
	list = append(list, alertFamilies()...)
	return append(list, daemonFamilies()...)
}

func captureFamilies() []family {
	return []family{
		{"capture_interface_up", "1 where packets can come from it, else 0.", []string{"interface"}},
		{"capture_interface_losses_total", "Times that the interface went down or away, or that a file of a watched folder was not read to its end.", []string{"interface"}},
		{"capture_packets_total", "Packets that were seen.", []string{"interface"}},
		{"capture_bytes_total", "Bytes of the packets that were seen, as captured.", []string{"interface"}},
		{"capture_drops_total", "Packets that the kernel dropped because the ring was full (place kernel).", []string{"interface", "place"}},
		{"capture_freezes_total", "Times that the kernel's ring was full.", []string{"interface"}},
		{"capture_cut_packets_total", "Packets longer than what is kept of them.", []string{"interface"}},
		{"capture_clock_timestamp_seconds", "The packet clock: the latest packet time.", nil},
		{"capture_lag_seconds", "Wall clock minus packet clock.", nil},
		{"undecoded_packets_total", "Packets whose headers could not be read.", []string{"reason"}},
		{"malformed_messages_total", "Messages that could not be read.", []string{"protocol"}},
		{"observations_total", "Observations, by kind.", []string{"kind"}},
		{"panics_total", "Packets and observations that made the program panic and were left out.", nil},
	}
}

func memoryFamilies() []family {
	return []family{
		{"table_entries", "Entries of a bounded table.", []string{"table"}},
		{"table_limit_entries", "Limit of a bounded table.", []string{"table"}},
		{"table_evictions_total", "Entries that went because the table was full.", []string{"table"}},
		{"queue_entries", "Entries that wait in a queue.", []string{"queue"}},
		{"queue_limit_entries", "Limit of a queue.", []string{"queue"}},
		{"queue_lost_total", "Entries that were dropped because the queue was full.", []string{"queue"}},
		{"store_size_bytes", "Size of the store.", nil},
		{"store_limit_bytes", "Limit of the store's size.", nil},
		{"store_write_failures_total", "Writes of the store that failed.", nil},
		{"store_failing", "1 where the store's last write failed, else 0.", nil},
		{"store_last_write_timestamp_seconds", "When the store was last written.", nil},
	}
}

func alertFamilies() []family {
	return []family{
		{"findings", "Findings that are remembered.", []string{"vendor", "verdict", "concern"}},
		{"alerts_total", "Alerts that were made.", []string{"event", "severity"}},
		{"alerts_suppressed_total", "Alerts that were not told, by what kept them.", []string{"by"}},
		{"sink_delivered_alerts_total", "Alerts that a sink has.", []string{"sink"}},
		{"sink_refused_alerts_total", "Alerts that a sink's receiver refused for good.", []string{"sink"}},
		{"sink_retries_total", "Deliveries that had to be tried again.", []string{"sink"}},
		{"sink_pending_alerts", "Alerts that a sink has yet to get.", []string{"sink"}},
		{"sink_circuit_open", "1 where a sink failed so often that it is left alone for a while, else 0.", []string{"sink"}},
		{"sink_lag_seconds", "Age of the oldest alert that a sink has yet to get.", []string{"sink"}},
		{"spool_size_bytes", "Size of the alerts that wait for a sink.", nil},
		{"spool_limit_bytes", "Limit of the alerts that wait for a sink.", nil},
		{"spool_dropped_alerts_total", "Alerts that were deleted because too many waited for a sink.", []string{"severity"}},
		{"spool_failing", "1 if alerts cannot be written to the store, else 0.", nil},
	}
}

func daemonFamilies() []family {
	return []family{
		{"catalog_timestamp_seconds", "Date of the catalogue in use.", nil},
		{"catalog_entries", "Entries of the catalogue in use.", nil},
		{"place_data_timestamp_seconds", "Date of place data in use.", []string{"database"}},
		{"reload_success_timestamp_seconds", "When this knowledge was last taken up.", []string{"what"}},
		{"reload_failure_timestamp_seconds", "When new knowledge of this kind was last refused.", []string{"what"}},
		{"reload_failed", "1 where the last attempt was refused and older knowledge is in use, else 0.", []string{"what"}},
		{"heartbeat_timestamp_seconds", "When the daemon last told how it is.", nil},
		{"ready", "1 where /readyz says ready, else 0.", nil},
		{"build_info", "1, with what was built.", []string{"version", "revision", "goversion"}},
	}
}

// desc makes what client_golang knows a metric by.
func (f *family) desc() *prometheus.Desc {
	return prometheus.NewDesc(prefix+f.name, f.help, f.labels, nil)
}
