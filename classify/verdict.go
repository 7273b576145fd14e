package classify

import (
	"cmp"
	"fmt"
	"math/bits"
	"strings"

	"avbeacon/feeds"
)

// judgement is a verdict and the sentence that earns it, with what holds it back.
type judgement struct {
	verdict Verdict
	why     string
	caps    []string // sentences
}

// judge reads the verdict from what a track shows. The order of the cases is the order of the scale, surest first.
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

// lesser reads the verdicts below likely.
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

// console makes LAN ports strong where a second vendor port on the same server was used, or where that server itself
// calls the vendor.
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

func (c *Classifier) callsVendor(u consoleUse, v *feeds.Vendor) bool {
	s := c.hosts.find(u.server)
	if s == nil {
		return false
	}
	t := s.track(v)
	return t != nil && t.calls()
}

// calls says that the host called or looked up a strong name of the vendor.
func (t *track) calls() bool {
	f := t.facts()
	return f.flowSessions > 0 || f.lookups > 0
}

// String lists kinds of sign.
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
