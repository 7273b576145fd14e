package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"avbeacon/classify"
)

// written has a hash for each row of a finding in the file, so that only changed rows are written.
type written struct {
	evidence, destinations, beats map[string]uint64
}

// writer writes one batch in one transaction. It changes nothing of the Store before done, which is called after the commit: a failed
// transaction is written again from the same state.
type writer struct {
	store  *Store
	tx     *tx
	now    time.Time
	staged map[string]*written // in the file once the transaction is
	out    stagedOutbox
	floor  int64  // of the outbox
	room   []byte // for one body
}

func (s *Store) newWriter(now time.Time) *writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &writer{store: s, now: now, staged: map[string]*written{}, floor: s.out.floor(),
		out: stagedOutbox{last: s.out.last, bytes: s.out.waiting.bytes}}
}

// rest writes all of a batch but its alerts. Counters (hours, coverage, unmatched) are added to rows and not replaced, so that each
// batch may be written only once.
func (w *writer) rest(b *batch) {
	for _, p := range b.states {
		w.state(&p)
	}
	for _, k := range b.findings {
		w.finding(&k)
	}
	for k, n := range b.hours {
		w.tx.do("hour.add", k.finding, k.hour, n.contacts, n.lookups)
	}
	for hour, c := range b.coverage {
		w.tx.do("coverage.add", w.store.sensor, hour, int64(c.Seen/time.Second), c.Packets, c.Bytes, c.KernelDrops, c.OwnDrops)
	}
	for k, s := range b.unmatched {
		w.tx.do("unmatched.add", w.store.sensor, k.Host.String(), k.Day, k.Kind, k.Value, s.seen, nanos(s.first), nanos(s.last))
	}
}

// alerts writes some alerts of a batch with their findings.
func (w *writer) alerts(b *batch, list []turned) error {
	for i := range list {
		a := &list[i].Alert
		if k, ok := b.findings[a.Finding]; ok && w.staged[a.Finding] == nil {
			w.finding(&k)
		}
		if a.Send {
			w.send(a)
		} else {
			w.alert(a)
		}
	}
	if w.tx.err != nil {
		return w.tx.err
	}
	return w.bound()
}

// mostWritten bounds the findings whose rows are known; for others, every row is written again when they change.
const mostWritten = 8192

// done takes over the state of a committed transaction. The caller holds Store.writing, which guards written; Store.mu guards out.
func (w *writer) done() {
	known := w.store.written
	for id := range known { // any of them
		if len(known)+len(w.staged) <= mostWritten {
			break
		}
		delete(known, id)
	}
	for id, x := range w.staged {
		known[id] = x
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.out.commit(&w.out)
}

// state writes a piece of the classifier's memory, and who the host is.
func (w *writer) state(p *classify.Saved) {
	w.tx.do("state.put", w.store.sensor, p.Host, p.Vendor, nanos(w.now), p.Data)
	h := p.Who
	if h == nil {
		return
	}
	w.tx.do("host.put", w.store.sensor, p.Host, addressText(h), macText(h), h.Name, list(h.VLANs), nanos(p.Seen))
	if h.Name != "" {
		w.tx.do("host.name", w.store.sensor, p.Host, "name", h.Name, nanos(p.Seen), nanos(p.Seen))
	}
	for _, a := range h.Addresses {
		w.tx.do("host.name", w.store.sensor, p.Host, "address", a.Address.String(), nanos(a.From), nanos(a.To))
	}
}

func addressText(h *classify.FindingHost) string {
	if !h.Address.IsValid() {
		return ""
	}
	return h.Address.String()
}

func macText(h *classify.FindingHost) string {
	if !h.HasMAC {
		return ""
	}
	m := h.MAC
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// list is a value as JSON. The types that are given here have no value that JSON cannot say.
func list(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}

// numbers makes ints of roles: encoding/json writes a slice of bytes as base64, which SQL cannot search.
func numbers(roles []classify.HostRole) []int {
	out := make([]int, len(roles))
	for i, r := range roles {
		out[i] = int(r)
	}
	return out
}

// finding writes a finding, and of its evidence, destinations and beats those rows that changed: one contact changes few of them.
func (w *writer) finding(k *kept) {
	f, d := k.finding, &k.decision
	w.tx.do("finding.put", f.ID, w.store.sensor, f.Vendor.Key, f.Vendor.Name, f.Vendor.Country, f.Product, f.ProductVersion,
		addressText(&f.Host), list(f.Host), int(f.HostRole), list(numbers(f.HostRoles)), list(f.Behind), list(f.OEM), int(f.Verdict), int(f.State),
		whole(d.Concern), d.Rule, int(d.Severity), d.Why, nanos(f.FirstSeen), nanos(f.LastSeen), int64(f.Contacts), int64(f.Lookups),
		int64(f.Dropped), list(f.Reasons))
	old := w.store.written[f.ID]
	if old == nil { // from an earlier run: its rows in the file are not known
		w.tx.do("evidence.clear", f.ID)
		w.tx.do("forget.destinations", f.ID)
		old = &written{}
	}
	x := &written{evidence: map[string]uint64{}, destinations: map[string]uint64{}, beats: map[string]uint64{}}
	w.staged[f.ID] = x
	for i := range f.Evidence {
		w.evidence(f.ID, &f.Evidence[i], i, old.evidence, x.evidence)
	}
	for sign := range old.evidence {
		if _, ok := x.evidence[sign]; !ok {
			w.tx.do("evidence.drop", f.ID, sign)
		}
	}
	for i := range f.Destinations {
		w.destination(f.ID, &f.Destinations[i], old.destinations, x.destinations)
	}
	for i := range f.Beacons {
		w.beat(f.ID, &f.Beacons[i], k.starts, old.beats, x.beats)
	}
}

// put writes a row unless the file has it already.
func (w *writer) put(key string, old, now map[string]uint64, query string, args ...any) {
	sum := hash(args)
	now[key] = sum
	if was, ok := old[key]; !ok || was != sum {
		w.tx.do(query, args...)
	}
}

// hash is not cryptographic: both sides of the comparison are ours. Texts go in with their length, so that two of them cannot run
// together.
func hash(args []any) uint64 {
	h := fnv.New64a()
	var room [8]byte
	for _, a := range args {
		switch v := a.(type) {
		case string:
			binary.LittleEndian.PutUint64(room[:], uint64(len(v)))
			h.Write(room[:])
			h.Write([]byte(v))
		case int64:
			binary.LittleEndian.PutUint64(room[:], uint64(v))
			h.Write(room[:])
		default:
			fmt.Fprint(h, v, ";")
		}
	}
	return h.Sum64()
}

// evidence writes a piece of evidence. Its key is a hash of what identifies it, which is as short as an index wants it. position keeps
// evidence against the product in the classifier's order; all other evidence is sorted by weight when it is read.
func (w *writer) evidence(id string, e *classify.Evidence, i int, old, now map[string]uint64) {
	position := int64(0)
	if e.Kind == classify.KindAgainst {
		position = int64(i) + 1
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %t %s", e.Kind, e.Role, e.Supports, e.Value))
	sign := hex.EncodeToString(sum[:8])
	w.put(sign, old, now, "evidence.put", id, sign, position, int64(e.Kind), e.Value, int64(e.Role), int64(e.Strength), int64(whole(e.Supports)),
		e.Weight, int64(e.Count), nanos(e.First), nanos(e.Last), list(e.Frames), e.Source, e.Date, e.Pattern, e.File, int64(e.Line), e.Note, e.Why)
}

func (w *writer) destination(id string, d *classify.Destination, old, now map[string]uint64) {
	address := d.Address.String()
	w.put(fmt.Sprintf("%s %d", address, d.Port), old, now, "destination.put", id, address, int64(d.Port), list(d.Names), int64(d.ASN), d.Owner,
		int64(d.RTT), int64(d.Contacts), int64(d.Failed), int64(whole(d.Proxy)), int64(d.Place.Level), d.Place.Country, d.Place.City, list(d.Place))
}

// beat writes a service with the starts of its sessions, as distances, which are shorter numbers than times.
func (w *writer) beat(id string, b *classify.Beacon, all []classify.Starts, old, now map[string]uint64) {
	var starts []int64
	for i := range all {
		if all[i].Role == b.Role {
			starts = distances(all[i].Times)
		}
	}
	w.put(b.Role.String(), old, now, "beat.put", id, int64(b.Role), b.Score, int64(whole(b.Scored)), int64(b.Period), int64(b.Sessions), b.Words, list(starts))
}

// distances returns the first time and the differences between successive ones.
func distances(times []int64) []int64 {
	out := make([]int64, 0, len(times))
	before := int64(0)
	for _, at := range times {
		out = append(out, at-before)
		before = at
	}
	return out
}

func (w *writer) alert(a *Alert) { w.tx.do("alert.put", a.row(&w.room)...) }

// row returns the values of alert.put; room is for the body.
func (a *Alert) row(room *[]byte) []any {
	return []any{a.ID, a.Finding, a.Rule, int(a.Severity), a.State, nanos(a.Changed), nanos(a.Sent), pack(room, a.Body)}
}
