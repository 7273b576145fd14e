package store

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSuppressionsAreWrittenBesideTheProcessThatWrites(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "home.db")
	_, err := OpenBeside(file)
	require.ErrorIs(t, err, ErrMissing)
	s, err := Open(file, Options{Sensor: "tap"})
	require.NoError(t, err)
	defer s.Close()
	_, err = Open(file, Options{})
	require.ErrorIs(t, err, ErrLocked)

	other, err := OpenBeside(file)
	require.NoError(t, err)
	require.Equal(t, "tap", other.Sensor())
	want := Suppression{ID: "s-1", Made: time.Unix(1795428904, 0).UTC(), Body: json.RawMessage(`{"id":"s-1"}`)}
	for i := range 20 {
		s.KeepAlert(Alert{ID: string(rune('a' + i)), Changed: want.Made, Body: json.RawMessage(`{}`)})
		require.NoError(t, s.Flush(ctx, time.Now()))
		require.NoError(t, other.PutSuppression(ctx, want))
	}
	require.NoError(t, other.Close())
	list, err := s.Suppressions(ctx)
	require.NoError(t, err)
	require.Equal(t, []Suppression{want}, list)
	alerts, err := s.Alerts(ctx)
	require.NoError(t, err)
	require.Len(t, alerts, 20)
	require.NoError(t, s.Flush(ctx, time.Now()), "it still writes")
}
