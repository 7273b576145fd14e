package classify

import (
	"fmt"
	"strings"
	"time"

	"avbeacon/feeds"
)

// reasons gives the sentences that carry a verdict, the deciding one first.
func (c *Classifier) reasons(t *track, f *Finding, j judgement) []string {
	out := []string{j.why}
	out = append(out, j.caps...)
	out = append(out, c.barSentences(t, f)...)
	if s := best(f); s != "" {
		out = append(out, s)
	}
	if f.Behind != nil {
		out = append(out, "The host "+f.Behind.Words+".")
	}
	if s := c.stateSentence(t, f); s != "" {
		out = append(out, s)
	}
	if n, of := t.contact.Clock(); of >= aroundClock {
		out = append(out, fmt.Sprintf("Contact goes on by day and by night: in %d hours, at %d of the day's 24.", n, of))
	}
	return out
}

// best names the strongest piece of evidence.
func best(f *Finding) string {
	for i := range f.Evidence {
		e := &f.Evidence[i]
		if !e.Supports || e.Strength < feeds.Medium {
			continue
		}
		return fmt.Sprintf("Strongest: %s %q (%s, %s), seen %s.", word(e.Kind), e.Value, e.Role, e.Strength, times(e.Count))
	}
	return ""
}

func word(k Kind) string { return strings.ReplaceAll(k.String(), "_", " ") }

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// barSentences says what did not count, where that is not the verdict's own reason.
func (c *Classifier) barSentences(t *track, f *Finding) (out []string) {
	say := func(n uint32, s string) {
		if n > 0 && !strings.Contains(s, "%") {
			out = append(out, s)
		}
	}
	if f.Verdict > Possible {
		say(t.barred[barTool], "Signs that "+t.tool+" made did not count.")
	}
	say(t.barred[barResolver], "Look-ups asked as resolvers ask did not count.")
	if t.barred[barBuiltin] > 0 && f.Verdict > Possible {
		out = append(out, "Names that the system asks by itself did not count.")
	}
	if t.oem != nil {
		out = append(out, "The engine is built into "+t.oem.OEM+".")
	}
	return out
}

func (c *Classifier) stateSentence(t *track, f *Finding) string {
	switch f.State {
	case Blocked:
		return fmt.Sprintf("Every attempt of the last active hours failed (%d): the product is there, its way out is blocked.", c.failuresNow(t))
	case Quiet:
		return fmt.Sprintf("Nothing since %s, although the host was seen later.", stamp(c.lastTouch(t)))
	case Returned:
		return fmt.Sprintf("Contact came back at %s after more than 48 hours.", stamp(t.returned))
	}
	return ""
}

// failuresNow is how many attempts have failed since one worked.
func (c *Classifier) failuresNow(t *track) uint32 {
	from, heard := t.host.active.Back(blockedHours), c.heard(t.host)
	_, flows := t.tries.since(from, heard)
	_, refused := t.asks.since(from, heard)
	return flows + refused
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// refutedReason says in one sentence that round trips rule out the places that databases name; "" if none is ruled out.
func refutedReason(list []Destination) string {
	var n int
	var least *Destination
	for i := range list {
		if d := &list[i]; d.Place.Refuted != nil {
			n++
			if least == nil || d.Place.Refuted.RTT < least.Place.Refuted.RTT {
				least = d
			}
		}
	}
	if n == 0 {
		return ""
	}
	r := least.Place.Refuted
	return fmt.Sprintf("%d of %d destinations cannot be where the databases place them: %s answered in %.1f ms, so it is within %.0f km of the sensor, "+
		"unless a proxy or middlebox near the sensor answered in its place.", n, len(list), least.Address, float64(r.RTT)/float64(time.Millisecond), r.MaxKM)
}
