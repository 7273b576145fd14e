// Package config reads the daemon's configuration: one YAML file goes in, a checked Config comes out, with defaults for keys
// that are missing. Print writes a Config back as a file that explains every key. It composes the sections and owns only
// those that no other package acts on alone; the tag about of a field is its explanation. Start reading at Config and Parse.
package config

import (
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/logs"
	"avbeacon/internal/setting"
	"avbeacon/internal/siem"
)

// Config is the whole file. Every key may be left out; Default says what then holds.
type Config struct {
	Sensor    string       `yaml:"sensor" about:"sensor name, part of every id; empty: the store's, else the host name"`
	Capture   Capture      `yaml:"capture" about:"where packets come from: interfaces, or one of read and watch"`
	Site      Site         `yaml:"site" about:"where the tap is, and which networks are inside"`
	Knowledge Knowledge    `yaml:"knowledge" about:"what is known of vendors and places"`
	Policy    string       `yaml:"policy" about:"what is of concern: the name of a built-in policy, or a file"`
	Store     Store        `yaml:"store" about:"the memory that outlives the process"`
	Alerts    alert.Config `yaml:"alerts" about:"which alerts are sent, and when"`
	Sinks     []siem.Sink  `yaml:"sinks" about:"receivers of alerts; none: JSON lines on standard output"`
	Listen    Listen       `yaml:"listen" about:"where metrics and health are served"`
	Log       logs.Config  `yaml:"log" about:"what is written to standard error"`
	Limits    Limits       `yaml:"limits" about:"bounds of the daemon"`

	references map[string]string // where secrets came from, by key (sinks[0].http.token): what Print shows of them
}

// Capture says where packets come from: interfaces, or one of Read and Watch.
type Capture struct {
	Interfaces  []string     `yaml:"interfaces" about:"network interfaces to listen on, by name"`
	Read        string       `yaml:"read" about:"a capture file to read to its end, or - for standard input"`
	Watch       string       `yaml:"watch" about:"a folder that a rotating capture writes into"`
	Promiscuous bool         `yaml:"promiscuous" about:"accept packets to other hardware addresses too, as a tap or mirror port requires"`
	Ring        setting.Size `yaml:"ring" about:"packet buffer per interface; packets that arrive while it is full are lost and counted"`
	SnapLength  int          `yaml:"snap-length" about:"bytes to keep of a packet; 0: all"`
	Filter      string       `yaml:"filter" lines:"yes" about:"a kernel filter, as 'tcpdump -ddd' prints it; empty: none"`
	FilterFile  string       `yaml:"filter-file" about:"a file with such a filter"`
	Workers     int          `yaml:"workers" about:"goroutines that inspect packets; 0: one per processor, at most 4"`
}

// Site says where the tap is, and what is inside.
type Site struct {
	Home     []string `yaml:"home" about:"the site's own networks; default: the private ranges"`
	Location string   `yaml:"location" about:"latitude and longitude of the tap in degrees, such as 50.11,8.68; empty: unknown"`
}

// Knowledge says what is known of vendors and places.
type Knowledge struct {
	Feeds         string   `yaml:"feeds" about:"a folder that replaces the embedded catalogue; empty: the embedded one"`
	Geo           []string `yaml:"geo" about:"place databases in MaxMind's format, in addition to the embedded one"`
	NoEmbeddedGeo bool     `yaml:"no-embedded-geo" about:"do not use the embedded place data"`
	IDKey         string   `yaml:"id-key" about:"a file with the key for hashes of identifiers; empty: the store's, else a new one"`
	AcceptShrunk  bool     `yaml:"accept-shrunk" about:"accept a new catalogue even if it has less than half of the entries"`
}

// Store is the memory that outlives the process.
type Store struct {
	File     string        `yaml:"file" about:"an SQLite file; empty: findings are not kept, and alerts only while the program runs"`
	Detail   time.Duration `yaml:"detail" about:"how long hourly connections and other details are kept; 0s: for ever"`
	Findings time.Duration `yaml:"findings" about:"how long a finding is kept after it was last seen; 0s: for ever"`
	Size     setting.Size  `yaml:"size" about:"largest size of the file; 0: no limit"`
	Alerts   setting.Size  `yaml:"alerts" about:"limit of the alerts that wait for a sink; beyond it the oldest of the lowest severity are deleted"`
	Pending  int           `yaml:"pending" about:"most alerts that wait in memory to be written"`
}

// Listen is where metrics and health are served.
type Listen struct {
	Address string        `yaml:"address" about:"host:port; empty: nowhere"`
	Hosts   []string      `yaml:"hosts" about:"host names in a request's Host header that are answered, beside IP addresses, localhost, the machine's and address's own"`
	Silent  time.Duration `yaml:"silent" about:"not ready if no packet arrived for this long; 0s: never"`
	Drops   float64       `yaml:"drops" about:"not ready if more than this share of the last minute's packets was dropped"`
}

// Limits bound the daemon.
type Limits struct {
	Memory  setting.Size  `yaml:"memory" about:"memory limit of the process, as GOMEMLIMIT; 0: as GOMEMLIMIT says"`
	Flows   int           `yaml:"flows" about:"most flows at a time"`
	Hosts   int           `yaml:"hosts" about:"most hosts in memory"`
	Names   int           `yaml:"names" about:"most pairs of host and address whose name is remembered"`
	Drain   time.Duration `yaml:"drain" about:"how long the shutdown after SIGTERM may take"`
	User    string        `yaml:"user" about:"user to switch to once the sockets are open; empty: from root to avbeacon where it exists, else to who called sudo, else no switch"`
	Confine bool          `yaml:"confine" about:"deny access to files that are not named here, where the kernel can (Landlock)"`
	Pieces  string        `yaml:"panics" about:"folder for captures of packets that caused a panic; empty: none"`
}
