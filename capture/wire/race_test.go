//go:build race

package wire

// racing says that the race detector is on, under which less is inlined and more escapes to the heap.
const racing = true
