package config

import (
	"fmt"
	"io"
	"os"

	"avbeacon/internal/setting"
)

// Load reads a configuration file and fetches its secrets. See Parse.
func Load(file string) (Config, error) {
	f, err := os.Open(file)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, setting.MaxFile+1)) // one more than allowed: Decode rejects it, with a reason
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(file, data)
}

// Parse reads a configuration in YAML over Default, and validates it. See setting.Decode for what it rejects. Relative
// paths stay as they are written.
func Parse(name string, data []byte) (Config, error) { return parse(name, data, setting.Process()) }

func parse(name string, data []byte, from setting.Sources) (Config, error) {
	c := Default()
	var err error
	c.references, err = setting.Decode(name, data, &c, from, c.check)
	if err != nil {
		return Config{}, err
	}
	return c, nil
}

// Retired names what replaces a key that former versions had; "" for a key that none had.
func (c *Config) Retired(key string) string {
	if key == "spool" {
		return "alerts now wait in the store: store.file names it, store.alerts replaces spool.size, store.pending replaces spool.pending, " +
			"a sink of type file replaces spool.copy, a sink of type nats replaces spool.nats, and dead letters are in the store"
	}
	return ""
}

// Validate returns everything that is wrong, one thing a line, each with its key. It opens nothing: whether a file or an
// interface exists is reported by whoever opens it. A Config without a source of packets is valid: the command line may
// name one.
func (c *Config) Validate() error { return setting.Validate(c, c.check) }

// Print writes the whole configuration as YAML, every key below a comment that explains it. Parse of the output returns the
// same Config; of secrets only their sources are shown.
func (c *Config) Print(w io.Writer) error {
	const title = "Configuration of avbeacon. Every key may be left out; avbeacon monitor --print-config shows the value it then has."
	return setting.Print(w, title, c, c.references)
}
