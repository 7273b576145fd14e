package session

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Workers is one a processor, four at most: the reader is the limit beyond.
func Workers() int { return min(runtime.NumCPU(), 4) }

// BlockSize is how many bytes of a file are read at once; 0 leaves it to the reader. Workers that wait for each other do so less
// often with more.
func BlockSize(workers int) int {
	if workers > 1 {
		return 512 << 10
	}
	return 0
}

// Steady tunes the Go runtime for one run over files. The collector runs in steps of tens of megabytes rather than when the heap has
// doubled: the tables are large and hold few pointers, so that collecting is cheap, and a ballast that is never touched
// (and takes no memory for that) keeps it from running at every megabyte while the heap is small. One worker keeps to one
// processor: what others would do in the meantime costs more than it saves. GOGC, GOMEMLIMIT and GOMAXPROCS of the environment win.
// The function it returns is to be called at the end.
func Steady(workers int) (done func()) {
	before := 0
	if workers == 1 && os.Getenv("GOMAXPROCS") == "" {
		before = runtime.GOMAXPROCS(1)
	}
	var ballast []byte
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(40)
		ballast = make([]byte, 144<<20)
	}
	return func() {
		runtime.KeepAlive(ballast)
		if before > 0 {
			runtime.GOMAXPROCS(before)
		}
	}
}
