package config

// The words that the file may use, in the order in which they are listed to people. The packages that act on them have
// their own; tests of cmd hold both against each other.

// Events are the changes of findings that alerts tell.
func Events() []string {
	return []string{"new", "raised", "place", "returned", "blocked", "removal_due", "repeated", "resolved", "summary", "test"}
}

// Verdicts from the least sure to the surest.
func Verdicts() []string { return []string{"visit", "possible", "likely", "installed"} }

// Severities from the least grave to the gravest.
func Severities() []string { return []string{"info", "low", "medium", "high", "critical"} }

// SinkTypes are the kinds of receivers.
func SinkTypes() []string {
	return []string{"file", "stdout", "syslog", "splunk", "elastic", "webhook", "kafka", "nats"}
}

// Formats are the forms in which receivers get alerts.
func Formats() []string {
	return []string{"ecs", "ocsf", "cef", "leef", "eve", "hec", "syslog", "stix"}
}

// Facilities are those of RFC 5424 section 6.2.1 that have a usual name, in the order of their codes from 0 on where the
// names go on without a gap, then local0 (16) to local7 (23).
func Facilities() []string {
	return []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
}

// Days of the week, as quiet hours name them.
func Days() []string { return []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} }

func networks() []string   { return []string{"udp", "tcp", "tls", "relp", "relp-tls"} }
func framings() []string   { return []string{"octet-counting", "newline"} }
func mechanisms() []string { return []string{"plain", "scram-sha-256", "scram-sha-512"} }
func levels() []string     { return []string{"debug", "info", "warn", "error"} }
func logFormats() []string { return []string{"auto", "console", "json"} }
