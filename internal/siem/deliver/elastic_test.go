package deliver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/samples"
)

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// Every sort of alert fits the mapping, and a second delivery makes no second document.
func TestElasticCreatesOnce(t *testing.T) {
	r := newHTTPReceiver(t, "elastic")
	s := opened(t, sinkFor("elastic", served(t, r).URL+"/prefix"), Options{Hostname: "sensor7.example"})
	var batch []*alert.Alert
	for i, one := range samples.All() {
		a := *one.Alert
		a.ID = fmt.Sprintf("s%d", i)
		batch = append(batch, &a)
	}
	delivered(t, s, batch)
	delivered(t, s, batch)
	require.Len(t, r.all(), len(batch))
}

// The mapping covers every field of an alert, is strict about our own fields, and makes a data stream.
func TestElasticTemplate(t *testing.T) {
	template := readTemplate()
	require.Equal(t, []string{"logs-avbeacon.*-*"}, template.Patterns)
	require.Equal(t, "{}", string(template.DataStream))
	ours := template.Template.Mappings.Properties["avbeacon"]
	require.Equal(t, "strict", ours.Dynamic)
	for _, one := range samples.All() {
		record, err := encoder(t, "ecs").Append(nil, one.Alert)
		require.NoError(t, err)
		var document map[string]any
		require.NoError(t, json.Unmarshal(record, &document))
		require.NoError(t, template.Template.Mappings.fits("", document, false))
		document["avbeacon"].(map[string]any)["new_field"] = "x"
		require.ErrorContains(t, template.Template.Mappings.fits("", document, false), "[.avbeacon.new_field] is not mapped (strict: true)")
	}
	ElasticTemplate()[0] = 'x'
	require.Equal(t, byte('{'), ElasticTemplate()[0], "a copy")
}

// Each alert's own line decides: up to the first that has to come again, with those on the way that are rejected.
func TestElasticPartialFailures(t *testing.T) {
	ok, there := `{"status":201}`, `{"status":409,"error":{"type":"version_conflict_engine_exception"}}`
	bad := `{"status":400,"error":{"type":"document_parsing_exception","reason":"failed to parse field [source.ip]"}}`
	gone := `{"status":404,"error":{"type":"document_missing_exception","reason":"x"}}`
	full := `{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"queue is full"}}`
	down := `{"status":503,"error":{"type":"unavailable_shards_exception","reason":"primary shard is not active"}}`
	disk := `{"status":403,"error":{"type":"cluster_block_exception","reason":"index [x] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)]"}}`
	right := `{"status":403,"error":{"type":"security_exception","reason":"action [indices:data/write/bulk] is unauthorized"}}`
	index := `{"status":404,"error":{"type":"index_not_found_exception","reason":"no such index"}}`
	strange := `{"status":0}`
	busy, denied := new(*Busy), new(*Denied)
	for _, c := range []struct {
		items    []string
		n        int
		rejected []int
		want     any
	}{
		{[]string{ok, there, ok}, 3, nil, nil},
		{[]string{bad, ok, gone}, 3, []int{0, 2}, nil},
		{[]string{ok, bad, full, bad, ok}, 2, []int{1}, busy},
		{[]string{down, ok, ok}, 0, nil, busy},
		{[]string{there, disk, ok}, 1, nil, busy},
		{[]string{ok, right}, 1, nil, denied},
		{[]string{index, ok}, 0, nil, denied},
		{[]string{ok, strange}, 1, nil, new(error)},
	} {
		server := served(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Retry-After", "3")
			text := `{"errors":true,"items":[`
			for i, one := range c.items {
				text += []string{"", ","}[min(i, 1)] + `{"create":` + one + `}`
			}
			answer(w, http.StatusOK, text+"]}")
		}))
		n, rejected, err := opened(t, sinkFor("elastic", server.URL), Options{}).Deliver(t.Context(), samples.Numbered(0, len(c.items)))
		require.Equal(t, c.n, n, "%v", c.items)
		var at []int
		for _, one := range rejected {
			at = append(at, one.Index)
		}
		require.Equal(t, c.rejected, at, "%v", c.items)
		if c.want == nil {
			require.NoError(t, err)
			continue
		}
		require.ErrorAs(t, err, c.want)
		if b, ok := err.(*Busy); ok {
			require.Equal(t, 3*time.Second, b.After)
		}
	}
}

// A 200 that is no answer of a bulk API, or not one to our request, is no success.
func TestElasticStrangeAnswers(t *testing.T) {
	for _, body := range []string{"", "{}", "[]", "<html>", `{"errors":false}`, `{"errors":false,"items":[]}`,
		`{"errors":false,"items":[{"create":{"status":201}}]}`, `{"errors":false,"items":[{"index":{"status":201}},{"index":{"status":201}}]}`,
		`{"errors":false,"items":[{},{}]}`, `{"errors":false,"items":[null,null]}`} {
		server := served(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { answer(w, http.StatusOK, body) }))
		n, rejected, err := opened(t, sinkFor("elastic", server.URL), Options{}).Deliver(t.Context(), samples.Numbered(0, 2))
		require.Error(t, err, body)
		require.Zero(t, n, body)
		require.Empty(t, rejected, body)
	}
}

func TestElasticNeedsJSON(t *testing.T) {
	cfg := sinkFor("elastic", "https://es:9200")
	cfg.Format = "cef"
	_, err := Open(cfg, Options{})
	require.ErrorContains(t, err, "sink elastic: format:")
}
