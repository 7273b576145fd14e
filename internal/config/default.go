package config

import (
	"time"

	"avbeacon/capture/limits"
	"avbeacon/internal/alert"
	"avbeacon/internal/logs"
)

// Default is what holds for keys that are left out: a tap of a site whose analysts look for products that call Moscow.
// It names no source of packets and no receiver of alerts; lists and sections that nobody wrote are empty.
func Default() Config {
	const day = 24 * time.Hour
	return Config{
		Capture: Capture{Promiscuous: true, Ring: limits.Ring},
		Site:    Site{Home: []string{"default"}},
		Policy:  "moscow",
		Store:   Store{Detail: 90 * day, Findings: 400 * day, Size: 10 << 30, Alerts: limits.Alerts, Pending: limits.Pending},
		Alerts:  alert.DefaultConfig(),
		Listen:  Listen{Address: "127.0.0.1:9477", Silent: 5 * time.Minute, Drops: 0.01},
		Log:     logs.Config{Level: "info", Format: "auto"},
		Limits:  Limits{Flows: limits.Flows, Hosts: limits.MonitorHosts, Names: limits.MonitorNames, Drain: 20 * time.Second, Confine: true},
	}
}
