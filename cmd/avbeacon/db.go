package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"avbeacon/internal/report"
	"avbeacon/internal/store"
)

func newDB(s *streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "db",
		Short: "Back up, check and measure a store",
		Long:  `Commands for the store that 'analyze --db' and 'monitor' write. They work while it is being written.`,
		Args:  subcommand,
		RunE:  showHelp,
	}
	c.AddCommand(newBackup(s), newCheck(s), newStats(s))
	return c
}

// withStore makes a command that reads one store.
func withStore(c *cobra.Command, do func(c *cobra.Command, db *store.Store) error) *cobra.Command {
	var file string
	c.Args = noMore
	c.Flags().StringVar(&file, "db", "", "store `FILE`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := needsDB(file); err != nil {
			return err
		}
		db, err := openToRead(file)
		if err != nil {
			return err
		}
		return errors.Join(do(c, db), db.Close())
	}
	return c
}

// listOf makes a command that prints something of a store, as text or JSON.
func listOf(c *cobra.Command, do func(c *cobra.Command, db *store.Store, format string) error) *cobra.Command {
	format := c.Flags().String("format", "text", "text or json")
	list := withStore(c, func(c *cobra.Command, db *store.Store) error { return do(c, db, *format) })
	list.PreRunE = func(*cobra.Command, []string) error { return oneOf("format", *format, "text", "json") }
	return list
}

// newBackup lets SQLite copy: a copy of the file alone would lack what is still in its log.
func newBackup(s *streams) *cobra.Command {
	var to string
	c := withStore(&cobra.Command{
		Use:     "backup --db FILE -o COPY",
		Short:   "Write a whole copy of a store to a new file",
		Long:    `Writes a consistent, compact copy of the store to a new file. Other processes can keep writing the store.`,
		Example: "  avbeacon db backup --db avbeacon.db -o avbeacon-backup.db",
	}, func(c *cobra.Command, db *store.Store) error {
		if to == "" {
			return errors.New("--output FILE is needed: where does the copy go?")
		}
		return db.Backup(c.Context(), to)
	})
	c.Flags().StringVarP(&to, "output", "o", "", "new `FILE` for the copy")
	return c
}

func newCheck(s *streams) *cobra.Command {
	return withStore(&cobra.Command{
		Use:     "check --db FILE",
		Short:   "Check a store for damage",
		Long:    `Reads every page, record and index of a store. If something is damaged, it prints what and exits with 2.`,
		Example: "  avbeacon db check --db avbeacon.db",
	}, func(c *cobra.Command, db *store.Store) error {
		if err := db.Check(c.Context()); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.out, "The store %s is undamaged.\n", c.Flag("db").Value)
		return err
	})
}

func newStats(s *streams) *cobra.Command {
	return listOf(&cobra.Command{
		Use:     "stats --db FILE",
		Short:   "Show how much is in a store",
		Example: "  avbeacon db stats --db avbeacon.db --format json",
	}, func(c *cobra.Command, db *store.Store, format string) error {
		x, err := db.Stats(c.Context())
		if err != nil {
			return err
		}
		if format == "json" {
			return json.NewEncoder(s.out).Encode(x)
		}
		return statsText(s, &x)
	})
}

func statsText(s *streams, x *store.Stats) error {
	var b strings.Builder
	fmt.Fprintf(&b, "sensor          %s\nschema          %d\nbytes           %d, of which %d are used\n", report.Clean(x.Sensor), x.Schema, x.File, x.Used)
	for _, table := range slices.Sorted(maps.Keys(x.Rows)) {
		fmt.Fprintf(&b, "%-15s %d\n", table, x.Rows[table])
	}
	_, err := fmt.Fprint(s.out, b.String())
	return err
}
