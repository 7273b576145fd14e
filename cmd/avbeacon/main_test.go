package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// TestMain lets the scripts run this test binary as avbeacon.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"avbeacon": main})
}

// TestScript runs testdata/script, which specifies the command line. $PCAP is the folder of the captures in testdata; the
// command schema says whether a file follows one of the program's schemas.
func TestScript(t *testing.T) {
	pcap, err := filepath.Abs("../../testdata/pcap")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PCAP", pcap)
			env.Setenv("ESC", "\x1b")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"follows": follows, "exits": exits, "same": same},
	})
}
