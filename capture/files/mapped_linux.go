package files

import (
	"os"
	"unsafe"

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
	if err := bringIn(mem); err != 0 && err != unix.EINVAL {
		unmapFile(mem)
		return nil, err
	}
	return mem, nil
}

// bringIn is a system call that Go's scheduler is not told of. It takes some 30 us where the file is in memory: just long enough for
// the scheduler to find this thread stuck and to look for work for its processor, each time, which costs more than the call. From
// a slow disk it keeps the processor waiting, as whoever waits for the packets does.
func bringIn(mem []byte) unix.Errno {
	_, _, err := unix.RawSyscall(unix.SYS_MADVISE, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), unix.MADV_POPULATE_READ)
	return err
}

func unmapFile(mem []byte) {
	_ = unix.Munmap(mem) // it is ours
}
