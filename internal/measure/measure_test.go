package measure

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Table(&b, "name\tn", "a\t100"))
	require.Equal(t, "  name    n\n     a  100\n", b.String())
}

func TestCPUTimeGrowsWithWork(t *testing.T) {
	before := CPUTime()
	if before == 0 {
		t.Skip("this system does not report CPU time")
	}
	for begun := time.Now(); CPUTime()-before < 20*time.Millisecond; {
		require.Less(t, time.Since(begun), time.Minute)
	}
}
