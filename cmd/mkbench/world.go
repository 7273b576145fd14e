package main

import (
	"math"
	"sort"
	"strconv"
	"strings"
)

// site is a named server.
type site struct {
	name   string
	v4     [4]byte
	v6     [16]byte
	vendor bool // its name is an antivirus vendor's
}

// client is a host of the monitored network.
type client struct {
	mac        [6]byte
	v4         [4]byte
	v6         [16]byte
	port       uint16 // last one used
	vlan       uint16 // 0: none
	timestamps bool   // it sends TCP timestamps
}

// world is all clients and servers.
type world struct {
	sites   []site
	weights []float64 // running sums of the sites' popularity (Zipf)
	vendors []site
	clients []client
}

const ordinarySites = 30_000

// vendorShare is the share of connections that go to an antivirus vendor.
const vendorShare = 0.001

// vendorNames are names that are evidence of a product in the catalogue.
const vendorNames = `s00.upd.kaspersky.com s05.upd.kaspersky.com p12.upd.kaspersky.com dnl-03.geo.kaspersky.com
ds.kaspersky.com dc1.ksn.kaspersky-labs.com ksn-url-geo.kaspersky-labs.com ksn-file-geo.kaspersky-labs.com
activation-v2.kaspersky.com update.drweb.com update.eset.com a.c.eset.com i1.c.eset.com um02.eset.com pico.eset.com
repositorynocdn.eset.com edf.eset.com su.ff.avast.com ncc.avast.com v7event.stats.avast.com upgrade.bitdefender.com
nimbus.bitdefender.net liveupdate.symantecliveupdate.com definitionupdates.microsoft.com sadownload.mcafee.com
ts01-b.cloudsink.net dci.sophosupd.com personal.avira-update.com database.clamav.net`

func newWorld(r *random, clients int) *world {
	w := &world{sites: ordinary(r)}
	sum := 0.0
	for i := range w.sites {
		sum += math.Pow(float64(i+1), -0.9)
		w.weights = append(w.weights, sum)
	}
	for _, name := range strings.Fields(vendorNames) {
		w.vendors = append(w.vendors, site{name: name, vendor: true})
	}
	for i := range w.sites {
		w.sites[i].settle(r)
	}
	for i := range w.vendors {
		w.vendors[i].settle(r)
	}
	for i := range clients {
		w.clients = append(w.clients, newClient(r, i))
	}
	return w
}

// ordinary returns sites with random names, all different.
func ordinary(r *random) []site {
	syllables := strings.Fields("ka lo mi ren ta vo shi nel dor fa ge hu pla ster no ri wen tak bo sun mar vi ex ion cor del pri qua zen lum")
	tops := strings.Fields("com com com com net org io ru de co.uk fr com.br app dev eu online info")
	fronts := strings.Fields("www www api cdn static img edge-01 login mail assets s3 media push telemetry-ingest v2.eu-west-1 gw r3---sn-4g5e6nsz")
	seen := map[string]bool{}
	var sites []site
	for len(sites) < ordinarySites {
		name := ""
		if r.chance(0.85) {
			name = fronts[r.intn(len(fronts))] + "."
		}
		for range r.between(2, 4) {
			name += syllables[r.intn(len(syllables))]
		}
		if r.chance(0.2) {
			name += strconv.Itoa(r.intn(10))
		}
		name += "." + tops[r.intn(len(tops))]
		if !seen[name] {
			seen[name] = true
			sites = append(sites, site{name: name})
		}
	}
	return sites
}

// settle sets the site's addresses. About a third of the sites share theirs with another, as with hosting companies.
func (s *site) settle(r *random) {
	n := uint32(r.intn(20_000))
	first := [...]byte{23, 34, 52, 93, 104, 142, 151, 185, 195, 213}
	s.v4 = [4]byte{first[n%10], byte(20 + n%7), byte(n >> 8), byte(1 + n%254)}
	s.v6 = [16]byte{0x20, 0x01, 0x0d, 0xb8, 0x0f, 0x00, s.v4[0], s.v4[1], 14: s.v4[2], 15: s.v4[3]}
}

func newClient(r *random, i int) client {
	c := client{port: uint16(r.between(20_000, 40_000)), timestamps: r.chance(0.6)}
	n := i % 65_000
	c.v4 = [4]byte{10, byte(20 + i/65_000), byte(n / 250), byte(2 + n%250)}
	c.v6 = [16]byte{0x20, 0x01, 0x0d, 0xb8, 0x00, 0x10, byte(i >> 12), 12: byte(i >> 16), 13: byte(i >> 8), 14: byte(i), 15: 5}
	c.mac = [6]byte{0x02, 0x10, 0, byte(i >> 16), byte(i >> 8), byte(i)}
	if r.chance(0.15) {
		c.vlan = uint16(100 + i%20)
	}
	return c
}

// pick returns a vendor's site with probability vendorShare, else an ordinary one by popularity.
func (w *world) pick(r *random) *site {
	if r.chance(vendorShare) {
		return &w.vendors[r.intn(len(w.vendors))]
	}
	x := r.float() * w.weights[len(w.weights)-1]
	return &w.sites[sort.SearchFloat64s(w.weights, x)]
}
