package classify

import "avbeacon/feeds"

// weight says how much one sighting of a sign weighs, 0 to 1. It orders evidence and is shown beside it; the verdict
// itself is read from kinds, roles and sessions (verdict.go), never from a sum.
func weight(k Kind, s feeds.Strength) float64 {
	base := [...]float64{feeds.None: 0, feeds.Weak: 0.1, feeds.Medium: 0.4, feeds.Strong: 0.9}[min(s, feeds.Strong)]
	return base * kindWeight[min(k, KindAgainst)]
}

// kindWeight is how well each kind of sign ties what was seen to the host and the vendor.
var kindWeight = [...]float64{
	KindUserAgent:   1.0, // the product names itself
	KindHeader:      1.0,
	KindIssuer:      1.0,
	KindPayload:     1.0,
	KindSNI:         0.95, // a flow to the vendor by name
	KindHTTPHost:    0.95,
	KindConnect:     0.95,
	KindPath:        0.9, // a mirror serves the same
	KindQuery:       0.9,
	KindDerived:     0.8, // the name was not on the wire
	KindBody:        0.7, // anybody gets the same bytes
	KindCertificate: 0.6,
	KindLookup:      0.5, // a question is no contact
	KindLANPort:     0.5,
	KindPort:        0.5,
	KindOther:       0.3,
	KindNetwork:     0.3, // an address alone
	KindFallback:    1.0, // three resolvers in the documented order
	KindAgainst:     0,
}

// behaviourWeight says how much a piece of behaviour weighs beside the signs it is made of. A beat's is multiplied by its
// score.
func behaviourWeight(k Kind) float64 {
	switch k {
	case KindBeat, KindRoles:
		return 0.3 // a person makes neither
	case KindPool, KindNight:
		return 0.2
	case KindFailed, KindFallback: // one or two public resolvers are many people's choice
		return 0.1
	case KindPlace:
		return 0.05 // says where, not what
	}
	return 0
}
