package siem

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/samples"
)

// emitted are the names of all fields that a name writes of the samples. In JSON they are paths with points, without the
// places in lists; in STIX they begin with the type of the object.
func emitted(t *testing.T, name string) map[string]bool {
	names := map[string]bool{}
	for _, s := range append(samples.All(), samples.Sample{Name: "longest", Alert: longestAlert("x")}) {
		line := record(t, name, s.Alert, format.Options{Hostname: "sensor7.example", PID: 4711, Index: "ids"})
		var fields map[string]string
		var err error
		switch name {
		case "cef":
			fields, err = readCEF(line)
		case "leef":
			fields, err = readLEEF(line)
		case "syslog":
			m, err := readSyslog(line)
			require.NoError(t, err)
			for name := range m.data {
				names[name] = true
			}
		default:
			var value any
			require.NoError(t, json.Unmarshal([]byte(line), &value))
			paths(names, "", value)
		}
		require.NoError(t, err)
		for name := range fields {
			if len(name) > 1 { // the header's fields have numbers
				names[name] = true
			}
		}
	}
	return names
}

// paths adds the paths of all values that are neither object nor list.
func paths(names map[string]bool, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		if kind, ok := v["type"].(string); ok && path == "objects" {
			path = kind
		}
		for name, inner := range v {
			paths(names, strings.TrimPrefix(path+"."+name, "."), inner)
		}
	case []any:
		for _, inner := range v {
			paths(names, path, inner)
		}
	default:
		names[path] = true
	}
}

// documented returns the field names in backticks that the tables of docs/fields.md list for each format: a column of the
// first table, a row of the second.
func documented(t *testing.T) map[string][]string {
	text, err := os.ReadFile("docs/fields.md")
	require.NoError(t, err)
	quoted := regexp.MustCompile("`([^`]+)`")
	all := map[string][]string{}
	var columns []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		switch first := strings.TrimSpace(cells[0]); {
		case strings.HasPrefix(line, "## "):
			return all
		case !strings.HasPrefix(line, "|") || strings.HasPrefix(first, "---"):
		case first == "ours" || first == "format":
			columns = cells
		case len(columns) == 2:
			for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
				all[first] = append(all[first], m[1])
			}
		default:
			require.Len(t, cells, len(columns), line)
			for i, cell := range cells[1:] {
				name := strings.TrimSpace(columns[i+1])
				for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
					all[name] = append(all[name], m[1])
				}
			}
		}
	}
	return all
}

// TestFieldsDocument: docs/fields.md names every field that the formats write, and none that they do not.
func TestFieldsDocument(t *testing.T) {
	documented := documented(t)
	for _, name := range Formats() {
		written, known := emitted(t, name), documented[name]
		for _, name := range known {
			require.True(t, written[name], "docs/fields.md: %s has no field %s", name, name)
		}
		var missing []string
		for name := range written {
			if !slices.Contains(known, name) {
				missing = append(missing, name)
			}
		}
		slices.Sort(missing)
		require.Empty(t, missing, "docs/fields.md does not name these of %s: `%s`", name, strings.Join(missing, "`, `"))
	}
}
