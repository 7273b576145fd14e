//go:build !race

package feeds

// racing says that the race detector is on.
const racing = false
