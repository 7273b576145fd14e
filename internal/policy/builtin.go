package policy

import (
	"embed"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

//go:embed builtin/*.yaml
var shipped embed.FS

// Default is the policy that is used if none is named.
const Default = "moscow"

// Names lists the policies that ship with the program.
func Names() []string { return []string{"moscow", "bod-17-01", "all-av"} }

// Text returns the YAML of a policy that ships with the program; false if there is none of that name.
func Text(name string) ([]byte, bool) {
	if !slices.Contains(Names(), name) {
		return nil, false
	}
	text, err := shipped.ReadFile("builtin/" + name + ".yaml")
	return text, err == nil
}

// BuiltIn returns a policy that ships with the program; false if there is none of that name.
func BuiltIn(name string) (*Policy, bool) {
	text, ok := Text(name)
	if !ok {
		return nil, false
	}
	p, err := Parse(name+".yaml", text)
	return p, err == nil
}

// Load returns the built-in policy of that name, or reads the file. "" means Default.
func Load(nameOrFile string) (*Policy, error) {
	if nameOrFile == "" {
		nameOrFile = Default
	}
	if p, ok := BuiltIn(nameOrFile); ok {
		return p, nil
	}
	return LoadFile(nameOrFile)
}

// LoadFile reads a policy file.
func LoadFile(file string) (*Policy, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read policy %s (built in are %s): %w", file, strings.Join(Names(), ", "), err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	p, err := Parse(file, data)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	return p, nil
}
