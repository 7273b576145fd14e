package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"avbeacon/internal/setting"
)

// check reports what is wrong in the sections and between them.
func (c *Config) check(k setting.Check) {
	c.Capture.check(k.At("capture"))
	c.Site.check(k.At("site"))
	k.At("policy").Required(c.Policy)
	c.Alerts.Check(k.At("alerts"))
	names, files := map[string]int{}, map[string]int{}
	for i := range c.Sinks {
		s, at := &c.Sinks[i], k.At("sinks").Index(i)
		s.Check(at)
		once(at.At("name"), names, s.Name, i, "name")
		if s.Type == "file" {
			once(at.At("file").At("path"), files, s.File.Path, i, "file")
		}
	}
	if c.Listen.Address != "" {
		k.At("listen").At("address").HostPort(c.Listen.Address, true)
	}
	if !(c.Listen.Drops >= 0 && c.Listen.Drops <= 1) { // written so that NaN fails
		k.At("listen").At("drops").Fail("must be a share from 0 to 1")
	}
	c.Log.Check(k.At("log"))
	if c.Store.Size != 0 {
		setting.Range(k.At("store").At("size"), c.Store.Size, 1<<20, math.MaxInt64)
	}
	setting.Range(k.At("store").At("alerts"), c.Store.Alerts, 1<<20, 1<<40)
	setting.Range(k.At("store").At("pending"), c.Store.Pending, 1, 1<<24)
	c.Limits.check(k.At("limits"))
}

// once reports a value that an earlier sink has already.
func once(k setting.Check, seen map[string]int, value string, i int, what string) {
	if first, twice := seen[value]; twice && value != "" {
		k.Fail("%q is already the %s of sinks[%d]", value, what, first)
		return
	}
	seen[value] = i
}

// check allows no source at all: the command line may name one (see Validate).
func (c *Capture) check(k setting.Check) {
	sources := 0
	for _, there := range []bool{len(c.Interfaces) > 0, c.Read != "", c.Watch != ""} {
		if there {
			sources++
		}
	}
	if sources > 1 {
		k.Fail("use interfaces, or one of read and watch")
	}
	for i, name := range c.Interfaces {
		if name == "any" || strings.ContainsAny(name, "/ \t") {
			k.At("interfaces").Index(i).Fail("%q is not the name of an interface", name)
		}
	}
	if c.Filter != "" && c.FilterFile != "" {
		k.At("filter-file").Fail("filter is set already")
	}
	setting.Range(k.At("ring"), c.Ring, 256<<10, 4<<30)
	setting.Range(k.At("snap-length"), c.SnapLength, 0, 1<<30)
	setting.Range(k.At("workers"), c.Workers, 0, 256)
}

// check repeats what session.ParseSite rejects, so that the error names the key. The comparison is written so that NaN fails.
func (s *Site) check(k setting.Check) {
	for i, word := range s.Home {
		checkHome(k.At("home").Index(i), word)
	}
	if s.Location == "" {
		return
	}
	lat, lon, _ := strings.Cut(s.Location, ",")
	y, badY := strconv.ParseFloat(strings.TrimSpace(lat), 64)
	x, badX := strconv.ParseFloat(strings.TrimSpace(lon), 64)
	if badY != nil || badX != nil || !(y >= -90 && y <= 90 && x >= -180 && x <= 180) {
		k.At("location").Fail("%q is not LAT,LON in decimal degrees, such as 50.11,8.68 for Frankfurt", s.Location)
	}
}

// checkHome wants a network of the site: a prefix, an address, or "default".
func checkHome(k setting.Check, word string) {
	if word == "default" || word == "" {
		return
	}
	if a, err := netip.ParseAddr(word); err == nil && a.Zone() == "" {
		return
	}
	p, err := netip.ParsePrefix(word)
	switch {
	case err != nil:
		k.Fail(`%q is not a network (10.1.0.0/16), an address, or "default" for the private ranges`, word)
	case p.Bits() == 0:
		k.Fail("all addresses cannot be the site's own")
	case p.Addr().Is4In6():
		k.Fail("%q: write IPv4 networks as IPv4", word)
	}
}

// check bounds the tables from below too: a table of ten flows works, but forgets each before it says anything.
func (l *Limits) check(k setting.Check) {
	if l.Memory != 0 {
		setting.Range(k.At("memory"), l.Memory, 64<<20, math.MaxInt64)
	}
	setting.Range(k.At("flows"), l.Flows, 1024, 1<<26)
	setting.Range(k.At("hosts"), l.Hosts, 64, 1<<24)
	setting.Range(k.At("names"), l.Names, 64, 1<<26)
	setting.Range(k.At("drain"), l.Drain, 1, time.Hour)
}

// Warnings are settings that are allowed but risky, one sentence each: unchecked certificates, secrets and alerts that
// cross a network unencrypted, secret files that everybody can read.
func (c *Config) Warnings() []string {
	var out []string
	if host, _, err := net.SplitHostPort(c.Listen.Address); err == nil && !setting.Loopback(host) {
		out = append(out, fmt.Sprintf("listen.address %s: everybody who can reach it can read metrics and health", c.Listen.Address))
	}
	if c.Limits.User == "nobody" && c.Store.File != "" {
		out = append(out, "limits.user nobody: other services may run as nobody too, and the store holds a key")
	}
	for i := range c.Sinks {
		out = append(out, c.Sinks[i].Warnings()...)
	}
	for key, reference := range c.references {
		path, ok := strings.CutPrefix(reference, "file:")
		if st, err := os.Stat(path); ok && err == nil && st.Mode().Perm()&0o004 != 0 {
			out = append(out, fmt.Sprintf("%s: everybody on this machine can read %s", key, path))
		}
	}
	return out
}
