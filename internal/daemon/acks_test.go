package daemon

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/store"

	"github.com/stretchr/testify/require"
)

// acknowledge does what `avbeacon alerts ack` does, for the last alert of every finding.
func acknowledge(t *testing.T, file string) (ids []string) {
	t.Helper()
	s, err := store.OpenBeside(file)
	require.NoError(t, err)
	defer s.Close()
	list, err := s.Alerts(context.Background())
	require.NoError(t, err)
	last := map[string]store.Alert{}
	for _, a := range list {
		last[a.Finding] = a
	}
	for _, a := range last {
		var x alert.Alert
		require.NoError(t, json.Unmarshal(a.Body, &x))
		x.State = alert.Acknowledged
		a.State = string(alert.Acknowledged)
		a.Body, err = json.Marshal(&x)
		require.NoError(t, err)
		require.NoError(t, s.PutAlert(context.Background(), a))
		ids = append(ids, a.ID)
	}
	return ids
}

// Both runs see the office capture twice, a day apart. Without acknowledgements, the second day repeats the alerts of the first.
func TestAcknowledgedFindingsAreNotRepeated(t *testing.T) {
	whole, err := os.ReadFile(office)
	require.NoError(t, err)
	repeated := func(ack bool) int {
		o := newOne(t)
		file := filepath.Join(t.TempDir(), "home.db")
		o.Config.Store.File = file
		o.Config.Alerts.Repeat = time.Hour
		reload := make(chan os.Signal, 1)
		o.Reload = reload
		in, stop := o.background(t)
		_, err := in.Write(whole)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			s, err := store.Open(file, store.Options{ReadOnly: true})
			if err != nil {
				return false
			}
			defer s.Close()
			list, err := s.Alerts(context.Background())
			count := 0
			for _, a := range list {
				if !a.Sent.IsZero() {
					count++
				}
			}
			return err == nil && count >= 10 && count == len(o.out.ids(t))
		}, time.Minute, 100*time.Millisecond)
		var ids []string
		if ack {
			ids = acknowledge(t, file)
		}
		before := len(o.out.ids(t))
		reload <- syscall.SIGHUP
		require.Eventually(t, func() bool { return o.said("new knowledge is in use") }, time.Minute, 20*time.Millisecond)
		_, err = in.Write(shifted(whole[24:], 24*time.Hour))
		require.NoError(t, err)
		require.Eventually(t, func() bool { return len(o.out.ids(t)) > before || ack }, time.Minute, 20*time.Millisecond)
		require.NoError(t, stop())
		n := strings.Count(o.out.text(), `"action":"avbeacon-repeated"`)
		s, err := store.Open(file, store.Options{ReadOnly: true})
		require.NoError(t, err)
		defer s.Close()
		list, err := s.Alerts(context.Background())
		require.NoError(t, err)
		for _, a := range list {
			for _, id := range ids {
				if a.ID == id {
					require.Equal(t, string(alert.Acknowledged), a.State, "the daemon leaves it so")
				}
			}
		}
		return n
	}
	often, seldom := repeated(false), repeated(true)
	require.Greater(t, often, seldom, "acknowledged findings are not repeated on the second day")
}

// shifted gives the records of a capture in pcap's form later by d.
func shifted(records []byte, d time.Duration) []byte {
	out := append([]byte(nil), records...)
	for at := 0; at+16 <= len(out); {
		seconds := uint32(out[at]) | uint32(out[at+1])<<8 | uint32(out[at+2])<<16 | uint32(out[at+3])<<24
		seconds += uint32(d / time.Second)
		out[at], out[at+1], out[at+2], out[at+3] = byte(seconds), byte(seconds>>8), byte(seconds>>16), byte(seconds>>24)
		length := int(uint32(out[at+8]) | uint32(out[at+9])<<8 | uint32(out[at+10])<<16 | uint32(out[at+11])<<24)
		at += 16 + length
	}
	return out
}
