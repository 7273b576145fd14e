package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"avbeacon/classify"
)

// Suppression is a compiled SuppressionRule: alerts for findings that it matches are not sent. Every list that is set must
// match. Roles and domains must cover all significant evidence of the finding, so that a rule for one domain does not hide
// anything else the host shows. It is immutable.
type Suppression struct {
	SuppressionRule
	hosts   hostMatcher
	domains []domain
}

// MaxSuppressions bounds the number of suppressions, not of the entries in their lists.
const MaxSuppressions = 10000

// NewSuppression checks and compiles a rule. A rule without an ID gets SuppressionID's. The error names the field and says
// what to write.
func NewSuppression(c SuppressionRule) (*Suppression, error) {
	s := &Suppression{SuppressionRule: c}
	if s.ID == "" {
		s.ID = SuppressionID(&c)
	}
	errs := []error{required(&c), roleWords(c.Roles)}
	var err error
	if s.hosts, err = newHostMatcher(c.Hosts); err != nil {
		errs = append(errs, fmt.Errorf("hosts%w", err))
	}
	for i, word := range c.Domains {
		d, err := newDomain(word)
		if err != nil {
			errs = append(errs, fmt.Errorf("domains[%d]: %w", i, err))
		}
		s.domains = append(s.domains, d)
	}
	for i, key := range c.Vendors {
		if key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			errs = append(errs, fmt.Errorf("vendors[%d]: %q is not a vendor key; write one of the catalogue's, in lower-case letters and digits", i, key))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

func required(c *SuppressionRule) error {
	switch {
	case strings.TrimSpace(c.Reason) == "":
		return errors.New("reason: is missing; write why these findings are suppressed")
	case strings.TrimSpace(c.Author) == "":
		return errors.New("author: is missing; write who decided it")
	case len(c.Hosts)+len(c.Vendors)+len(c.Roles)+len(c.Domains) == 0:
		return errors.New("it names no hosts, vendors, roles or domains; for everything write domains: [.]")
	}
	return nil
}

// Roles returns the words allowed in SuppressionRule.Roles: purposes of names (from "unknown" on) and roles of hosts (from
// "resolver" on).
func Roles() []string {
	return []string{"unknown", "update", "reputation", "telemetry", "licensing", "push", "management", "crash", "web", "download", "cdn",
		"resolver", "proxy", "nat", "server", "endpoint"}
}

func roleWords(list []string) error {
	for i, r := range list {
		if !slices.Contains(Roles(), r) {
			return fmt.Errorf("roles[%d]: unknown role %q; write one of %s", i, r, strings.Join(Roles(), ", "))
		}
	}
	return nil
}

// SuppressionID derives an ID from what a rule matches. Author, reason and expiry do not change it.
func SuppressionID(c *SuppressionRule) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", c.Hosts, c.Vendors, c.Roles, c.Domains))
	return "s-" + hex.EncodeToString(sum[:5])
}

// Live says whether the rule has not expired at time now.
func (s *Suppression) Live(now time.Time) bool { return s.Expires.IsZero() || now.Before(s.Expires) }

// Matches says whether the rule matches a finding; it ignores expiry.
func (s *Suppression) Matches(f *classify.Finding) bool {
	h := hostOf(f)
	return s.matchesHost(&h, f.Vendor.Key) && s.matchesEvidence(f)
}

// Outside explains a near miss: if the rule covers only a part of the finding's significant evidence, it returns the roles and
// names that the rule lacks, at most most of them. It returns nil if the rule matches the finding or none of its evidence.
func (s *Suppression) Outside(f *classify.Finding, most int) []string {
	h := hostOf(f)
	if !s.matchesHost(&h, f.Vendor.Key) || s.matchesEvidence(f) {
		return nil
	}
	var out []string
	part, least := false, leastStrength(f)
	check := func(word string, in bool) {
		part = part || in
		if !in && len(out) < most && !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	for i := range f.Evidence {
		e := &f.Evidence[i]
		if !e.Supports || uint8(e.Strength) < least {
			continue
		}
		if len(s.Roles) > 0 && !s.hostRole(f) && e.Role != 0 {
			check(e.Role.String(), slices.Contains(s.Roles, e.Role.String()))
		}
		if len(s.Domains) > 0 && isName(e.Kind) {
			check(e.Value, s.under(e.Value))
		}
	}
	if !part {
		return nil
	}
	return out
}

// matchesHost says whether hosts and vendors match. A Book can check that without the finding.
func (s *Suppression) matchesHost(h *Host, vendor string) bool {
	return (s.hosts.empty() || s.hosts.matches(h)) && (len(s.Vendors) == 0 || slices.Contains(s.Vendors, vendor))
}

// needsFinding says whether the rule has conditions that only the finding can answer.
func (s *Suppression) needsFinding() bool { return len(s.Roles)+len(s.Domains) > 0 }

// matchesEvidence says whether roles and domains match the finding's evidence.
func (s *Suppression) matchesEvidence(f *classify.Finding) bool {
	return (len(s.Roles) == 0 || s.hostRole(f) || s.coversRoles(f)) && (len(s.domains) == 0 || s.coversNames(f))
}

func (s *Suppression) hostRole(f *classify.Finding) bool {
	for _, r := range f.HostRoles {
		if slices.Contains(s.Roles, r.String()) {
			return true
		}
	}
	return slices.Contains(s.Roles, f.HostRole.String()) && f.HostRole != classify.HostUnknown
}

// coversRoles says whether the list has every known role of significant evidence, and at least one is there. "unknown" matches
// evidence without a role.
func (s *Suppression) coversRoles(f *classify.Finding) bool {
	least, any := leastStrength(f), false
	for i := range f.Evidence {
		e := &f.Evidence[i]
		if !e.Supports || uint8(e.Strength) < least {
			continue
		}
		in := slices.Contains(s.Roles, e.Role.String())
		if !in && e.Role != 0 {
			return false
		}
		any = any || in
	}
	return any
}

// coversNames says whether every name in significant evidence is under one of the domains, and there is at least one. The root
// matches every finding.
func (s *Suppression) coversNames(f *classify.Finding) bool {
	if slices.Contains(s.domains, "") {
		return true
	}
	least, any := leastStrength(f), false
	for i := range f.Evidence {
		e := &f.Evidence[i]
		if !e.Supports || uint8(e.Strength) < least || !isName(e.Kind) {
			continue
		}
		if !s.under(e.Value) {
			return false
		}
		any = true
	}
	return any
}

func (s *Suppression) under(name string) bool {
	return slices.ContainsFunc(s.domains, func(d domain) bool { return d.holds(name) })
}

// leastStrength returns the least strength of significant evidence: medium, or any strength if nothing is that strong.
func leastStrength(f *classify.Finding) (least uint8) {
	for i := range f.Evidence {
		if e := &f.Evidence[i]; e.Supports && e.Strength >= medium {
			return medium
		}
	}
	return 0
}

// medium is feeds.Medium.
const medium = 2

func isName(k classify.Kind) bool {
	switch k {
	case classify.KindLookup, classify.KindSNI, classify.KindHTTPHost, classify.KindConnect, classify.KindDerived, classify.KindCertificate:
		return true
	}
	return false
}

// stored is the stored form of a suppression.
type stored struct {
	ID      string    `json:"id"`
	Hosts   []string  `json:"hosts,omitempty"`
	Vendors []string  `json:"vendors,omitempty"`
	Roles   []string  `json:"roles,omitempty"`
	Domains []string  `json:"domains,omitempty"`
	Reason  string    `json:"reason"`
	Author  string    `json:"author"`
	Expires time.Time `json:"expires,omitzero"`
}

// MarshalJSON returns the stored form.
func (s *Suppression) MarshalJSON() ([]byte, error) { return json.Marshal(stored(s.SuppressionRule)) }

// ReadSuppression reads what MarshalJSON wrote, and checks it.
func ReadSuppression(body []byte) (*Suppression, error) {
	var x stored
	if err := json.Unmarshal(body, &x); err != nil {
		return nil, fmt.Errorf("read suppression: %w", err)
	}
	return NewSuppression(SuppressionRule(x))
}

// NewSuppressions makes the suppressions of a configuration. The error names the key of a wrong one.
func NewSuppressions(list []SuppressionRule) ([]*Suppression, error) {
	out := make([]*Suppression, len(list))
	for i := range list {
		s, err := NewSuppression(list[i])
		if err != nil {
			return nil, fmt.Errorf("alerts.suppress[%d]: %w", i, err)
		}
		out[i] = s
	}
	return out, nil
}

// Suppressions returns the suppressions in force, as the last Suppress got them. The slice is the Book's.
func (b *Book) Suppressions() []*Suppression { return b.suppressions }

// Suppress replaces all suppressions, those of the configuration and those of the store. What a removed one held back is sent
// with the next Tick, or when its finding is judged next.
func (b *Book) Suppress(list []*Suppression) error {
	if len(list) > MaxSuppressions {
		return fmt.Errorf("%d suppressions are too many: at most %d", len(list), MaxSuppressions)
	}
	byID := make(map[string]*Suppression, len(list))
	for _, s := range list {
		if byID[s.ID] != nil {
			return fmt.Errorf("the id %q is used twice; give each suppression its own", s.ID)
		}
		byID[s.ID] = s
	}
	b.suppressions, b.byID = slices.Clone(list), byID
	b.needFinding = slices.DeleteFunc(slices.Clone(list), func(s *Suppression) bool { return !s.needsFinding() })
	for r := b.order.first; r != nil; r = r.next {
		if o := r.pending; o != nil && o.silence == Silenced {
			o.until = b.expiry(o.by)
			b.schedule(r)
		}
	}
	return nil
}

// expiry returns when a suppression ends: the zero time for never, now if it no longer exists.
func (b *Book) expiry(id string) time.Time {
	if s := b.byID[id]; s != nil {
		return s.Expires
	}
	return b.now
}

// suppression returns the first suppression that matches at time t, or nil.
func (b *Book) suppression(r *record, t time.Time) *Suppression {
	for _, s := range b.suppressions {
		if b.silences(s, r, t) {
			return s
		}
	}
	return nil
}

func (b *Book) silences(s *Suppression, r *record, t time.Time) bool {
	return s.Live(t) && s.matchesHost(&r.last.Host, r.last.Vendor.Key) && (!s.needsFinding() || slices.Contains(r.matching, s.ID))
}

// noteMatching records which suppressions' roles and domains match the finding: silences needs that when the finding is not at hand.
func (b *Book) noteMatching(r *record, f *classify.Finding) {
	if r.state == "" {
		r.last.Vendor.Key = f.Vendor.Key
	}
	r.matching = r.matching[:0]
	for _, s := range b.needFinding {
		if s.matchesHost(&r.last.Host, f.Vendor.Key) && s.matchesEvidence(f) {
			r.matching = append(r.matching, s.ID)
		}
	}
}
