package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCPUTimeGrowsWithWork(t *testing.T) {
	before := CPUTime()
	if before == 0 {
		t.Skip("this system does not report CPU time")
	}
	for begun := time.Now(); CPUTime()-before < 20*time.Millisecond; {
		require.Less(t, time.Since(begun), time.Minute)
	}
}
