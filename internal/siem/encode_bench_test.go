package siem

import (
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/siem/samples"
)

// BenchmarkEncode measures alerts per second for every format, with a typical alert and with the longest possible one.
func BenchmarkEncode(b *testing.B) {
	for _, name := range Formats() {
		for _, s := range []samples.Sample{{Name: "new", Alert: samples.New()}, {Name: "hostile", Alert: samples.Hostile()}} {
			b.Run(name+"/"+s.Name, func(b *testing.B) {
				e := encoding(b, name)
				dst, err := e.Append(nil, s.Alert)
				require.NoError(b, err)
				b.SetBytes(int64(len(dst)))
				b.ReportAllocs()
				for b.Loop() {
					if dst, err = e.Append(dst[:0], s.Alert); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
			})
		}
	}
}
