package beacon

import (
	"fmt"
	"time"
)

// words describes a Result in a sentence.
func words(r *Result, t *Timeline) string {
	switch r.Reason {
	case TooFew:
		return tooFewWords(r)
	case Cache:
		return fmt.Sprintf("DNS queries only, at intervals that a DNS cache of %s makes: %d sessions show no rhythm of the host%s",
			Span(time.Duration(t.TTL)*time.Second), r.Sessions, presenceWords(r))
	case Several:
		return fmt.Sprintf("not scored: several machines behind one address, at least %d%s", r.Machines, presenceWords(r))
	}
	return beatWords(r) + presenceWords(r)
}

func tooFewWords(r *Result) string {
	if r.Sessions <= 1 {
		return "seen in one session"
	}
	return fmt.Sprintf("%d sessions within %s, median interval %s: too few to show a rhythm", r.Sessions, Span(r.Window), Span(r.Period))
}

func beatWords(r *Result) string {
	every := "about every " + Span(r.Period)
	if r.Second > 0 && r.Score >= 0.5 {
		every += fmt.Sprintf(" (or %s)", Span(r.Second))
	}
	switch {
	case r.Score >= 0.8:
		return every
	case r.Score >= 0.5:
		return every + ", loosely"
	}
	return fmt.Sprintf("%d sessions without a clear rhythm, median interval %s", r.Sessions, Span(r.Period))
}

// presenceWords describes the hours with contact.
func presenceWords(r *Result) string {
	s := fmt.Sprintf(", over %d sessions", r.Sessions)
	if r.Active > 0 {
		s = fmt.Sprintf(", on %d of %d active hours", r.Contact, r.Active)
	}
	if r.Night >= 2 {
		s += ", also 02:00-05:00"
	}
	return s
}

// Span formats a duration as people say it: "45 s", "20 min", "2 h", "3 d".
func Span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()+0.5))
	case d < 2*time.Hour-30*time.Second:
		return fmt.Sprintf("%d min", int(d.Minutes()+0.5))
	case d < 48*time.Hour:
		return fmt.Sprintf("%.3g h", float64(int(d.Hours()*10+0.5))/10)
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24+0.5))
}
