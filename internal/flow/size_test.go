package flow

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// A million flows must fit into 200 MB, slots included.
func TestEntrySize(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(Entry{}), uintptr(192))
}
