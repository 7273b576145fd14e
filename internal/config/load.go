package config

import (
	"fmt"
	"io"
	"os"
	"reflect"

	"avbeacon/internal/yamlfile"
)

// Load reads a configuration file and takes its secrets from where it says they are. See Parse.
func Load(file string) (Config, error) {
	f, err := os.Open(file)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(file, data)
}

// Parse reads a configuration in YAML over Default, and validates it. An unknown key, one that stands twice, a value of
// the wrong kind and an anchor, alias, tag or merge are errors. Its errors, one a line and at most 20, begin with
// name:line:column. Relative paths stay as they are written.
func Parse(name string, data []byte) (Config, error) { return parse(name, data, process()) }

func parse(name string, data []byte, from surroundings) (Config, error) {
	if why := yamlfile.Unfit(data, maxFile); why != "" {
		return Config{}, report(name, []problem{{text: why}})
	}
	body, wrong := tree(data)
	if wrong != nil {
		return Config{}, report(name, []problem{*wrong})
	}
	c := Default()
	d := decoder{from: from, places: map[string]place{}, references: map[string]string{}}
	if body != nil {
		d.value("", body, reflect.ValueOf(&c).Elem())
	}
	if len(d.references) > 0 {
		c.references = d.references
	}
	problems := d.problems
	for _, p := range c.problems() {
		if !d.told(p.key) {
			p.place = d.near(p.key)
			problems = append(problems, p)
		}
	}
	if err := report(name, problems); err != nil {
		return Config{}, err
	}
	return c, nil
}
