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
		out = append(out, fmt.Sprintf("Contact by day and by night: in %d hours, at %d of the day's 24.", n, of))
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
		say(t.barred[barTool], "Evidence from "+t.tool+" did not count.")
	}
	say(t.barred[barResolver], "DNS queries made as resolvers make them did not count.")
	if t.barred[barBuiltin] > 0 && f.Verdict > Possible {
		out = append(out, "Names that the operating system uses by itself did not count.")
	}
	if t.oem != nil {
		out = append(out, "The engine is built into "+t.oem.OEM+".")
	}
	return out
}

func (c *Classifier) stateSentence(t *track, f *Finding) string {
	switch f.State {
	case Blocked:
		n, what := c.failuresNow(t)
		return fmt.Sprintf("All %d recent %s failed: the product still runs, but its traffic is blocked.", n, what)
	case Quiet:
		return fmt.Sprintf("No contact since %s, although the host was seen later.", stamp(c.lastTouch(t)))
	case Returned:
		return fmt.Sprintf("Contact resumed at %s after more than 48 hours.", stamp(t.returned))
	}
	return ""
}

// failuresNow returns how many attempts failed since the last that worked, and what kind of attempts they were.
func (c *Classifier) failuresNow(t *track) (n uint32, what string) {
	from, heard := t.host.active.Back(blockedHours), c.heard(t.host)
	_, flows := t.tries.since(from, heard)
	_, refused := t.asks.since(from, heard)
	if flows == 0 {
		return refused, "DNS queries"
	}
	return flows + refused, "connection attempts"
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
