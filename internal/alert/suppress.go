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

// Suppression keeps findings from being told, with a reason. It fits where every list that is set holds what fits. Roles
// and domains are held against the signs that tell of a product: all of them have to fit, so that a rule for one domain
// does not hide what a host shows beyond it. It is immutable.
type Suppression struct {
	SuppressionRule
	hosts   hostMatcher
	domains []domain
}

// MaxSuppressions bounds a list of suppressions; entries of their lists may be more.
const MaxSuppressions = 10000

// NewSuppression checks a rule. One without an ID gets one that is made of what it says (SuppressionID). The error names the
// field and says what to write.
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
			errs = append(errs, fmt.Errorf("vendors[%d]: %q is no vendor's key; write one of the catalogue's, in lower-case letters and digits", i, key))
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
		return errors.New("reason: is missing; write why this is not to be told")
	case strings.TrimSpace(c.Author) == "":
		return errors.New("author: is missing; write who decided so")
	case len(c.Hosts)+len(c.Vendors)+len(c.Roles)+len(c.Domains) == 0:
		return errors.New("it names no hosts, vendors, roles or domains; for everything write domains: [.]")
	}
	return nil
}

// Roles are the words that a suppression may name: of names, in the catalogue's words, then of hosts, in the report's.
func Roles() []string {
	return []string{"unknown", "update", "reputation", "telemetry", "licensing", "push", "management", "crash", "web", "download", "cdn",
		"resolver", "proxy", "nat", "server", "endpoint"}
}

func roleWords(list []string) error {
	for i, r := range list {
		if !slices.Contains(Roles(), r) {
			return fmt.Errorf("roles[%d]: there is no role %q; write one of %s", i, r, strings.Join(Roles(), ", "))
		}
	}
	return nil
}

// SuppressionID names a rule by what it fits: the same lists have the same ID, whoever wrote them, why and until when.
func SuppressionID(c *SuppressionRule) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", c.Hosts, c.Vendors, c.Roles, c.Domains))
	return "s-" + hex.EncodeToString(sum[:5])
}

// Live says whether the rule has not run out at a time.
func (s *Suppression) Live(now time.Time) bool { return s.Expires.IsZero() || now.Before(s.Expires) }

// Fits says whether the rule fits a finding, whatever the time.
func (s *Suppression) Fits(f *classify.Finding) bool {
	h := hostOf(f)
	return s.who(&h, f.Vendor.Key) && s.what(f)
}

// Outside gives what keeps a rule that fits a part of the finding's signs from fitting the finding: roles and names that it
// does not name, at most most of them. Nothing where it fits the finding, or no sign of it.
func (s *Suppression) Outside(f *classify.Finding, most int) []string {
	h := hostOf(f)
	if !s.who(&h, f.Vendor.Key) || s.what(f) {
		return nil
	}
	var out []string
	part, least := false, telling(f)
	see := func(word string, in bool) {
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
			see(e.Role.String(), slices.Contains(s.Roles, e.Role.String()))
		}
		if len(s.Domains) > 0 && isName(e.Kind) {
			see(e.Value, s.under(e.Value))
		}
	}
	if !part {
		return nil
	}
	return out
}

// who holds what a Book still knows when it has no finding at hand.
func (s *Suppression) who(h *Host, vendor string) bool {
	return (s.hosts.empty() || s.hosts.fits(h)) && (len(s.Vendors) == 0 || slices.Contains(s.Vendors, vendor))
}

// deep says that the rule asks for what only a finding shows.
func (s *Suppression) deep() bool { return len(s.Roles)+len(s.Domains) > 0 }

// what holds roles and names against the finding's signs.
func (s *Suppression) what(f *classify.Finding) bool {
	return (len(s.Roles) == 0 || s.hostRole(f) || s.signRoles(f)) && (len(s.domains) == 0 || s.names(f))
}

func (s *Suppression) hostRole(f *classify.Finding) bool {
	for _, r := range f.HostRoles {
		if slices.Contains(s.Roles, r.String()) {
			return true
		}
	}
	return slices.Contains(s.Roles, f.HostRole.String()) && f.HostRole != classify.HostUnknown
}

// signRoles asks that every known role of a telling sign is in the list, and that there is one. "unknown" fits signs that
// have none.
func (s *Suppression) signRoles(f *classify.Finding) bool {
	least, any := telling(f), false
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

// names asks that every name of a telling sign is under one of the domains, and that there is one. The root holds all.
func (s *Suppression) names(f *classify.Finding) bool {
	if slices.Contains(s.domains, "") {
		return true
	}
	least, any := telling(f), false
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

// telling is the least strength of the signs that count: medium, or what there is where nothing is that strong.
func telling(f *classify.Finding) (least uint8) {
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

// stored is the form of a suppression in a store.
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

// MarshalJSON gives the form that a store keeps.
func (s *Suppression) MarshalJSON() ([]byte, error) { return json.Marshal(stored(s.SuppressionRule)) }

// ReadSuppression reads what MarshalJSON wrote, and checks it.
func ReadSuppression(body []byte) (*Suppression, error) {
	var x stored
	if err := json.Unmarshal(body, &x); err != nil {
		return nil, fmt.Errorf("read suppression: %w", err)
	}
	return NewSuppression(SuppressionRule(x))
}
