package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Beside a good receiver, others are dead, or accept and never answer, or always ask to wait: the good one has every alert
// at once, no packet is lost or late, and the end comes within the time that the configuration gives.
func TestBadReceiversHoldUpNobody(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 200)
	good, busy := collectBulk(t), collectBulk(t)
	busy.instead(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, dead.Close())
	file, _ := configured(t, fmt.Sprintf(`
capture: {read: "-"}
store: {file: %%s/home.db}
listen: {address: "127.0.0.1:0", silent: 0s}
log: {level: info, format: json}
limits: {drain: 2s}
%s
sinks:
  - {name: dead, type: syslog, format: cef, syslog: {network: tcp, address: "%s"}}
  - {name: silent, type: webhook, timeout: 1h, http: {url: "http://%s/"}}
  - {name: busy, type: elastic, http: {url: "%s"}}
  - {name: nobody, type: webhook, http: {url: "http://nobody.invalid/"}}
  - {name: good, type: elastic, http: {url: "%s"}}
`, eachAlert, dead.Addr(), silent.Addr(), busy.URL, good.URL))
	p := avbeacon(t, "monitor", "-c", file)
	_, err = p.in.Write(c.head)
	require.NoError(t, err)
	eventually(t, func() bool { return strings.Contains(p.log.String(), "watching") }, p.log.String)
	begin := time.Now()
	p.feed(t.Context(), c, 0, len(c.records), 0)
	eventually(t, func() bool { return good.len() == c.alerts }, func() string { return fmt.Sprint(good.len(), " of ", c.alerts, " ", p.log.String()) })
	require.Less(t, time.Since(begin), patience()/2, "the good receiver waits for the others")
	require.Zero(t, count(good.seen(), 1))
	eventually(t, func() bool {
		m := p.metricsOf(t)
		return strings.Contains(m, fmt.Sprintf(`avbeacon_capture_packets_total{interface="-"} %d`, len(c.records))) &&
			strings.Contains(m, fmt.Sprintf(`avbeacon_sink_delivered_alerts_total{sink="good"} %d`, c.alerts)) &&
			strings.Contains(m, `avbeacon_sink_circuit_open{sink="dead"} 1`)
	}, func() string { return p.metricsOf(t) })
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	begin = time.Now()
	p.end(t)
	require.Less(t, time.Since(begin), patience()/4, "limits.drain is 2 s")
}
