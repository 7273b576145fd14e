package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every kind of delivery runs to its end and reports how many alerts arrived.
func TestItMeasuresEveryFormatAndDelivery(t *testing.T) {
	var out bytes.Buffer
	err := run(context.Background(), []string{"-n", "600", "-encode", "1ms", "-dir", t.TempDir()}, &out)
	if err != nil { // a machine that is busy misses the bar
		require.ErrorContains(t, err, "alerts/s")
	}
	for _, w := range ways() {
		require.Contains(t, out.String(), w.name)
	}
	require.Contains(t, out.String(), "ocsf")
	require.Error(t, run(context.Background(), []string{"-n", "0"}, &out))
}
