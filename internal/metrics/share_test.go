package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

const share = "../../cmd/avbeacon/share/"

// exists says whether the handler prints the metric.
func exists(t *testing.T) func(name string) bool {
	t.Helper()
	_, body := ask(t, fullRegistry(), "/metrics")
	return func(name string) bool { return strings.Contains(body, "# TYPE "+name+" ") }
}

func fullRegistry() *Registry {
	r := New()
	r.Publish(whole(0))
	return r
}

// metricNames returns the metric names in an expression: not what is in quotes or braces, nor labels in by (...).
func metricNames(expr string) []string {
	expr = regexp.MustCompile(`\{[^}]*\}|"[^"]*"|\b(by|on|without|ignoring) \([^)]*\)|\[[^\]]*\]`).ReplaceAllString(expr, " ")
	var names []string
	for _, w := range regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`).FindAllString(expr, -1) {
		if strings.Contains(w, "_") || w == "up" {
			names = append(names, w)
		}
	}
	return names
}

func checkExpression(t *testing.T, exists func(string) bool, where, expr string) {
	t.Helper()
	names := metricNames(expr)
	require.NotEmpty(t, names, "%s: %s", where, expr)
	for _, n := range names {
		require.True(t, n == "up" || exists(n), "%s: there is no metric %s", where, n)
	}
}

type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr string
			Labels      map[string]string
			Annotations map[string]string
		}
	}
}

func TestRulesUseMetricsThatExist(t *testing.T) {
	text, err := os.ReadFile(share + "rules.yaml")
	require.NoError(t, err)
	var r rules
	require.NoError(t, yaml.Unmarshal(text, &r))
	exists := exists(t)
	seen := map[string]bool{}
	for _, g := range r.Groups {
		for _, x := range g.Rules {
			checkExpression(t, exists, x.Alert, x.Expr)
			require.False(t, seen[x.Alert], "%s is there twice", x.Alert)
			seen[x.Alert] = true
			require.Contains(t, []string{"info", "warning", "critical"}, x.Labels["severity"], x.Alert)
			require.NotEmpty(t, x.Annotations["summary"], x.Alert)
			require.NotEmpty(t, x.Annotations["description"], x.Alert)
		}
	}
	require.Greater(t, len(seen), 10)
}

type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ H, W, X, Y int }
	Targets []struct{ Expr, RefID, LegendFormat string }
}

func dashboard(t *testing.T) (panels []panel, variables []string) {
	t.Helper()
	text, err := os.ReadFile(share + "dashboard.json")
	require.NoError(t, err)
	var d struct {
		Panels     []panel
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &d))
	for _, v := range d.Templating.List {
		if v.Definition != "" {
			variables = append(variables, v.Definition)
		}
	}
	return d.Panels, variables
}

func TestDashboardUsesMetricsThatExist(t *testing.T) {
	panels, variables := dashboard(t)
	require.Equal(t, []string{"label_values(avbeacon_build_info, instance)"}, variables)
	exists := exists(t)
	ids := map[int]bool{}
	cells := map[[2]int]string{}
	for _, p := range panels {
		require.False(t, ids[p.ID], "%s: its id is another's too", p.Title)
		ids[p.ID] = true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, cells[at], "%s lies over another panel", p.Title)
				cells[at] = p.Title
			}
		}
		require.True(t, p.Type == "row" || len(p.Targets) > 0, "%s shows nothing", p.Title)
		for _, target := range p.Targets {
			checkExpression(t, exists, p.Title, target.Expr)
			for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				require.True(t, label[1] == "instance" || hasLabel(target.Expr, label[1]), "%s: no metric of %s has the label %s", p.Title, target.Expr, label[1])
			}
		}
	}
}

// hasLabel says whether a metric of the expression has the label.
func hasLabel(expr, label string) bool {
	for _, n := range metricNames(expr) {
		for _, f := range families() {
			if prefix+f.name == n && strings.Contains(","+strings.Join(f.labels, ",")+",", ","+label+",") {
				return true
			}
		}
	}
	return false
}

// promtool runs Prometheus's own checker.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: prometheus)")
	}
	out, err := exec.Command(tool, args...).CombinedOutput()
	require.NoError(t, err, "promtool %v: %s", args, out)
}

func TestPromtoolAcceptsTheRules(t *testing.T) {
	promtool(t, "check", "rules", share+"rules.yaml")
	promtool(t, "test", "rules", "testdata/rules_test.yaml")
}

// The dashboard's expressions are PromQL once Grafana has put its values in.
func TestPromtoolAcceptsTheDashboard(t *testing.T) {
	panels, _ := dashboard(t)
	var text strings.Builder
	text.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for _, p := range panels {
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$instance", ".*", "$__rate_interval", "5m").Replace(target.Expr)
			line, err := json.Marshal(map[string]string{"record": "x", "expr": expr})
			require.NoError(t, err)
			text.WriteString("  - " + string(line) + "\n")
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	promtool(t, "check", "rules", "--lint=none", file)
}

// What we print is what Prometheus reads without complaint.
func TestPromtoolAcceptsTheMetrics(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: prometheus)")
	}
	_, body := ask(t, fullRegistry(), "/metrics")
	check := exec.Command(tool, "check", "metrics")
	var ours strings.Builder
	for line := range strings.Lines(body) {
		if strings.Contains(line, prefix) { // the Go runtime's own have complaints that are not ours to settle
			ours.WriteString(line)
		}
	}
	check.Stdin = strings.NewReader(ours.String())
	out, err := check.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Empty(t, string(out))
}
