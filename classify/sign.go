package classify

import (
	"time"

	"avbeacon/feeds"
)

// bar is why a sign does not count for a product on the host itself.
type bar uint8

const (
	barNone     bar = iota
	barTool         // a person's tool (wget, curl ...) made it
	barResolver     // a resolver's query
	barBuiltin      // part of the operating system
	barOEM          // part of another product
	barOther        // another host's DNS query named the address
)

// sign is one sighting of one catalogue entry.
type sign struct {
	entry    *feeds.Entry
	kind     Kind
	value    string         // identifiers hidden
	strength feeds.Strength // the entry's, or less
	time     time.Time
	frame    FrameRef
	flow     *flow    // nil for a DNS query
	ttl      uint32   // of the answer to a DNS query, seconds; 0 if it has none
	asked    question // valid iff flow is nil
	bar      bar
	tool     string // valid iff bar is barTool
	why      string // "" for the kind's own sentence
}

// family groups Kinds for counting: all Kinds that show a name are one family. Values are bits.
type family uint32

// The families, in the order in which family.String names them.
const (
	famName family = 1 << iota
	famCertificate
	famIssuer
	famPath
	famQuery
	famUserAgent
	famHeader
	famBody
	famPayload
	famPort
	famLANPort
	famFallback
)

// families gives each Kind its family; 0 is one that counts for no verdict by itself.
var families = [...]family{KindLookup: famName, KindSNI: famName, KindHTTPHost: famName, KindConnect: famName, KindDerived: famName,
	KindOther: famName, KindCertificate: famCertificate, KindIssuer: famIssuer, KindPath: famPath, KindQuery: famQuery,
	KindUserAgent: famUserAgent, KindHeader: famHeader, KindBody: famBody, KindPayload: famPayload, KindPort: famPort,
	KindLANPort: famLANPort, KindNetwork: 0, KindFallback: famFallback, KindAgainst: 0}

// session is a run of starts at most 30 s apart, and the unbarred signs in it. It is what makes evidence independent: a product's one
// update may make a dozen connections, which prove no more than one of them.
type session struct {
	start, last int64 // nanoseconds since 1970

	strong      family // kinds of strong sign
	medium      family // kinds of medium or strong sign on flows
	roles       uint32 // bitmap of the roles of those
	strongFlow  bool
	anyFlow     bool   // a flow that no tool made
	tool        bool   // a tool's flow
	pages       uint32 // signs of web browsing: connections that a page loads
	lookStrong  uint32
	lookRoles   uint32 // roles of strong DNS queries
	lookMedium  bool   // a medium or strong DNS query
	lookAll     uint32 // roles of medium or strong DNS queries
	cloudPort   bool   // a console port in the vendor's own network
	lanPort     bool
	strongRoles uint32 // roles of strong signs on flows
}

// sessionGap is how long after the last start a session ends.
const sessionGap = int64(30 * time.Second)

// maxSessions is how many sessions a track keeps; older ones are folded into track.past.
const maxSessions = 24

// sessionAt returns the session that a start falls into and makes one if there is none. Late starts find their session while it is kept.
func (t *track) sessionAt(at int64) *session {
	for i := len(t.sessions) - 1; i >= 0; i-- {
		s := &t.sessions[i]
		if at >= s.start-sessionGap && at <= s.last+sessionGap {
			s.start, s.last = min(s.start, at), max(s.last, at)
			return s
		}
	}
	if len(t.sessions) >= maxSessions {
		t.past.fold(&t.sessions[0])
		t.sessions = append(t.sessions[:0], t.sessions[1:]...)
	}
	t.stirred = true
	t.sessions = append(t.sessions, session{start: at, last: at})
	return &t.sessions[len(t.sessions)-1]
}

// note adds an unbarred sign to the session.
func (s *session) note(g *sign) {
	fam, role := families[g.kind], uint32(1)<<g.entry.Role
	if !hasRole(g.entry.Role) {
		role = 0
	}
	if g.flow == nil {
		s.noteLookup(g, role)
		return
	}
	s.anyFlow = true
	if g.strength < feeds.Medium {
		return
	}
	s.medium |= fam
	s.roles |= role
	s.cloudPort = s.cloudPort || g.kind == KindPort && g.entry.Need == feeds.NeedNetwork
	s.lanPort = s.lanPort || g.kind == KindLANPort
	if g.strength == feeds.Strong {
		s.strong |= fam
		s.strongRoles |= role
		s.strongFlow = true
	}
}

// noteLookup keeps DNS queries apart from connections: a query shows that a name was wanted, not that its server was reached.
func (s *session) noteLookup(g *sign, role uint32) {
	if g.strength < feeds.Medium {
		return
	}
	s.lookMedium = true
	s.lookAll |= role
	if g.strength == feeds.Strong {
		s.lookStrong++
		s.lookRoles |= role
	}
}

// facts sums up all sessions of a track. The verdict is read from it alone.
type facts struct {
	twoKinds     family // strong kinds of the first session that showed two
	flowSessions int    // with a strong sign on a flow
	lookSessions int    // with a strong DNS query
	strongBoth   int    // sessions with a strong sign of either sort
	lookups      uint32 // strong DNS queries
	lookRoles    uint32
	medium       family
	roles        uint32
	portHours    int
	lastPortHour int64
	lanSessions  int
	pages        uint32 // most of one session
	toolLookups  bool   // medium or strong DNS queries that a tool's flow explains
}

// fold adds one session. DNS queries of a session in which only a tool connected are the tool's and do not count. Two kinds count only
// if one session showed both, which is why twoKinds is set here and not computed from the sums.
func (f *facts) fold(s *session) {
	looks := s.lookMedium && (!s.tool || s.anyFlow)
	if s.lookMedium && !looks {
		f.toolLookups = true
	}
	strong := s.strong
	if looks && s.lookStrong > 0 && strong != 0 {
		strong |= famName
	}
	if f.twoKinds == 0 && strong&(strong-1) != 0 {
		f.twoKinds = strong
	}
	f.medium |= s.medium
	f.roles |= s.roles
	if looks {
		f.medium |= famName
		f.roles |= s.lookAll
		f.lookups += s.lookStrong
		f.lookRoles |= s.lookRoles
	}
	strongLook := looks && s.lookStrong > 0
	f.pages = max(f.pages, s.pages)
	count(&f.flowSessions, s.strongFlow)
	count(&f.lookSessions, strongLook)
	count(&f.strongBoth, s.strongFlow || strongLook)
	count(&f.lanSessions, s.lanPort)
	if hour := floorDiv(s.start, int64(time.Hour)); s.cloudPort && (f.portHours == 0 || hour != f.lastPortHour) {
		f.portHours, f.lastPortHour = f.portHours+1, hour
	}
}

func count(n *int, is bool) {
	if is {
		*n++
	}
}

// facts sums up the sessions.
func (t *track) facts() facts {
	f := t.past
	for i := range t.sessions {
		f.fold(&t.sessions[i])
	}
	if t.fallback.steps() >= fallbackMedium {
		f.medium |= famFallback
	}
	return f
}
