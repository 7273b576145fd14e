package main

// random is splitmix64: the same numbers from the same seed, everywhere.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) intn(n int) int            { return int(r.next() % uint64(n)) }
func (r *random) between(low, high int) int { return low + r.intn(high-low+1) }
func (r *random) float() float64            { return float64(r.next()>>11) / (1 << 53) }
func (r *random) chance(p float64) bool     { return r.float() < p }

func (r *random) fill(b []byte) {
	for i := range b {
		if i%8 == 0 {
			r.state += 0x9e3779b97f4a7c15
		}
		z := (r.state ^ r.state>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		b[i] = byte((z ^ z>>31) >> (8 * (i % 8)))
	}
}
