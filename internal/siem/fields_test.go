package siem

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// emitted are the names of all fields that a format writes of the samples. In JSON they are paths with points, without the
// places in lists; in STIX they begin with the type of the object.
func emitted(t *testing.T, format string) map[string]bool {
	names := map[string]bool{}
	for _, s := range append(samples(), sample{"longest", longestAlert("x")}) {
		line := record(t, format, s.alert, EncodeOptions{Hostname: "sensor7.example", PID: 4711, HECIndex: "ids"})
		var fields map[string]string
		var err error
		switch format {
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

// told are the names in backticks that the tables of docs/fields.md give for each format: a column of the first table, a row
// of the second.
func told(t *testing.T) map[string][]string {
	text, err := os.ReadFile("docs/fields.md")
	require.NoError(t, err)
	name := regexp.MustCompile("`([^`]+)`")
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
			for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
				all[first] = append(all[first], m[1])
			}
		default:
			require.Len(t, cells, len(columns), line)
			for i, cell := range cells[1:] {
				format := strings.TrimSpace(columns[i+1])
				for _, m := range name.FindAllStringSubmatch(cell, -1) {
					all[format] = append(all[format], m[1])
				}
			}
		}
	}
	return all
}

// TestFieldsDocument: docs/fields.md names every field that the formats write, and none that they do not.
func TestFieldsDocument(t *testing.T) {
	documented := told(t)
	for _, format := range Formats() {
		written, known := emitted(t, format), documented[format]
		for _, name := range known {
			require.True(t, written[name], "docs/fields.md: %s has no field %s", format, name)
		}
		var missing []string
		for name := range written {
			if !slices.Contains(known, name) {
				missing = append(missing, name)
			}
		}
		slices.Sort(missing)
		require.Empty(t, missing, "docs/fields.md does not name these of %s: `%s`", format, strings.Join(missing, "`, `"))
	}
}
