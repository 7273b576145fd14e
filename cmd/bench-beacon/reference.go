package main

import (
	"math"
	"slices"
)

// conn is one connection.
type conn struct {
	At    int64 // seconds since 1970
	Bytes int64 // IP bytes that the client sent
}

// reference is how RITA version 5 scores a pair of hosts: four parts of a quarter each, 0 to 1. Our score is compared with it.
// Its formulas are restated here, not its code.
type reference struct {
	Total, Timing, Size, Histogram, Duration float64
	Scored                                   bool // at least 4 different times and fewer than 86,400 connections
}

// The bounds of the reference.
const (
	referenceTimes   = 4
	referenceStrobe  = 86400
	referenceBins    = 24
	referenceHours   = 6  // bins with connections that a duration needs
	referenceBimodal = 11 // bins with connections that a histogram of two heights needs
	referenceRun     = 12 // bins in a row that make a full duration
)

// refer scores the connections between from and to, seconds since 1970: a day up to the newest connection of the whole
// data, cut to the data. Connections from the start of the hour of from count too. The order of conns is kept.
func refer(conns []conn, from, to int64) reference {
	var times, sizes []int64
	start := from - mod(from, 3600)
	for _, c := range conns {
		if c.At >= start && c.At <= to {
			times, sizes = append(times, c.At), append(sizes, c.Bytes)
		}
	}
	slices.Sort(times)
	count := len(times)
	unique := slices.Compact(slices.Clone(times))
	if len(unique) < referenceTimes || count >= referenceStrobe || to <= from {
		return reference{}
	}
	gaps := make([]int64, 0, len(unique))
	for i, at := range unique[1:] {
		gaps = append(gaps, at-unique[i])
	}
	r := reference{Scored: true, Timing: spreadScore(gaps, 1), Size: spreadScore(sizes, 0)}
	bins := histogram(times, from, to)
	r.Histogram = max(even(bins), bimodal(bins))
	r.Duration = duration(bins, float64(times[count-1]-times[0])/float64(to-from))
	r.Total = (r.Timing + r.Size + r.Histogram + r.Duration) / 4
	return r
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

// median is the mean of the two in the middle if the length of the sorted list is even.
func median[N int64 | float64](list []N) float64 {
	n := len(list)
	if n == 0 {
		return 0
	}
	return (float64(list[(n-1)/2]) + float64(list[n/2])) / 2
}

// spreadScore is the mean of two scores of a list: how symmetric its quartiles are, and how small its median deviation is
// beside its median. low is the second where the median is below 1. It sorts list.
func spreadScore(list []int64, low float64) float64 {
	if len(list) < 3 {
		return 0
	}
	slices.Sort(list)
	n := len(list)
	q1, q2, q3 := median(list[:n/2]), median(list), median(list[(n+1)/2:])
	skew := 0.0
	if q3-q1 >= 10 && q2 != q1 && q2 != q3 {
		skew = (q1 + q3 - 2*q2) / (q3 - q1)
	}
	tight := low
	if q2 >= 1 {
		tight = max(0, (q2-deviation(list, q2))/q2)
	}
	return ((1 - math.Abs(skew)) + tight) / 2
}

// deviation is the median absolute deviation of list from mid.
func deviation(list []int64, mid float64) float64 {
	off := make([]float64, len(list))
	for i, x := range list {
		off[i] = math.Abs(float64(x) - mid)
	}
	slices.Sort(off)
	return median(off)
}

// histogram counts times in equal bins over the window; earlier ones fall into the first.
func histogram(times []int64, from, to int64) [referenceBins]int {
	var bins [referenceBins]int
	for _, at := range times {
		i := int(float64(at-from) * referenceBins / float64(to-from))
		bins[min(max(i, 0), referenceBins-1)]++
	}
	return bins
}

// even is 1 less the coefficient of variation of the bins, at least 0.
func even(bins [referenceBins]int) float64 {
	sum, squares := 0.0, 0.0
	for _, b := range bins {
		sum += float64(b)
	}
	mean := sum / referenceBins
	if mean == 0 {
		return 0
	}
	for _, b := range bins {
		squares += (float64(b) - mean) * (float64(b) - mean)
	}
	return max(0, 1-math.Sqrt(squares/referenceBins)/mean)
}

// bimodal is the share of bins with connections that have one of the two commonest heights, in steps of 5 % of the
// tallest; one bin may differ.
func bimodal(bins [referenceBins]int) float64 {
	used, tallest := 0, 0
	for _, b := range bins {
		tallest = max(tallest, b)
		if b > 0 {
			used++
		}
	}
	if used < referenceBimodal {
		return 0
	}
	step := math.Ceil(float64(tallest) * 0.05)
	heights := map[int]int{}
	for _, b := range bins {
		if b > 0 {
			heights[int(float64(b)/step)]++
		}
	}
	first, second := 0, 0
	for _, n := range heights {
		if n > first {
			first, second = n, first
		} else {
			second = max(second, n)
		}
	}
	return min(1, float64(first+second)/float64(max(used-1, 1)))
}

// duration is how far the connections reach through the window: by their span, or by the longest run of bins, which
// may go on from the last to the first.
func duration(bins [referenceBins]int, span float64) float64 {
	used, run, longest := 0, 0, 0
	for i := range 2 * referenceBins {
		if bins[i%referenceBins] == 0 {
			run = 0
			continue
		}
		if run++; i < referenceBins {
			used++
		}
		longest = max(longest, run)
	}
	if used < referenceHours {
		return 0
	}
	return min(1, max(span, float64(min(longest, referenceBins))/referenceRun))
}
