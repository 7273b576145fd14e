package flow

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// A million flows must fit into 200 MB, slots included.
func TestEntrySize(t *testing.T) {
	require.Equal(t, uintptr(192), unsafe.Sizeof(Entry{}))
	require.Equal(t, uintptr(64), unsafe.Offsetof(Entry{}.LastFrame), "the second cache line")
	require.Equal(t, uintptr(128), unsafe.Offsetof(Entry{}.First), "the third")
}
