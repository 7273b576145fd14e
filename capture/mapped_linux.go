package capture

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps size bytes of a file from the offset at, a multiple of the page size, and has them brought in: what the disk
// does not give is an error here, not a fault later. Kernels before 5.14 lack MADV_POPULATE_READ; there it is a fault.
func mapFile(f *os.File, at int64, size int) ([]byte, error) {
	mem, err := unix.Mmap(int(f.Fd()), at, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	_ = unix.Madvise(mem, unix.MADV_SEQUENTIAL) // how far to read ahead; no harm where it is not heeded
	if err := unix.Madvise(mem, unix.MADV_POPULATE_READ); err != nil && err != unix.EINVAL {
		unmapFile(mem)
		return nil, err
	}
	return mem, nil
}

func unmapFile(mem []byte) {
	_ = unix.Munmap(mem) // it is ours
}
