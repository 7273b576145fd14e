package deliver

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/samples"
)

// The signature is one that any other tool makes:
//
//	printf '%s' '1795428905.[{"a":1}]' | openssl dgst -sha256 -hmac 'the key that both sides know'
func TestWebhookSignature(t *testing.T) {
	require.Equal(t, "661686c3a39ff854687ea9560a9f3e7d74c39a8261e1b161515c7f486a2a25dc", sign([]byte(hmacKey), "1795428905", []byte(`[{"a":1}]`)))
}

// The same alerts have the same key however often they come; another list has another.
func TestWebhookIdempotencyKey(t *testing.T) {
	var keys, stamps []string
	server := served(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		keys = append(keys, q.Header.Get("Idempotency-Key"))
		stamps = append(stamps, q.Header.Get("X-Avbeacon-Timestamp"))
		w.WriteHeader(http.StatusBadGateway)
	}))
	cfg := sinkFor("webhook", server.URL)
	cfg.Format = "ecs"
	s := opened(t, cfg, Options{})
	clock := time.Unix(1795428905, 0)
	s.(*webhook).now = func() time.Time { return clock }
	for _, batch := range [][]*alert.Alert{samples.Numbered(0, 3), samples.Numbered(0, 3), samples.Numbered(0, 4)} {
		_, _, err := s.Deliver(t.Context(), batch)
		require.Error(t, err)
		clock = clock.Add(time.Second)
	}
	require.Equal(t, keys[0], keys[1])
	require.NotEqual(t, keys[0], keys[2])
	require.Len(t, keys[0], 32)
	require.Equal(t, []string{"1795428905", "1795428906", "1795428907"}, stamps)
}

// Without keys nothing is signed, and user and password go as basic authentication. Text formats are strings in the array.
func TestWebhookForms(t *testing.T) {
	for _, f := range formats() {
		var body []byte
		var header http.Header
		var user, password string
		server := served(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			body, _ = io.ReadAll(q.Body)
			header = q.Header
			user, password, _ = q.BasicAuth()
			w.WriteHeader(http.StatusNoContent)
		}))
		s := opened(t, Sink{Type: "webhook", Format: f.Name, HTTP: HTTP{URL: server.URL + "/in?tenant=7", User: "soc",
			Password: "word", Headers: map[string]string{"X-Tenant": "hq", "user-agent": "ours wins"}}}, Options{Version: "1.2"})
		delivered(t, s, samples.Numbered(0, 3))
		require.Equal(t, "soc word", user+" "+password)
		require.Equal(t, "hq", header.Get("X-Tenant"))
		require.Equal(t, "avbeacon/1.2", header.Get("User-Agent"))
		require.Empty(t, header.Get("X-Avbeacon-Signature"))
		require.Empty(t, header.Get("Content-Encoding"))
		if !f.Text {
			var list []map[string]any
			require.NoError(t, json.Unmarshal(body, &list))
			require.Len(t, list, 3)
			continue
		}
		var list []string
		require.NoError(t, json.Unmarshal(body, &list))
		require.Len(t, list, 3)
		require.Regexp(t, "^(CEF:0|LEEF:2.0|<[0-9]+>1 )", list[0])
	}
}
