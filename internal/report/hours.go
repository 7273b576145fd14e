package report

import (
	"fmt"
	"time"
)

// Hour counts what a tap saw in one hour.
type Hour struct {
	Start       Time    `json:"start"`
	Seen        float64 `json:"seen_s"` // seconds of the hour in which the tap was watched
	Packets     uint64  `json:"packets"`
	Bytes       uint64  `json:"bytes"`
	KernelDrops uint64  `json:"kernel_drops"`
	OwnDrops    uint64  `json:"own_drops"`
}

// NewHour makes an Hour.
func NewHour(start time.Time, seen time.Duration, packets, bytes, kernel, own uint64) Hour {
	return Hour{Start: at(start), Seen: seen.Seconds(), Packets: packets, Bytes: bytes, KernelDrops: kernel, OwnDrops: own}
}

// slack is how much of an hour may be missing before the report mentions it: a restart takes that long.
const slack = 30.0 // seconds

// Watched adds what a tap saw hour by hour (in order), and sentences about what it missed.
func (c *Coverage) Watched(hours []Hour) {
	c.Hours = hours
	if len(hours) == 0 {
		return
	}
	var seen float64
	var packets, drops uint64
	partly := 0
	for i, h := range hours {
		seen += h.Seen
		packets += h.Packets
		drops += h.KernelDrops + h.OwnDrops
		if i > 0 && i < len(hours)-1 && h.Seen < 3600-slack {
			partly++
		}
	}
	first, last := hours[0].Start, hours[len(hours)-1].Start
	all := int(last.Sub(first.Time)/time.Hour) + 1
	c.Words = append(c.Words, fmt.Sprintf("The tap was watched for %s (%s).", watched(seen), spanOf(first.Time, last.Add(time.Hour))))
	if gone := all - len(hours); gone > 0 {
		c.Words = append(c.Words, fmt.Sprintf("%s in between it was not watched at all: connections are missing.", hoursOf(gone)))
	}
	if partly > 0 {
		c.Words = append(c.Words, fmt.Sprintf("%s it was watched for part of the time only.", hoursOf(partly)))
	}
	if drops > 0 {
		c.Words = append(c.Words, fmt.Sprintf("%.2f %% of its packets were dropped (%d).", 100*float64(drops)/float64(drops+packets), drops))
	}
}

// watched writes so many seconds in the unit that suits them.
func watched(seconds float64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}

// spanOf writes a span of whole hours; the date once if it is one day.
func spanOf(from, to time.Time) string {
	const day = "2006-01-02"
	end := to.Format(day + " 15:04")
	if last := to.Add(-time.Second); last.Format(day) == from.Format(day) {
		if end = to.Format("15:04"); end == "00:00" {
			end = "24:00"
		}
	}
	return from.Format(day+" 15:04") + " to " + end + " UTC"
}

func hoursOf(n int) string {
	if n == 1 {
		return "In 1 hour"
	}
	return fmt.Sprintf("In %d hours", n)
}
