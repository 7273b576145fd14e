package classify

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"avbeacon/feeds"

	"github.com/stretchr/testify/require"
)

func embedded(t testing.TB) *feeds.Catalog {
	t.Helper()
	c, err := feeds.Embedded()
	require.NoError(t, err)
	return c
}

func (s *scenario) run(c *Classifier) []*Finding {
	for i := range s.events {
		obs := s.events[i].obs
		c.Observe(&obs)
		for _, more := c.Next(); more; _, more = c.Next() {
		}
	}
	return c.Findings()
}

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 25)
	cat := embedded(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			s, err := parseScenario(string(text))
			require.NoError(t, err)
			require.NotEmpty(t, s.wants)
			c := New(Options{Catalog: cat, Home: s.home, IDKey: []byte("test")})
			found := s.run(c)
			for _, w := range s.wants {
				if why := w.check(found, c.Remarks()); why != "" {
					t.Errorf("%s:%d: want %s %s: %s\n%s", file, w.line, w.kind, strings.Join(w.fields, " "), why, show(found))
				}
			}
		})
	}
}

// check returns what is wrong, "" where nothing is.
func (w *want) check(found []*Finding, remarks []Remark) string {
	text := strings.Join(w.fields, " ")
	switch w.kind {
	case "hidden":
		if strings.Contains(show(found), text) || strings.Contains(showRemarks(remarks), text) {
			return "it is shown"
		}
		return ""
	case "remark":
		host, words, _ := strings.Cut(text, " ")
		if !slices.ContainsFunc(remarks, func(r Remark) bool { return r.Host.String() == host && strings.Contains(r.Words, words) }) {
			return "there are these:\n" + showRemarks(remarks)
		}
		return ""
	case "none":
		for _, f := range found {
			if all, err := fits(f, w.fields); all || err != nil {
				return fmt.Sprint("there is one; ", err)
			}
		}
		return ""
	case "finding":
		var near string
		for _, f := range found {
			all, err := fits(f, w.fields)
			if err != nil {
				return err.Error()
			}
			if all {
				return ""
			}
			near = "no finding fits"
		}
		return near + " of " + strconv.Itoa(len(found))
	}
	return "unknown kind of want"
}

func fits(f *Finding, fields []string) (bool, error) {
	for _, field := range fields {
		at := strings.IndexAny(field, "=>~")
		if at < 0 {
			return false, fmt.Errorf("%q has no = >= or ~", field)
		}
		ok, err := fit(f, field[:at], strings.TrimLeft(field[at:], ">=~"), field[at])
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func fit(f *Finding, key, v string, op byte) (bool, error) {
	number := func(n uint64) (bool, error) {
		x, err := strconv.ParseUint(v, 10, 64)
		return n == x || op == '>' && n >= x, err
	}
	switch key {
	case "host":
		return f.Host.Address.String() == v, nil
	case "vendor":
		return f.Vendor.Key == v, nil
	case "verdict":
		return f.Verdict.String() == v, nil
	case "role":
		return f.HostRole.String() == v, nil
	case "state":
		return f.State.String() == v, nil
	case "product":
		return f.Product == v, nil
	case "version":
		return f.ProductVersion == v, nil
	case "oem":
		return f.OEM != nil && f.OEM.In == v || f.OEM != nil && v == "yes", nil
	case "contacts":
		return number(f.Contacts)
	case "lookups":
		return number(f.Lookups)
	case "behind":
		return f.Behind != nil && f.Behind.AtLeast > 0, nil
	case "reason":
		return strings.Contains(strings.Join(f.Reasons, " "), v), nil
	case "evidence":
		for _, e := range f.Evidence {
			if e.Kind.String() == v {
				return true, nil
			}
		}
		return false, nil
	}
	return false, fmt.Errorf("%q is nothing that a finding has", key)
}

// showRemarks prints one remark a line: host and sentence.
func showRemarks(list []Remark) string {
	var b strings.Builder
	for i := range list {
		fmt.Fprintf(&b, "%s %s\n", list[i].Host, list[i].Words)
	}
	return b.String()
}

// show prints findings for a failed test, and for the search for what must be hidden.
func show(found []*Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s: %s, %s, %s, product %q %q, contacts %d, lookups %d\n", f.Host.Address, f.Vendor.Key, f.Verdict, f.HostRole,
			f.State, f.Product, f.ProductVersion, f.Contacts, f.Lookups)
		for _, r := range f.Reasons {
			fmt.Fprintf(&b, "    %s\n", r)
		}
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "  - %s %q %s %s supports=%v x%d %s\n", e.Kind, e.Value, e.Role, e.Strength, e.Supports, e.Count, e.Why)
		}
		for _, d := range f.Destinations {
			fmt.Fprintf(&b, "  > %s:%d %v\n", d.Address, d.Port, d.Names)
		}
	}
	return b.String()
}

func FuzzScenario(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && len(text) < 2000 {
			f.Add(string(text))
		}
	}
	cat, err := feeds.Embedded()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseScenario(text)
		if err != nil || len(s.events) > 3000 {
			return
		}
		c := New(Options{Catalog: cat, Home: s.home, MaxHosts: 16, MaxEvidence: 4, MaxDestinations: 4, MaxFlows: 8, MaxPending: 8})
		for _, x := range s.run(c) {
			require.NotEqual(t, NoVerdict, x.Verdict)
			require.NotEmpty(t, x.Reasons)
			require.LessOrEqual(t, len(x.Destinations), 4)
		}
		require.LessOrEqual(t, c.Stats().Hosts, 16)
	})
}
