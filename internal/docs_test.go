package internal_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// documents are what the repository's root says to people.
func documents() []string {
	return []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}
}

func readDocument(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	require.NoError(t, err)
	return string(text)
}

// blocks gives the fenced blocks that are marked with the word and nothing else.
func blocks(text, word string) []string {
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^```"+word+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// built is avbeacon, built once for all tests, in a folder that git ignores.
var built = sync.OnceValues(func() (string, error) {
	name, err := filepath.Abs("../.cache/test/documents/avbeacon")
	if err != nil {
		return "", err
	}
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "build", "-o", name, "../cmd/avbeacon").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build avbeacon: %w: %s", err, out)
	}
	return name, nil
})

// program returns the path of avbeacon.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	binary, err := built()
	require.NoError(t, err)
	return binary
}

func TestReadmeBeginsWithTwoCommands(t *testing.T) {
	text := readDocument(t, "README.md")
	first := regexp.MustCompile("(?ms)^```(.*?)^```$").FindStringSubmatch(text)
	require.NotNil(t, first)
	require.Equal(t, "sh\ngo run ./cmd/avbeacon analyze testdata/pcap/office.pcap\ngo test ./...\n", first[1])
}

// Every block of sh but the first, which holds `go test`, runs unchanged, in a folder of its own that has testdata in it; the first's
// other command runs here too.
func TestReadmeRuns(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	binary := program(t)
	scripts := blocks(readDocument(t, "README.md"), "sh")
	require.Greater(t, len(scripts), 2)
	scripts[0] = "avbeacon analyze testdata/pcap/office.pcap\n"
	for _, script := range scripts {
		t.Run(strings.SplitN(script, "\n", 2)[0], func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			require.NoError(t, os.CopyFS(filepath.Join(folder, "testdata"), os.DirFS("../testdata")))
			run := exec.Command(shell, "-e", "-c", script)
			run.Dir = folder
			run.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, err := run.CombinedOutput()
			require.NoError(t, err, "%s\n%s", script, out)
			require.NotEmpty(t, out)
			if script == scripts[0] {
				require.Regexp(t, `(?i)kaspersky .*installed`, string(out))
			}
			if strings.Contains(script, "--fail-on") {
				require.Contains(t, string(out), "exit code 1")
			}
		})
	}
}

// helps are the help texts of the program and all its subcommands, by their words.
func helps(t *testing.T, binary string) map[string]string {
	t.Helper()
	all := map[string]string{}
	commands := regexp.MustCompile(`(?ms)^Available Commands:\n(.*?)\n\n`)
	for todo := []string{""}; len(todo) > 0; todo = todo[1:] {
		out, err := exec.Command(binary, append(strings.Fields(todo[0]), "--help")...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		all[todo[0]] = string(out)
		m := commands.FindStringSubmatch(string(out))
		if m == nil {
			continue
		}
		for line := range strings.Lines(m[1]) {
			if word := strings.Fields(line)[0]; word != "help" && word != "completion" {
				todo = append(todo, strings.TrimSpace(todo[0]+" "+word))
			}
		}
	}
	return all
}

// What README names exists, and what exists README names.
func TestReadmeNamesCommandsAndFlags(t *testing.T) {
	t.Parallel()
	binary := program(t)
	text := readDocument(t, "README.md")
	flag := regexp.MustCompile(`--[a-z][a-z-]+`)
	var real []string
	for words, help := range helps(t, binary) {
		if words != "" && !strings.Contains(help, "Available Commands:") {
			if !strings.Contains(text, "`avbeacon "+words) {
				t.Errorf("README does not name the command avbeacon %s", words)
			}
		}
		_, flags, _ := strings.Cut(help, "\nFlags:\n")
		real = append(real, flag.FindAllString(flags, -1)...)
	}
	slices.Sort(real)
	real = slices.Compact(real)
	named := flag.FindAllString(text, -1)
	for _, f := range named {
		if !slices.Contains(real, f) {
			t.Errorf("README names %s, which no command has", f)
		}
	}
	for _, f := range real {
		if !slices.Contains(named, f) {
			t.Errorf("README does not name %s", f)
		}
	}
}

func TestDocumentsNameRealTargets(t *testing.T) {
	makefile := readDocument(t, "Makefile")
	target := regexp.MustCompile("(?:`|^|&& )make ([a-z]+)")
	for _, name := range documents() {
		for _, m := range target.FindAllStringSubmatch(readDocument(t, name), -1) {
			require.Regexp(t, `(?m)^`+m[1]+`:.* ## `, makefile, "%s names make %s", name, m[1])
		}
	}
}

func TestDocumentsLinkToFiles(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)\)`)
	for _, name := range documents() {
		for _, m := range link.FindAllStringSubmatch(readDocument(t, name), -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			_, err := os.Stat(filepath.Join("..", m[1]))
			require.NoError(t, err, "%s links to %s", name, m[1])
		}
	}
}
