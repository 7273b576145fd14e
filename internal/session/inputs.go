package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/internal/store"
)

// Seen lists the captures that a store already has. The zero value is empty.
type Seen struct{ list []store.Input }

// SeenIn returns the captures that db has.
func SeenIn(ctx context.Context, db *store.Store) (Seen, error) {
	list, err := db.Inputs(ctx)
	return Seen{list}, err
}

// Fresh removes the captures that the store already has, by hash, and reports each of them to skipped. It hashes only files
// whose size equals that of a capture in the store.
func (s Seen) Fresh(names []string, skipped func(name, as string)) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		old := s.find(name)
		if old != nil {
			skipped(name, old.Name)
		}
		return old != nil
	})
}

// Again returns an error if a capture, once read, turns out to be in the store already: standard input, or a file that changed between
// Fresh and its reading, shows its hash only at its end.
func (s Seen) Again(inputs []capture.Input) error {
	for i := range inputs {
		for j := range s.list {
			if sum := inputs[i].SHA256; sum != "" && sum == s.list[j].SHA256 {
				return fmt.Errorf("%s: the store already has it (as %s); nothing of this run was kept", inputs[i].Name, s.list[j].Name)
			}
		}
	}
	return nil
}

// find returns the store's record of a file; nil if there is none or the file cannot be read. Reading it later reports that.
func (s Seen) find(name string) *store.Input {
	st, err := os.Stat(name)
	if name == files.StdinName || err != nil || !st.Mode().IsRegular() {
		return nil
	}
	sum := ""
	for i := range s.list {
		in := &s.list[i]
		if in.SHA256 == "" || in.Size != st.Size() {
			continue
		}
		if sum == "" {
			if sum, err = hashOf(name); err != nil {
				return nil
			}
		}
		if in.SHA256 == sum {
			return in
		}
	}
	return nil
}

func hashOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
