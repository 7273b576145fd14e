package alert

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/classify"
	"avbeacon/feeds"
	"avbeacon/internal/policy"
)

func TestIDIsTheFormulasOne(t *testing.T) {
	// printf 'f\0r/new\0001793610000000000000' | sha256sum | cut -c-32
	require.Equal(t, "5d299e3f6e2e10049ac22c284886b3ff", ID("f", "r", New, start))
	require.NotEqual(t, ID("f", "r", New, start), ID("f", "r", New, start.Add(1)))
	require.NotEqual(t, ID("f", "r", New, start), ID("f", "r", Raised, start))
	require.Equal(t, ID("f", "r", New, start), ID("f", "r", New, start.In(time.FixedZone("x", 3600))))
}

// full is a finding with more of everything than an alert takes.
func full(t *testing.T) (*classify.Finding, policy.Decision) {
	words := []string{"installed", "name=pc17", "mac=02:00:5e:10:00:2a", "place=N/DE", "place=N/US", "place=M2/RU", "place=M3/RU", "place=M3/RU"}
	for range 30 {
		words = append(words, "place=N/DE", "sign=update:strong:dnl-01.geo.kaspersky.com")
	}
	f, d := findingOf(t, "00ff", words, start)
	for range 30 {
		f.Reasons = append(f.Reasons, "a reason")
		f.Host.VLANs = append(f.Host.VLANs, 7)
		f.Beacons = append(f.Beacons, classify.Beacon{Role: feeds.RoleUpdate, Score: 0.123456, Scored: true, Period: time.Hour, Sessions: 4, Words: "every hour"})
	}
	f.Product, f.ProductVersion, f.Lookups = "Endpoint Security", "12.1", 4
	f.Destinations[3].Place.City, f.Destinations[3].Names = "Moscow", strings.Split(strings.Repeat("a.example ", 20), " ")[:20]
	f.Destinations[2].Place.City = "Moscow"
	return f, d
}

// alertOf makes the first alert for an event of a finding.
func alertOf(f *classify.Finding, d policy.Decision, e Event, opt Options) *Alert {
	opt.complete()
	return fromFinding(f, &d, e, start, &opt, nil)
}

func TestFromFinding(t *testing.T) {
	f, d := full(t)
	a := alertOf(f, d, New, Options{Sensor: "tap1", Policy: "moscow", Version: "1.2"})
	require.Equal(t, ID("00ff", "russian-vendor", New, start), a.ID)
	require.Equal(t, policy.High, a.Severity)
	require.EqualValues(t, 7, a.Seen)
	require.Equal(t, Vendor{Key: "kaspersky", Name: "Kaspersky", Country: "RU", Product: "Endpoint Security", ProductVersion: "12.1"}, a.Vendor)
	require.Equal(t, "02:00:5e:10:00:2a", a.Host.MAC)
	require.Equal(t, []string{"installed", "endpoint", "active", "tap1", "moscow", "1.2"}, []string{a.Verdict, a.HostRole, a.FindingState, a.Sensor, a.Policy, a.Version})
	require.Len(t, a.Destinations, MostDestinations)
	require.Len(t, a.Evidence, MostEvidence)
	require.Len(t, a.Reasons, MostReasons)
	require.Len(t, a.Host.VLANs, mostVLANs)
	require.Len(t, a.Beacons, mostBeacons)
	require.Equal(t, 0.1235, a.Beacons[0].Score)
	var order []string
	for _, x := range a.Destinations[:5] {
		order = append(order, x.Level+" "+x.Address.String())
	}
	require.Equal(t, []string{"M2 192.0.2.3", "M3 192.0.2.4", "M3 192.0.2.5", "N 192.0.2.1", "N 192.0.2.2"}, order, "one of each place of concern first")
	require.True(t, a.Destinations[2].Concern)
	require.False(t, a.Destinations[3].Concern)
	require.Len(t, a.Destinations[1].Names, mostNames)
	require.Equal(t, "pc17 (10.0.0.5) runs Kaspersky Endpoint Security 12.1; contacted 192.0.2.3 in Moscow, RU (M2) and 15 more.", a.Message)
	body, err := json.Marshal(a)
	require.NoError(t, err)
	require.Less(t, len(body), 16<<10)
	back := &Alert{}
	require.NoError(t, json.Unmarshal(body, back))
	require.Equal(t, a, back)
}

// An alert lists new places before those that were reported.
func TestNewPlacesComeFirst(t *testing.T) {
	b, err := NewBook(Config{}, Options{})
	require.NoError(t, err)
	f, d := findingOf(t, "a", []string{"place=M3/RU"}, start)
	b.Judge(f, d, start)
	f, d = findingOf(t, "a", []string{"place=M3/RU", "place=M2/RU"}, start)
	told := b.Judge(f, d, start.Add(time.Hour))
	require.Len(t, told, 1)
	require.Equal(t, "M2", told[0].Destinations[0].Level)
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		event Event
		words string
		want  string
	}{
		{New, "likely", "10.0.0.5 likely runs Kaspersky."},
		{New, "possible does=resolver", "A client of 10.0.0.5 (resolver) may run Kaspersky."},
		{New, "installed does=nat", "A machine behind 10.0.0.5 (nat) runs Kaspersky."},
		{New, "visit", "10.0.0.5 visited pages of Kaspersky."},
		{Raised, "installed place=M3/RU", "Raised to installed: Kaspersky on 10.0.0.5; contacted 192.0.2.1 in RU (M3)."},
		{Raised, "installed does=proxy", "Raised to installed: Kaspersky on a client of 10.0.0.5 (proxy)."},
		{Place, "place=M2/RU place=N/DE", "Kaspersky on 10.0.0.5 contacted a new location of concern: 192.0.2.1 in RU (M2) and 1 more."},
		{Returned, "likely", "Active again after a quiet time: Kaspersky on 10.0.0.5 (likely)."},
		{Blocked, "likely name=pc1 place=M3/RU", "Kaspersky on pc1 (10.0.0.5) keeps trying to call home; all recent attempts failed: 192.0.2.1 in RU (M3)."},
		{RemovalDue, "likely", "Removal deadline passed: Kaspersky was still active on 10.0.0.5 on 2026-11-02 09:00 UTC."},
		{Repeated, "likely", "Still active: Kaspersky on 10.0.0.5 (likely), seen 3 times since 2026-11-02 09:00 UTC."},
		{Resolved, "likely", "Resolved: Kaspersky on 10.0.0.5 has been quiet since 2026-11-02 09:00 UTC."},
	} {
		f, d := findingOf(t, "a", strings.Fields(c.words), start)
		if len(f.HostRoles) > 1 {
			f.HostRole = f.HostRoles[1]
		}
		require.Equal(t, c.want, alertOf(f, d, c.event, Options{}).Message)
	}
}

// Text from the network stays on one line, in UTF-8 and within bounds.
func TestTextFromTheWire(t *testing.T) {
	f, d := findingOf(t, "a", nil, start)
	f.Host.Name = "pc\x1b[31m\n\u202e\xff"
	f.Evidence = []classify.Evidence{{Kind: classify.KindUserAgent, Value: strings.Repeat("ä", 5000)}, {Value: "a\xffb"}}
	a := alertOf(f, d, New, Options{})
	require.Equal(t, `pc\027[31m\010\u{202E}\255 (10.0.0.5) likely runs Kaspersky.`, a.Message)
	require.LessOrEqual(t, len(a.Evidence[0].Value), MostText)
	require.True(t, strings.HasSuffix(a.Evidence[0].Value, "ä…"))
	require.Equal(t, `a\255b`, a.Evidence[1].Value)
}

func TestSummary(t *testing.T) {
	b, err := NewBook(Config{Group: Group{Over: 1, Within: time.Hour}}, Options{Sensor: "tap1", Policy: "moscow"})
	require.NoError(t, err)
	for i, words := range []string{"host=10.0.0.1", "host=10.0.0.2", "host=10.0.0.3 severity=critical rule=other", "host=10.0.0.2 installed"} {
		f, d := findingOf(t, []string{"a", "b", "c", "b"}[i], strings.Fields(words), start.Add(time.Duration(i)*time.Minute))
		b.Judge(f, d, start.Add(time.Duration(i)*time.Minute))
	}
	told := b.Tick(start.Add(2 * time.Hour))
	require.Len(t, told, 1)
	a := told[0]
	require.Equal(t, "2 more findings of Kaspersky changed within 1h0m0s (2 new, 1 raised): 10.0.0.2, 10.0.0.3.", a.Message)
	require.Equal(t, []string{"10.0.0.2", "10.0.0.3"}, a.Hosts)
	require.Equal(t, 2, a.Count)
	require.Equal(t, policy.Critical, a.Severity)
	require.Equal(t, "other", a.Rule)
	require.Equal(t, start.Add(61*time.Minute), a.Changed)
	require.Equal(t, ID(a.Finding, "other", Summary, a.Changed), a.ID)
	require.EqualValues(t, 1, b.Stats().Sent[Summary])
	require.EqualValues(t, 3, b.Stats().Grouped)
}
