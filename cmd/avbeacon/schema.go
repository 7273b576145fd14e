package main

import (
	"embed"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// share holds the files that ship with the program.
//
//go:embed share/schema/*.json share/avbeacon.service share/dashboard.json share/rules.yaml
var share embed.FS

func newSchema(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "schema report|observe",
		Short: "Print the JSON Schema of the report or of observe's lines",
		Long: `Prints the JSON Schema (draft 2020-12) of the report that 'analyze --format json' writes, or of one
line of observe. In '--format jsonl', each finding conforms to $defs/finding of the report's schema, and the
last line to $defs/coverage.`,
		Example:   "  avbeacon schema report > report-1.schema.json",
		ValidArgs: []string{"report", "observe"},
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("schema needs one argument: report or observe")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := schema(args[0])
			if err != nil {
				return err
			}
			_, err = s.out.Write(b)
			return err
		},
	}
}

// schema returns the text of a schema by its short name.
func schema(name string) ([]byte, error) {
	b, err := share.ReadFile("share/schema/" + name + "-1.schema.json")
	if err != nil {
		return nil, fmt.Errorf("there is no schema %q: use report or observe", name)
	}
	return b, nil
}
