package config

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
)

// Validate tells everything that is wrong, one thing a line, each with its key. What a file names is not looked at: that
// a file or an interface is there is told by whoever opens it. A Config without a place that packets come from is valid:
// the command line may name one.
func (c *Config) Validate() error { return report("", c.problems()) }

func (c *Config) problems() []problem {
	k := &checker{}
	k.natural("", reflect.ValueOf(*c))
	k.capture(&c.Capture)
	k.site(&c.Site)
	k.required("policy", c.Policy)
	k.memory(c)
	k.alerts(&c.Alerts)
	k.spool(&c.Spool)
	names, files := map[string]int{}, map[string]int{}
	for i := range c.Sinks {
		s := &c.Sinks[i]
		k.sink(fmt.Sprintf("sinks[%d]", i), s)
		if first, twice := names[s.Name]; twice && s.Name != "" {
			k.fail(fmt.Sprintf("sinks[%d].name", i), "%q is the name of sinks[%d] already", s.Name, first)
		} else {
			names[s.Name] = i
		}
		if first, twice := files[s.File.Path]; twice && s.Type == "file" && s.File.Path != "" {
			k.fail(fmt.Sprintf("sinks[%d].file.path", i), "%q is the file of sinks[%d] already", s.File.Path, first)
		} else if s.Type == "file" {
			files[s.File.Path] = i
		}
	}
	k.rest(c)
	return k.found
}

func (k *checker) capture(c *Capture) {
	sources := 0
	for _, there := range []bool{len(c.Interfaces) > 0, c.Read != "", c.Watch != ""} {
		if there {
			sources++
		}
	}
	if sources > 1 {
		k.fail("capture", "packets come from interfaces, or from one of read and watch")
	}
	for i, name := range c.Interfaces {
		if name == "any" || strings.ContainsAny(name, "/ \t") {
			k.fail(fmt.Sprintf("capture.interfaces[%d]", i), "%q: name the interfaces", name)
		}
	}
	if c.Filter != "" && c.FilterFile != "" {
		k.fail("capture.filter-file", "there is a filter already")
	}
	k.sized("capture.ring", c.Ring, 256<<10, 4<<30)
	k.between("capture.snap-length", int64(c.SnapLength), 0, 1<<30)
	k.between("capture.workers", int64(c.Workers), 0, 256)
}

func (k *checker) site(s *Site) {
	for i, word := range s.Home {
		k.home(fmt.Sprintf("site.home[%d]", i), word)
	}
	if s.Location != "" {
		k.point("site.location", s.Location)
	}
}

// memory is what outlives a second, and its bounds.
func (k *checker) memory(c *Config) {
	if c.Store.Size != 0 {
		k.sized("store.size", c.Store.Size, 1<<20, math.MaxInt64)
	}
	if c.Limits.Memory != 0 {
		k.sized("limits.memory", c.Limits.Memory, 64<<20, math.MaxInt64)
	}
	k.between("limits.flows", int64(c.Limits.Flows), 1024, 1<<26)
	k.between("limits.hosts", int64(c.Limits.Hosts), 64, 1<<24)
	k.between("limits.names", int64(c.Limits.Names), 64, 1<<26)
}

func (k *checker) alerts(a *Alerts) {
	k.words("alerts.tell", a.Tell, Events()[:len(Events())-1])
	k.word("alerts.at-least", a.AtLeast, Verdicts())
	if a.Removal.By != "" {
		if _, err := time.Parse(time.DateOnly, a.Removal.By); err != nil {
			k.fail("alerts.removal.by", "%q is no date, as 2026-12-31", a.Removal.By)
		}
	}
	if a.Repeat > 0 && a.Repeat < time.Minute {
		k.fail("alerts.repeat", "is at least 1m, or 0s for never")
	}
	if a.Group.Over > 0 && a.Group.Within == 0 {
		k.fail("alerts.group.within", "is missing: many alerts within which time?")
	}
	for i := range a.Quiet {
		k.quiet(fmt.Sprintf("alerts.quiet-hours[%d]", i), &a.Quiet[i])
	}
	for i, w := range a.Windows {
		if w.From.IsZero() || !w.To.After(w.From) {
			k.fail(fmt.Sprintf("alerts.maintenance[%d]", i), `has a time "from" and a later one "to"`)
		}
	}
	ids := map[string]bool{}
	for i := range a.Suppress {
		k.suppression(fmt.Sprintf("alerts.suppress[%d]", i), &a.Suppress[i], ids)
	}
}

func (k *checker) quiet(key string, q *Quiet) {
	k.words(key+".days", q.Days, Days())
	k.clock(key+".from", q.From)
	k.clock(key+".to", q.To)
	if q.From == q.To {
		k.fail(key+".to", "is when it begins")
	}
	if _, err := time.LoadLocation(q.Zone); err != nil || q.Zone == "Local" {
		k.fail(key+".zone", "%q is no time zone of the IANA list, as Europe/Berlin", q.Zone)
	}
	k.wordOrNone(key+".above", q.Above, Severities())
}

func (k *checker) suppression(key string, s *Suppression, ids map[string]bool) {
	k.required(key+".id", s.ID)
	k.required(key+".reason", s.Reason)
	k.required(key+".author", s.Author)
	if ids[s.ID] && s.ID != "" {
		k.fail(key+".id", "%q stands twice", s.ID)
	}
	ids[s.ID] = true
	if len(s.Hosts)+len(s.Vendors)+len(s.Roles)+len(s.Domains) == 0 {
		k.fail(key, "names neither hosts nor vendors, roles or domains; for everything write domains: [.]")
	}
	for i, d := range s.Domains {
		if strings.ContainsAny(d, " /*@") {
			k.fail(fmt.Sprintf("%s.domains[%d]", key, i), "%q is no domain; write example.com for all that ends with it", d)
		}
	}
}

func (k *checker) spool(s *Spool) {
	k.sized("spool.size", s.Size, 1<<20, 1<<40)
	k.between("spool.pending", int64(s.Pending), 1, 1<<24)
	if s.NATS != "" {
		k.link("spool.nats", s.NATS, "nats", "tls", "ws", "wss")
	} else if s.NATSTLS != (TLS{}) {
		k.fail("spool.nats-tls", "is for a server that nats names")
	}
	k.tls("spool.nats-tls", &s.NATSTLS)
}

func (k *checker) rest(c *Config) {
	if c.Listen.Address != "" {
		k.hostPort("listen.address", c.Listen.Address, true)
	}
	if !(c.Listen.Drops >= 0 && c.Listen.Drops <= 1) {
		k.fail("listen.drops", "is a share, from 0 to 1")
	}
	k.word("log.level", c.Log.Level, levels())
	k.word("log.format", c.Log.Format, logFormats())
	if c.Limits.Drain == 0 || c.Limits.Drain > time.Hour {
		k.fail("limits.drain", "is up to 1h, and not nothing")
	}
}
