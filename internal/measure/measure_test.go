package measure

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain lets the test binary be the child whose cost is measured.
func TestMain(m *testing.M) {
	switch os.Getenv("MEASURE_CHILD") {
	case "busy":
		kept := make([]byte, 64<<20)
		for begun := CPUTime(); CPUTime()-begun < 50*time.Millisecond; {
			for i := range kept {
				kept[i]++
			}
		}
		os.Exit(0)
	case "fails":
		_, _ = os.Stderr.WriteString("out of luck\n")
		os.Exit(3)
	}
	os.Exit(m.Run())
}

func child(t *testing.T, what string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "MEASURE_CHILD="+what)
	return cmd
}

func TestRunReportsTheChildsCost(t *testing.T) {
	if CPUTime() == 0 {
		t.Skip("this system does not report CPU time")
	}
	cost, err := Run(child(t, "busy"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, cost.CPU, 50*time.Millisecond)
	require.Positive(t, cost.Wall)
	require.Greater(t, cost.Peak, int64(64<<20))
}

func TestRunReportsStderrOfFailedChild(t *testing.T) {
	_, err := Run(child(t, "fails"))
	require.ErrorContains(t, err, "exit status 3: out of luck")
}

func TestMedian(t *testing.T) {
	values := []int{9, 1, 5, 7}
	require.Equal(t, 5, Median(values))
	require.Equal(t, []int{9, 1, 5, 7}, values, "the caller's order is kept")
	require.Equal(t, 1.5, Median([]float64{1.5}))
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Table(&b, "name\tn", "a\t100"))
	require.Equal(t, "  name    n\n     a  100\n", b.String())
}
