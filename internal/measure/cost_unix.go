//go:build unix

package measure

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// CPUTime returns the user and system time that this process has used so far.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func peak(state *os.ProcessState) int64 {
	u, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" { // bytes there, kilobytes elsewhere (getrusage(2))
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10
}
