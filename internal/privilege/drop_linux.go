package privilege

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// Drop drops what opt names and all capabilities, and makes sure that the process cannot regain them. After an error some
// privileges may already be gone, so the process should exit.
//
// Each step needs what the next one drops: the bounding set CAP_SETPCAP, the switch of user CAP_SETUID and CAP_SETGID. Landlock comes
// last, because it needs no_new_privs and because finding the user reads files. Go runs goroutines on any thread, so that each step must
// hold for all of them: syscall.Setresuid and libcap/psx make every thread do it, and Landlock's rules are set on all too.
func Drop(opt Options) (Result, error) {
	id, err := find(opt.User)
	if err != nil {
		return Result{}, err
	}
	held := cap.GetProc().String()
	bounded := dropBound()
	if err := id.become(); err != nil {
		return Result{}, err
	}
	if err := dropCapabilities(); err != nil {
		return Result{}, err
	}
	r := Result{UID: os.Getuid(), GID: os.Getgid(), Bounded: bounded, Held: held}
	if opt.Confine {
		if r.Landlock, err = confine(opt.Read, opt.Write); err != nil {
			return Result{}, err
		}
	}
	return r, nil
}

// identity is the user to switch to.
type identity struct {
	uid, gid int
	stay     bool // no switch
}

// Known returns an error if there is no user of this name or number, so that Drop would fail. "" means no switch.
func Known(name string) error {
	_, err := find(name)
	return err
}

// find finds a user by name or number. A number that no user has is used as is, for user and group.
func find(name string) (identity, error) {
	if name == "" {
		return identity{stay: true}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		n, notNumber := strconv.ParseUint(name, 10, 31)
		if notNumber != nil {
			return identity{}, fmt.Errorf("switch to user %s: no such user", name)
		}
		if u, err = user.LookupId(name); err != nil {
			return identity{uid: int(n), gid: int(n)}, nil
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return identity{}, fmt.Errorf("switch to user %s: id %q: %w", name, u.Uid, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return identity{}, fmt.Errorf("switch to user %s: group %q: %w", name, u.Gid, err)
	}
	return identity{uid: uid, gid: gid}, nil
}

// Successor returns the user that a daemon started as root becomes where none is named: avbeacon, else who called sudo; "" if there is
// neither. It is never nobody, whom other services are too.
func Successor(env func(string) string) string {
	if os.Geteuid() != 0 {
		return ""
	}
	if u, err := user.Lookup("avbeacon"); err == nil && u.Uid != "0" {
		return u.Username
	}
	u, err := user.LookupId(env("SUDO_UID"))
	if err != nil || u.Uid == "0" || u.Username == "nobody" {
		return ""
	}
	if groups, err := u.GroupIds(); err != nil || !slices.Contains(groups, env("SUDO_GID")) {
		return "" // sudo sets both
	}
	return u.Uid
}

// HandOver gives files, and folders of root's that nobody else can enter, to the user that Drop will switch to. It leaves links alone, and
// files with a second name: somebody who may write into their folder could make one of a file of root's.
func HandOver(name string, files []string) error {
	id, err := find(name)
	if err != nil || id.stay || id.uid == 0 || os.Geteuid() != 0 {
		return err
	}
	for _, file := range files {
		f, missing := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if missing != nil {
			continue // who opens it says what is wrong
		}
		var st unix.Stat_t
		failed := unix.Fstat(int(f.Fd()), &st)
		if st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink == 1 || st.Mode == unix.S_IFDIR|0o700 && st.Uid == 0 {
			failed = f.Chown(id.uid, id.gid)
		}
		err = errors.Join(err, failed, f.Close())
	}
	return err
}

// become changes user and groups of all threads. The groups come first, because only root can change them.
func (id identity) become() error {
	if id.stay || id.uid == os.Getuid() && id.uid == os.Geteuid() {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("switch to user %d: only root can switch to another user", id.uid)
	}
	if err := syscall.Setgroups([]int{id.gid}); err != nil {
		return fmt.Errorf("drop groups: %w", err)
	}
	if err := syscall.Setresgid(id.gid, id.gid, id.gid); err != nil {
		return fmt.Errorf("switch to group %d: %w", id.gid, err)
	}
	if err := syscall.Setresuid(id.uid, id.uid, id.uid); err != nil {
		return fmt.Errorf("switch to user %d: %w", id.uid, err)
	}
	if id.uid != 0 && syscall.Setresuid(-1, 0, -1) == nil {
		return errors.New("drop root: the system still lets the process become root again")
	}
	return nil
}

// dropBound empties the bounding set: no program that the process starts gets capabilities from its file. It returns false
// if the process may not change the set.
func dropBound() bool {
	for c := cap.Value(0); c < cap.MaxBits(); c++ {
		if held, err := cap.GetBound(c); err != nil || !held {
			continue
		}
		if cap.DropBound(c) != nil {
			return false
		}
	}
	return true
}

// dropCapabilities empties the capability sets of all threads and forbids new privileges for programs that are started.
func dropCapabilities() error {
	if err := cap.ResetAmbient(); err != nil {
		return fmt.Errorf("drop ambient capabilities: %w", err)
	}
	if err := cap.NewSet().SetProc(); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	return nil
}

// newestLandlock is the version that landlock.V11 requests.
const newestLandlock = 11

// confine denies access to all files except these. It returns the version of Landlock in force, 0 if the kernel has none.
func confine(read, write []string) (version int, err error) {
	version, err = llsys.LandlockGetABIVersion()
	if err != nil {
		return 0, nil // the kernel lacks Landlock, or it is disabled
	}
	var rules []landlock.Rule
	add := func(paths []string, files, folders func(...string) landlock.FSRule) {
		for _, path := range paths {
			if st, err := os.Stat(path); err == nil && st.IsDir() {
				rules = append(rules, folders(path).IgnoreIfMissing())
			} else if err == nil { // what is out of reach already needs no rule
				rules = append(rules, files(path).IgnoreIfMissing())
			}
		}
	}
	add(read, landlock.ROFiles, landlock.RODirs)
	add(write, landlock.RWFiles, landlock.RWDirs)
	if err := landlock.V11.BestEffort().RestrictPaths(rules...); err != nil {
		return 0, fmt.Errorf("confine to files: %w", err)
	}
	return min(version, newestLandlock), nil
}
