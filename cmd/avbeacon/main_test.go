package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// TestMain lets the scripts run this test binary as avbeacon, and other tests run it as a NATS server too.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"avbeacon": main, "natsd": runNATS})
}

// TestScript runs testdata/script, which specifies the command line. $PCAP is the folder of the captures in testdata;
// usb.pcap is a capture of a link type that is not understood; the command schema says whether a file follows one of the program's schemas.
func TestScript(t *testing.T) {
	pcap, err := filepath.Abs("../../testdata/pcap")
	require.NoError(t, err)
	scripts := []string{"monitor", "siem", "suppress", "alerts", "workers"} // in the others one goroutine does all
	if !raced {
		scripts = nil
	}
	for i, name := range scripts {
		scripts[i] = "testdata/script/" + name + ".txtar"
	}
	testscript.Run(t, testscript.Params{
		Dir: map[bool]string{false: "testdata/script"}[raced], Files: scripts,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PCAP", pcap)
			env.Setenv("ESC", "\x1b")
			withReceivers(t, env)
			return os.WriteFile(filepath.Join(env.WorkDir, "usb.pcap"), undecodable(), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"follows": follows, "exits": exits, "same": same, "receiver": receiverStarts, "answers": answers, "received": received, "expand": expand, "sameids": sameIDs},
	})
}

// undecodable is a pcap file of one packet of link type 220 (USB).
func undecodable() []byte {
	b := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 220, 0, 0, 0}
	return append(b, 0, 0, 0, 0x60, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4)
}
