package internal_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// unit puts the systemd unit where nothing else is, with a program that is there for certain.
func unit(t *testing.T) (file, text string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	b, err := os.ReadFile("../cmd/avbeacon/share/avbeacon.service")
	require.NoError(t, err)
	program, err := exec.LookPath("true")
	require.NoError(t, err)
	text = string(b)
	replaced := regexp.MustCompile(`(?m)^ExecStart=\S+`).ReplaceAllString(text, "ExecStart="+program)
	require.NotEqual(t, text, replaced)
	file = filepath.Join(t.TempDir(), "avbeacon.service")
	require.NoError(t, os.WriteFile(file, []byte(replaced), 0o644))
	return file, text
}

func TestSystemdAcceptsTheUnit(t *testing.T) {
	file, _ := unit(t)
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", file).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "avbeacon.service", "what systemd does not understand it ignores with a warning")
}

// The unit says how exposed it is. Other versions of systemd count a little differently.
func TestUnitIsHardened(t *testing.T) {
	file, text := unit(t)
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=30", file).CombinedOutput()
	if err != nil && !regexp.MustCompile("exposure level").Match(out) {
		t.Skipf("systemd-analyze cannot judge files here: %s", out)
	}
	require.NoError(t, err, "exposed by more than 3.0: %s", out)
	said := regexp.MustCompile(`\(systemd (\d+)\): (\d\.\d) OK`).FindStringSubmatch(text)
	require.NotNil(t, said)
	version, err := exec.Command("systemd-analyze", "--version").Output()
	require.NoError(t, err)
	if regexp.MustCompile(`^systemd ` + said[1] + `\b`).Match(version) {
		require.Regexp(t, `exposure level for avbeacon.service: `+regexp.QuoteMeta(said[2])+` OK`, string(out))
	}
}
