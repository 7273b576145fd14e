package feeds

import (
	"fmt"
	"slices"
	"strings"
)

// The words of the catalogue, in the order of the constants. A word is looked up by position.
func roleWords() []string {
	return []string{"unknown", "update", "reputation", "telemetry", "licensing", "push", "management", "crash", "web",
		"download", "cdn"}
}

func strengthWords() []string { return []string{"none", "weak", "medium", "strong"} }

func signalWords() []string {
	return []string{"name", "path", "query", "user-agent", "header", "body", "payload", "issuer", "port", "lan-port",
		"range", "asn", "resolver"}
}

func matchWords() []string { return []string{"exact", "suffix", "regexp"} }

func needWords() []string { return []string{"nothing", "host", "network", "name-or-network"} }

func confidenceWords() []string { return []string{"low", "medium", "high"} }

// word returns the name of constant i, "" for any other number.
func word(words []string, i uint8) string {
	if int(i) < len(words) {
		return words[i]
	}
	return ""
}

// constant returns the number of a word.
func constant(words []string, w string) (uint8, bool) {
	i := slices.Index(words, w)
	return uint8(max(i, 0)), i >= 0
}

func notOneOf(w, what string, words []string) error {
	return fmt.Errorf("%q is not a %s (one of: %s)", w, what, strings.Join(words, ", "))
}

// scanWord sets a constant by its word.
func scanWord[T ~uint8](to *T, what string, words []string, w []byte) error {
	i, ok := constant(words, string(w))
	if *to = T(i); !ok {
		return notOneOf(string(w), what, words)
	}
	return nil
}

// String returns the role's word in the catalogue.
func (r Role) String() string { return word(roleWords(), uint8(r)) }

// UnmarshalText reads the word.
func (r *Role) UnmarshalText(w []byte) error { return scanWord(r, "role", roleWords(), w) }

// String returns the strength's word in the catalogue.
func (s Strength) String() string { return word(strengthWords(), uint8(s)) }

// UnmarshalText reads the word.
func (s *Strength) UnmarshalText(w []byte) error { return scanWord(s, "strength", strengthWords(), w) }

// String returns the signal's word in the catalogue.
func (s Signal) String() string { return word(signalWords(), uint8(s)) }

// String returns the match's word in the catalogue.
func (m Match) String() string { return word(matchWords(), uint8(m)) }

// UnmarshalText reads the word.
func (m *Match) UnmarshalText(w []byte) error { return scanWord(m, "match", matchWords(), w) }

// String returns the need's word in the catalogue.
func (n Need) String() string { return word(needWords(), uint8(n)) }

// UnmarshalText reads the word.
func (n *Need) UnmarshalText(w []byte) error { return scanWord(n, "need", needWords(), w) }

// String returns the confidence's word in the catalogue.
func (c Confidence) String() string { return word(confidenceWords(), uint8(c)) }

// UnmarshalText reads the word.
func (c *Confidence) UnmarshalText(w []byte) error {
	return scanWord(c, "confidence", confidenceWords(), w)
}
