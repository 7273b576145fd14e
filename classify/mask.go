package classify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"avbeacon/feeds"
)

// masker replaces what identifies a person or a machine by keyed hashes.
type masker struct{ key []byte }

// hide returns the replacement of an identifier: a tilde and 12 hex digits of HMAC-SHA256.
func (m *masker) hide(id string) string {
	h := hmac.New(sha256.New, m.key)
	h.Write([]byte(id))
	return "~" + hex.EncodeToString(h.Sum(nil)[:6])
}

// name returns a host name with its identifiers hidden.
func (m *masker) name(e *feeds.Entry, name string) string {
	name = e.Hide(name, m.hide)
	if e.Match == feeds.Suffix && e.Mask == "" { // a catch-all; an exact name identifies nobody
		if at := tenant.FindStringSubmatchIndex(name); at != nil {
			name = m.hide(name[at[2]:at[3]]) + name[at[3]:]
		}
	}
	if len(name) < 36 || !uuid.MatchString(name) {
		return name
	}
	return uuid.ReplaceAllStringFunc(name, m.hide)
}

// text returns a User-Agent or path with its identifiers hidden: by the entry's rule, then anything that looks like one.
func (m *masker) text(e *feeds.Entry, s string) string {
	s = e.Hide(s, m.hide)
	s = named.ReplaceAllStringFunc(s, func(t string) string {
		at := strings.IndexAny(t, "=:")
		return t[:at+1] + m.hide(strings.TrimSpace(t[at+1:]))
	})
	s = uuid.ReplaceAllStringFunc(s, m.hide)
	s = serial.ReplaceAllStringFunc(s, m.hide)
	return longRun.ReplaceAllStringFunc(s, m.hide)
}

// query returns the keys of a query with every value hidden, or what the entry's own rule leaves.
func (m *masker) query(e *feeds.Entry, q string) string {
	if e.Mask != "" {
		return m.text(e, q)
	}
	parts := strings.Split(q, "&")
	if len(parts) > 32 {
		parts = parts[:32]
	}
	for i, p := range parts {
		k, v, ok := strings.Cut(p, "=")
		switch {
		case ok && v != "":
			parts[i] = m.text(e, k) + "=" + m.hide(v)
		case !ok:
			parts[i] = m.hide(p)
		}
	}
	return strings.Join(parts, "&")
}

// What looks like an identifier, of any vendor: a customer's label before 'xdr', a UUID, a serial in groups, a long run of hex or
// base64, and the value of a field whose name says so.
var (
	tenant  = regexp.MustCompile(`^([^.~]+)\.xdr\.(?:[^.]+\.)*(?:trendmicro|paloaltonetworks)\.`)
	uuid    = regexp.MustCompile(`(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}`)
	serial  = regexp.MustCompile(`\b[0-9A-Z]{2,8}(?:-[0-9A-Z]{4,8}){2,}\b`)
	longRun = regexp.MustCompile(`[0-9a-fA-F]{16,}|[A-Za-z0-9+/]{40,}={0,2}`)
	named   = regexp.MustCompile(`(?i)\b(?:lic|licen[cs]e|hwf|serial|guid|uuid|mid|sid|key|token|user|email|account)(?:=|: )[^;&\s)]+`)
)
