package metrics

import "github.com/prometheus/client_golang/prometheus"

// family is one metric: its name without the prefix, and its help text. A name that ends in _total is a
// counter; every other one is a gauge.
type family struct {
	name   string
	help   string
	labels []string
}

// prefix begins the name of every metric of ours.
const prefix = "avbeacon_"

// families returns all metrics except those of the Go runtime and of the process (go_*, process_*).
func families() []family {
	return []family{
		{"capture_interface_up", "1 if the interface can deliver packets, else 0.", []string{"interface"}},
		{"capture_interface_losses_total", "Times that the interface went down or disappeared, or that a file of a watched folder was not read to its end.", []string{"interface"}},
		{"capture_packets_total", "Packets seen.", []string{"interface"}},
		{"capture_bytes_total", "Captured bytes of the packets seen.", []string{"interface"}},
		{"capture_drops_total", "Packets that the kernel dropped because the ring was full (place kernel).", []string{"interface", "place"}},
		{"capture_freezes_total", "Times that the kernel's ring filled up.", []string{"interface"}},
		{"capture_cut_packets_total", "Packets too long to be captured in full.", []string{"interface"}},
		{"capture_clock_timestamp_seconds", "The packet clock: the latest packet time.", nil},
		{"capture_lag_seconds", "Wall clock minus packet clock.", nil},
		{"undecoded_packets_total", "Packets whose headers could not be decoded.", []string{"reason"}},
		{"malformed_messages_total", "Messages that could not be parsed.", []string{"protocol"}},
		{"observations_total", "Observations, by kind.", []string{"kind"}},
		{"panics_total", "Packets and observations that caused a panic and were skipped.", nil},
		{"table_entries", "Entries in a bounded table.", []string{"table"}},
		{"table_limit_entries", "Limit of a bounded table.", []string{"table"}},
		{"table_evictions_total", "Entries evicted because the table was full.", []string{"table"}},
		{"queue_entries", "Entries waiting in a queue.", []string{"queue"}},
		{"queue_limit_entries", "Limit of a queue.", []string{"queue"}},
		{"queue_lost_total", "Entries dropped because the queue was full.", []string{"queue"}},
		{"store_size_bytes", "Size of the store.", nil},
		{"store_limit_bytes", "Size limit of the store.", nil},
		{"store_write_failures_total", "Failed writes to the store.", nil},
		{"store_failing", "1 if the last write to the store failed, else 0.", nil},
		{"store_last_write_timestamp_seconds", "Time of the last write to the store.", nil},
		{"findings", "Findings in memory.", []string{"vendor", "verdict", "concern"}},
		{"alerts_total", "Alerts created.", []string{"event", "severity"}},
		{"alerts_suppressed_total", "Alerts withheld, by cause (a suppression, a maintenance window, quiet hours ...).", []string{"by"}},
		{"sink_delivered_alerts_total", "Alerts delivered to a sink.", []string{"sink"}},
		{"sink_refused_alerts_total", "Alerts that a sink's receiver permanently rejected.", []string{"sink"}},
		{"sink_retries_total", "Deliveries that had to be retried.", []string{"sink"}},
		{"sink_pending_alerts", "Alerts not yet delivered to a sink.", []string{"sink"}},
		{"sink_circuit_open", "1 while deliveries to a sink are paused after repeated failures, else 0.", []string{"sink"}},
		{"sink_lag_seconds", "Age of the oldest alert not yet delivered to a sink.", []string{"sink"}},
		{"spool_size_bytes", "Size of the alerts waiting for a sink.", nil},
		{"spool_limit_bytes", "Size limit of the alerts waiting for a sink.", nil},
		{"spool_dropped_alerts_total", "Alerts deleted because too many were waiting for a sink.", []string{"severity"}},
		{"spool_failing", "1 if alerts cannot be written to the store, else 0.", nil},
		{"catalog_timestamp_seconds", "Date of the catalogue in use.", nil},
		{"catalog_entries", "Number of entries in the catalogue in use.", nil},
		{"place_data_timestamp_seconds", "Date of the place data in use.", []string{"database"}},
		{"reload_success_timestamp_seconds", "Time of the last successful reload.", []string{"what"}},
		{"reload_failure_timestamp_seconds", "Time of the last rejected reload.", []string{"what"}},
		{"reload_failed", "1 if the last reload was rejected and the older data is still in use, else 0.", []string{"what"}},
		{"heartbeat_timestamp_seconds", "Time of the daemon's last heartbeat.", nil},
		{"ready", "1 if /readyz reports ready, else 0.", nil},
		{"build_info", "Always 1; the labels describe the build.", []string{"version", "revision", "goversion"}},
	}
}

// desc returns client_golang's description of a metric.
func (f *family) desc() *prometheus.Desc {
	return prometheus.NewDesc(prefix+f.name, f.help, f.labels, nil)
}
