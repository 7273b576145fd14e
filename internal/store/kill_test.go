package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"avbeacon/internal/policy"
	"avbeacon/internal/testkit/rounds"

	"github.com/stretchr/testify/require"
)

// killedFile names the store that the test binary, run again as a child, writes until it is killed.
const killedFile = "AVBEACON_TEST_STORE"

func TestMain(m *testing.M) {
	if file := os.Getenv(killedFile); file != "" {
		if err := writeForever(file); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeForever says on standard output which turn is in the file, after it is. Turn n leaves finding ki (i below 40) with n
// contacts and n pieces of evidence, at most 30.
func writeForever(file string) error {
	s, err := Open(file, Options{})
	if err != nil {
		return err
	}
	turn := 0
	for _, c := range s.counts {
		turn = max(turn, int(c.contacts))
	}
	for {
		turn++
		for i := range 40 {
			f := finding("k"+strconv.Itoa(i), min(turn, 30))
			f.Contacts = uint64(turn)
			s.Keep(f, policy.Decision{})
		}
		if turn%7 == 0 {
			if _, err := s.Retain(context.Background(), Retention{Detail: time.Hour}, now); err != nil {
				return err
			}
		}
		if err := s.Flush(context.Background(), now); err != nil {
			return err
		}
		fmt.Println("kept", turn)
	}
}

// A process that is killed in the middle of writing loses nothing of what Flush reported as written, leaves nothing half,
// and damages nothing, however often it happens to one file.
func TestKillNeverDamages(t *testing.T) { // not parallel: a child that is being started holds the locks of all open files for a moment
	kills := rounds.Of(t, 12)
	file := filepath.Join(t.TempDir(), "killed.db")
	least := 0
	for round := range kills {
		told := writeAndKill(t, file, time.Duration(3+round*7%60)*time.Millisecond)
		least = max(least, told)
		s, err := Open(file, Options{})
		require.NoError(t, err, "round %d", round)
		require.NoError(t, s.Check(context.Background()))
		list, err := s.Findings(context.Background(), nil)
		require.NoError(t, err)
		if least > 0 {
			require.Len(t, list, 40)
		}
		for _, k := range list {
			require.Equal(t, list[0].Contacts, k.Contacts, "one transaction is whole or not there")
			require.GreaterOrEqual(t, k.Contacts, uint64(least))
			require.Len(t, k.Evidence, int(min(k.Contacts, 30)))
		}
		require.NoError(t, s.Close())
	}
	require.GreaterOrEqual(t, least, kills, "each child kept something")
}

// writeAndKill gives the last turn that the child said is written, before it was killed some time after its first.
func writeAndKill(t *testing.T, file string, after time.Duration) int {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(self)
	child.Env = append(os.Environ(), killedFile+"="+file)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	told := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, n, _ := strings.Cut(lines.Text(), " ")
		require.Equal(t, "kept", word, lines.Text())
		if told == 0 {
			time.AfterFunc(after, func() { _ = child.Process.Kill() }) // SIGKILL on Unix
		}
		told, err = strconv.Atoi(n)
		require.NoError(t, err)
	}
	require.Error(t, child.Wait(), "it was killed")
	return told
}
