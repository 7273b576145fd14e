package config

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// Secret is a text that is never printed. In the file it is the name of an environment variable, ${NAME}, or of a file,
// file:PATH; a secret in the clear is refused. Load and Parse take the text from there: a Secret of a loaded Config is the
// text itself, and Reveal gives it to whoever has to send it.
type Secret string

// Reveal gives the text, for the receiver alone.
func (s Secret) Reveal() string { return string(s) }

// String says whether there is a text, not which.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// Format keeps every verb of package fmt from showing the text.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, s.String()) // fmt.State cannot fail
}

// MarshalText keeps encoders from showing the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// maxSecret bounds the file that a secret lies in, in bytes.
const maxSecret = 64 << 10

// surroundings are where secrets come from.
type surroundings struct {
	env  func(name string) (string, bool)
	file func(path string) (string, error)
}

func process() surroundings { return surroundings{env: os.LookupEnv, file: readSecret} }

var variable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]{0,254})\}$`)

// reveal takes the text of a secret from where the file says it is. Its errors do not show what may be a text in the clear.
func (s surroundings) reveal(reference string) (Secret, error) {
	if m := variable.FindStringSubmatch(reference); m != nil {
		text, ok := s.env(m[1])
		if !ok || text == "" {
			return "", fmt.Errorf("the environment variable %s is not set", m[1])
		}
		return secretOf(text, "the environment variable "+m[1])
	}
	if path, ok := strings.CutPrefix(reference, "file:"); ok && path != "" {
		text, err := s.file(path)
		if err != nil {
			return "", fmt.Errorf("read the secret: %w", err)
		}
		return secretOf(text, path)
	}
	return "", fmt.Errorf("a secret in the clear is refused: write ${NAME} for an environment variable, or file:PATH")
}

// secretOf takes the end of line away that editors leave. What is left goes into headers, so it is one line.
func secretOf(text, from string) (Secret, error) {
	text = strings.TrimRight(text, "\r\n")
	switch {
	case text == "":
		return "", fmt.Errorf("%s holds no secret", from)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", fmt.Errorf("%s holds control characters or more than one line", from)
	}
	return Secret(text), nil
}

// readSecret reads a regular file: another kind could keep us waiting.
func readSecret(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(text) > maxSecret {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxSecret)
	}
	return string(text), err
}
