package siem

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkEncode tells alerts a second for every format: of an alert as it mostly is, and of the longest there can be.
func BenchmarkEncode(b *testing.B) {
	for _, format := range Formats() {
		for _, s := range []sample{{"new", newAlert()}, {"hostile", hostileAlert()}} {
			b.Run(format+"/"+s.name, func(b *testing.B) {
				e := encoding(b, format)
				dst, err := e.Append(nil, s.alert)
				require.NoError(b, err)
				b.SetBytes(int64(len(dst)))
				b.ReportAllocs()
				for b.Loop() {
					if dst, err = e.Append(dst[:0], s.alert); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
			})
		}
	}
}
