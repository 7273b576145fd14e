// Command mktestdata writes the small captures in testdata/pcap. Run it in the root of the repository; it writes the same
// bytes each time. With -record it writes no captures, but records new QUIC sessions for internal/testkit, which changes the
// captures. Start reading at files; the network that most scenarios share is in site.go.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"avbeacon/internal/testkit"

	"github.com/quic-go/quic-go"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mktestdata:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mktestdata", flag.ContinueOnError)
	dir := flags.String("dir", filepath.Join("testdata", "pcap"), "folder to write to")
	record := flags.String("record", "", "folder to record QUIC sessions into (internal/testkit/recorded), instead of writing captures")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *record != "" {
		return recordQUIC(*record)
	}
	return writeAll(*dir, out)
}

// files are the captures, in the order in which they are written.
var files = []struct {
	name string
	make func() ([]byte, error)
}{
	{"office.pcap", officeDay},
	{"visit.pcap", visitOnly},
	{"cut.pcap", cutShort},
	{"tunnels.pcap", tunnels},
	{"fragments.pcap", fragments},
	{"segments.pcap", segments},
}

func writeAll(dir string, out io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		b, err := f.make()
		if err != nil {
			return fmt.Errorf("make %s: %w", f.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, f.name), b, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(out, "%-16s %7d bytes\n", f.name, len(b))
	}
	return nil
}

func recordQUIC(dir string) error {
	for name, version := range map[string]quic.Version{"v1": quic.Version1, "v2": quic.Version2} {
		flights, err := testkit.RecordQUIC("www.example.org", []string{"h3"}, version)
		if err != nil {
			return err
		}
		if err := testkit.KeepQUIC(filepath.Join(dir, name+".quic"), flights); err != nil {
			return err
		}
	}
	return nil
}

// pcap returns a capture as the bytes of a file.
func pcap(c *testkit.Capture) ([]byte, error) {
	var b bytes.Buffer
	err := c.WritePcap(&b)
	return b.Bytes(), err
}
