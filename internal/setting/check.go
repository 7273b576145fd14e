package setting

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"avbeacon/feeds/yamlfile"
)

// Check collects problems under one key. Sections get one from their parent (At) and report by the keys below it, so that
// the same check serves wherever the section is used. The zero Check is not usable: NewCheck makes the first.
type Check struct {
	under string
	to    *[]yamlfile.Problem
}

// NewCheck returns a Check for the whole configuration.
func NewCheck() Check { return Check{to: new([]yamlfile.Problem)} }

// Problems returns all that was found through k and the Checks made from it.
func (k Check) Problems() []yamlfile.Problem { return *k.to }

// Err returns the problems as one error, one a line; nil if there are none.
func (k Check) Err() error {
	var lines []string
	for _, p := range *k.to {
		lines = append(lines, p.String())
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}

// At returns the Check of a key below k's own.
func (k Check) At(key string) Check { return Check{yamlfile.Under(k.under, key), k.to} }

// Index returns the Check of an entry of a list.
func (k Check) Index(i int) Check { return Check{fmt.Sprintf("%s[%d]", k.under, i), k.to} }

// Fail reports a problem of k's own key.
func (k Check) Fail(format string, args ...any) {
	*k.to = append(*k.to, yamlfile.Problem{Key: k.under, Text: fmt.Sprintf(format, args...)})
}

// Take reports every line of an error. A line that begins with a key ("quiet-hours[0].from: ..."), with or without k's own
// before it, is reported under that key.
func (k Check) Take(err error) {
	if err == nil {
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		key, text, ok := strings.Cut(strings.TrimPrefix(line, k.under+"."), ": ")
		if !ok || strings.ContainsAny(key, " \"") {
			k.Fail("%s", line)
			continue
		}
		k.At(key).Fail("%s", text)
	}
}

// Word wants one of a list.
func (k Check) Word(word string, list ...string) {
	if slices.Contains(list, word) {
		return
	}
	text := fmt.Sprintf("%q is not one of %s", word, strings.Join(list, ", "))
	if near := yamlfile.Alike(word, list); near != "" {
		text += fmt.Sprintf(" (did you mean %s?)", near)
	}
	k.Fail("%s", text)
}

// WordOrNone wants one of a list, or nothing.
func (k Check) WordOrNone(word string, list ...string) {
	if word != "" {
		k.Word(word, list...)
	}
}

// Words wants every entry to be one of a list.
func (k Check) Words(words []string, list ...string) {
	for i, w := range words {
		k.Index(i).Word(w, list...)
	}
}

// Range wants a number or size from least to most. Negative numbers are reported for all keys alike, by package config.
func Range[N ~int | ~int64](k Check, n, least, most N) {
	switch {
	case n < 0:
	case n < least:
		k.Fail("%s is too small: at least %s", written(n), written(least))
	case n > most:
		k.Fail("%s is too large: at most %s", written(n), written(most))
	}
}

// written shows a number as a person writes it in the file.
func written(n any) string {
	if d, ok := n.(time.Duration); ok {
		return FormatDuration(d)
	}
	return fmt.Sprint(n)
}

// Required wants a text that is more than spaces.
func (k Check) Required(text string) {
	if strings.TrimSpace(text) == "" {
		k.Fail("is missing")
	}
}

// HostPort wants host:port. Where listen is set, the host may be empty (all addresses) and the port 0 (any).
func (k Check) HostPort(address string, listen bool) {
	host, port, err := net.SplitHostPort(address)
	n, bad := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || bad != nil || host == "" && !listen || strings.ContainsAny(host, " /@"):
		k.Fail("%q is not host:port", address)
	case n == 0 && !listen:
		k.Fail("%q has no port", address)
	}
}

// URL wants an absolute URL of one of the schemes, without user and password: --print-config and logs would show them.
func (k Check) URL(text string, schemes ...string) {
	u, err := url.Parse(text)
	switch {
	case err != nil: // net/url's error repeats the URL, which may hold a password
		k.Fail("is not a URL")
	case u.User != nil:
		k.Fail("must not contain a user or password")
	case !slices.Contains(schemes, u.Scheme) || u.Hostname() == "":
		k.Fail("must be a URL that begins with %s://", strings.Join(schemes, ":// or "))
	}
}

// Loopback reports whether a host is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
