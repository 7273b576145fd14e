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

// Seen is the captures that a store has already. The zero value has none.
type Seen struct{ list []store.Input }

// SeenIn lists them.
func SeenIn(ctx context.Context, db *store.Store) (Seen, error) {
	list, err := db.Inputs(ctx)
	return Seen{list}, err
}

// Fresh leaves out the captures that the store has, by their hashes, and reports each of them to skipped. Only a file that is
// as long as one of those is hashed.
func (s Seen) Fresh(names []string, skipped func(name, as string)) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		old := s.find(name)
		if old != nil {
			skipped(name, old.Name)
		}
		return old != nil
	})
}

// Again is the error for a capture that turned out to be in the store when it had been read; nil where none did.
func (s Seen) Again(inputs []capture.Input) error {
	for i := range inputs {
		for j := range s.list {
			if sum := inputs[i].SHA256; sum != "" && sum == s.list[j].SHA256 {
				return fmt.Errorf("%s: the store has it already (as %s); nothing of this run was kept", inputs[i].Name, s.list[j].Name)
			}
		}
	}
	return nil
}

// find returns the store's input that a file is; nil where it is none, or cannot be read: reading it will report that.
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
