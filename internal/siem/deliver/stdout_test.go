package deliver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/siem/samples"
)

func TestStdoutGetsLines(t *testing.T) {
	var out bytes.Buffer
	s := opened(t, Sink{Type: "stdout"}, Options{Stdout: &out})
	delivered(t, s, samples.Numbered(0, 3))
	delivered(t, s, nil)
	delivered(t, s, samples.Numbered(3, 4))
	require.Equal(t, idRange(0, 4), idsOf(t, &out))
}

func TestStdoutClosed(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	s := opened(t, Sink{Type: "stdout"}, Options{Stdout: w})
	require.NoError(t, r.Close())
	n, rejected, err := s.Deliver(t.Context(), samples.Numbered(0, 3))
	require.ErrorContains(t, err, "standard output is closed: its reader ended")
	require.Zero(t, n)
	require.Empty(t, rejected)
}

// Somebody who never reads costs the time of the delivery, and what was under way is not mixed with what comes after.
func TestStdoutThatNobodyReads(t *testing.T) {
	r, w := io.Pipe()
	s := opened(t, Sink{Type: "stdout", Timeout: 30 * time.Millisecond}, Options{Stdout: w})
	for range 2 {
		n, _, err := s.Deliver(t.Context(), samples.Numbered(0, 3))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "standard output is blocked")
		require.Zero(t, n)
	}
	var got bytes.Buffer
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(&got, r) }()
	require.Eventually(t, func() bool {
		n, _, err := s.Deliver(t.Context(), samples.Numbered(3, 4))
		return err == nil && n == 1
	}, time.Minute, time.Millisecond)
	require.NoError(t, w.Close())
	<-done
	require.Equal(t, idRange(0, 4), idsOf(t, &got))
}

// narrow takes so many bytes and then fails once.
type narrow struct {
	bytes.Buffer
	room int
}

func (n *narrow) Write(b []byte) (int, error) {
	if n.room < 0 || len(b) <= n.room {
		return n.Buffer.Write(b)
	}
	took := n.room
	n.room = -1
	_, _ = n.Buffer.Write(b[:took])
	return took, errors.New("enough")
}

func TestStdoutCutWithinALine(t *testing.T) {
	var whole bytes.Buffer
	delivered(t, opened(t, Sink{Type: "stdout"}, Options{Stdout: &whole}), samples.Numbered(0, 3))
	line := whole.Len() / 3
	out := &narrow{room: 2*line + 10}
	s := opened(t, Sink{Type: "stdout"}, Options{Stdout: out})
	n, _, err := s.Deliver(t.Context(), samples.Numbered(0, 3))
	require.ErrorContains(t, err, "enough")
	require.Equal(t, 2, n)
	delivered(t, s, samples.Numbered(n, 3))
	got := bytes.Split(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n"))
	require.Len(t, got, 4, "two whole lines, the cut one, and it again")
	require.Equal(t, got[2], got[3][:10])
}
