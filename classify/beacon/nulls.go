package beacon

import "math"

// chance says how intervals are spread where there is no beat. Three ways are asked, and an interval counts as
// surprising only by the one that expects it most: events at random (one exponential), bursts with pauses between them
// (two), and a broad hump (a lognormal), none of them shorter than the gap that merging or a cache leaves.
type chance struct {
	gap                float64 // no interval is shorter, seconds
	mean               float64 // of the single exponential, above gap
	share, short, long float64 // share of the short one of two exponentials, and their means
	center, width      float64 // of the logarithm of the lognormal
}

// humpWidth is how broad a hump in intervals must at least be to be taken for chance: a standard deviation of the
// logarithm of 0.8 is a factor of 2.2 either way.
const humpWidth = 1.0

// chanceOf fits the three to intervals in order of length.
func chanceOf(sorted []float64, gap float64) chance {
	n := float64(len(sorted))
	c := chance{gap: gap}
	logs, squares := 0.0, 0.0
	for _, x := range sorted {
		c.mean += max(x-gap, 1) / n
		l := math.Log(max(x, 1))
		logs += l / n
		squares += l * l / n
	}
	c.center = math.Log(max(1, middle(sorted)))
	c.width = max(humpWidth, math.Sqrt(max(0, squares-logs*logs)))
	c.bursts(sorted)
	return c
}

// bursts fits two exponentials by expectation and maximization, from the halves of the list on.
func (c *chance) bursts(sorted []float64) {
	half := (len(sorted) + 1) / 2
	c.share, c.short, c.long = 0.5, c.meanOf(sorted[:half]), c.meanOf(sorted[half:])
	for range 8 {
		share, short, long := 0.0, 0.0, 0.0
		for _, x := range sorted {
			y := max(x-c.gap, 1)
			a := c.share / c.short * math.Exp(-y/c.short)
			b := (1 - c.share) / c.long * math.Exp(-y/c.long)
			p := 0.5
			if a+b > 0 {
				p = a / (a + b)
			}
			share += p
			short += p * y
			long += (1 - p) * y
		}
		n := float64(len(sorted))
		if share < 0.5 || n-share < 0.5 {
			return
		}
		c.share, c.short, c.long = share/n, max(1, short/share), max(1, long/(n-share))
	}
}

func (c *chance) meanOf(list []float64) float64 {
	sum := 0.0
	for _, x := range list {
		sum += max(x-c.gap, 1)
	}
	return max(1, sum/float64(max(1, len(list))))
}

// chances is the number of ways that chance knows.
const chances = 3

// above gives, by one way of chance, the probability of an interval longer than x seconds.
func (c *chance) above(way int, x float64) float64 {
	y := max(0, x-c.gap)
	switch way {
	case 0:
		return math.Exp(-y / c.mean)
	case 1:
		return c.share*math.Exp(-y/c.short) + (1-c.share)*math.Exp(-y/c.long)
	}
	return 0.5 * math.Erfc((math.Log(max(x, 1))-c.center)/(c.width*math.Sqrt2))
}
