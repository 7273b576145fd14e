package main

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// invoked is one command of the program that ends by itself.
func invoked(t testing.TB, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("avbeacon")
	require.NoError(t, err)
	out, err := exec.Command(path, args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", args, out)
	return string(out)
}

// metricsOf reads the metrics of a monitor that listens on a port of its choice and logs at level info.
func (p *process) metricsOf(t testing.TB) string {
	t.Helper()
	at := regexp.MustCompile(`"metrics and health are served","address":"([^"]*)"`)
	eventually(t, func() bool { return at.MatchString(p.log.String()) }, p.log.String)
	r, err := http.Get("http://" + at.FindStringSubmatch(p.log.String())[1] + "/metrics")
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

// A suppression that is added to the store while monitor writes it takes effect at SIGHUP, as does one in the configuration.
// The alerts they withhold are counted and reported, and sent once the suppressions are removed.
func TestSuppressionAppliesAtReload(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 30)
	third := len(c.records) / 3
	elastic := collectBulk(t)
	text := fmt.Sprintf(`
capture: {read: "-"}
store: {file: %%s/home.db}
listen: {address: "127.0.0.1:0", silent: 0s}
log: {level: info, format: json}
%s
sinks: [{name: elastic, type: elastic, http: {url: "%s"}}]
`, eachAlert, elastic.URL)
	file, dir := configured(t, text)
	db := filepath.Join(dir, "home.db")
	p := avbeacon(t, "monitor", "-c", file)
	vendors := func() map[string]int {
		n := map[string]int{}
		for id := range elastic.seen() {
			n[elastic.document(t, id).Avbeacon.Vendor.Key]++
		}
		return n
	}
	_, err := p.in.Write(c.head)
	require.NoError(t, err)
	next := 0
	feed := func() {
		p.feed(t.Context(), c, next, next+third, 0)
		next += third
		eventually(t, func() bool { return vendors()["eset"] >= next/(2*len(vendorNames())+1) }, p.log.String)
	}
	reload := func() {
		before := strings.Count(p.log.String(), "new knowledge is in use")
		require.NoError(t, p.Process.Signal(syscall.SIGHUP))
		eventually(t, func() bool { return strings.Count(p.log.String(), "new knowledge is in use") > before }, p.log.String)
	}
	feed()
	require.Positive(t, vendors()["avast"])

	added := invoked(t, "suppress", "add", "--db", db, "--vendor", "avast", "--reason", "licensed", "--author", "ann", "--expires", "90d")
	require.Contains(t, added, "note: a running monitor writes this store; it applies the change at SIGHUP")
	write(t, file, text, dir, strings.Replace(eachAlert, "}\n", `, suppress: [{id: lab, vendors: [drweb], reason: r, author: bob}]}`+"\n", 1))
	reload()
	avast, drweb := vendors()["avast"], vendors()["drweb"]
	feed()
	require.Equal(t, avast, vendors()["avast"])
	require.Equal(t, drweb, vendors()["drweb"])
	eventually(t, func() bool {
		m := p.metricsOf(t)
		return strings.Contains(m, `avbeacon_alerts_suppressed_total{by="rule lab"} 10`) && regexp.MustCompile(`by="rule s-[0-9a-f]+"} 10`).MatchString(m)
	}, func() string { return p.metricsOf(t) })
	eventually(t, func() bool {
		r := invoked(t, "report", "--db", db)
		return regexp.MustCompile(`Suppressed: 20 findings, by s-[0-9a-f]+ \(reason: licensed; author: ann; expires 20[0-9-]+ [0-9:]+\)`).MatchString(strings.Join(strings.Fields(r), " ")) &&
			strings.Contains(strings.Join(strings.Fields(r), " "), "Suppressed: 10 findings, by lab, as of monitor's last decision")
	}, func() string { return invoked(t, "report", "--db", db) })

	id := regexp.MustCompile(`s-[0-9a-f]+`).FindString(added)
	require.Contains(t, invoked(t, "suppress", "remove", "--db", db, id), " removed:")
	write(t, file, text, dir, eachAlert)
	reload()
	feed()
	eventually(t, func() bool { return vendors()["avast"] == 30 && vendors()["drweb"] == 30 }, func() string { return fmt.Sprint(vendors()) })
	require.NoError(t, p.in.Close())
	p.end(t)
	require.NotContains(t, invoked(t, "report", "--db", db), "Suppressed:")
}
