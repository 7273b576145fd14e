package hosts

import (
	"encoding/binary"
	"time"

	"avbeacon/capture"
)

// A router's MAC address appears with more addresses within an hour than one machine has, not counting those known to be its own.
const (
	mostV4   = 4
	mostV6   = 16
	frontFor = int64(time.Hour)
)

// device is one MAC address.
type device struct {
	last    int64
	v4      [mostV4]fronted
	v6      []fronted       // at most mostV6
	machine capture.Machine // 0 until an address is known to be its own
	keyed   bool            // a machine has the MAC address as its key
	owns    uint8           // addresses that were ever known to be its own
	replied bool            // the address was claimed by an ARP reply only
	router  bool
	surety  surety
	name    string
	at      addrKey // the latest address of its own; valid iff owns > 0
	before  addrKey // the one before it; valid iff owns > 1
}

// fronted is an address that was seen behind a MAC address.
type fronted struct {
	hash   uint32 // of the address, never 0
	minute uint32 // since 1970, when it was last seen
}

// sight notes an address behind a device. many means more addresses within the hour than one machine has.
func sight(list []fronted, hash uint32, at int64) (many bool) {
	minute := uint32(at / int64(time.Minute))
	oldest := 0
	for i := range list {
		f := &list[i]
		if f.hash == hash || f.hash == 0 {
			f.hash, f.minute = hash, minute
			return false
		}
		if f.minute < list[oldest].minute {
			oldest = i
		}
	}
	if f := &list[oldest]; int64(minute)-int64(f.minute) > frontFor/int64(time.Minute) {
		f.hash, f.minute = hash, minute
		return false
	}
	return true
}

// forget removes an address that is the device's own.
func forget(list []fronted, hash uint32) {
	for i := range list {
		if list[i].hash == hash {
			n := len(list) - 1
			for ; n > i && list[n].hash == 0; n-- {
			}
			list[i], list[n] = list[n], fronted{}
			return
		}
	}
}

// front notes the MAC address beside an address that is not known to be its own, and removes a router's.
func (h *Hosts) front(who *capture.Host, p addrKey, at int64) (router bool) {
	if !who.HasMAC {
		return false
	}
	mac := macOf(who)
	router = shared(mac) || h.standsBefore(mac, p, at)
	if router {
		who.HasMAC, who.MAC = false, [6]byte{}
	}
	return router
}

// standsBefore notes that a device was seen in front of an address, and reports whether it is a router.
func (h *Hosts) standsBefore(mac uint64, p addrKey, at int64) bool {
	d := h.device(mac, at)
	if d.router {
		return true
	}
	many := false
	switch {
	case isV4(p):
		if p[12] != 0 && p[12]&0xf0 != 0xe0 && !(p[12] == 169 && p[13] == 254) {
			many = sight(d.v4[:], hash(p), at)
		}
	case p[0] == 0xff || p[0] == 0xfe && p[1]&0xc0 == 0x80 || p == addrKey{}:
	default:
		many = d.sight6(hash(p), at)
	}
	if many {
		h.isRouter(d)
	}
	return d.router
}

// isRouter notes that a device is in front of several machines.
func (h *Hosts) isRouter(d *device) {
	d.router = true
	h.recent.change()
	h.stats.Routers++
}

func (d *device) sight6(hash uint32, at int64) (many bool) {
	for i := range d.v6 {
		if d.v6[i].hash == hash {
			return sight(d.v6[i:i+1], hash, at)
		}
	}
	if len(d.v6) < mostV6 {
		d.v6 = append(d.v6, fronted{})
	}
	return sight(d.v6, hash, at)
}

// owned notes that an address is the device's own.
func (d *device) owned(p addrKey) {
	d.before, d.at = d.at, p
	if d.owns < 255 {
		d.owns++
	}
	if isV4(p) {
		forget(d.v4[:], hash(p))
		return
	}
	forget(d.v6, hash(p))
}

// unmask revokes a binding to a device that turned out to be a router. If the device had joined several addresses, each becomes a machine
// of its own.
func (h *Hosts) unmask(b *binding) {
	if b.own == notOwn || !b.owner.router {
		return
	}
	if b.owner.owns > 1 {
		b.machine = h.another()
	}
	b.disown()
}

// device returns the entry of a MAC address and makes one if there is none.
func (h *Hosts) device(mac uint64, at int64) *device {
	d := h.devices.get(mac)
	if d == nil {
		d = &device{}
		h.stats.Evicted += h.devices.add(mac, d, h.max, func(d *device) int64 { return d.last })
	}
	d.last = max(d.last, at)
	return d
}

// shared reports whether several machines share a MAC address: that of VRRP and CARP (RFC 9568 7.3, for IPv4 and
// IPv6), of Cisco's HSRP 1 and 2, HSRP for IPv6 and GLBP (from Cisco's documentation). It belongs to no single machine.
func shared(mac uint64) bool {
	switch mac >> 8 {
	case 0x00005e0001, 0x00005e0002, 0x00000c07ac:
		return true
	}
	return mac>>12 == 0x00000c9ff || mac>>12 == 0x000573a00 || mac>>24 == 0x0007b4
}

// macOf is the MAC address beside a Host as a number, 0 if there is none.
func macOf(who *capture.Host) uint64 {
	if !who.HasMAC {
		return 0
	}
	return packMAC(who.MAC)
}

// packMAC is a MAC address as a number, the fastest map key.
func packMAC(m [6]byte) uint64 {
	return uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
}

func unpackMAC(v uint64) (m [6]byte) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	copy(m[:], b[2:])
	return m
}

func isV4(p addrKey) bool {
	return binary.LittleEndian.Uint64(p[:8]) == 0 && binary.LittleEndian.Uint32(p[8:12]) == 0xffff0000
}

// hash is never 0.
func hash(p addrKey) uint32 { return uint32(capture.Addr16(p).Hash()>>32) | 1 }
