package alert

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/policy"
)

func TestHosts(t *testing.T) {
	h := &Host{Address: netip.MustParseAddr("10.0.0.5"), MAC: "02:00:5e:10:00:2a", Name: "PC17.corp.example"}
	six := &Host{Address: netip.MustParseAddr("fe80::5%eth0")}
	for word, want := range map[string][2]bool{
		"10.0.0.5": {true, false}, "::ffff:10.0.0.5": {true, false}, "10.0.0.0/8": {true, false}, "10.0.0.5/8": {true, false},
		"11.0.0.0/8": {}, "0.0.0.0/0": {true, false}, "::/0": {false, true}, "fe80::/10": {false, true}, "fe80::5": {false, true},
		"02:00:5E:10:00:2A": {true, false}, "0200.5e10.002a": {true, false}, "02-00-5e-10-00-2b": {},
		"pc17.CORP.example.": {true, false}, "pc17": {}, "corp.example": {},
	} {
		m, err := newHostMatcher([]string{word})
		require.NoError(t, err)
		require.Equal(t, want, [2]bool{m.matches(h), m.matches(six)}, word)
	}
	for _, word := range []string{"", "10.0.0", "10.0.0.300", "10.0.0.0/33", "fe80::5%eth0", "::ffff:10.0.0.0/104", "02:00:5e:10:00", "a b", "*.corp", "x/y"} {
		_, err := newHostMatcher([]string{word})
		require.Error(t, err, word)
	}
}

func TestDomains(t *testing.T) {
	for _, c := range []struct {
		domain, name string
		want         bool
	}{
		{"kaspersky.com", "kaspersky.com", true}, {"kaspersky.com", "dnl.kaspersky.com", true}, {"KASPERSKY.com.", "dnl.kaspersky.com", true},
		{"kaspersky.com", "*.geo.kaspersky.com", true}, {"kaspersky.com", "evilkaspersky.com", false}, {"kaspersky.com", "kaspersky.com.evil", false},
		{"kaspersky.com", `evil\.kaspersky.com`, false}, {"kaspersky.com", `evil\\.kaspersky.com`, true}, {"kaspersky.com", "com", false},
		{"com", "kaspersky.com", true}, {".", "kaspersky.com", true}, {".", ".", true}, {"com", ".", false},
	} {
		d, err := newDomain(c.domain)
		require.NoError(t, err)
		require.Equal(t, c.want, d.holds(c.name), "%s %s", c.domain, c.name)
	}
}

// A name is under a domain where its last labels are the domain's, by a slower way to see it.
func FuzzDomain(f *testing.F) {
	for _, s := range [][2]string{{"kaspersky.com", `a\.kaspersky.com`}, {".", ""}, {"com", `x\\.com`}, {"a.b", "a.b"}, {"é.com", "x.É.com"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, word, name string) {
		d, err := newDomain(word)
		if err != nil {
			return
		}
		if strings.Contains(word, `\`) || strings.ContainsFunc(word+name, func(r rune) bool { return r > 126 }) {
			d.holds(name) // what no name holds: it must only not panic
			return
		}
		want := d == ""
		if own, of := labels(string(d)), labels(strings.ToLower(name)); !want && len(of) >= len(own) {
			want = strings.Join(of[len(of)-len(own):], "\x00") == strings.Join(own, "\x00")
		}
		require.Equal(t, want, d.holds(name))
	})
}

func labels(name string) []string {
	out := []string{""}
	for i := 0; i < len(name); i++ {
		last := &out[len(out)-1]
		switch {
		case name[i] == '\\' && i+1 < len(name):
			*last += name[i : i+2]
			i++
		case name[i] == '.':
			out = append(out, "")
		default:
			*last += name[i : i+1]
		}
	}
	return out
}

// What a matcher takes it also finds.
func FuzzHosts(f *testing.F) {
	for _, s := range []string{"10.0.0.5", "10.0.0.0/8", "fe80::1", "02:00:5e:10:00:2a", "pc17", "10.0.0.300", "::ffff:1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, word string) {
		m, err := newHostMatcher([]string{word})
		if err != nil {
			return
		}
		h := &Host{}
		switch {
		case len(m.networks) == 1:
			h.Address = m.networks[0].Addr()
		case len(m.addresses) == 1:
			h.Address = netip.MustParseAddr(word)
		case len(m.macs) == 1:
			for mac := range m.macs {
				h.MAC = mac
			}
		default:
			h.Name = word
		}
		require.True(t, m.matches(h), word)
		require.False(t, m.matches(&Host{}))
	})
}

func TestSuppressionInTheStore(t *testing.T) {
	c := SuppressionRule{Hosts: []string{"10.0.0.0/8"}, Vendors: []string{"eset"}, Roles: []string{"update"}, Domains: []string{"."},
		Reason: "licence until June", Author: "ann", Expires: start.Add(time.Hour)}
	s, err := NewSuppression(c)
	require.NoError(t, err)
	require.Regexp(t, "^s-[0-9a-f]{10}$", s.ID)
	body, err := json.Marshal(s)
	require.NoError(t, err)
	require.Equal(t, `{"id":"`+s.ID+`","hosts":["10.0.0.0/8"],"vendors":["eset"],"roles":["update"],"domains":["."],"reason":"licence until June","author":"ann","expires":"2026-11-02T10:00:00Z"}`, string(body))
	back, err := ReadSuppression(body)
	require.NoError(t, err)
	require.Equal(t, s, back)
	c.Author, c.Expires = "bob", time.Time{}
	require.Equal(t, s.ID, SuppressionID(&c), "the same rule by another")
	c.Vendors = nil
	require.NotEqual(t, s.ID, SuppressionID(&c))
	_, err = ReadSuppression([]byte(`{"id":"x","reason":"r","author":"a"}`))
	require.Error(t, err)
	_, err = ReadSuppression([]byte(`{`))
	require.Error(t, err)
}

// What keeps a rule from fitting can be said.
func TestOutside(t *testing.T) {
	s, err := NewSuppression(SuppressionRule{Domains: []string{"u.example"}, Roles: []string{"update"}, Reason: "r", Author: "a"})
	require.NoError(t, err)
	f, _ := findingOf(t, "a", []string{"sign=update:strong:u.example", "sign=telemetry:medium:t.example", "sign=web:weak:w.example"}, start)
	require.Equal(t, []string{"telemetry", "t.example"}, s.Outside(f, 5))
	require.Equal(t, []string{"telemetry"}, s.Outside(f, 1))
	f, _ = findingOf(t, "a", []string{"sign=telemetry:medium:t.example"}, start)
	require.Nil(t, s.Outside(f, 5), "it has nothing to do with it")
	f, _ = findingOf(t, "a", []string{"sign=update:strong:u.example"}, start)
	require.Nil(t, s.Outside(f, 5))
	require.True(t, s.Matches(f))
}

// Hours keep to the clock of their zone, over its changes too.
func TestQuietHoursOverAChangeOfTheClock(t *testing.T) {
	q, err := newQuietHours([]Quiet{{From: "01:00", To: "04:00", Zone: "Europe/Berlin"}})
	require.NoError(t, err)
	for at, want := range map[string]string{
		"2026-10-24T23:30:00Z": "2026-10-25T03:00:00Z", // summer ends that night: four hours
		"2026-03-29T00:30:00Z": "2026-03-29T02:00:00Z", // it begins: two
		"2026-11-01T00:00:00Z": "2026-11-01T03:00:00Z",
	} {
		end, quiet := q.until(parsed(t, at), policy.Low)
		require.True(t, quiet)
		require.Equal(t, want, end.Format(time.RFC3339))
	}
	_, quiet := q.until(parsed(t, "2026-11-01T03:00:00Z"), policy.Low)
	require.False(t, quiet)
	_, quiet = q.until(parsed(t, "2026-11-01T00:00:00Z"), policy.Critical)
	require.False(t, quiet)
}

func parsed(t *testing.T, s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return at
}
