package classify

import "avbeacon/feeds"

// agent is what a User-Agent says, whoever sends it.
type agent struct {
	entries []*feeds.Entry // of vendors
	tool    string
	browser bool
	system  systems
	edition editions
	hash    uint32
}

// agentCache remembers what User-Agents say: a network sends few different ones, and each costs many expressions.
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

// of gives what a User-Agent says; nil for none.
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
