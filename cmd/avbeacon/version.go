package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"avbeacon/feeds"
)

// release is the version that this source tree becomes.
const release = "0.1.0-dev"

// version is the release, with the commit where the build knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return release + "+" + s.Value[:12]
		}
	}
	return release
}

func newVersion(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and the date of the catalogue and the place data",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cat, err := feeds.Embedded()
			if err != nil {
				return err
			}
			places, err := feeds.OpenPlaces(nil, true)
			if err != nil {
				return err
			}
			defer places.Close()
			fmt.Fprintf(s.out, "avbeacon %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			fmt.Fprintf(s.out, "catalogue of %s, %d entries, SHA-256 %s\n", cat.Date(), cat.Len(), cat.SHA256())
			for _, d := range places.Databases() {
				fmt.Fprintf(s.out, "place data %s of %s, SHA-256 %s\n%s\n", d.Name, d.Date, d.SHA256, d.Attribution)
			}
			return nil
		},
	}
}
