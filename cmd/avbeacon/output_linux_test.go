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
