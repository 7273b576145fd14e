// Package privilege drops what a daemon no longer needs once its sockets are open: the user root, every capability, any way
// to regain them, and access to files it has no use for. Options go in; the restrictions in force come out. It affects all
// threads of the process and cannot be undone.
//
// A parser that is taken over by a packet then has an open packet socket, the store, and what the other files' permissions give to a user
// without any privilege: it cannot read other users' files, load a module or, confined, open any file but those named. Start reading
// at Drop.
package privilege

// Options say what to drop.
type Options struct {
	// User is the name or number of the user to switch to, with that user's primary group and no other; "" means no
	// switch. Only root can switch.
	User string
	// Confine denies access to all files except those in Read and Write, if the kernel can (Landlock, Linux 5.13 or
	// later). Open files and sockets stay open. A path that does not exist when Drop is called stays out of reach.
	Confine bool
	// Read lists files and folders, with their contents, that may be read.
	Read []string
	// Write lists files and folders, with their contents, that may be read, written, created and removed.
	Write []string
}

// Result says what is in force after Drop.
type Result struct {
	UID, GID int
	// Landlock is the version of Landlock that confines the process; 0 if none does, because it was not requested or the
	// kernel lacks it.
	Landlock int
	// Held are the capabilities that were dropped, as in capabilities(7): =ep is all of them.
	Held string
	// Bounded says that the capability bounding set is empty, which takes CAP_SETPCAP at the start. Even without it, the
	// programs that the process starts get no new privileges.
	Bounded bool
}
