// Package privilege gives up what a daemon does not need any more once its sockets are open: the user root, every
// capability, the way to get either back, and the files that it was not told to use. Options go in; what holds from then on
// comes out. It is for the whole process, whatever thread asks, and cannot be undone.
package privilege

// Options say what to give up.
type Options struct {
	// User is the name or number of the user to become, with that user's first group and no other; "" stays who the
	// process is. Only root can become another.
	User string
	// Confine takes away all files but those in Read and Write, where the kernel can (Landlock, from Linux 5.13 on).
	// Files and sockets that are open stay so. A path that is not there when Drop is called stays out of reach.
	Confine bool
	// Read are files and folders that may be read, with all that is in them.
	Read []string
	// Write are files and folders that may be read, written, made and removed, with all that is in them.
	Write []string
}

// Result is what holds after Drop.
type Result struct {
	UID, GID int
	// Landlock is the version of the kernel's Landlock that confines the process; 0 where it does not, because it was not
	// asked for or is not to be had.
	Landlock int
	// Bounded says that no program that the process starts can get a capability by its file either; it takes CAP_SETPCAP at
	// the beginning to say so. That no new privileges come with other programs holds in any case.
	Bounded bool
}
