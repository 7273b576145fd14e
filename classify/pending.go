package classify

import (
	"net/netip"
	"time"

	"avbeacon/feeds"
)

// answerWait is how long a look-up waits for its answer: what resolvers wait before they give up (RFC 1035 7.2 and the
// usual 5 s of stub resolvers).
const answerWait = 5 * time.Second

type lookupKey struct {
	client, server netip.AddrPort
	id             uint16
	name           string
}

// lookup is one DNS question for a vendor's name. What the server answers tells whether a client asked or a resolver.
type lookup struct {
	key         lookupKey
	host        *host
	name        string
	kind        uint16 // of the question, see kindOfQuestion
	entries     []*feeds.Entry
	time        time.Time
	frame       FrameRef
	noRecursion bool
	through     netip.Addr // the forwarder that asked for the host, invalid where it asked itself
	server      netip.Addr
	gone        bool   // judged
	ttl         uint32 // of the answer, seconds; 0 where it has none
}

// reply is how a look-up was answered.
type reply uint8

const (
	unanswered    reply = iota
	answered            // without an address
	failed              // SERVFAIL
	resolved            // with one
	refused             // NXDOMAIN, REFUSED, or an address that leads nowhere
	authoritative       // by a server that answers for itself alone: AA or a referral, without RA
)

// pendingTable holds look-ups until their answer comes, and a while longer, so that a packet captured twice is known again.
// When full the oldest is judged without an answer.
type pendingTable struct {
	open  map[lookupKey]*lookup
	order fifo[*lookup]
}

func newPendingTable(most int) pendingTable {
	return pendingTable{open: map[lookupKey]*lookup{}, order: newFIFO[*lookup](most)}
}

// add puts a look-up in, unless it is there already: a question sent or captured again. The one it gives back (nil where
// there is room) is to be judged now.
func (t *pendingTable) add(l *lookup) (out *lookup) {
	if t.open[l.key] != nil {
		return nil
	}
	if t.order.full() {
		if x := t.pop(); !x.gone {
			x.gone = true
			out = x
		}
	}
	t.open[l.key] = l
	t.order.push(l)
	return out
}

// pop takes out the oldest.
func (t *pendingTable) pop() *lookup {
	l := t.order.pop()
	delete(t.open, l.key)
	return l
}

// take gives the look-up that an answer belongs to, nil where none waits; again says that it was answered before.
func (t *pendingTable) take(k lookupKey) (l *lookup, again bool) {
	l = t.open[k]
	if l == nil || l.gone {
		return nil, l != nil
	}
	l.gone = true
	return l, false
}

// oldest takes the look-up that waits longest.
func (t *pendingTable) oldest() (*lookup, bool) {
	for t.order.n > 0 {
		if l := t.pop(); !l.gone {
			l.gone = true
			return l, true
		}
	}
	return nil, false
}

// expired takes the look-up that waits longest, if it waited long enough.
func (t *pendingTable) expired(now time.Time) (*lookup, bool) {
	for t.order.n > 0 && now.Sub(t.order.peek().time) >= answerWait {
		if l := t.pop(); !l.gone {
			l.gone = true
			return l, true
		}
	}
	return nil, false
}
