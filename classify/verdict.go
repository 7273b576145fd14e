package classify

import (
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
		j.caps = append(j.caps, fmt.Sprintf("The host acts as %s, so the signs speak of its clients.", article(roles[0])))
	}
	if t.listed > 0 && t.ownContacts == 0 && j.verdict != NoVerdict {
		j.verdict = min(j.verdict, Possible)
		j.caps = append(j.caps, fmt.Sprintf("Names of %d vendors were looked up within an hour without a flow: a list is being checked.", t.listed))
	}
	return j
}

func article(r HostRole) string { return "a " + r.String() }

func scale(t *track, f *facts) judgement {
	switch {
	case f.twoKinds != 0:
		return judgement{verdict: Installed, why: "Strong signs of several kinds stand in one session: " + f.twoKinds.String() + "."}
	case f.flowSessions > 0 && f.strongBoth >= 2:
		return judgement{verdict: Installed, why: fmt.Sprintf("Strong signs stand in %d sessions, %d of them with a flow.", f.strongBoth, f.flowSessions)}
	case bits.OnesCount32(f.lookRoles) >= 2 && f.lookSessions >= 2 && !t.host.did.asksAsResolver():
		return judgement{verdict: Installed, why: fmt.Sprintf("Names of %d roles (%s) were looked up over %d sessions.",
			bits.OnesCount32(f.lookRoles), roleList(f.lookRoles), f.lookSessions)}
	case f.flowSessions > 0:
		return judgement{verdict: Likely, why: "There is one strong flow."}
	case f.lookups >= 3 && f.lookSessions >= 2:
		return judgement{verdict: Likely, why: fmt.Sprintf("A strong name was looked up %d times over %d sessions.", f.lookups, f.lookSessions)}
	case bits.OnesCount32(uint32(f.medium)) >= 2:
		return judgement{verdict: Likely, why: "There are two kinds of sign of medium strength or more: " + f.medium.String() + "."}
	case bits.OnesCount32(f.roles) >= 2:
		return judgement{verdict: Likely, why: "Names of two roles of medium strength or more were used: " + roleList(f.roles) + "."}
	case f.portHours >= 2:
		return judgement{verdict: Likely, why: fmt.Sprintf("A console port in the vendor's own network was called in %d hours.", f.portHours)}
	}
	return lesser(t, f)
}

// lesser reads the verdicts below likely.
func lesser(t *track, f *facts) judgement {
	switch {
	case f.lookups > 0:
		return judgement{verdict: Possible, why: "A strong name was looked up, which one look-up alone does not prove."}
	case f.medium != 0:
		return judgement{verdict: Possible, why: "There is one kind of sign of medium strength: " + f.medium.String() + "."}
	case t.barred[barBuiltin] > 0:
		return judgement{verdict: Possible, why: "These names belong to a product that is built into the system, whatever antivirus runs."}
	case t.barred[barOEM] > 0:
		return judgement{verdict: Possible, why: "The vendor's engine is part of another product."}
	case t.barred[barTool] > 0 || f.toolLookups:
		return judgement{verdict: Possible, why: fmt.Sprintf("The signs come from %s, a tool that a person or a script runs.", t.tool)}
	case t.barred[barResolver] > 0:
		return judgement{verdict: Possible, why: "The names were asked as resolvers ask, for somebody else."}
	}
	if why := visit(t, f); why != "" {
		return judgement{verdict: Visit, why: why}
	}
	return judgement{}
}

// visit says what a person did, "" where nothing shows one.
func visit(t *track, f *facts) string {
	burst := ""
	if f.pages >= 5 {
		burst = fmt.Sprintf(", up to %d connections in one session,", f.pages)
	}
	web, download, content := t.visited[feeds.RoleWeb], t.visited[feeds.RoleDownload], t.visited[feeds.RoleCDN]
	switch {
	case web && download:
		return "Only the vendor's web site and downloads were called" + burst + " as a person with a browser does; nothing of update or reputation shows that a product runs."
	case download:
		return "Only downloads were fetched" + burst + " of an installer or of a tool that runs once; nothing of update or reputation shows that a product runs."
	case web:
		return "Only the vendor's web site was called" + burst + " as a person with a browser does; nothing of update or reputation shows that a product runs."
	case content:
		return "Only content that web pages show was called" + burst + " as a browser does; nothing of update or reputation shows that a product runs."
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
