package siem

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Busy is a receiver that asks to be left alone for a while.
type Busy struct {
	After time.Duration // at least so long; 0 where it did not say
	Err   error
}

func (b *Busy) Error() string { return b.Err.Error() }

// Unwrap gives what the receiver said.
func (b *Busy) Unwrap() error { return b.Err }

// RetryAfter is what whoever tries again asks an error for.
func (b *Busy) RetryAfter() time.Duration { return b.After }

// Denied is a receiver that takes nothing before a person changes something: a wrong token, a missing index, a certificate
// that has expired. The alerts wait, and it is to be said loudly.
type Denied struct{ Err error }

func (d *Denied) Error() string { return d.Err.Error() }

// Unwrap gives what the receiver said.
func (d *Denied) Unwrap() error { return d.Err }

// rejected is a request that the receiver will never take as it is: something in it is bad, or it is too large.
type rejected struct {
	at     int // which of the part is bad; -1 where that was not said
	reason string
}

func (r *rejected) Error() string { return r.reason }

// maxAfter bounds what a receiver can ask for: a wrong date must not silence a sink for a year.
const maxAfter = 15 * time.Minute

// pauseAsked reads the header Retry-After (RFC 9110, section 10.2.3), a number of seconds or a date. A date is measured
// from the receiver's own Date, since clocks differ; 0 where it says nothing of use.
func pauseAsked(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxAfter)
	}
	then, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(then.Sub(now), 0), maxAfter)
}

// judge says what a status means where the receiver's protocol has no words of its own; nil is success. A status that
// speaks of who we are or of the URL is no fault of the alerts: it would meet all of them, so they wait.
func (c *httpClient) judge(r reply) error {
	said := errors.New(c.said(r))
	switch {
	case r.status >= 200 && r.status < 300:
		return nil
	case r.status >= 300 && r.status < 400:
		return &Denied{fmt.Errorf("%w: it sends us elsewhere, which is not followed; set url to where it should go", said)}
	case r.status == http.StatusRequestTimeout, r.status == http.StatusTooEarly, r.status == http.StatusTooManyRequests, r.status >= 500:
		return &Busy{After: pauseAsked(r.header), Err: said}
	case speaksOfURL(r.status):
		return &Denied{said}
	}
	return &rejected{at: -1, reason: said.Error()}
}

// speaksOfURL tells the 4xx that every request to this URL by this client gets.
func speaksOfURL(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, http.StatusGone, http.StatusUnsupportedMediaType,
		http.StatusMisdirectedRequest, http.StatusUpgradeRequired, http.StatusRequestHeaderFieldsTooLarge:
		return true
	}
	return false
}

// said is the receiver's answer in one line: host, status, and the start of the body.
func (c *httpClient) said(r reply) string {
	line := fmt.Sprintf("%s answers %d %s", c.base.Host, r.status, http.StatusText(r.status))
	if words := c.words(string(r.body)); words != "" {
		line += ": " + words
	}
	return line
}

// words makes a receiver's text fit for a log: one line, printable, without secrets, at most 300 bytes.
func (c *httpClient) words(text string) string {
	const most = 300
	text = c.scrub(text[:min(len(text), 4*most)])
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
