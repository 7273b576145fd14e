package classify

import (
	"cmp"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"avbeacon/feeds"
)

// judgement is a verdict, the sentence that explains it, and what caps it.
type judgement struct {
	verdict Verdict
	why     string
	caps    []string // sentences
}

// judge reads the verdict of a track from its facts, and caps it by the host's role. A cap lowers a verdict and never raises one; its
// sentence follows the reason, so that a reader sees what the evidence alone would have meant.
func (c *Classifier) judge(t *track, roles []HostRole) judgement {
	f := t.facts()
	c.console(t, &f)
	j := scale(t, &f)
	if len(roles) > 0 && capsAt(roles[0]) < j.verdict {
		j.verdict = capsAt(roles[0])
		j.caps = append(j.caps, fmt.Sprintf("The host acts as %s, so the evidence may belong to its clients.", article(roles[0])))
	}
	if t.listed > 0 && t.ownContacts == 0 && j.verdict != NoVerdict {
		j.verdict = min(j.verdict, Possible)
		j.caps = append(j.caps, fmt.Sprintf("DNS queries for names of %d vendors within an hour, without a connection: somebody is checking a list.", t.listed))
	}
	return j
}

func article(r HostRole) string { return "a " + r.String() }

// scale holds the rules above Possible, strongest first; the first that matches decides, and its sentence is the reason in the report.
// A verdict turns from likely to installed here.
func scale(t *track, f *facts) judgement {
	switch {
	case f.twoKinds != 0:
		return judgement{verdict: Installed, why: "Several kinds of strong evidence in one session: " + f.twoKinds.String() + "."}
	case f.flowSessions > 0 && f.strongBoth >= 2:
		return judgement{verdict: Installed, why: fmt.Sprintf("Strong evidence in %d sessions; %d of them made a connection.", f.strongBoth, f.flowSessions)}
	case bits.OnesCount32(f.lookRoles) >= 2 && f.lookSessions >= 2 && !t.host.did.asksAsResolver():
		return judgement{verdict: Installed, why: fmt.Sprintf("DNS queries for names of %d roles (%s) in %d sessions.",
			bits.OnesCount32(f.lookRoles), roleList(f.lookRoles), f.lookSessions)}
	case f.flowSessions > 0:
		return judgement{verdict: Likely, why: "One connection carried a strong sign" + t.strongSign() + "."}
	case f.lookups >= 3 && f.lookSessions >= 2:
		return judgement{verdict: Likely, why: fmt.Sprintf("%d DNS queries for %s names in %d sessions.", f.lookups, roleList(f.lookRoles), f.lookSessions)}
	case bits.OnesCount32(uint32(f.medium)) >= 2:
		return judgement{verdict: Likely, why: "Several kinds of medium evidence: " + f.medium.String() + "."}
	case bits.OnesCount32(f.roles) >= 2:
		return judgement{verdict: Likely, why: fmt.Sprintf("Names of %d roles were used: %s.", bits.OnesCount32(f.roles), roleList(f.roles))}
	case f.portHours >= 2:
		return judgement{verdict: Likely, why: fmt.Sprintf("Connections to a console port in the vendor's own network in %d hours.", f.portHours)}
	}
	return lesser(t, f)
}

// lesser holds the rules for Possible and Visit.
func lesser(t *track, f *facts) judgement {
	switch {
	case f.lookups > 0:
		return judgement{verdict: Possible, why: queriesAlone(f)}
	case f.medium != 0:
		return judgement{verdict: Possible, why: "One kind of medium evidence: " + f.medium.String() + "."}
	case t.barred[barBuiltin] > 0:
		return judgement{verdict: Possible, why: "These names belong to a product built into the operating system, which uses them whichever antivirus runs."}
	case t.barred[barOEM] > 0:
		return judgement{verdict: Possible, why: "Another product contains the vendor's engine."}
	case t.barred[barTool] > 0 || f.toolLookups:
		return judgement{verdict: Possible, why: fmt.Sprintf("The evidence comes from %s, a tool that a person or a script runs.", t.tool)}
	case t.barred[barResolver] > 0:
		return judgement{verdict: Possible, why: "The DNS queries look like those of a resolver, made for other hosts."}
	}
	if why := visit(t, f); why != "" {
		return judgement{verdict: Visit, why: why}
	}
	return judgement{}
}

// queriesAlone describes DNS queries for strong names that made no connection.
func queriesAlone(f *facts) string {
	roles := roleList(f.lookRoles)
	if f.lookups > 1 {
		return fmt.Sprintf("%d DNS queries for %s names, no connection. That alone proves nothing.", f.lookups, cmp.Or(roles, "strong"))
	}
	article := "a"
	if strings.ContainsAny(roles[:min(1, len(roles))], "aeiou") {
		article = "an"
	}
	return fmt.Sprintf("One DNS query for %s %s name. That alone proves nothing.", article, cmp.Or(roles, "strong"))
}

// strongSign names the piece of strong evidence of a connection that weighs most, "" if it did not fit into the evidence kept.
func (t *track) strongSign() string {
	var best *Evidence
	for _, e := range t.evidence {
		if e.Supports && e.Strength == feeds.Strong && e.Kind != KindLookup && (best == nil || e.Weight > best.Weight) {
			best = e
		}
	}
	if best == nil {
		return ""
	}
	return ": " + phrase(best.Kind) + " " + best.Value
}

// phrase names a kind of evidence in a sentence.
func phrase(k Kind) string {
	switch k {
	case KindSNI:
		return "TLS server name"
	case KindHTTPHost:
		return "HTTP host"
	case KindConnect:
		return "CONNECT to"
	case KindUserAgent:
		return "User-Agent"
	case KindDerived:
		return "the address of"
	}
	return word(k)
}

// visit describes web browsing, "" if nothing shows any.
func visit(t *track, f *facts) string {
	burst := ""
	if f.pages >= 5 {
		burst = fmt.Sprintf(", with up to %d connections in one session", f.pages)
	}
	const noProduct = ". No update or reputation traffic suggests an installed product."
	web, download, content := t.visited[feeds.RoleWeb], t.visited[feeds.RoleDownload], t.visited[feeds.RoleCDN]
	switch {
	case web && download:
		return "Looks like web browsing: only the vendor's web site and downloads were visited" + burst + noProduct
	case download:
		return "Looks like a download of an installer or of a tool that runs once" + burst + noProduct
	case web:
		return "Looks like web browsing: only the vendor's web site was visited" + burst + noProduct
	case content:
		return "Looks like web browsing: only content that web pages embed was fetched" + burst + noProduct
	}
	return ""
}

// console makes LAN ports strong if a second vendor port on the same server was used, or if that server itself connects to the vendor.
func (c *Classifier) console(t *track, f *facts) {
	for _, u := range t.console {
		if len(u.ports) < 2 && !c.callsVendor(u, t.vendor) {
			continue
		}
		f.flowSessions = max(f.flowSessions, f.lanSessions)
		f.strongBoth = max(f.strongBoth, f.lanSessions)
		return
	}
}

// callsVendor reports whether a server itself connects to the vendor, as a management console does: agents' ports alone are used by
// other programs too.
func (c *Classifier) callsVendor(u consoleUse, v *feeds.Vendor) bool {
	s := c.hosts.find(u.server)
	if s == nil {
		return false
	}
	t := s.track(v)
	return t != nil && t.calls()
}

// calls reports whether the host connected to or queried a strong name of the vendor.
func (t *track) calls() bool {
	f := t.facts()
	return f.flowSessions > 0 || f.lookups > 0
}

// String lists the kinds.
func (f family) String() string {
	words := [...]string{"name", "certificate", "issuer", "path", "query", "User-Agent", "header", "body", "payload", "port", "LAN port",
		"order of fallback resolvers"}
	var out []string
	for i, w := range words {
		if f&(1<<i) != 0 {
			out = append(out, w)
		}
	}
	if n := len(out) - 1; n > 0 {
		return strings.Join(out[:n], ", ") + " and " + out[n]
	}
	return strings.Join(out, "")
}

func roleList(set uint32) string {
	var out []string
	for r := feeds.RoleUnknown; r <= feeds.RoleCDN; r++ {
		if set&(1<<r) != 0 {
			out = append(out, r.String())
		}
	}
	return strings.Join(out, ", ")
}

// weight returns how much one sighting of a sign weighs, 0 to 1. It orders evidence and is shown beside it. The verdict
// is read from kinds, roles and sessions (scale), never from a sum of weights.
func weight(k Kind, s feeds.Strength) float64 {
	base := [...]float64{feeds.None: 0, feeds.Weak: 0.1, feeds.Medium: 0.4, feeds.Strong: 0.9}[min(s, feeds.Strong)]
	return base * kindWeight[min(k, KindAgainst)]
}

// kindWeight is how well each kind ties what was seen to the host and the vendor. Change a weight here, and its table in README.md.
var kindWeight = [...]float64{
	KindUserAgent:   1.0, // the product names itself
	KindHeader:      1.0,
	KindIssuer:      1.0,
	KindPayload:     1.0,
	KindSNI:         0.95, // a connection to the vendor by name
	KindHTTPHost:    0.95,
	KindConnect:     0.95,
	KindPath:        0.9, // a mirror serves the same
	KindQuery:       0.9,
	KindDerived:     0.8, // the name was not on the wire
	KindBody:        0.7, // any client gets the same bytes
	KindCertificate: 0.6,
	KindLookup:      0.5, // a query is not contact
	KindLANPort:     0.5,
	KindPort:        0.5,
	KindOther:       0.3,
	KindNetwork:     0.3, // an address alone
	KindFallback:    1.0, // three resolvers in the documented order
	KindAgainst:     0,
}

// behaviourWeight returns how much a piece of behaviour weighs beside the evidence it is derived from. That of a beat is multiplied by
// its score.
func behaviourWeight(k Kind) float64 {
	switch k {
	case KindBeat, KindRoles:
		return 0.3 // a person makes neither
	case KindPool, KindNight:
		return 0.2
	case KindFailed, KindFallback: // many people choose one or two public resolvers
		return 0.1
	case KindPlace:
		return 0.05 // says where, not what
	}
	return 0
}

// reasons returns the sentences that explain a verdict, the deciding one first.
func (c *Classifier) reasons(t *track, f *Finding, j judgement) []string {
	out := []string{j.why}
	out = append(out, j.caps...)
	out = append(out, c.barSentences(t, f)...)
	if s := best(f); s != "" {
		out = append(out, s)
	}
	if f.Behind != nil {
		out = append(out, "The host "+f.Behind.Words+".")
	}
	if s := c.stateSentence(t, f); s != "" {
		out = append(out, s)
	}
	if n, of := t.contact.Clock(); of >= aroundClock {
		out = append(out, fmt.Sprintf("Contact by day and by night: in %d hours, at %d of the day's 24.", n, of))
	}
	return out
}

// best names the strongest piece of evidence.
func best(f *Finding) string {
	for i := range f.Evidence {
		e := &f.Evidence[i]
		if !e.Supports || e.Strength < feeds.Medium {
			continue
		}
		return fmt.Sprintf("Strongest: %s %q (%s, %s), seen %s.", word(e.Kind), e.Value, e.Role, e.Strength, times(e.Count))
	}
	return ""
}

func word(k Kind) string { return strings.ReplaceAll(k.String(), "_", " ") }

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// barSentences returns what did not count, if that is not the verdict's own reason.
func (c *Classifier) barSentences(t *track, f *Finding) (out []string) {
	say := func(n uint32, s string) {
		if n > 0 {
			out = append(out, s)
		}
	}
	if f.Verdict > Possible {
		say(t.barred[barTool], "Evidence from "+t.tool+" did not count.")
	}
	say(t.barred[barResolver], "DNS queries made as resolvers make them did not count.")
	if t.barred[barBuiltin] > 0 && f.Verdict > Possible {
		out = append(out, "Names that the operating system uses by itself did not count.")
	}
	if t.oem != nil {
		out = append(out, "The engine is built into "+t.oem.OEM+".")
	}
	return out
}

func (c *Classifier) stateSentence(t *track, f *Finding) string {
	switch f.State {
	case Blocked:
		n, what := c.failuresNow(t)
		return fmt.Sprintf("All %d recent %s failed: the product still runs, but its traffic is blocked.", n, what)
	case Quiet:
		return fmt.Sprintf("No contact since %s, although the host was seen later.", stamp(c.lastTouch(t)))
	case Returned:
		return fmt.Sprintf("Contact resumed at %s after more than 48 hours.", stamp(t.returned))
	}
	return ""
}

// failuresNow returns how many attempts failed since the last that worked, and what kind of attempts they were.
func (c *Classifier) failuresNow(t *track) (n uint32, what string) {
	from, heard := t.host.active.Back(blockedHours), c.heard(t.host)
	_, flows := t.tries.since(from, heard)
	_, refused := t.asks.since(from, heard)
	if flows == 0 {
		return refused, "DNS queries"
	}
	return flows + refused, "connection attempts"
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// refutedReason says in one sentence that round trips rule out the places that databases name; "" if none is ruled out.
func refutedReason(list []Destination) string {
	var n int
	var least *Destination
	for i := range list {
		if d := &list[i]; d.Place.Refuted != nil {
			n++
			if least == nil || d.Place.Refuted.RTT < least.Place.Refuted.RTT {
				least = d
			}
		}
	}
	if n == 0 {
		return ""
	}
	r := least.Place.Refuted
	return fmt.Sprintf("%d of %d destinations cannot be where the databases place them: %s answered in %.1f ms, so it is within %.0f km of the sensor, "+
		"unless a proxy or middlebox near the sensor answered in its place.", n, len(list), least.Address, float64(r.RTT)/float64(time.Millisecond), r.MaxKM)
}
