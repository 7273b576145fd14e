package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A full disk is said once, with the option and the name that the user gave, and nothing is left of the file. The same where the disk
// fills up in the middle.
func TestFullDiskIsSaidOnce(t *testing.T) {
	pcap, err := filepath.Abs("../../testdata/pcap/office.pcap")
	require.NoError(t, err)
	for _, size := range []string{"4k", "8k"} { // room for nothing, and for the first of what is written
		disk := smallDisk(t, size)
		if size == "4k" {
			require.NoError(t, os.WriteFile(filepath.Join(disk, "page"), []byte{1}, 0o600))
		}
		before, err := os.ReadDir(disk)
		require.NoError(t, err)
		for _, args := range [][]string{
			{"--output", "%s/r.json", "--format", "json"}, {"--output", "%s/r.jsonl", "--format", "jsonl"}, {"--output", "%s/r.txt"},
			{"--alerts", "%s/a.jsonl"}, {"--alerts", "%s/a.stix", "--alert-format", "stix"},
		} {
			name := fmt.Sprintf(args[1], disk)
			var out, errs bytes.Buffer
			line := append([]string{"analyze", "--quiet", args[0], name}, args[2:]...)
			require.Equal(t, exitIncomplete, exitCode(run(t.Context(), append(line, pcap), nil, &out, &errs), &errs), line)
			require.Equal(t, fmt.Sprintf("avbeacon: %s %s: no space left on device\n", args[0], name), errs.String())
			left, err := os.ReadDir(disk)
			require.NoError(t, err)
			require.Len(t, left, len(before), "nothing is left")
		}
	}
}

// A new report is for its owner alone, whatever the umask; one that exists keeps its mode.
func TestReportsArePrivate(t *testing.T) {
	dir := t.TempDir()
	mode := func(name string) os.FileMode {
		o, err := openOutput("--output", name, nil)
		require.NoError(t, err)
		require.NoError(t, o.finish(nil))
		st, err := os.Stat(name)
		require.NoError(t, err)
		return st.Mode().Perm()
	}
	name := filepath.Join(dir, "r.json")
	require.EqualValues(t, 0o600, mode(name))
	require.NoError(t, os.Chmod(name, 0o666))
	require.EqualValues(t, 0o666, mode(name))
}

// Nothing is written through a symbolic link that somebody else made, wherever in the path it is.
func TestForeignLinksAreNotFollowed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make links for another user")
	}
	dir := openFolder(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Mkdir(at("ours"), 0o700))
	require.NoError(t, os.WriteFile(at("ours/r"), []byte("kept"), 0o600))
	for link, target := range map[string]string{"own": "ours/r", "folder": "ours", "file": at("ours/r"), "new": "ours/none", "second": "file"} {
		require.NoError(t, os.Symlink(target, at(link)))
	}
	for _, link := range []string{"folder", "file", "new"} {
		require.NoError(t, os.Lchown(at(link), nobody, nobody))
	}
	for name, foreign := range map[string]string{"folder/r": "folder", "file": "file", "new": "new", "second": "file"} {
		_, err := openOutput("--output", at(name), nil)
		require.EqualError(t, err, "--output "+at(name)+": "+at(foreign)+" is a symbolic link that belongs to another user; name its target")
	}
	o, err := openOutput("--output", at("own"), nil)
	require.NoError(t, err)
	require.NoError(t, o.discard())
}
