//go:build !unix

package measure

import "time"

// CPUTime returns 0: this system does not report it in a way that Go reads.
func CPUTime() time.Duration { return 0 }
