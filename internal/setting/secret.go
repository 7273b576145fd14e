package setting

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// Secret is a text that is never printed. The configuration names its source, an environment variable (${NAME}) or a file
// (file:PATH), and loading replaces the name by the text; a secret written in plain text is rejected. Only Reveal returns
// the text, for whoever has to send it.
type Secret string

// Reveal returns the text, for the receiver alone.
func (s Secret) Reveal() string { return string(s) }

// String shows that there is a secret, not which.
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

// maxSecret is the largest file a secret may be in, in bytes.
const maxSecret = 64 << 10

// Sources are where secrets come from.
type Sources struct {
	Env  func(name string) (string, bool)
	File func(path string) (string, error)
}

// Process returns the environment and the files of this process.
func Process() Sources { return Sources{Env: os.LookupEnv, File: readSecret} }

var variable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// longestVariable is in bytes. It is not in the expression: a counted repetition takes milliseconds to compile at every start.
const longestVariable = 255

// Fetch returns the secret that a reference names. Its errors do not repeat the reference, which may be the secret itself.
func (s Sources) Fetch(reference string) (Secret, error) {
	if m := variable.FindStringSubmatch(reference); m != nil && len(m[1]) <= longestVariable {
		text, ok := s.Env(m[1])
		if !ok || text == "" {
			return "", fmt.Errorf("the environment variable %s is not set", m[1])
		}
		return secretOf(text, "the environment variable "+m[1])
	}
	if path, ok := strings.CutPrefix(reference, "file:"); ok && path != "" {
		text, err := s.File(path)
		if err != nil {
			return "", fmt.Errorf("read the secret: %w", err)
		}
		return secretOf(text, path)
	}
	return "", fmt.Errorf("a secret must not be written in plain text: write ${NAME} for an environment variable, or file:PATH")
}

// secretOf removes the line end that editors leave. The rest must be a single line, because it goes into HTTP headers.
func secretOf(text, from string) (Secret, error) {
	text = strings.TrimRight(text, "\r\n")
	switch {
	case text == "":
		return "", fmt.Errorf("%s is empty", from)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", fmt.Errorf("%s contains control characters or more than one line", from)
	}
	return Secret(text), nil
}

// readSecret reads a regular file: reading a pipe or a device could block for ever.
func readSecret(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
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
