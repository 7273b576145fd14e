package files

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"avbeacon/capture"
)

// Expand returns the files that arguments name. An argument is a file, "-" for standard input, a folder (its captures,
// without hidden files and folders) or, if no such file exists, a pattern of filepath.Match.
//
// The files are sorted by their first packets, so that rotated files make one timeline. Files without a packet, or that
// cannot be read, come last in the order given; opening them reports why. Standard input and pipes, which cannot be read
// ahead, keep their positions. Errors concern the arguments as such: none at all, or standard input twice.
func Expand(args []string) ([]string, error) {
	var names []string
	for _, arg := range args {
		names = append(names, expand(arg)...)
	}
	if len(names) == 0 {
		return nil, errors.New("no input: give files, folders or - for standard input")
	}
	if twice(names, StdinName) {
		return nil, errors.New("standard input (-) is given twice: it can be read only once")
	}
	if len(names) > 1 {
		sortByTime(names)
	}
	return names, nil
}

func twice(names []string, name string) bool {
	n := 0
	for _, s := range names {
		if s == name {
			n++
		}
	}
	return n > 1
}

// expand returns the files of one argument; if there are none, the argument itself, so that opening it reports why.
func expand(arg string) []string {
	if arg == StdinName {
		return []string{arg}
	}
	var names []string
	if st, err := os.Stat(arg); err == nil && st.IsDir() {
		names = folder(arg)
	} else if err != nil {
		names = pattern(arg)
	}
	if len(names) == 0 {
		return []string{arg}
	}
	return names
}

// folder returns the captures in a folder, by name.
func folder(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if !hidden(name) && isRegular(name) && isCapture(name) {
			names = append(names, name)
		}
	}
	return names
}

// pattern returns the files that a pattern matches, by name. As in a shell, hidden files match only a pattern that begins
// with a dot.
func pattern(arg string) []string {
	all, err := filepath.Glob(arg)
	if err != nil {
		return nil // not a pattern: a name that does not exist
	}
	var names []string
	for _, name := range all {
		st, err := os.Stat(name)
		if (err != nil || !st.IsDir()) && (!hidden(name) || hidden(arg)) {
			names = append(names, name)
		}
	}
	return names
}

func hidden(name string) bool { return strings.HasPrefix(filepath.Base(name), ".") }

func isRegular(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode().IsRegular()
}

// isCapture reports whether a file in a folder is meant to be read: by its content; a broken one by its name.
func isCapture(name string) bool {
	_, err := firstTime(name)
	if !errors.Is(err, errNotCapture) && !errors.Is(err, errEmptyFile) {
		return true
	}
	base := strings.ToLower(filepath.Base(name))
	return strings.Contains(base, ".pcap") || strings.Contains(base, ".cap")
}

// peekLimit is how many bytes of a file are searched for its first packet.
const peekLimit = 1 << 20

// lastPlace is the first time of a file without packets: it sorts last.
const lastPlace = math.MaxInt64

// firstTime returns the time of a file's first packet (lastPlace if there is none), and what is wrong with the file's
// beginning.
func firstTime(name string) (int64, error) {
	f := Open([]string{name}, Options{BlockSize: 4 << 10})
	f.limit = peekLimit
	defer f.Close()
	var b capture.Block
	if f.Next(context.Background(), &b) != nil {
		return lastPlace, f.Inputs()[0].Err
	}
	return b.Packets[0].Time, nil
}

// sortByTime sorts by first packet time those names that can be read ahead; the others keep their positions.
func sortByTime(names []string) {
	type timed struct {
		name string
		at   int64
	}
	var files []timed
	var places []int
	for i, name := range names {
		if st, err := os.Stat(name); name == StdinName || err == nil && !st.Mode().IsRegular() && !st.IsDir() {
			continue
		}
		at, _ := firstTime(name)
		files, places = append(files, timed{name, at}), append(places, i)
	}
	sort.SliceStable(files, func(i, j int) bool { return files[i].at < files[j].at })
	for i, place := range places {
		names[place] = files[i].name
	}
}
