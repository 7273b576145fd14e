package report

import (
	"fmt"
	"time"
)

// Hour is what a tap saw of one hour.
type Hour struct {
	Start       Time    `json:"start"`
	Seen        float64 `json:"seen_s"` // seconds of it in which the tap was read
	Packets     uint64  `json:"packets"`
	Bytes       uint64  `json:"bytes"`
	KernelDrops uint64  `json:"kernel_drops"`
	OwnDrops    uint64  `json:"own_drops"`
}

// NewHour makes an Hour.
func NewHour(start time.Time, seen time.Duration, packets, bytes, kernel, own uint64) Hour {
	return Hour{Start: at(start), Seen: seen.Seconds(), Packets: packets, Bytes: bytes, KernelDrops: kernel, OwnDrops: own}
}

// slack is how much of an hour may be missing without a word: starting and stopping cost that, and the first hour and the
// last one are rarely whole.
const slack = 30.0 // seconds

// Watched puts into the report what a tap saw hour by hour (in order), and says in words what it did not.
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
	c.Words = append(c.Words, fmt.Sprintf("The tap was read for %.1f hours between %s and %s.", seen/3600, first.Format("2006-01-02 15:04Z"), last.Add(time.Hour).Format("2006-01-02 15:04Z")))
	if gone := all - len(hours); gone > 0 {
		c.Words = append(c.Words, fmt.Sprintf("%s between them it was not read at all: what called home then is missing.", hoursOf(gone)))
	}
	if partly > 0 {
		c.Words = append(c.Words, fmt.Sprintf("%s it was read in part only.", hoursOf(partly)))
	}
	if drops > 0 {
		c.Words = append(c.Words, fmt.Sprintf("%.2f %% of its packets were lost before they could be looked at (%d).", 100*float64(drops)/float64(drops+packets), drops))
	}
}

func hoursOf(n int) string {
	if n == 1 {
		return "In 1 hour"
	}
	return fmt.Sprintf("In %d hours", n)
}
