package observe

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/files"
)

func TestAPipeGivesTheSameAsItsSource(t *testing.T) {
	var u datagrams
	for i := range 500 {
		u.put(client, 30000+i, 53, question(t, "a.example.org.", true))
	}
	list := numbered(u.list)
	want, _ := dumped(t, Options{}, &memSource{packets: list, size: 7})
	for _, workers := range []int{1, 3} {
		p := files.NewPipe(&memSource{packets: list, size: 7}, 0)
		got, st := dumped(t, Options{Workers: workers}, p)
		require.NoError(t, p.Close())
		require.Equal(t, want, got)
		require.EqualValues(t, len(list), st.Decode.Packets)
	}
}

func TestAPipeThatIsSilentMovesTheClockAndEnds(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	whole, err := os.ReadFile("../../testdata/pcap/office.pcap")
	require.NoError(t, err)
	go w.Write(whole[:4096]) // and then nothing, in the middle of a record
	ctx, cancel := context.WithCancel(context.Background())
	p := files.NewPipe(files.Open([]string{files.StdinName}, files.Options{Stdin: r, BlockSize: 512}), 20*time.Millisecond)
	defer p.Close()
	var b capture.Block
	var last, packets int64
	for silent := 0; silent < 3; {
		require.NoError(t, p.Next(ctx, &b))
		for i := range b.Packets {
			last = max(last, b.Packets[i].Time)
			packets++
		}
		if len(b.Packets) == 0 && b.Now != 0 {
			silent++
			require.Equal(t, last+int64(silent)*int64(20*time.Millisecond), b.Now)
		}
		b.Done()
	}
	require.Greater(t, packets, int64(5))
	cancel()
	require.ErrorIs(t, p.Next(ctx, &b), io.EOF, "though the read still waits")
}
