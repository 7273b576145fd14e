//go:build race

package feeds

// racing says that the race detector is on, under which less is inlined and more escapes to the heap.
const racing = true
