package place

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/feeds"
)

// somewhere is an address that can be placed.
var somewhere = netip.MustParseAddr("82.202.186.1")

func opinion(maker, date, country, city string) feeds.Opinion {
	return feeds.Opinion{Database: maker + "-City", Maker: maker, Date: date, Country: country, City: city}
}

func with(o feeds.Opinion, change func(*feeds.Opinion)) feeds.Opinion {
	change(&o)
	return o
}

var (
	maxmindMoscow = with(opinion("MaxMind", "2026-09-18", "RU", "Moscow"), func(o *feeds.Opinion) { o.GeonameID, o.Radius = feeds.MoscowID, 20 })
	maxmindRussia = with(opinion("MaxMind", "2026-09-18", "RU", ""), func(o *feeds.Opinion) {
		o.Radius, o.Lat, o.Lon, o.HasPoint = 1000, 55.7386, 37.6068, true // the country's point lies in central Moscow
	})
	maxmindSwiss = opinion("MaxMind", "2026-09-18", "CH", "")
	dbipMoscow   = opinion("DB-IP", "2026-06-05", "RU", "Moscow (Arbat)")
	dbipPiter    = opinion("DB-IP", "2026-06-05", "RU", "St Petersburg")
	dbipDutch    = opinion("DB-IP", "2026-06-05", "NL", "Amsterdam")
	extractNo    = feeds.Opinion{Database: "extract", Maker: "DB-IP", Date: "2026-06-05", NotCovered: true, Extract: true}
	ipinfoMoscow = opinion("IPinfo", "2026-08-04", "RU", "Moscow")
	nobody       = opinion("", "2026-08-04", "RU", "Moscow")
)

func TestLadder(t *testing.T) {
	unsure := with(maxmindMoscow, func(o *feeds.Opinion) { o.Radius = 200 })
	registered := feeds.Opinion{Database: "whois", Maker: "NRO", Date: "2026-06-17", Registered: "RU"}
	cases := []struct {
		name          string
		opinions      []feeds.Opinion
		level         Level
		country, city string
		words         string
	}{
		{"two makers", []feeds.Opinion{maxmindMoscow, dbipMoscow}, M3, "RU", "Moscow",
			"Moscow per 2 of 2 databases: MaxMind-City of 2026-09-18, DB-IP-City of 2026-06-05"},
		{"two makers, a third knows the country", []feeds.Opinion{maxmindRussia, dbipMoscow, ipinfoMoscow}, M3, "RU", "Moscow",
			"Moscow per 2 of 3 databases: DB-IP-City of 2026-06-05, IPinfo-City of 2026-08-04; Russia, city unknown, per MaxMind-City of 2026-09-18"},
		{"one maker alone", []feeds.Opinion{dbipMoscow}, M2, "RU", "Moscow",
			"Moscow per DB-IP-City of 2026-06-05 (only one database has an answer, so M2 is the highest level possible)"},
		{"one maker, the other knows the country", []feeds.Opinion{maxmindRussia, dbipMoscow}, M2, "RU", "Moscow",
			"Moscow per DB-IP-City of 2026-06-05; Russia, city unknown, per MaxMind-City of 2026-09-18"},
		{"disputed", []feeds.Opinion{maxmindSwiss, dbipMoscow}, M1, "RU", "Moscow",
			"disputed: Moscow per DB-IP-City of 2026-06-05; CH per MaxMind-City of 2026-09-18"},
		{"two for Moscow, one against", []feeds.Opinion{maxmindMoscow, dbipDutch, ipinfoMoscow}, M1, "RU", "Moscow",
			"disputed: Moscow per MaxMind-City of 2026-09-18, IPinfo-City of 2026-08-04; NL (Amsterdam) per DB-IP-City of 2026-06-05"},
		{"not in the extract is a vote against", []feeds.Opinion{maxmindMoscow, extractNo}, M1, "RU", "Moscow",
			"disputed: Moscow per MaxMind-City of 2026-09-18; no record in Russia per extract of 2026-06-05"},
		{"Moscow within 200 km", []feeds.Opinion{unsure, dbipMoscow}, M2, "RU", "Moscow",
			"Moscow per DB-IP-City of 2026-06-05; Russia, Moscow only within 200 km, per MaxMind-City of 2026-09-18"},
		{"Moscow within 200 km alone", []feeds.Opinion{unsure}, R1, "RU", "",
			"Russia, Moscow only within 200 km, per MaxMind-City of 2026-09-18 (only one database has an answer, so R1 is the highest level possible without Moscow)"},
		{"Russia by two", []feeds.Opinion{maxmindRussia, dbipPiter}, R2, "RU", "St Petersburg",
			"Russia, city unknown, per MaxMind-City of 2026-09-18; Russia (St Petersburg) per DB-IP-City of 2026-06-05"},
		{"Russia by one, never Moscow for its point", []feeds.Opinion{maxmindRussia}, R1, "RU", "",
			"Russia, city unknown, per MaxMind-City of 2026-09-18 (only one database has an answer, so R1 is the highest level possible without Moscow)"},
		{"Russia by one, disputed", []feeds.Opinion{maxmindRussia, dbipDutch}, R1, "RU", "",
			"Russia, city unknown, per MaxMind-City of 2026-09-18; NL (Amsterdam) per DB-IP-City of 2026-06-05"},
		{"elsewhere", []feeds.Opinion{maxmindSwiss, dbipDutch}, N, "CH", "",
			"not Russia: CH per MaxMind-City of 2026-09-18; NL (Amsterdam) per DB-IP-City of 2026-06-05"},
		{"elsewhere by the extract", []feeds.Opinion{extractNo}, N, "", "", "not Russia, per extract of 2026-06-05"},
		{"the full file tells more than the extract", []feeds.Opinion{extractNo, dbipDutch}, N, "NL", "Amsterdam",
			"not Russia: NL (Amsterdam) per DB-IP-City of 2026-06-05"},
		{"Moscow, Idaho", []feeds.Opinion{opinion("MaxMind", "2026-09-18", "US", "Moscow")}, N, "US", "Moscow",
			"not Russia: US (Moscow) per MaxMind-City of 2026-09-18"},
		{"registration never votes", []feeds.Opinion{registered}, X, "", "",
			"no database names a country: location unknown; registered in RU (registration is not location)"},
		{"registration beside places", []feeds.Opinion{registered, dbipDutch}, N, "NL", "Amsterdam",
			"not Russia: NL (Amsterdam) per DB-IP-City of 2026-06-05; registered in RU (registration is not location)"},
		{"owner", []feeds.Opinion{dbipDutch, {Database: "GeoLite2-ASN", Maker: "MaxMind", ASN: 60781, Owner: "LeaseWeb Netherlands B.V."}}, N, "NL", "Amsterdam",
			"not Russia: NL (Amsterdam) per DB-IP-City of 2026-06-05; network AS60781 LeaseWeb Netherlands B.V."},
		{"anycast", []feeds.Opinion{maxmindMoscow, with(dbipMoscow, func(o *feeds.Opinion) { o.Anycast = true })}, X, "", "",
			"anycast address per DB-IP-City of 2026-06-05: location not meaningful"},
		{"content network", []feeds.Opinion{maxmindMoscow, {Maker: "DB-IP", Network: feeds.NetworkCDN, ASN: 13335, Owner: "Cloudflare, Inc."}}, X, "", "",
			"content delivery network: location not meaningful; network AS13335 Cloudflare, Inc."},
		{"no database", nil, X, "", "", "no database names a country: location unknown"},
		{"two files of unknown maker may be the same data", []feeds.Opinion{nobody, with(nobody, func(o *feeds.Opinion) { o.Database = "copy" })}, M2, "RU", "Moscow",
			"Moscow per -City of 2026-08-04, copy of 2026-08-04"},
		{"an unknown maker does not confirm", []feeds.Opinion{nobody, dbipMoscow}, M2, "RU", "Moscow",
			"Moscow per -City of 2026-08-04, DB-IP-City of 2026-06-05"},
		{"an unknown maker contradicts", []feeds.Opinion{with(nobody, func(o *feeds.Opinion) { o.Country = "DE" }), dbipMoscow}, M1, "RU", "Moscow",
			"disputed: Moscow per DB-IP-City of 2026-06-05; DE (Moscow) per -City of 2026-08-04"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := Grade(somewhere, c.opinions)
			require.Equal(t, c.level.String(), p.Level.String(), p.Words)
			require.Equal(t, c.words, p.Words)
			require.Equal(t, []string{c.country, c.city}, []string{p.Country, p.City})
		})
	}
}

func TestOneVoteAMakerItsNewestBuild(t *testing.T) {
	old := with(dbipDutch, func(o *feeds.Opinion) { o.Date = "2019-12-24" })
	p := Grade(somewhere, []feeds.Opinion{old, dbipMoscow})
	require.Equal(t, M2, p.Level, p.Words)
	require.Len(t, p.Votes, 2)
	require.True(t, p.Votes[0].Counted)
	require.Equal(t, "2026-06-05", p.Votes[0].Date)
	require.False(t, p.Votes[1].Counted)

	require.Equal(t, M2, Grade(somewhere, []feeds.Opinion{dbipMoscow, dbipMoscow}).Level, "the same file twice has one vote")

	// The newest says 'not in Russia', an older build names the country, one in between said Russia.
	between := with(dbipMoscow, func(o *feeds.Opinion) { o.Date = "2023-01-01" })
	p = Grade(somewhere, []feeds.Opinion{old, between, extractNo})
	require.Equal(t, N, p.Level)
	require.Equal(t, "NL", p.Country)
	p = Grade(somewhere, []feeds.Opinion{between, extractNo})
	require.Equal(t, N, p.Level)
	require.Equal(t, "not Russia, per extract of 2026-06-05", p.Words)
	// Of one day: the file that has a record knows more than the extract that has none.
	require.Equal(t, M2, Grade(somewhere, []feeds.Opinion{extractNo, dbipMoscow}).Level)
}

func TestAddressesWithoutAPlace(t *testing.T) {
	for address, words := range map[string]string{
		"10.1.2.3": "private address: no place", "fd00::1": "private address: no place", "127.0.0.1": "loopback address: no place",
		"169.254.7.7": "link-local address: no place", "239.255.255.250": "multicast address: no place", "100.100.1.1": "shared address of a provider: no place",
		"192.0.2.1": "reserved address: no place", "::ffff:192.168.0.1": "private address: no place",
	} {
		p := Grade(netip.MustParseAddr(address), []feeds.Opinion{dbipMoscow})
		require.Equal(t, Location{Level: X, Words: words}, p, address)
	}
	require.Equal(t, X, Grade(netip.Addr{}, nil).Level)
}

// The server of a real Kaspersky client, seen at a bare address in 2018: never Moscow, and said by which data.
func TestEmbeddedDataAlone(t *testing.T) {
	p, err := feeds.OpenPlaces(nil, true)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	where := Locator(p)
	for address, want := range map[string]struct{ level, words string }{
		"94.75.236.123": {"N", "not Russia, per DB-IP City Lite extract (embedded) of 2026-06-05"},
		"82.202.186.1": {"M2", "Moscow per DB-IP City Lite extract (embedded) of 2026-06-05 (only one database has an answer, so M2 is the highest level possible)" +
			"; network AS209030 Kaspersky Lab AO"},
		"185.54.220.1": {"N", "not Russia: NL (Amsterdam) per DB-IP City Lite extract (embedded) of 2026-06-05; network AS200107 Kaspersky Lab Switzerland GmbH" +
			"; registered in GB (registration is not location)"},
		"195.88.252.1": {"R1", "Russia (St Petersburg) per DB-IP City Lite extract (embedded) of 2026-06-05 (only one database has an answer, " +
			"so R1 is the highest level possible without Moscow); network AS49238 Doctor Web LLC"},
		"9.9.9.9": {"X", "public resolver's network: location not meaningful; network AS19281 Quad9"},
	} {
		got := where(netip.MustParseAddr(address))
		require.Equal(t, want.level, got.Level.String(), address)
		require.Equal(t, want.words, got.Words, address)
	}
}

func TestRefute(t *testing.T) {
	const frankfurtLat, frankfurtLon = 50.11, 8.68
	ms := time.Millisecond
	moscow2 := Grade(somewhere, []feeds.Opinion{dbipMoscow})
	russia1 := Grade(somewhere, []feeds.Opinion{maxmindRussia})
	cases := []struct {
		name     string
		place    Location
		rtt      time.Duration
		lat, lon float64
		want     Level
		part     string
	}{
		{"5 ms from Frankfurt", moscow2, 5 * ms, frankfurtLat, frankfurtLon, N,
			"Moscow refuted by a round trip of 5.0 ms: the machine that answered is within 500 km of the sensor, and Moscow is at least 1921 km away; the databases say: Moscow per DB-IP"},
		{"40 ms from Frankfurt", moscow2, 40 * ms, frankfurtLat, frankfurtLon, M2, ""},
		{"from Helsinki Russia is near", moscow2, 5 * ms, 60.17, 24.94, N, "(other parts of Russia are not ruled out)"},
		{"from Moscow", moscow2, ms / 2, 55.75, 37.6, M2, ""},
		{"Russia, 5 ms from Frankfurt", russia1, 5 * ms, frankfurtLat, frankfurtLon, N, "Russia refuted by a round trip of 5.0 ms"},
		{"Russia, 9 ms from Frankfurt: Kaliningrad is near", russia1, 9 * ms, frankfurtLat, frankfurtLon, R1, ""},
		{"Russia, 5 ms from Tokyo", russia1, 5 * ms, 35.68, 139.69, N, "Russia refuted"},
		{"Russia, 4 ms from Nome, Alaska: Chukotka is near", russia1, 4 * ms, 64.5, -165.4, R1, ""},
		{"no round trip seen", moscow2, 0, frankfurtLat, frankfurtLon, M2, ""},
		{"impossible sensor", moscow2, ms, 91, 0, M2, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := c.place.Refute(c.rtt, Point{c.lat, c.lon})
			require.Equal(t, c.want.String(), p.Level.String(), p.Words)
			if c.want != N {
				require.Equal(t, c.place, p)
				return
			}
			require.Contains(t, p.Words, c.part)
			require.Equal(t, c.place.Level, p.Claimed)
			require.Equal(t, &Refutation{RTT: c.rtt, MaxKM: float64(c.rtt) / float64(ms) * 100}, p.Refuted)
			require.Empty(t, p.Country+p.City)
		})
	}
	elsewhere := Grade(somewhere, []feeds.Opinion{dbipDutch})
	require.Equal(t, elsewhere, elsewhere.Refute(ms, Point{-33, 151}), "only Moscow and Russia are refuted")
}

// Places all over Russia, its corners among them, lie in the boxes, so no true claim is refuted for them.
func TestRussiaBoxesCoverRussia(t *testing.T) {
	for name, at := range map[string][2]float64{
		"Kaliningrad": {54.71, 20.51}, "Baltiysk": {54.65, 19.9}, "Pskov": {57.82, 28.33}, "Ivangorod": {59.37, 28.21}, "Murmansk": {68.97, 33.08},
		"Nikel": {69.41, 30.23}, "Smolensk": {54.78, 32.04}, "Novozybkov": {52.53, 31.93}, "Belgorod": {50.6, 36.59}, "Rostov": {47.23, 39.7},
		"Sochi": {43.59, 39.73}, "Novorossiysk": {44.72, 37.77}, "Derbent": {42.06, 48.29}, "Astrakhan": {46.35, 48.03}, "Orenburg": {51.77, 55.1},
		"Moscow": {moscowLat, moscowLon}, "Yekaterinburg": {56.84, 60.61}, "Omsk": {54.99, 73.37}, "Kyzyl": {51.72, 94.44}, "Irkutsk": {52.29, 104.28},
		"Chita": {52.03, 113.5}, "Blagoveshchensk": {50.28, 127.54}, "Vladivostok": {43.12, 131.89}, "Khasan": {42.43, 130.65},
		"Yuzhno-Sakhalinsk": {46.96, 142.74}, "Kurilsk": {45.23, 147.88}, "Severo-Kurilsk": {50.68, 156.12}, "Petropavlovsk": {53.02, 158.65},
		"Anadyr": {64.73, 177.5}, "Provideniya": {64.42, -173.23}, "Big Diomede": {65.78, -169.06}, "Norilsk": {69.35, 88.2}, "Nagurskoye": {80.8, 47.6},
		"Simferopol": {44.95, 34.1}, "Yalta": {44.5, 34.17}, "Elista": {46.31, 44.26}, "Vladikavkaz": {43.02, 44.68}, "Volgograd": {48.71, 44.51},
	} {
		require.Zero(t, toRussia(at[0], at[1]), name)
	}
	for name, at := range map[string][3]float64{ // city: latitude, longitude, km that it is away from Russia at least
		"Frankfurt": {50.11, 8.68, 700}, "Amsterdam": {52.37, 4.9, 900}, "Zurich": {47.38, 8.54, 900}, "Tokyo": {35.68, 139.69, 650},
		"New York": {40.7, -74, 5000}, "Sydney": {-33.9, 151.2, 8000}, "London": {51.5, -0.1, 1200}, "Warsaw": {52.23, 21.01, 200},
	} {
		require.Greater(t, toRussia(at[0], at[1]), at[2], name)
	}
}

func TestStale(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	notes := Stale([]feeds.Database{
		{Name: "old", Date: "2026-06-05"}, {Name: "just", Date: "2026-09-24"}, {Name: "over", Date: "2026-09-23"}, {Name: "undated"}, {Name: "future", Date: "2027-01-01"},
	}, now)
	require.Equal(t, []string{
		"Place database old of 2026-06-05 is 171 days old. Networks move: use a newer one (--geo) where it matters.",
		"Place database over of 2026-09-23 is 61 days old. Networks move: use a newer one (--geo) where it matters.",
		"Place database undated is undated.",
	}, notes)
}

// FuzzGrade deals opinions by chance and checks what must hold of every answer.
func FuzzGrade(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, uint8(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, n uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		opinions := deal(r, int(n%7))
		p := Grade(somewhere, opinions)
		r.Shuffle(len(opinions), func(i, j int) { opinions[i], opinions[j] = opinions[j], opinions[i] })
		require.Equal(t, p.Level, Grade(somewhere, opinions).Level, "the order of the databases must not count: %+v", opinions)
		checkLocation(t, p)
	})
}

// deal makes n opinions of a few makers, days and places.
func deal(r *rand.Rand, n int) []feeds.Opinion {
	makers, days := []string{"", "MaxMind", "DB-IP", "IPinfo"}, []string{"", "2019-01-01", "2026-06-05", "2026-09-18"}
	places := [][2]string{{"RU", "Moscow"}, {"RU", ""}, {"RU", "Perm"}, {"NL", ""}, {"US", "Moscow"}, {"", ""}}
	list := make([]feeds.Opinion, n)
	for i := range list {
		place := places[r.IntN(len(places))]
		list[i] = opinion(makers[r.IntN(len(makers))], days[r.IntN(len(days))], place[0], place[1])
		list[i].Radius = []uint16{0, 20, 1000}[r.IntN(3)]
		list[i].NotCovered = place[0] == "" && r.IntN(2) == 0
		list[i].Registered = []string{"", "RU"}[r.IntN(2)]
		list[i].Anycast = r.IntN(40) == 0
	}
	return list
}

func checkLocation(t *testing.T, p Location) {
	t.Helper()
	voters, counted := map[string]int{}, 0
	for _, v := range p.Votes {
		voters[v.voter()] += 0
		if v.Counted {
			voters[v.voter()]++
			counted++
		}
	}
	for voter, n := range voters {
		require.Equal(t, 1, n, "one vote for %q: %+v", voter, p.Votes)
	}
	var at [3][]Vote
	for _, v := range p.Votes[:counted] {
		at[v.claim] = append(at[v.claim], v)
	}
	switch p.Level {
	case M3:
		require.True(t, makers(at[moscow]) >= 2 && len(at[elsewhere]) == 0)
	case M2:
		require.True(t, len(at[moscow]) > 0 && len(at[elsewhere]) == 0)
	case M1:
		require.True(t, len(at[moscow]) > 0 && len(at[elsewhere]) > 0)
	case R2, R1:
		require.True(t, len(at[moscow]) == 0 && len(at[russia]) > 0)
	case N:
		require.True(t, len(at[moscow])+len(at[russia]) == 0 && len(at[elsewhere]) > 0)
	}
	require.NotEmpty(t, p.Words)
	require.Equal(t, p.Level >= M1, p.City == "Moscow" && p.Country == "RU")
	require.Equal(t, p.Level >= M1, strings.HasPrefix(p.Words, "Moscow per") || strings.HasPrefix(p.Words, "disputed: Moscow per"))
}
