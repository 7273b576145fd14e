package lockfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// holder is the environment variable that makes this test program hold a file until it is killed.
const holder = "AVBEACON_TEST_HOLD"

func TestMain(m *testing.M) {
	if name := os.Getenv(holder); name != "" {
		if _, err := Take(name); err != nil {
			os.Exit(3)
		}
		os.Stdout.WriteString("held\n")
		select {}
	}
	os.Exit(m.Run())
}

func TestOneProcessAtATime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), holder+"="+name)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	_, err = out.Read(make([]byte, 5))
	require.NoError(t, err)
	_, err = Take(name)
	require.ErrorIs(t, err, ErrHeld)
	require.NoError(t, child.Process.Kill())
	_ = child.Wait() // it was killed
	l, err := Take(name)
	require.NoError(t, err, "the system gives it back")
	require.NoError(t, l.Release())
}

func TestNilLockIsReleased(t *testing.T) {
	require.NoError(t, (*Lock)(nil).Release())
	_, err := Take(filepath.Join(t.TempDir(), "no", "folder"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
