package deliver

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/samples"
)

func openedSplunk(t *testing.T, cfg Sink, gap time.Duration) *splunk {
	t.Helper()
	s := opened(t, cfg, Options{}).(*splunk)
	s.firstGap = gap
	return s
}

// With acknowledgements an alert is done with when the indexer says so, and not before.
func TestSplunkWaitsForTheIndexer(t *testing.T) {
	r := newHTTPReceiver(t, "splunk")
	r.acks, r.polls = true, 3
	cfg := sinkFor("splunk", served(t, r).URL)
	cfg.HTTP.Ack, cfg.Batch = true, 10
	s := openedSplunk(t, cfg, time.Millisecond)
	delivered(t, s, samples.Numbered(0, 35))
	require.Equal(t, idRange(0, 35), r.all())
	require.Empty(t, s.receipts)
}

// What only waits for its acknowledgement is asked for again, not sent again, as long as the indexer may still write it.
func TestSplunkAsksOnInTheNextDelivery(t *testing.T) {
	r := newHTTPReceiver(t, "splunk")
	r.acks, r.polls = true, 1<<30
	cfg := sinkFor("splunk", served(t, r).URL)
	cfg.HTTP.Ack, cfg.Batch, cfg.Timeout = true, 10, 100*time.Millisecond
	s := openedSplunk(t, cfg, 5*time.Millisecond)
	for range 2 {
		n, rejected, err := s.Deliver(t.Context(), samples.Numbered(0, 20))
		require.ErrorContains(t, err, "has not acknowledged 2 requests")
		require.Zero(t, n)
		require.Empty(t, rejected)
	}
	r.mu.Lock()
	require.Len(t, r.open, 2, "sent once")
	r.polls = 0
	r.mu.Unlock()
	delivered(t, s, samples.Numbered(0, 25))
	require.Equal(t, idRange(0, 25), sorted(r.all()), "each once")
}

// An indexer that lost what it had taken never acknowledges it: after a while it is sent again.
func TestSplunkSendsAgainWhatWasLost(t *testing.T) {
	r := newHTTPReceiver(t, "splunk")
	r.acks, r.polls = true, 1<<30
	cfg := sinkFor("splunk", served(t, r).URL)
	cfg.HTTP.Ack, cfg.Timeout = true, 50*time.Millisecond
	s := openedSplunk(t, cfg, 5*time.Millisecond)
	_, _, err := s.Deliver(t.Context(), samples.Numbered(0, 5))
	require.Error(t, err)
	r.mu.Lock()
	clear(r.open)
	r.polls = 0
	r.mu.Unlock()
	require.Empty(t, untilDone(t, s, samples.Numbered(0, 5)))
	require.Equal(t, idRange(0, 5), r.all())
}

// A rejected alert between two that wait: the first waits, the others are not done with.
func TestSplunkRejectsBesideWaiting(t *testing.T) {
	r := newHTTPReceiver(t, "splunk")
	r.acks, r.polls, r.numbered = true, 1<<30, true
	r.rejects = func(id string) bool { return id == "a0003" }
	cfg := sinkFor("splunk", served(t, r).URL)
	cfg.HTTP.Ack, cfg.Timeout = true, 200*time.Millisecond
	s := openedSplunk(t, cfg, 5*time.Millisecond)
	n, rejected, err := s.Deliver(t.Context(), samples.Numbered(0, 8))
	require.Error(t, err)
	require.Zero(t, n)
	require.Empty(t, rejected)
	r.mu.Lock()
	r.polls = 0
	r.mu.Unlock()
	n, rejected, err = s.Deliver(t.Context(), samples.Numbered(0, 8))
	require.NoError(t, err)
	require.Equal(t, 8, n)
	require.Len(t, rejected, 1)
	require.Equal(t, 3, rejected[0].Index)
	require.Subset(t, r.all(), append(idRange(0, 3), idRange(4, 8)...))
	require.NotContains(t, r.all(), "a0003")
}

func TestSplunkAckIsOff(t *testing.T) {
	r := newHTTPReceiver(t, "splunk")
	cfg := sinkFor("splunk", served(t, r).URL)
	cfg.HTTP.Ack = true
	n, rejected, err := openedSplunk(t, cfg, time.Millisecond).Deliver(t.Context(), samples.Numbered(0, 5))
	var denied *Denied
	require.ErrorAs(t, err, &denied)
	require.ErrorContains(t, err, "ack: false")
	require.Zero(t, n)
	require.Empty(t, rejected)
}

// Every reply code: who has to do something, and that nothing but a bad event is rejected.
func TestSplunkReplyCodes(t *testing.T) {
	person, again, rejection := new(*Denied), new(*Busy), "rejected"
	for _, c := range []struct {
		status int
		body   string
		want   any
	}{
		{403, `{"text":"Token disabled","code":1}`, person},
		{401, `{"text":"Token is required","code":2}`, person},
		{401, `{"text":"Invalid authorization","code":3}`, person},
		{403, `{"text":"Invalid token","code":4}`, person},
		{400, `{"text":"No data","code":5}`, rejection},
		{400, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`, rejection},
		{400, `{"text":"Invalid data format","code":6,"invalid-event-number":77}`, rejection},
		{400, `{"text":"Incorrect index","code":7,"invalid-event-number":1}`, person},
		{500, `{"text":"Internal server error","code":8}`, again},
		{503, `{"text":"Server is busy","code":9}`, again},
		{400, `{"text":"Data channel is missing","code":10}`, person},
		{400, `{"text":"Invalid data channel","code":11}`, person},
		{400, `{"text":"Event field is required","code":12,"invalid-event-number":1}`, rejection},
		{400, `{"text":"Event field cannot be blank","code":13,"invalid-event-number":1}`, rejection},
		{400, `{"text":"ACK is disabled","code":14}`, person},
		{400, `{"text":"Error in handling indexed fields","code":15,"invalid-event-number":0}`, rejection},
		{400, `{"text":"Query string authorization is not enabled","code":16}`, person},
		{503, `{"text":"HEC is unhealthy, queues are full","code":18}`, again},
		{503, `{"text":"Server is shutting down","code":23}`, again},
		{400, `{"text":"something new","code":99}`, again},
		{502, `<html>Bad Gateway</html>`, again},
		{404, `<html>Not Found</html>`, person},
		{200, `<html>Log in</html>`, nil},
		{200, `[]`, nil},
		{200, ``, nil},
	} {
		server := served(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { answer(w, c.status, c.body) }))
		n, rejected, err := openedSplunk(t, sinkFor("splunk", server.URL), time.Millisecond).Deliver(t.Context(), samples.Numbered(0, 2))
		if c.want == rejection {
			require.NoError(t, err, c.body)
			require.Equal(t, 2, n)
			require.Len(t, rejected, 2)
			continue
		}
		require.Zero(t, n, c.body)
		require.Empty(t, rejected, c.body)
		require.Error(t, err, c.body)
		if c.want != nil {
			require.ErrorAs(t, err, c.want, c.body)
		}
	}
}

func TestSplunkPaths(t *testing.T) {
	for _, given := range []string{"", "/", "/services/collector", "/services/collector/", "/services/collector/event", "/services/collector/event/1.0"} {
		u, err := url.Parse("https://splunk:8088" + given)
		require.NoError(t, err)
		events, acks := collector(u, "C")
		require.Equal(t, "https://splunk:8088/services/collector/event", events.String(), given)
		require.Equal(t, "https://splunk:8088/services/collector/ack?channel=C", acks.String(), given)
	}
	u, err := url.Parse("https://proxy/splunk?tenant=7")
	require.NoError(t, err)
	events, acks := collector(u, "C")
	require.Equal(t, "https://proxy/splunk/services/collector/event?tenant=7", events.String())
	require.Equal(t, "https://proxy/splunk/services/collector/ack?channel=C&tenant=7", acks.String())
	require.NotEqual(t, newChannel(), newChannel())
	require.Regexp(t, guid, newChannel())
}

// Every format can go into an event.
func TestSplunkOtherFormats(t *testing.T) {
	for _, f := range formats() {
		r := newHTTPReceiver(t, "splunk")
		cfg := sinkFor("splunk", served(t, r).URL)
		cfg.Format = f.Name
		s := opened(t, cfg, Options{})
		for _, one := range samples.All() {
			n, rejected, err := s.Deliver(t.Context(), []*alert.Alert{one.Alert})
			require.NoError(t, err)
			require.Empty(t, rejected)
			require.Equal(t, 1, n)
		}
		require.Len(t, r.all(), len(samples.All()))
	}
	_, err := Open(Sink{Name: "s", Type: "splunk", HTTP: HTTP{URL: "https://splunk:8088"}}, Options{})
	require.ErrorContains(t, err, "http.token: is missing")
}
