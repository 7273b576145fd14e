package hosts

import (
	"net/netip"
	"strings"
	"time"
)

// title is a name and the machine that has it.
type title struct {
	machine uint32
	at      place // the latest address with it
	last    int64
}

// nameMoved is how long a name's former address must have been silent before another one with that name is the same
// machine: while both speak there are two, of two networks or of one image.
const nameMoved = int64(10 * time.Minute)

// renamed is after how long without its name an address that has another one of the same kind is another machine's.
const renamed = int64(2 * time.Hour)

// call returns a meaning of an address a name: the latest of the surest kind. A name joins addresses of which no hardware
// address is known.
func (h *Hosts) call(a netip.Addr, b *binding, name string, s surety, at int64) {
	name = clean(name)
	if name == "" || b.name != "" && b.name != name && s < b.surety {
		return
	}
	if b.name != "" && b.name != name && b.own == notOwn && s == b.surety && at-b.named > renamed {
		b = h.addrs.get(a.As16()).turn(b, at)
	}
	if b.name != name {
		b.name = name
	}
	b.surety, b.named = max(b.surety, s), at
	if b.own != notOwn && s < byDHCP && h.anotherBehind(b, a.As16(), name, s, at) {
		h.isRouter(b.owner)
		h.unmask(b)
	}
	if b.own != notOwn && s >= b.owner.surety {
		b.owner.name, b.owner.surety = name, s
	}
	if !common(name) {
		h.joinByName(a.As16(), b, strings.ToLower(name), at)
	}
}

// anotherBehind reports whether a MAC address stands before two machines, as a repeater that rewrites all its stations'
// does: two addresses of one family under it bear different names of one kind at a time.
func (h *Hosts) anotherBehind(b *binding, p place, name string, s surety, at int64) bool {
	d := b.owner
	other := d.at
	if other == p {
		other = d.before
	}
	x := h.addrs.get(other)
	if x == nil || other == p || isV4(other) != isV4(p) {
		return false
	}
	o := &x.now
	return o.own != notOwn && o.owner == d && o.surety == s && o.name != "" && o.name != name && at-o.named <= nameMoved && at-o.seen <= nameMoved
}

// joinByName makes the addresses that bear one name, one after the other or of both families, one machine.
func (h *Hosts) joinByName(p place, b *binding, name string, at int64) {
	t := h.called.get(name)
	switch {
	case t == nil:
		t = &title{last: at}
		h.stats.Evicted += h.called.add(name, t, h.max, func(t *title) int64 { return t.last })
	case t.machine != 0 && b.machine != t.machine && h.elsewhere(t, p, b, at):
		return
	case b.machine == 0:
		b.machine = t.machine
	}
	if b.machine == 0 {
		b.machine = h.another()
	}
	t.machine, t.at, t.last = b.machine, p, at
}

// elsewhere reports whether a name's machine is not the one at p: it has a MAC address of its own, or still speaks from
// another address of the same family.
func (h *Hosts) elsewhere(t *title, p place, b *binding, at int64) bool {
	x := h.addrs.get(t.at)
	if x == nil || t.at == p {
		return false
	}
	if x.now.machine != t.machine {
		return false // its address is another's by now
	}
	if b.own != notOwn && x.now.own != notOwn {
		return b.mac != x.now.mac && at-x.last() <= nameMoved
	}
	return isV4(t.at) == isV4(p) && at-x.last() <= nameMoved
}

// common reports whether a name is what many machines are called as they come.
func common(name string) bool {
	switch n := strings.ToLower(name); n {
	case "localhost", "localhost.localdomain", "android", "iphone", "ipad", "macbook", "macbook-pro", "macbook-air", "imac", "apple-tv",
		"ubuntu", "debian", "kali", "fedora", "raspberrypi", "openwrt", "linux", "windows", "pc", "desktop", "laptop", "user-pc", "admin-pc",
		"printer", "router", "unknown", "esp32", "espressif", "workstation", "host", "server":
		return true
	}
	return false
}

// longestName bounds what is kept of a name.
const longestName = 128

// clean returns a host name fit for display: its first part where it ends in .local.
func clean(name string) string {
	name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(name), "."), ".local")
	if len(name) > longestName || name == "" {
		return ""
	}
	for i := range len(name) {
		if name[i] < 33 || name[i] > 126 {
			return ""
		}
	}
	return name
}
