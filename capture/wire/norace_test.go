//go:build !race

package wire

// racing says that the race detector is on.
const racing = false
