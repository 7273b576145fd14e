package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSameArgumentsSameCapture(t *testing.T) {
	for _, profile := range []string{"bulk", "hs", "flows"} {
		t.Run(profile, func(t *testing.T) {
			p := plan{profile: profile, bytes: 2 << 20, flows: 2000, clients: 100, seed: 7}
			var one, two, other bytes.Buffer
			made, err := generate(p, &one)
			require.NoError(t, err)
			again, err := generate(p, &two)
			require.NoError(t, err)
			require.Equal(t, made, again)
			require.True(t, bytes.Equal(one.Bytes(), two.Bytes()), "not the same bytes")
			p.seed++
			_, err = generate(p, &other)
			require.NoError(t, err)
			require.False(t, bytes.Equal(one.Bytes(), other.Bytes()), "the seed changes nothing")
			require.Equal(t, 24+16*made.Packets+made.Bytes, one.Len())
			require.NotContains(t, []int{made.DNSQueries, made.TLSNames, made.QUICNames, made.HTTPRequests}, 0)
		})
	}
	_, err := generate(plan{profile: "idle"}, io.Discard)
	require.EqualError(t, err, `"idle" is not a profile (bulk, hs or flows)`)
}

func TestFlowsHasAsManyAsAskedFor(t *testing.T) {
	made, err := generate(plan{profile: "flows", flows: 1234, clients: 50, seed: 1}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 1234, made.Flows)
}

func TestRecordedHandshakesCanBeTakenApart(t *testing.T) {
	name := filepath.Join(t.TempDir(), "templates.json")
	require.NoError(t, recordTemplates(name))
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	var all templates
	require.NoError(t, json.Unmarshal(text, &all))
	require.Len(t, all.TLS, 3)
	require.Len(t, all.QUIC, 2)
	for _, h := range append(all.TLS, all.QUIC...) {
		asks, err := parseHello(h.Hello)
		require.NoError(t, err, h.Name)
		again := asks.build(nil, recordedName, &random{1})
		require.Len(t, again, len(h.Hello), "%s: built with the recorded name it is as long as it was", h.Name)
		require.NotEmpty(t, h.Server, h.Name)
	}
}

func TestSizesOutOfRange(t *testing.T) {
	for _, size := range []string{"0", "-1", "1048577", "9223372036854775807", "512M"} {
		name := filepath.Join(t.TempDir(), "a.pcap")
		require.ErrorContains(t, run(t.Context(), []string{"-size", size, "-o", name}, nil, io.Discard, io.Discard), "-size", size)
		require.NoFileExists(t, name)
	}
}
