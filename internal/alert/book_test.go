package alert

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const day24 = 24 * time.Hour

func TestEvents(t *testing.T) {
	for name, c := range map[string]scene{
		"a host that was not known is told once": {script: `
			0s   judge a likely   -> new a
			1h   judge a likely   ->
			2h   judge a possible ->`},
		"what is of no concern is not": {script: `
			0s   judge a installed unconcerned ->
			1h   state a                       ->
			2h   judge a installed             -> new a`},
		"unless all is told": {cfg: Config{All: true}, script: `
			0s   judge a installed unconcerned -> new a`},
		"nor what is less sure than asked": {cfg: Config{AtLeast: "likely"}, script: `
			0s   judge a possible  ->
			1h   judge a likely    -> new a
			2h   judge a possible  ->
			3h   judge a installed -> raised a`},
		"a stronger verdict is sent, the same again is not": {script: `
			0s   judge a possible  -> new a
			1h   judge a installed -> raised a
			2h   judge a likely    ->
			3h   judge a installed ->`},
		"a new place of concern is told, another address there is not": {script: `
			0s   judge a place=N/DE                               -> new a
			1h   judge a place=N/DE place=N/US                    ->
			2h   judge a place=N/DE place=M2/RU                   -> place a
			3h   judge a place=N/DE place=M2/RU place=M2/RU       ->
			4h   judge a place=N/DE place=M2/RU place=M3/RU       -> place a
			5h   judge a place=M3/RU                              ->`},
		"places that come with the host are told with it": {script: `
			0s   judge a place=M3/RU             -> new a
			1h   judge a place=M3/RU place=N/DE  ->`},
		"verdict and place at once are two alerts": {script: `
			0s   judge a possible            -> new a
			1h   judge a likely place=M3/RU  -> raised a, place a`},
		"blocked is told when it begins": {script: `
			0s   judge a           -> new a
			1h   judge a blocked   -> blocked a
			2h   judge a blocked   ->
			3h   judge a active    ->
			48h  judge a blocked   -> blocked a`},
		"contact after a quiet time is told": {script: `
			0s    judge a           -> new a
			72h   judge a returned  -> returned a
			73h   judge a returned  ->
			125h  judge a returned  -> returned a
			300h  judge a active    ->
			400h  judge a returned  -> returned a`},
		"what goes on is repeated, by contact or by time": {cfg: Config{Repeat: day24}, script: `
			0s   judge a   -> new a
			10h  judge a   ->
			25h  tick      -> repeated a
			26h  tick      ->
			60h  tick      ->
			61h  judge a   -> repeated a`},
		"what does not go on is not repeated": {cfg: Config{Repeat: day24}, script: `
			0s   judge a   -> new a
			99h  tick      ->`},
		"silence resolves, and what comes back is a new alert": {cfg: Config{Resolve: 7 * day24}, script: `
			0s    judge a           -> new a
			24h   judge a           ->
			191h  tick              ->
			192h  tick              -> resolved a
			193h  state a           -> resolved
			194h  judge a seen=-170h ->
			195h  judge a           -> returned a
			196h  judge a           ->
			900h  judge a           -> resolved a, returned a`},
		"a short silence is counted from the end of the hour of the last contact": {cfg: Config{Resolve: time.Hour}, script: `
			10m   judge a -> new a
			90m   tick    ->
			2h    tick    -> resolved a`},
		"removal is due so long after the first sight": {cfg: Config{Removal: Removal{After: 3 * day24}}, script: `
			0s    judge a            -> new a
			71h   tick               ->
			72h   tick               -> removal_due a
			99h   judge a            ->`},
		"removal is due by a date, its day included": {cfg: Config{Removal: Removal{By: "2026-11-03"}}, script: `
			0s    judge a  -> new a
			38h   tick     ->
			39h   tick     -> removal_due a
			40h   judge b  -> new b, removal_due b`},
		"only what is of concern is due": {cfg: Config{All: true, Removal: Removal{After: 3 * day24}}, script: `
			0s    judge a unconcerned -> new a
			1h    restart             ->
			72h   tick                ->
			73h   judge a unconcerned ->
			74h   judge a             -> removal_due a`},
		"what is over when it comes back is due again": {cfg: Config{Resolve: 2 * day24, Removal: Removal{After: day24}}, script: `
			0s    judge a   -> new a
			24h   tick      -> removal_due a
			60h   tick      -> resolved a
			90h   judge a   -> returned a, removal_due a`},
		"what is of no concern any more is neither repeated nor due": {
			cfg: Config{Repeat: day24, Resolve: 9 * day24, Removal: Removal{After: 3 * day24}}, script: `
			0s    judge a              -> new a
			1h    judge a unconcerned  ->
			96h   tick                 ->
			300h  tick                 -> resolved a`},
		"events that are not asked for are made all the same": {cfg: Config{Events: []string{"raised", "summary"}, Resolve: day24}, script: `
			0s    judge a likely     -> [unasked new a]
			1h    judge a installed  -> raised a
			26h   judge a installed  -> [unasked resolved a], [unasked returned a]`},
		"what was acknowledged is not repeated, but what is new of it is told": {cfg: Config{Repeat: day24, Resolve: 30 * day24}, script: `
			0s    ack a              -> rejected
			0s    judge a likely     -> new a
			1h    ack a              -> ok
			1h    state a            -> acknowledged
			50h   judge a likely     ->
			51h   judge a installed  -> raised a
			51h   state a            -> open
			80h   judge a installed  -> repeated a
			81h   ack a              -> ok
			82h   restart            ->
			82h   state a            -> acknowledged
			120h  judge a installed  ->
			999h  tick               -> resolved a
			999h  ack a              -> rejected`},
		"a restart tells nothing again": {cfg: Config{Repeat: day24, Resolve: 7 * day24}, script: `
			0s    judge a place=M3/RU           -> new a
			1h    judge b possible              -> new b
			20h   judge a place=M3/RU           ->
			21h   restart                       ->
			22h   judge a place=M3/RU           ->
			22h   judge b possible              ->
			24h   tick                          -> repeated a
			25h   judge a installed place=M3/RU -> repeated b, raised a
			190h  tick                          -> resolved b
			193h  tick                          -> resolved a`},
	} {
		t.Run(name, func(t *testing.T) { c.play(t) })
	}
}

func TestQuietHours(t *testing.T) {
	night := []Quiet{{From: "18:00", To: "07:00"}} // the start is at 09:00
	for name, c := range map[string]scene{
		"what happens in them waits for their end": {cfg: Config{Quiet: night}, script: `
			8h    judge z            -> new z
			10h   judge a possible   -> [held new a]
			11h   judge a likely     -> [held raised a]
			21h   tick               ->
			22h   tick               -> new a
			23h   judge a likely     ->`},
		"what is grave enough does not wait, and brings along what does": {cfg: Config{Quiet: night}, script: `
			10h   judge a possible severity=high      -> [held new a]
			11h   judge a installed severity=critical -> new a
			30h   tick                                ->`},
		"of a known finding the latest is told": {cfg: Config{Quiet: night}, script: `
			0s    judge a possible              -> new a
			10h   judge a likely                -> [held raised a]
			11h   judge a likely place=M3/RU    -> [held place a]
			22h   judge b                       -> place a, new b`},
		"above says what is grave": {cfg: Config{Quiet: []Quiet{{From: "18:00", To: "07:00", Above: "medium"}}}, script: `
			10h   judge a severity=low    -> [held new a]
			10h   judge b severity=medium -> new b`},
		"days are those on which they begin": {cfg: Config{Quiet: []Quiet{{Days: []string{"mon"}, From: "18:00", To: "07:00"}}}, script: `
			10h   judge a   -> [held new a]
			20h   judge b   -> [held new b]
			22h   tick      -> new a, new b
			34h   judge c   -> new c`},
		"hours that follow one another are one": {cfg: Config{Quiet: []Quiet{{From: "18:00", To: "23:00"}, {From: "23:00", To: "07:00"}}}, script: `
			10h   judge a   -> [held new a]
			14h   tick      ->
			22h   tick      -> new a`},
		"hours are of their zone": {cfg: Config{Quiet: []Quiet{{From: "18:00", To: "07:00", Zone: "Europe/Moscow"}}}, script: `
			6h    judge a   -> [held new a]
			19h   tick      -> new a`},
		"what waits outlives a restart": {cfg: Config{Quiet: night}, script: `
			10h   judge a possible   -> [held new a]
			11h   judge a likely     -> [held raised a]
			12h   restart            ->
			22h   tick               -> new a`},
		"what is told late may be due at once": {cfg: Config{Quiet: night, Removal: Removal{After: time.Hour}}, script: `
			10h   judge a first=-9h   -> [held new a]
			22h   tick                -> new a, removal_due a`},
		"what is over by then is told so": {cfg: Config{Quiet: night, Resolve: 2 * time.Hour}, script: `
			10h   judge a   -> [held new a]
			12h   tick      -> [held resolved a]
			22h   tick      -> resolved a`},
	} {
		t.Run(name, func(t *testing.T) { c.play(t) })
	}
}

func TestMaintenance(t *testing.T) {
	window := func(hosts ...string) []Window {
		return []Window{{From: start.Add(time.Hour), To: start.Add(5 * time.Hour), Hosts: hosts, Reason: "roll-out"}}
	}
	for name, c := range map[string]scene{
		"what happens in it is not told": {cfg: Config{Windows: window(), Resolve: day24}, script: `
			2h    judge a    -> [maintenance new a]
			2h    state a    -> suppressed
			9h    tick       ->
			99h   tick       -> [maintenance resolved a]`},
		"what goes on after it is": {cfg: Config{Windows: window()}, script: `
			2h    judge a             -> [maintenance new a]
			6h    judge a seen=-90m   ->
			7h    judge a             -> new a
			7h    state a             -> open
			8h    judge a             ->`},
		"after a restart too": {cfg: Config{Windows: window()}, script: `
			2h    judge a   -> [maintenance new a]
			3h    restart   ->
			7h    judge a   -> new a`},
		"it is of its hosts": {cfg: Config{Windows: window("10.0.0.0/30", "pc9")}, script: `
			2h    judge a host=10.0.0.2           -> [maintenance new a]
			2h    judge b host=10.0.0.9           -> new b
			2h    judge c host=10.0.0.9 name=PC9. -> [maintenance new c]`},
	} {
		t.Run(name, func(t *testing.T) { c.play(t) })
	}
	b := scene{cfg: Config{Windows: window()}, script: `2h judge a -> [maintenance new a]`}.play(t)
	require.Equal(t, []RuleStats{{ID: "maintenance-20261102T100000Z", Alerts: 1, Findings: 1}}, b.Stats().Rules)
}

// More findings than the Book remembers: what was sent of a forgotten one is asked of the store, so that it is not new again.
func TestForgottenFindingsAreAskedFor(t *testing.T) {
	for name, c := range map[string]scene{
		"what was sent": {opt: Options{MaxTracked: 1}, asks: true, script: `
			0m    judge a possible    -> new a
			1m    judge b             -> new b
			2m    judge a possible    ->
			3m    judge b             ->
			4m    judge a installed   -> raised a
			5m    judge b             ->
			6m    judge a installed   ->`},
		"what is suppressed": {opt: Options{MaxTracked: 1}, asks: true, cfg: Config{Suppress: []SuppressionRule{{ID: "r", Reason: "known", Author: "ann", Vendors: []string{"drweb"}}}}, script: `
			0m    judge a vendor=drweb -> [suppressed new a]
			1m    judge b              -> new b
			2m    judge a vendor=drweb ->
			3m    suppress             ->
			4m    judge a vendor=drweb -> new a`},
	} {
		t.Run(name, func(t *testing.T) { c.play(t) })
	}
}

func TestGroups(t *testing.T) {
	few := Group{Over: 2, Within: 10 * time.Minute}
	for name, c := range map[string]scene{
		"too many of a vendor make a summary": {cfg: Config{Group: few}, script: `
			0m    judge a                 -> new a
			1m    judge b                 -> new b
			2m    judge c host=10.0.0.7   -> [grouped new c]
			3m    judge d host=10.0.0.8   -> [grouped new d]
			4m    judge d installed       -> [grouped raised d]
			4m    judge e vendor=drweb    -> new e
			11m   tick                    ->
			12m   tick                    -> summary 2
			13m   judge c                 ->
			14m   judge f                 -> new f`},
		"as many as may be do not": {cfg: Config{Group: few}, script: `
			0m    judge a   -> new a
			9m    judge b   -> new b
			10m   judge c   -> new c
			99m   tick      ->`},
		"a summary outlives a restart": {cfg: Config{Group: few}, script: `
			0m    judge a   -> new a
			1m    judge b   -> new b
			2m    judge c   -> [grouped new c]
			3m    restart   ->
			4m    judge d   -> [grouped new d]
			12m   tick      -> summary 2
			13m   restart   ->
			14m   judge c   ->
			14m   tick      ->`},
		"a summary is not sent again when the store has forgotten it": {cfg: Config{Group: few}, script: `
			0m    judge a          -> new a
			1m    judge b          -> new b
			2m    judge c          -> [grouped new c]
			12m   tick             -> summary 1
			12m   judge e vendor=drweb -> new e
			13m   forget summary   ->
			14m   restart          ->
			14m   tick             ->`},
		"nor when no alert came after it": {cfg: Config{Group: few}, script: `
			0m    judge a          -> new a
			1m    judge b          -> new b
			2m    judge c          -> [grouped new c]
			12m   tick             -> summary 1
			13m   judge c          ->
			13m   forget summary   ->
			14m   restart          ->
			14m   tick             ->`},
		"the end of quiet hours is no storm": {cfg: Config{Group: few, Quiet: []Quiet{{From: "09:00", To: "10:00"}}}, script: `
			1m    judge a   -> [held new a]
			2m    judge b   -> [held new b]
			3m    judge c   -> [held new c]
			4m    judge d   -> [held new d]
			60m   tick      -> new a, new b, [grouped new c], [grouped new d]
			70m   tick      -> summary 2`},
	} {
		t.Run(name, func(t *testing.T) { c.play(t) })
	}
}

func TestSuppressions(t *testing.T) {
	rule := func(s SuppressionRule) Config {
		s.ID, s.Reason, s.Author = "r", "known", "ann"
		return Config{Suppress: []SuppressionRule{s}}
	}
	for name, c := range map[string]scene{
		"by address": {cfg: rule(SuppressionRule{Hosts: []string{"10.0.0.5"}}), script: `
			0s   judge a host=10.0.0.5         -> [suppressed new a]
			0s   state a                       -> suppressed
			0s   judge b host=10.0.0.6         -> new b
			0s   judge c host=::ffff:10.0.0.5  -> [suppressed new c]`},
		"by network": {cfg: rule(SuppressionRule{Hosts: []string{"10.0.0.0/29", "2001:db8::/32"}}), script: `
			0s   judge a host=10.0.0.7      -> [suppressed new a]
			0s   judge b host=10.0.0.8      -> new b
			0s   judge c host=2001:db8::1   -> [suppressed new c]`},
		"by name": {cfg: rule(SuppressionRule{Hosts: []string{"PC1.corp.example."}}), script: `
			0s   judge a name=pc1.corp.example   -> [suppressed new a]
			0s   judge b name=pc1                -> new b`},
		"by MAC": {cfg: rule(SuppressionRule{Hosts: []string{"02-00-5E-10-00-2A"}}), script: `
			0s   judge a mac=02:00:5e:10:00:2a   -> [suppressed new a]
			0s   judge b mac=02:00:5e:10:00:2b   -> new b`},
		"by vendor": {cfg: rule(SuppressionRule{Vendors: []string{"drweb"}}), script: `
			0s   judge a vendor=drweb   -> [suppressed new a]
			0s   judge b                -> new b`},
		"every list must fit": {cfg: rule(SuppressionRule{Hosts: []string{"10.0.0.5"}, Vendors: []string{"drweb"}}), script: `
			0s   judge a vendor=drweb                 -> [suppressed new a]
			0s   judge b                              -> new b
			0s   judge c vendor=drweb host=10.0.0.6   -> new c`},
		"by what the host does": {cfg: rule(SuppressionRule{Roles: []string{"resolver"}}), script: `
			0s   judge a does=resolver   -> [suppressed new a]
			0s   judge b                 -> new b`},
		"by roles of signs, and no longer when there are others": {cfg: rule(SuppressionRule{Roles: []string{"update"}}), script: `
			0s   judge a sign=update:strong:u.example                                   -> [suppressed new a]
			1h   judge a sign=update:strong:u.example sign=web:weak:w.example           ->
			2h   judge a sign=update:strong:u.example sign=telemetry:medium:t.example   -> new a
			3h   judge b                                                                -> new b`},
		"by domain, on label boundaries, and no longer when there are other names": {cfg: rule(SuppressionRule{Domains: []string{"Kaspersky.com."}}), script: `
			0s   judge a sign=update:strong:dnl.kaspersky.com                                   -> [suppressed new a]
			0s   judge b sign=update:strong:kaspersky.com                                       -> [suppressed new b]
			0s   judge c sign=update:strong:evilkaspersky.com                                   -> new c
			0s   judge d sign=update:strong:evil\.kaspersky.com                                 -> new d
			1h   judge a sign=update:strong:dnl.kaspersky.com sign=update:strong:ksn.example    -> new a`},
		"the root is every name, and none": {cfg: rule(SuppressionRule{Domains: []string{"."}}), script: `
			0s   judge a sign=update:strong:a.example -> [suppressed new a]
			0s   judge b                              -> [suppressed new b]`},
		"its end makes it told": {cfg: rule(SuppressionRule{Vendors: []string{"kaspersky"}, Expires: start.Add(day24)}), script: `
			0s   judge a possible    -> [suppressed new a]
			1h   judge a installed   -> [suppressed raised a]
			23h  tick                ->
			24h  tick                -> new a
			24h  state a             -> open
			25h  judge b             -> new b`},
		"its end is not forgotten by a restart": {cfg: rule(SuppressionRule{Domains: []string{"u.example"}, Expires: start.Add(day24)}), script: `
			0s   judge a sign=update:strong:u.example   -> [suppressed new a]
			1h   restart                                ->
			2h   judge a sign=update:strong:u.example   ->
			24h  judge b                                -> new a, new b`},
		"when it is taken away, what it kept back is told": {cfg: rule(SuppressionRule{Vendors: []string{"kaspersky"}}), script: `
			0s   judge a    -> [suppressed new a]
			1h   suppress   ->
			1h   tick       -> new a`},
		"what was told and is suppressed later goes on in silence": {
			cfg: Config{Suppress: []SuppressionRule{{ID: "r", Domains: []string{"u.example"}, Reason: "x", Author: "y"}}, Resolve: day24}, script: `
			0s   judge a likely                                    -> new a
			1h   judge a installed sign=update:strong:u.example    -> [suppressed raised a]
			50h  tick                                              -> [suppressed resolved a]`},
		"what was never told is over without a word": {cfg: func() Config {
			c := rule(SuppressionRule{Vendors: []string{"kaspersky"}, Expires: start.Add(30 * day24)})
			c.Resolve = day24
			return c
		}(), script: `
			0s    judge a   -> [suppressed new a]
			25h   tick      -> [suppressed resolved a]
			999h  tick      ->`},
		"the time to remove it waits for the suppression": {cfg: func() Config {
			c := rule(SuppressionRule{Vendors: []string{"kaspersky"}, Expires: start.Add(2 * day24)})
			c.Removal.After = day24
			return c
		}(), script: `
			0s    judge a   -> [suppressed new a]
			25h   judge a   ->
			48h   tick      -> new a, removal_due a`},
	} {
		t.Run(name, func(t *testing.T) { c.play(t) })
	}
}

// What is suppressed is counted by rule, and a report can ask.
func TestSuppressedIsCounted(t *testing.T) {
	s := scene{cfg: Config{Suppress: []SuppressionRule{
		{ID: "lab", Hosts: []string{"10.0.0.5"}, Reason: "lab", Author: "ann", Expires: start.Add(day24)},
		{ID: "dr", Vendors: []string{"drweb"}, Reason: "licence", Author: "ann"}}}, script: `
		0s   judge a likely        -> [suppressed new a]
		1h   judge a installed     -> [suppressed raised a]
		2h   judge b host=10.0.0.9 vendor=drweb -> [suppressed new b]`}
	b := s.play(t)
	require.Equal(t, []RuleStats{{ID: "dr", Alerts: 1, Findings: 1}, {ID: "lab", Alerts: 2, Findings: 1}}, b.Stats().Rules)
	require.EqualValues(t, 3, b.Stats().Silenced)
	require.Len(t, b.Tick(start.Add(day24)), 1)
	require.Equal(t, []RuleStats{{ID: "dr", Alerts: 1, Findings: 1}, {ID: "lab", Alerts: 2}}, b.Stats().Rules)
}

// What other hosts and silence do to the clock changes no id: packets that are read again after a crash, or that come from a
// pipe that waits, tell the same.
func TestTheClockIsInNoID(t *testing.T) {
	var ids []string
	for _, ahead := range []time.Duration{0, time.Minute} {
		b, err := NewBook(Config{}, Options{})
		require.NoError(t, err)
		for i, verdict := range []string{"possible", "likely"} {
			seen := start.Add(time.Duration(i) * time.Hour)
			f, d := findingOf(t, "a", []string{verdict}, seen)
			list := b.Judge(f, d, seen.Add(ahead))
			require.Len(t, list, 1)
			require.Empty(t, list[0].Note)
			ids = append(ids, list[0].ID)
		}
	}
	require.Equal(t, ids[:2], ids[2:])
}
