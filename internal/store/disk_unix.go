//go:build linux || darwin || freebsd

package store

import "golang.org/x/sys/unix"

// freeBytes is what may still be written beside the folder; false where the system does not say.
func freeBytes(folder string) (uint64, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(folder, &st); err != nil {
		return 0, false
	}
	return uint64(max(0, int64(st.Bavail))) * uint64(st.Bsize), true
}
