package daemon

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Workers ask what is of interest while the owner replaces it. Under the race detector (.ci/run) this fails if any of them may read
// what the owner writes.
func TestReloadsWhileWorkersRead(t *testing.T) {
	o := newOne(t)
	o.Config.Capture.Workers = 3
	reload := make(chan os.Signal, 1)
	o.Reload = reload
	in, stop := o.background(t)
	whole, err := os.ReadFile(office)
	require.NoError(t, err)
	_, err = in.Write(whole)
	require.NoError(t, err)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() { // packets without an end
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
				if _, err := in.Write(whole[24:]); err != nil { // without the file's header
					return
				}
			}
		}
	}()
	for n := 1; n <= 3; n++ {
		reload <- syscall.SIGHUP
		require.Eventually(t, func() bool { return o.logs.FilterMessage(Reloaded).Len() >= n }, time.Minute, 5*time.Millisecond)
	}
	close(end)
	<-ended
	require.NoError(t, stop())
	require.Contains(t, o.out.text(), "192.168.10.21")
}
