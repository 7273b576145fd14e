package live

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
)

// udp53 is what tcpdump -ddd prints for "udp port 53" on Ethernet.
const udp53 = `20
40 0 0 12
21 0 6 34525
48 0 0 20
21 0 15 17
40 0 0 54
21 12 0 53
40 0 0 56
21 10 11 53
21 0 10 2048
48 0 0 23
21 0 8 17
40 0 0 20
69 6 0 8191
177 0 0 14
72 0 0 14
21 2 0 53
72 0 0 16
21 0 1 53
6 0 0 262144
6 0 0 0
`

// verdict runs a program over a frame as the kernel would.
func verdict(t *testing.T, f Filter, frame []byte) int {
	t.Helper()
	program, ok := bpf.Disassemble(f)
	require.True(t, ok)
	vm, err := bpf.NewVM(program)
	require.NoError(t, err)
	n, err := vm.Run(frame)
	require.NoError(t, err)
	return n
}

func etherOf(ip []byte) []byte {
	return join(make([]byte, 12), []byte{8, 0}, ip)
}

func TestFilterTakesAndCuts(t *testing.T) {
	dns := etherOf(ip4Bytes(ipUDP, near, far, udpBytes(4000, 53, make([]byte, 80))))
	other := etherOf(ip4Bytes(ipUDP, near, far, udpBytes(4000, 54, make([]byte, 80))))
	for _, text := range []string{udp53, strings.ReplaceAll(strings.TrimSpace(udp53), "\n", ","), strings.ReplaceAll(udp53, "\n", " \r\n")} {
		f, err := ParseFilter(text)
		require.NoError(t, err)
		require.Len(t, f, 20)
		require.Equal(t, len(dns), min(verdict(t, f, dns), len(dns)))
		require.Zero(t, verdict(t, f, other))

		cut, err := f.limited(64)
		require.NoError(t, err)
		require.Equal(t, 64, verdict(t, cut, dns))
		require.Zero(t, verdict(t, cut, other))
		require.EqualValues(t, 262144, f[18].K, "the program itself is not changed")
	}
	whole, err := Filter(nil).limited(0)
	require.NoError(t, err)
	require.Empty(t, whole)
	cut, err := Filter(nil).limited(100)
	require.NoError(t, err)
	require.Equal(t, 100, verdict(t, cut, dns))
	require.Zero(t, verdict(t, dropAll(), dns))
}

func TestFilterErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "filter: it is empty; expected the output of `tcpdump -ddd EXPRESSION`",
		"udp port 53":            "filter: it begins with \"udp port 53\", not with a number of instructions; expected the output of `tcpdump -ddd EXPRESSION`",
		"2\n6 0 0 1":             "filter: it announces 2 instructions and has 1",
		"1\n6 0 0":               `filter: instruction 0, "6 0 0": it has 3 numbers instead of 4`,
		"1\n6 0 256 1":           `filter: instruction 0, "6 0 256 1": "256" is not a number from 0 to 255`,
		"1\n6 0 0 4294967296":    `filter: instruction 0, "6 0 0 4294967296": "4294967296" is not a number from 0 to 4294967295`,
		"1\n65535 0 0 1":         "filter: instruction 0: unknown code 65535",
		"2\n21 1 0 5\n6 0 0 1":   "filter: instruction 0 jumps out of the program",
		"2\n5 0 0 9\n6 0 0 1":    "filter: instruction 0 jumps out of the program",
		"1\n40 0 0 12":           "filter: it does not end with a return",
		"2\n40 0 0 12\n22 0 0 0": "",
	} {
		f, err := ParseFilter(text)
		if want != "" {
			require.EqualError(t, err, want)
			continue
		}
		require.NoError(t, err)
		_, err = f.limited(64)
		require.EqualError(t, err, "filter: instruction 1 returns a register: it cannot be cut to a snap length")
	}
	_, err := ParseFilter("5000\n" + strings.Repeat("6 0 0 1\n", 5000))
	require.EqualError(t, err, "filter: it has more than 4096 instructions")
}

func TestFilterIsWhatTcpdumpPrints(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed")
	}
	for _, expression := range []string{"udp port 53", "tcp[13] & 2 != 0 and not net 10.0.0.0/8", "vlan 7 and host 192.0.2.1",
		"ip6 and (tcp port 443 or udp portrange 5000-6000)", "ether[6] & 1 = 0 or greater 1000"} {
		out, err := exec.Command("tcpdump", "-y", "EN10MB", "-ddd", expression).Output()
		if err != nil {
			t.Skipf("tcpdump does not compile here: %v", err)
		}
		f, err := ParseFilter(string(out))
		require.NoError(t, err, expression)
		require.NotEmpty(t, f)
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add(udp53)
	f.Add("2\n5 0 0 0\n6 0 0 1")
	f.Add("1,6 0 0 1")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseFilter(text)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(p), maxFilter)
		program, ok := bpf.Disassemble(p)
		require.True(t, ok)
		vm, err := bpf.NewVM(program)
		if err != nil {
			return // the kernel rejects more, such as a division by 0
		}
		_, _ = vm.Run(make([]byte, 100))
	})
}
