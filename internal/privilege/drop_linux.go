package privilege

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// Drop gives up what opt says, all capabilities, and the way to get any of it back. After an error some of it may be gone:
// the process had better end.
func Drop(opt Options) (Result, error) {
	id, err := find(opt.User)
	if err != nil {
		return Result{}, err
	}
	bounded := dropBound()
	if err := id.become(); err != nil {
		return Result{}, err
	}
	if err := dropCapabilities(); err != nil {
		return Result{}, err
	}
	r := Result{UID: os.Getuid(), GID: os.Getgid(), Bounded: bounded}
	if opt.Confine {
		if r.Landlock, err = confine(opt.Read, opt.Write); err != nil {
			return Result{}, err
		}
	}
	return r, nil
}

// identity is a user to become.
type identity struct {
	uid, gid int
	stay     bool // as the process is
}

// Known gives an error where Drop could not become this user for want of one; "" stays as it is.
func Known(name string) error {
	_, err := find(name)
	return err
}

// find looks a user up by name or number. A number that no user has stands for itself, user and group.
func find(name string) (identity, error) {
	if name == "" {
		return identity{stay: true}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		n, notNumber := strconv.ParseUint(name, 10, 31)
		if notNumber != nil {
			return identity{}, fmt.Errorf("become user %s: there is none of this name", name)
		}
		if u, err = user.LookupId(name); err != nil {
			return identity{uid: int(n), gid: int(n)}, nil
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return identity{}, fmt.Errorf("become user %s: id %q: %w", name, u.Uid, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return identity{}, fmt.Errorf("become user %s: group %q: %w", name, u.Gid, err)
	}
	return identity{uid: uid, gid: gid}, nil
}

// become changes user and groups of all threads, the groups first, since a user cannot change them.
func (id identity) become() error {
	if id.stay || id.uid == os.Getuid() && id.uid == os.Geteuid() && id.uid != 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("become user %d: only root can become another user", id.uid)
	}
	if err := syscall.Setgroups([]int{id.gid}); err != nil {
		return fmt.Errorf("give up groups: %w", err)
	}
	if err := syscall.Setresgid(id.gid, id.gid, id.gid); err != nil {
		return fmt.Errorf("become group %d: %w", id.gid, err)
	}
	if err := syscall.Setresuid(id.uid, id.uid, id.uid); err != nil {
		return fmt.Errorf("become user %d: %w", id.uid, err)
	}
	if id.uid != 0 && syscall.Setresuid(-1, 0, -1) == nil {
		return errors.New("give up root: the system lets the process become root again")
	}
	return nil
}

// dropBound empties the set of capabilities that other programs' files could bring. false: the process may not.
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

// dropCapabilities empties the sets of all threads and lets no program that is started bring new ones.
func dropCapabilities() error {
	if err := cap.ResetAmbient(); err != nil {
		return fmt.Errorf("give up ambient capabilities: %w", err)
	}
	if err := cap.NewSet().SetProc(); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	return nil
}

// newestLandlock is the version that landlock.V11 asks for.
const newestLandlock = 11

// confine takes away all files but these. It gives the version of Landlock that does so, 0 where the kernel has none.
func confine(read, write []string) (version int, err error) {
	version, err = llsys.LandlockGetABIVersion()
	if err != nil {
		return 0, nil // the kernel has none, or it is switched off
	}
	var rules []landlock.Rule
	for _, path := range read {
		rule := landlock.ROFiles(path)
		if isFolder(path) {
			rule = landlock.RODirs(path)
		}
		rules = append(rules, rule.IgnoreIfMissing())
	}
	for _, path := range write {
		rule := landlock.RWFiles(path)
		if isFolder(path) {
			rule = landlock.RWDirs(path)
		}
		rules = append(rules, rule.IgnoreIfMissing())
	}
	if err := landlock.V11.BestEffort().RestrictPaths(rules...); err != nil {
		return 0, fmt.Errorf("confine to files: %w", err)
	}
	return min(version, newestLandlock), nil
}

func isFolder(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
