package main

import (
	"runtime"

	"github.com/spf13/cobra"
)

func newRoot(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:           "avbeacon",
		Short:         "Find the hosts whose antivirus calls home",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.SetIn(s.in)
	c.SetOut(s.out)
	c.SetErr(s.err)
	c.AddCommand(newAnalyze(s), newObserve(s), newFeeds(s), newVersion(s))
	return c
}

// defaultWorkers is one a processor, four at most: the reader is the limit beyond.
func defaultWorkers() int { return min(runtime.NumCPU(), 4) }
