package hosts

import (
	"net/netip"
	"strings"
	"time"

	"avbeacon/capture"
)

// title is a name and the machine that has it.
type title struct {
	machine capture.Machine
	at      addrKey // the latest address with it
	last    int64
}

// nameMoved is how long a name's former address must have been silent before another one with that name is the same
// machine: while both are active there are two, in two networks or from one image.
const nameMoved = int64(10 * time.Minute)

// renamed is how long an address must be without its name for another name of the same kind to mean another machine.
const renamed = int64(2 * time.Hour)

// call names a binding: the latest name of the most reliable kind counts. A name joins addresses without a known MAC address.
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

// anotherBehind reports whether a MAC address hides two machines, as that of a repeater that rewrites its stations' addresses: two
// addresses of one family have different names of one kind at the same time.
func (h *Hosts) anotherBehind(b *binding, p addrKey, name string, s surety, at int64) bool {
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

// joinByName makes the addresses that have one name, one after the other or of both families, one machine.
func (h *Hosts) joinByName(p addrKey, b *binding, name string, at int64) {
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

// elsewhere reports whether a name's machine is not the one at p: it has a MAC address of its own, or is still active at
// another address of the same family.
func (h *Hosts) elsewhere(t *title, p addrKey, b *binding, at int64) bool {
	x := h.addrs.get(t.at)
	if x == nil || t.at == p {
		return false
	}
	if x.now.machine != t.machine {
		return false // its address has another owner by now
	}
	if b.own != notOwn && x.now.own != notOwn {
		return b.mac != x.now.mac && at-x.last() <= nameMoved
	}
	return isV4(t.at) == isV4(p) && at-x.last() <= nameMoved
}

// common reports whether a name is a default that many machines have.
func common(name string) bool {
	switch n := strings.ToLower(name); n {
	case "localhost", "localhost.localdomain", "android", "iphone", "ipad", "macbook", "macbook-pro", "macbook-air", "imac", "apple-tv",
		"ubuntu", "debian", "kali", "fedora", "raspberrypi", "openwrt", "linux", "windows", "pc", "desktop", "laptop", "user-pc", "admin-pc",
		"printer", "router", "unknown", "esp32", "espressif", "workstation", "host", "server":
		return true
	}
	return false
}

// longestName bounds a name that is kept.
const longestName = 128

// clean returns a host name for display, without .local; "" if it is unusable.
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
