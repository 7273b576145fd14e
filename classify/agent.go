package classify

import (
	"regexp"
	"strconv"
	"strings"

	"avbeacon/capture"
	"avbeacon/feeds"
)

// agent is what a User-Agent shows, whoever sends it.
type agent struct {
	entries []*feeds.Entry // of vendors
	tool    string
	browser bool
	system  systems
	edition editions
	hash    uint32
}

// agentCache caches agents: a network sends few different User-Agents, and each costs many expressions.
type agentCache struct {
	catalog *feeds.Catalog
	known   map[string]*agent
}

// maxAgents is how many User-Agents are remembered; then all are forgotten. maxAgentLength keeps the memory small.
const (
	maxAgents      = 2048
	maxAgentLength = 512
)

func newAgentCache(c *feeds.Catalog) agentCache {
	return agentCache{catalog: c, known: map[string]*agent{}}
}

// of returns what a User-Agent shows; nil for "".
func (c *agentCache) of(ua string) *agent {
	if ua == "" {
		return nil
	}
	if len(ua) > maxAgentLength {
		ua = ua[:maxAgentLength]
	}
	if a := c.known[ua]; a != nil {
		return a
	}
	a := &agent{tool: c.catalog.Tool(ua), browser: c.catalog.Browser(ua), system: systemOf(ua), edition: editionOf(ua), hash: hashText(ua)}
	for _, e := range c.catalog.MatchUserAgent(ua) {
		if e.Vendor != nil {
			a.entries = append(a.entries, e)
		}
	}
	if len(c.known) >= maxAgents {
		clear(c.known)
	}
	c.known[ua] = a
	return a
}

// version reads product and version from a request: from the User-Agent or the query, else from the path, which often has the major
// version only.
func (c *Classifier) version(t *track, obs *capture.Observation, g *sign) {
	if g.bar != barNone || g.flow != nil && g.flow.tool != "" {
		return
	}
	path, query, _ := strings.Cut(pathOf(obs.Req.URI), "?")
	switch g.kind {
	case KindUserAgent:
		version := agentVersion(obs.Req.UserAgent)
		t.is(agentProduct(obs.Req.UserAgent), version)
		t.takesTurns(obs.Req.UserAgent, version)
	case KindQuery:
		product, version := field(query, "act-pid="), field(query, "act-pv=")
		if !plainWord.MatchString(product) {
			product = ""
		}
		if !plainVersion.MatchString(version) {
			version = ""
		}
		t.is(product, version)
	case KindPath:
		if v := pathVersion(path); v != "" && !t.versionSure {
			t.version = v
		}
	}
}

// is sets what a User-Agent or a query named; "" changes nothing.
func (t *track) is(product, version string) {
	if product != "" {
		t.product = product
	}
	if version != "" {
		t.version, t.versionSure = version, true
	}
}

// agentVersion returns the first number in a User-Agent that is a product's version, not an operating system's or one that
// browsers send for compatibility.
func agentVersion(ua string) string {
	if m := avgBuild.FindStringSubmatch(ua); m != nil {
		return m[1] + " build " + m[2]
	}
	for _, m := range versions.FindAllStringSubmatchIndex(ua, -1) {
		if !ofSystem.MatchString(ua[:m[2]]) {
			return ua[m[2]:m[3]]
		}
	}
	return ""
}

// agentProduct returns the product that a User-Agent names by the vendor's own short word, "" if it names none.
func agentProduct(ua string) string {
	for _, re := range [...]*regexp.Regexp{esetApp, avastEdition} {
		if m := re.FindStringSubmatch(ua); m != nil {
			return m[1]
		}
	}
	return ""
}

// pathVersion returns the version that an update path names: /eset_upd/v10/, /xmlzone/release/1120/, /softw/90/.
func pathVersion(path string) string {
	if m := wholePath.FindStringSubmatch(path); m != nil {
		return m[1]
	}
	m := packedPath.FindStringSubmatch(path)
	if m == nil {
		return ""
	}
	if m[1] != "" { // 600, 1120: hundreds
		n, _ := strconv.Atoi(m[1])
		return strconv.Itoa(n/100) + "." + strconv.Itoa(n%100/10)
	}
	n, _ := strconv.Atoi(m[2]) // 90: tens
	return strconv.Itoa(n/10) + "." + strconv.Itoa(n%10)
}

// field returns the value behind a key in a query, "" if it is absent.
func field(query, key string) string {
	for len(query) > 0 {
		var p string
		p, query, _ = strings.Cut(query, "&")
		if v, ok := strings.CutPrefix(p, key); ok {
			return v
		}
	}
	return ""
}

var (
	versions     = regexp.MustCompile(`(?:^|[-/ ])v?(\d{1,5}(?:\.\d{1,6}){1,4})\b`)
	ofSystem     = regexp.MustCompile(`(?i)(?:mozilla|\bnt|windows:?|os|os x|android|linux|sp|darwin|applewebkit|gecko)[-/: ]+v?$`)
	avgBuild     = regexp.MustCompile(`^AVG[A-Z]+(\d{1,3})\b.*\bBUILD=(\d{1,6})\b`)
	esetApp      = regexp.MustCompile(`^E[A-Z]{2,5} Update .*\bAPP (?:: ?)?([a-z]{2,8})\b`)
	avastEdition = regexp.MustCompile(`^Syncer/.*\((av_[a-z]{2,12})\b`)
	wholePath    = regexp.MustCompile(`^/(?:eset_upd/(?:v|ep)|android/)(\d{1,3}(?:\.\d{1,4}){0,3})/`)
	packedPath   = regexp.MustCompile(`^/(?:(?:xmlzone/(?:release|beta)|unix|x86|x64)/(\d{3,4})|softw/(\d{2,3}))/`)
	plainVersion = regexp.MustCompile(`^\d{1,5}(\.\d{1,6}){0,4}$`)
	plainWord    = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]{0,15}$`)
)

// turns follows the versions that one program's User-Agent names. Updates go one way; alternating versions are two machines'.
type turns struct {
	program uint32 // the User-Agent without its numbers: some change with every update of signatures
	last    uint32
	seen    smallSet
	back    uint8 // how often an older version came back
}

// maxPrograms is how many programs of one vendor are followed on a host, and enoughTurns how often an older version must come
// back: once may be a downgrade.
const (
	maxPrograms = 4
	enoughTurns = 2
)

// takesTurns notes the version in a User-Agent.
func (t *track) takesTurns(agent, version string) {
	if version == "" {
		return
	}
	program, v := hashText(strings.Map(noDigit, agent)), hashText(version)
	for i := range t.turns {
		u := &t.turns[i]
		if u.program != program {
			continue
		}
		if u.last != v && u.seen.has(v) && u.back < enoughTurns {
			u.back++
		}
		u.last = v
		u.seen.add(v)
		if u.back >= enoughTurns {
			t.host.did.versions = max(t.host.did.versions, u.seen.n)
		}
		return
	}
	if len(t.turns) < maxPrograms {
		u := turns{program: program, last: v}
		u.seen.add(v)
		t.turns = append(t.turns, u)
	}
}

func (u *turns) code(c *coder) {
	code(c, &u.program)
	code(c, &u.last)
	u.seen.code(c)
	code(c, &u.back)
}

func noDigit(r rune) rune {
	if r >= '0' && r <= '9' {
		return -1
	}
	return r
}
