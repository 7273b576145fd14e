package alert

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"avbeacon/internal/policy"
)

// quietHours are times of the week in which only severe alerts are sent.
type quietHours []quietHour

type quietHour struct {
	days     [7]bool // on which they begin, by time.Weekday
	from, to int     // minutes of the day
	zone     *time.Location
	above    policy.Severity
}

func newQuietHours(list []Quiet) (quietHours, error) {
	var all quietHours
	var errs []error
	for i := range list {
		q, err := newQuietHour(&list[i])
		if err != nil {
			errs = append(errs, fmt.Errorf("alerts.quiet-hours[%d].%w", i, err))
		}
		all = append(all, q)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	monday := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	if until, quiet := all.until(monday, policy.Info); quiet && until.Sub(monday) >= 7*24*time.Hour {
		return nil, errors.New("alerts.quiet-hours: together they cover the whole week, so that nothing would ever be sent; leave some hours free")
	}
	return all, nil
}

func newQuietHour(c *Quiet) (q quietHour, err error) {
	words := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	for _, d := range c.Days {
		day := slices.Index(words, d)
		if day < 0 {
			return q, fmt.Errorf("days: %q is not a day; write one of %v", d, words)
		}
		q.days[day] = true
	}
	if len(c.Days) == 0 {
		q.days = [7]bool{true, true, true, true, true, true, true}
	}
	if q.from, err = minutes(c.From); err != nil {
		return q, fmt.Errorf("from: %w", err)
	}
	if q.to, err = minutes(c.To); err != nil {
		return q, fmt.Errorf("to: %w", err)
	}
	if q.from == q.to {
		return q, errors.New("to: is the same as from; write another time")
	}
	if q.zone, err = time.LoadLocation(c.Zone); err != nil || c.Zone == "Local" {
		return q, fmt.Errorf("zone: %q is not a time zone of this system; write one, such as Europe/Berlin, or leave it out for UTC", c.Zone)
	}
	if q.above = policy.Critical; c.Above != "" {
		if q.above, err = severity(c.Above); err != nil {
			return q, fmt.Errorf("above: %w", err)
		}
	}
	return q, nil
}

func minutes(clock string) (int, error) {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time of day; write one as 18:30", clock)
	}
	return t.Hour()*60 + t.Minute(), nil
}

func severity(word string) (policy.Severity, error) {
	s, ok := named(word, policy.Info, policy.Critical)
	if !ok {
		return 0, fmt.Errorf("unknown severity %q; write info, low, medium, high or critical", word)
	}
	return s, nil
}

// until returns when an alert made at time t may be sent; quiet is false if that is at once. Adjoining quiet hours count as
// one.
func (all quietHours) until(t time.Time, s policy.Severity) (end time.Time, quiet bool) {
	end = t
	for range 8 * len(all) { // bounded: hours that cover the whole week were rejected
		next := end
		for i := range all {
			if e, ok := all[i].at(end); ok && s < all[i].above && e.After(next) {
				next = e
			}
		}
		if next.Equal(end) {
			break
		}
		end = next
	}
	return end.UTC(), end.After(t)
}

// at returns when the quiet hours around t end; ok is false if t is outside. Hours that began yesterday may last until today.
func (q *quietHour) at(t time.Time) (end time.Time, ok bool) {
	local := t.In(q.zone)
	for _, back := range []int{0, 1} {
		y, m, d := local.AddDate(0, 0, -back).Date()
		overnight := 0
		if q.to < q.from {
			overnight = 1
		}
		from := time.Date(y, m, d, 0, q.from, 0, 0, q.zone)
		end = time.Date(y, m, d+overnight, 0, q.to, 0, 0, q.zone)
		if q.days[from.Weekday()] && !t.Before(from) && t.Before(end) {
			return end, true
		}
	}
	return time.Time{}, false
}

// window is a maintenance window.
type window struct {
	id       string
	from, to time.Time
	hosts    hostMatcher // empty: all
	reason   string
}

func newWindows(list []Window) ([]window, error) {
	var all []window
	var errs []error
	for i := range list {
		c := &list[i]
		w := window{id: fmt.Sprintf("maintenance-%s", c.From.UTC().Format("20060102T150405Z")), from: c.From, to: c.To, reason: text(c.Reason)}
		if c.From.IsZero() || !c.To.After(c.From) {
			errs = append(errs, fmt.Errorf("alerts.maintenance[%d]: to must be later than from; write both", i))
		}
		var err error
		if w.hosts, err = newHostMatcher(c.Hosts); err != nil {
			errs = append(errs, fmt.Errorf("alerts.maintenance[%d].hosts%w", i, err))
		}
		if slices.ContainsFunc(all, func(x window) bool { return x.id == w.id }) {
			w.id += fmt.Sprintf("-%d", i+1)
		}
		all = append(all, w)
	}
	return all, errors.Join(errs...)
}

// window returns the maintenance window that covers a host at time t, or nil.
func (r *rules) window(h *Host, t time.Time) *window {
	for i := range r.windows {
		w := &r.windows[i]
		if !t.Before(w.from) && t.Before(w.to) && (w.hosts.empty() || w.hosts.matches(h)) {
			return w
		}
	}
	return nil
}
