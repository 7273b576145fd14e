package classify

// String gives the verdict in the report's words; "" for NoVerdict.
func (v Verdict) String() string {
	return [...]string{"", "visit", "possible", "likely", "installed"}[min(v, Installed)]
}

// String gives the state in the report's words.
func (s State) String() string {
	return [...]string{"active", "blocked", "quiet", "returned"}[min(s, Returned)]
}

// String gives the role in the report's words.
func (r HostRole) String() string {
	return [...]string{"unknown", "resolver", "proxy", "management", "nat", "server", "endpoint"}[min(r, HostEndpoint)]
}

var kindWords = [...]string{"", "dns", "sni", "http_host", "connect", "derived_name", "other_host_name", "certificate", "issuer",
	"path", "query", "user_agent", "header", "body", "payload", "port", "lan_port", "network", "several_roles",
	"pool", "cadence", "day_and_night", "failed_attempts", "place", "resolver_fallback", "against"}

// String gives the kind in the report's words.
func (k Kind) String() string { return kindWords[min(k, KindAgainst)] }
