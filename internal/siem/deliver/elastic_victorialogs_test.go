package deliver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/samples"
	"avbeacon/internal/testkit/loopback"
)

// victoriaLogs starts a VictoriaLogs, which speaks the bulk API, and gives its URL. It is the only such server that the Go
// module proxy has.
func victoriaLogs(t *testing.T) string {
	t.Helper()
	program := os.Getenv("AVBEACON_VICTORIALOGS")
	if program == "" {
		program = "victoria-logs"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skip("victoria-logs is neither in PATH nor named by AVBEACON_VICTORIALOGS (.ci/run builds it)")
	}
	address := "127.0.0.1:" + strconv.Itoa(loopback.FreePort(t))
	var said bytes.Buffer
	// What lies outside of its retention it acknowledges and drops.
	run := exec.Command(path, "-storageDataPath="+t.TempDir(), "-httpListenAddr="+address, "-retentionPeriod=100y", "-futureRetention=100y", "-loggerLevel=WARN")
	run.Stdout, run.Stderr = &said, &said
	require.NoError(t, run.Start())
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait() // that it was killed is no news
	})
	base := "http://" + address
	require.Eventually(t, func() bool {
		r, err := http.Get(base + "/health")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusOK
	}, time.Minute, 20*time.Millisecond, "%s", &said)
	return base
}

// found asks VictoriaLogs until it finds so many records, of those that are not searchable at once after they were taken.
func found(t *testing.T, base, query string, want int) []map[string]string {
	t.Helper()
	var all []map[string]string
	for began := time.Now(); len(all) < want && time.Since(began) < 10*time.Second; time.Sleep(50 * time.Millisecond) {
		all = ask(t, base, query)
	}
	require.Len(t, all, want, "%s", query)
	return all
}

func ask(t *testing.T, base, query string) []map[string]string {
	t.Helper()
	r, err := http.Get(base + "/select/logsql/query?query=" + url.QueryEscape(query))
	require.NoError(t, err)
	defer r.Body.Close()
	var all []map[string]string
	for d := json.NewDecoder(r.Body); ; {
		var record map[string]string
		if err := d.Decode(&record); err == io.EOF {
			return all
		} else {
			require.NoError(t, err)
		}
		all = append(all, record)
	}
}

// VictoriaLogs takes what the sink sends, and gives it back by id and field. It acknowledges before its data is durable and
// knows no ids, so the tests of loss and of repetition are those against the strict stand-in.
func TestElasticIntoVictoriaLogs(t *testing.T) {
	base := victoriaLogs(t)
	cfg := sinkFor("elastic", base+"/insert/elasticsearch?_time_field=@timestamp&_msg_field=message&_stream_fields=observer.name,avbeacon.vendor.key")
	s := opened(t, cfg, Options{Hostname: "sensor7.example"})
	delivered(t, s, samples.Numbered(0, 1200))
	var batch []*alert.Alert
	for i, one := range samples.All() {
		a := *one.Alert
		a.ID = fmt.Sprintf("s%d", i)
		batch = append(batch, &a)
	}
	delivered(t, s, batch)
	var ids []string
	for _, r := range found(t, base, `event.id:* | fields event.id`, 1200+len(batch)) {
		ids = append(ids, r["event.id"])
	}
	require.Subset(t, ids, idRange(0, 1200))

	one := found(t, base, `event.id:="a0007"`, 1)
	want := samples.Numbered(7, 8)[0]
	require.Equal(t, want.Message, one[0]["_msg"])
	require.Equal(t, want.Changed.UTC().Format("2006-01-02T15:04:05.000Z"), one[0]["_time"])
	require.Equal(t, "10.0.0.5", one[0]["source.ip"])
	require.Equal(t, "kaspersky", one[0]["avbeacon.vendor.key"])
	found(t, base, `{"avbeacon.vendor.key"="kaspersky"} destination.domain:="dnl-01.geo.kaspersky.com"`, 1200)
}
