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

// ExpandInputs makes the list of files that arguments stand for. An argument is a file, "-" for standard input, a folder
// (its captures; hidden files and folders in it are left out) or, where no such file exists, a pattern of filepath.Match.
//
// All of them are put in the order of their first packets, so that rotated files make one timeline. Files without a
// packet, or that cannot be read, come last, in the order they were given: opening them tells why. Standard input and
// pipes, which cannot be looked into, keep their places. The only errors are in the arguments as such: none at all, or
// standard input twice.
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

// expand gives the files of one argument; where there are none, the argument itself, whose opening will say so.
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

// folder gives the captures in a folder, by name.
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

// pattern gives the files that a pattern matches, by name. As in a shell, a pattern must name hidden files as such.
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

// isCapture says whether a file in a folder is meant to be read: by its content; a broken one by its name.
func isCapture(name string) bool {
	_, err := firstTime(name)
	if !errors.Is(err, errNotCapture) && !errors.Is(err, errEmptyFile) {
		return true
	}
	base := strings.ToLower(filepath.Base(name))
	return strings.Contains(base, ".pcap") || strings.Contains(base, ".cap")
}

// peekLimit is how many bytes of a file are read in search of its first packet.
const peekLimit = 1 << 20

// lastPlace is the first time of a file without packets.
const lastPlace = math.MaxInt64

// firstTime gives the time of a file's first packet, lastPlace where there is none, and what is wrong with the beginning of
// the file.
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

// sortByTime orders those names that can be looked into by first packet time among their own places.
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
