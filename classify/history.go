package classify

import "time"

func hourOf(t time.Time) int64 { return floorDiv(t.Unix(), 3600) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// attempts counts successes and failures in the last 24 hours in which there were any. The zero value is empty.
type attempts struct {
	slots [24]attemptHour // oldest first
	n     int
}

type attemptHour struct {
	hour     int64
	ok, fail uint32
	mute     uint32 // look-ups without an answer: failed where the capture would show one
}

// ending is how an attempt ended.
type ending uint8

const (
	unknownEnd ending = iota // one-sided, cut, or answered without an address
	worked
	missed
	silent // a look-up without an answer
)

func (a *attempts) add(t time.Time, how ending) {
	s := a.slot(hourOf(t))
	if s == nil {
		return
	}
	switch how {
	case worked:
		s.ok++
	case missed:
		s.fail++
	case silent:
		s.mute++
	}
}

// failed is how many attempts of the hour failed; heard says that answers would have been seen.
func (s *attemptHour) failed(heard bool) uint32 {
	if heard {
		return s.fail + s.mute
	}
	return s.fail
}

// slot gives the counter of an hour, nil for one older than those kept.
func (a *attempts) slot(hour int64) *attemptHour {
	at := a.n
	for at > 0 && a.slots[at-1].hour > hour {
		at--
	}
	if at > 0 && a.slots[at-1].hour == hour {
		return &a.slots[at-1]
	}
	if a.n == len(a.slots) {
		if at == 0 {
			return nil
		}
		copy(a.slots[:], a.slots[1:at])
		at--
	} else {
		copy(a.slots[at+1:a.n+1], a.slots[at:a.n])
		a.n++
	}
	a.slots[at] = attemptHour{hour: hour}
	return &a.slots[at]
}

// blocked says that nothing worked from an hour on, and that three attempts or more have failed since anything did: flows, or
// look-ups where none was answered.
func blocked(flows, lookups *attempts, from int64, heard bool) bool {
	ok, fail := flows.since(from, heard)
	answered, refused := lookups.since(from, heard)
	return ok == 0 && (fail >= 3 || answered == 0 && fail+refused >= 3)
}

// since counts the successes from an hour on, and the failures since the hour of the last success.
func (a *attempts) since(from int64, heard bool) (ok, fail uint32) {
	for i := a.n - 1; i >= 0; i-- {
		s := &a.slots[i]
		switch {
		case s.ok > 0 && s.hour < from:
			return ok, fail
		case s.hour >= from:
			ok += s.ok
		}
		fail += s.failed(heard)
	}
	return ok, fail
}

func (a *attempts) failures(heard bool) (n uint32) {
	for i := range a.slots[:a.n] {
		n += a.slots[i].failed(heard)
	}
	return n
}

// lastFailure gives the newest hour with a failure; false where there is none.
func (a *attempts) lastFailure(heard bool) (hour int64, any bool) {
	for i := a.n - 1; i >= 0; i-- {
		if a.slots[i].failed(heard) > 0 {
			return a.slots[i].hour, true
		}
	}
	return 0, false
}
