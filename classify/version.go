package classify

import (
	"regexp"
	"strings"

	"avbeacon/capture"
)

// version reads product and version from a request, where they stand in the open.
func (c *Classifier) version(t *track, obs *capture.Observation, g *sign) {
	if g.bar != barNone || g.flow != nil && g.flow.tool != "" {
		return
	}
	switch g.kind {
	case KindUserAgent:
		if v := agentVersion.FindStringSubmatch(obs.Req.UserAgent); v != nil {
			t.version = v[1]
		}
	case KindQuery:
		_, query, _ := strings.Cut(obs.Req.URI, "?")
		if v := field(query, "act-pv="); plainVersion.MatchString(v) {
			t.version = v
		}
		if p := field(query, "act-pid="); plainWord.MatchString(p) {
			t.product = p
		}
	}
}

// field gives the value behind a key in a query, "" where it is not there.
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
	agentVersion = regexp.MustCompile(`[-/ ]v?(\d{1,5}(?:\.\d{1,6}){1,4})(?:[^\d.]|$)`)
	plainVersion = regexp.MustCompile(`^\d{1,5}(\.\d{1,6}){0,4}$`)
	plainWord    = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]{0,15}$`)
)
