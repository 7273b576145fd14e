package deliver

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
)

// Bounds of one request to a webhook, where the configuration sets none.
const (
	webhookBatch = 100
	webhookBytes = 1 << 20
)

// Webhook is a URL that takes alerts as a JSON array.
type Webhook HTTP

// Check reports what is wrong with the section.
func (w *Webhook) Check(k setting.Check) { (*HTTP)(w).check(k, "webhook") }

// Plain reports whether requests can be read on the path.
func (w *Webhook) Plain() bool { return (*HTTP)(w).Plain() }

// webhook posts alerts as a JSON array to a URL; alerts in a text format are strings in it. A 2xx means that all of them
// are taken. The request says by which key it may be recognised when it comes again, and is signed:
//
//	X-Avbeacon-Timestamp: 1795428905
//	X-Avbeacon-Signature: sha256=HEX, the HMAC-SHA256 of the timestamp, a dot, and the body before gzip
//	Idempotency-Key: HEX, the same for the same alerts in the same order
type webhook struct {
	courier
	http *httpClient
	key  []byte // of the HMAC; none where requests are not signed
	text bool   // the format is no JSON
	now  func() time.Time
}

// Open makes the sink; the first delivery connects.
func (w *Webhook) Open(s Setup) (alert.Sink, error) {
	encode, err := s.encoder()
	if err != nil {
		return nil, err
	}
	client, err := (*HTTP)(w).client(s, "Bearer", nil)
	if err != nil {
		return nil, err
	}
	sink := &webhook{http: client, key: []byte(w.HMACKey.Reveal()), text: s.Format.Text, now: time.Now}
	sink.courier = courier{encode: encode, most: cmp.Or(s.Batch, webhookBatch), limit: webhookBytes, send: sink.post, end: client.close}
	return sink, nil
}

func (w *webhook) post(ctx context.Context, part []item) (int, []alert.Rejection, error) {
	body, err := w.array(part)
	if err != nil {
		return 0, nil, err
	}
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("Idempotency-Key", idempotencyKey(part))
	if len(w.key) > 0 {
		stamp := strconv.FormatInt(w.now().Unix(), 10)
		header.Set("X-Avbeacon-Timestamp", stamp)
		header.Set("X-Avbeacon-Signature", "sha256="+sign(w.key, stamp, body))
	}
	answer, err := w.http.post(ctx, w.http.at(""), header, body)
	if err != nil {
		return 0, nil, err
	}
	if err := w.http.judge(answer); err != nil {
		return 0, nil, err
	}
	return len(part), nil, nil
}

// array joins a part to one JSON array.
func (w *webhook) array(part []item) ([]byte, error) {
	body := []byte{'['}
	for i, one := range part {
		if i > 0 {
			body = append(body, ',')
		}
		if !w.text {
			body = append(body, one.body...)
			continue
		}
		text, err := json.Marshal(string(one.body))
		if err != nil {
			return nil, err
		}
		body = append(body, text...)
	}
	return append(body, ']'), nil
}

// sign is the HMAC-SHA256 of timestamp, dot and body in hex. The timestamp is in it so that a request that was listened to
// cannot be sent again later.
func sign(key []byte, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(stamp))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// idempotencyKey is a hash of the alerts' ids in order.
func idempotencyKey(part []item) string {
	hash := sha256.New()
	for _, one := range part {
		hash.Write([]byte(one.id))
		hash.Write([]byte{0})
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
