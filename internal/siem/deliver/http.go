package deliver

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/net/http/httpproxy"

	"avbeacon/internal/setting"
)

// HTTP is a receiver behind a URL: the section of the types splunk, elastic and webhook.
type HTTP struct {
	URL      string            `yaml:"url" about:"where to send, without user and password"`
	Token    setting.Secret    `yaml:"token" about:"${NAME} or file:PATH. splunk: HEC token; elastic: API key; webhook: bearer token"`
	User     string            `yaml:"user" about:"for basic authentication"`
	Password setting.Secret    `yaml:"password" about:"${NAME} or file:PATH"`
	HMACKey  setting.Secret    `yaml:"hmac-key" about:"${NAME} or file:PATH. webhook: signs the body with HMAC-SHA-256"`
	Headers  map[string]string `yaml:"headers" about:"further headers, none of them secret"`
	Index    string            `yaml:"index" about:"splunk: index; elastic: data stream"`
	Ack      bool              `yaml:"ack" about:"splunk: wait for the indexer's acknowledgement"`
	Gzip     bool              `yaml:"gzip" about:"compress requests"`
}

// check reports what is wrong with the section, for a type of sink.
func (h *HTTP) check(k setting.Check, kind string) {
	k.At("url").URL(h.URL, "https", "http")
	if strings.Contains(h.URL, "#") {
		k.At("url").Fail("must not contain a #fragment")
	}
	for name, value := range h.Headers {
		at := k.At("headers")
		switch strings.ToLower(name) {
		case "authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token":
			at.Fail("%s holds a secret: use token, or user and password", name)
		case "content-length", "host", "transfer-encoding", "connection":
			at.Fail("%s must not be set", name)
		}
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !token(r) }) ||
			strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			at.Fail("%q is not a valid header", name)
		}
	}
	for _, c := range []struct {
		bad       bool
		key, text string
	}{
		{h.Token != "" && h.User != "", "user", "is for a sink without a token"},
		{h.Password != "" && h.User == "", "user", "is missing beside a password"},
		{h.Token == "" && kind == "splunk", "token", "is missing"},
		{h.Ack && kind != "splunk", "ack", "is for splunk"},
		{h.HMACKey != "" && kind != "webhook", "hmac-key", "is for webhook"},
		{h.Index != "" && kind == "webhook", "index", "is for splunk and elastic"},
	} {
		if c.bad {
			k.At(c.key).Fail("%s", c.text)
		}
	}
}

// token reports the characters that a header's name may have (RFC 9110 section 5.6.2).
func token(r rune) bool {
	return r > ' ' && r < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// Plain reports whether requests can be read on the path.
func (h *HTTP) Plain() bool {
	u, err := url.Parse(h.URL)
	return err == nil && u.Scheme == "http" && !setting.Loopback(u.Hostname())
}

// maxReply is how much of an answer is read, in bytes; what is beyond is left on the wire with its connection.
const maxReply = 1 << 20

// How long parts of an exchange may take; the whole of it has the sink's timeout.
const (
	dialTimeout = 10 * time.Second
	idleTimeout = 60 * time.Second // then the receiver's name is resolved again
)

// httpClient posts to one receiver over HTTP/1.1: a request without an answer in time closes its connection, and the next
// request opens another. It is used by one goroutine at a time.
type httpClient struct {
	client  *http.Client
	base    *url.URL
	header  http.Header
	timeout time.Duration
	gzip    *gzip.Writer // nil where bodies go as they are
	packed  bytes.Buffer
	secrets []string
}

// reply is what a receiver answered.
type reply struct {
	status int
	header http.Header
	body   []byte // at most maxReply
	cut    bool   // there was more of it
}

// client makes the client of a sink; it dials when it first posts. The Authorization header has the token behind scheme, or
// else user and password.
func (h *HTTP) client(s Setup, scheme string, jar http.CookieJar) (*httpClient, error) {
	trust, err := clientTLS(s.TLS, s.Logger)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(h.URL)
	if err != nil {
		return nil, errors.New("http.url: is not a URL") // net/url's error repeats it, and it may hold a secret
	}
	proxy, err := proxyFunc(s.Proxy)
	if err != nil {
		return nil, err
	}
	authorization := h.authorization(scheme)
	c := &httpClient{base: base, header: http.Header{}, timeout: s.Timeout, secrets: h.secretTexts(authorization, base)}
	for name, value := range h.Headers {
		c.header.Set(name, value)
	}
	c.header.Set("User-Agent", agent(s.Version))
	if authorization != "" {
		c.header.Set("Authorization", authorization)
		if base.Scheme == "http" {
			s.Logger.Warn("the token or password is sent unencrypted: use https")
		}
	}
	if h.Gzip {
		c.gzip = gzip.NewWriter(nil)
	}
	c.client = &http.Client{Transport: newTransport(trust, proxy), Jar: jar, CheckRedirect: stay}
	return c, nil
}

// secretTexts are what errors must not hold: the secrets, the headers' values, and of the URL the path's long segments and
// the query's values, since some receivers put a key there.
func (h *HTTP) secretTexts(authorization string, base *url.URL) []string {
	const short = 8 // a shorter text says nothing, and would tear words apart
	var all []string
	add := func(text string) {
		if len(text) >= short {
			all = append(all, text)
		}
	}
	for _, s := range []setting.Secret{h.Token, h.Password, h.HMACKey} {
		if s != "" {
			all = append(all, s.Reveal())
		}
	}
	add(authorization)
	for _, value := range h.Headers {
		add(value)
	}
	for segment := range strings.SplitSeq(base.Path, "/") {
		if len(segment) >= 2*short {
			add(segment)
		}
	}
	for _, values := range base.Query() {
		for _, value := range values {
			if len(value) >= 2*short {
				add(value)
			}
		}
	}
	return all
}

func proxyFunc(text string) (func(*http.Request) (*url.URL, error), error) {
	switch text {
	case "":
		return nil, nil
	case "environment":
		find := httpproxy.FromEnvironment().ProxyFunc()
		return func(r *http.Request) (*url.URL, error) { return find(r.URL) }, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("proxy: is not a URL") // net/url's error repeats it
	}
	return http.ProxyURL(u), nil
}

func newTransport(config *tls.Config, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    dialTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    1,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		Protocols:              protocols,
	}
}

// stay follows no redirection: alerts and tokens go where the configuration says, and nowhere else.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// at is the receiver's URL with more path; "" is the URL itself.
func (c *httpClient) at(path string) *url.URL {
	if path == "" {
		return c.base
	}
	return c.base.JoinPath(path)
}

// agent is how we name ourselves to receivers.
func agent(version string) string { return strings.TrimSuffix("avbeacon/"+version, "/") }

// authorization is the header's value: the token behind its scheme, or else user and password.
func (h *HTTP) authorization(scheme string) string {
	switch {
	case h.Token != "":
		return scheme + " " + h.Token.Reveal()
	case h.User != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(h.User+":"+h.Password.Reveal()))
	}
	return ""
}

// post sends body and reads the answer, whatever its status. header is ours for this request; body is not kept.
func (c *httpClient) post(ctx context.Context, to *url.URL, header http.Header, body []byte) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := c.request(ctx, to, header, body)
	if err != nil {
		return reply{}, c.failure(err)
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return reply{}, c.failure(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxReply+1))
	if err != nil {
		return reply{}, c.failure(fmt.Errorf("answer %d breaks off: %w", answer.StatusCode, err))
	}
	r := reply{status: answer.StatusCode, header: answer.Header, body: text, cut: len(text) > maxReply}
	r.body = text[:min(len(text), maxReply)]
	return r, nil
}

func (c *httpClient) request(ctx context.Context, to *url.URL, header http.Header, body []byte) (*http.Request, error) {
	packed := c.gzip != nil && len(body) > 0
	if packed {
		c.packed.Reset()
		c.gzip.Reset(&c.packed)
		if _, err := c.gzip.Write(body); err != nil {
			return nil, err
		}
		if err := c.gzip.Close(); err != nil {
			return nil, err
		}
		// The transport may still read a body whose answer came early: what it reads must not be written again.
		body = bytes.Clone(c.packed.Bytes())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, h := range []http.Header{c.header, header} {
		for name, values := range h {
			request.Header[name] = values
		}
	}
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
	}
	if packed {
		request.Header.Set("Content-Encoding", "gzip")
	}
	return request, nil
}

// failure is why there was no answer, without the URL and without secrets. A certificate that one of both sides does not
// trust needs a person; everything else may pass.
func (c *httpClient) failure(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	var untrusted *tls.CertificateVerificationError
	var rejected tls.AlertError
	denied := errors.As(err, &untrusted) || errors.As(err, &rejected)
	err = explainTLS(err)
	if text := err.Error(); c.scrub(text) != text {
		err = errors.New(c.scrub(text))
	}
	err = fmt.Errorf("post to %s: %w", c.base.Host, err)
	if denied {
		return &Denied{Err: err}
	}
	return err
}

// scrub takes the secrets out of a text.
func (c *httpClient) scrub(text string) string {
	for _, s := range c.secrets {
		text = strings.ReplaceAll(text, s, "[secret]")
	}
	return text
}

// close closes the connections.
func (c *httpClient) close() { c.client.CloseIdleConnections() }

// Busy is a receiver that asks to be left alone for a while.
type Busy struct {
	After time.Duration // at least so long; 0 where it did not say
	Err   error
}

func (b *Busy) Error() string { return b.Err.Error() }

// Unwrap returns what the receiver said.
func (b *Busy) Unwrap() error { return b.Err }

// RetryAfter is what whoever tries again asks an error for.
func (b *Busy) RetryAfter() time.Duration { return b.After }

// Denied is a receiver that takes nothing before a person changes something: a wrong token, a missing index, a certificate
// that has expired. The alerts wait, and it is to be said loudly.
type Denied struct{ Err error }

func (d *Denied) Error() string { return d.Err.Error() }

// Unwrap returns what the receiver said.
func (d *Denied) Unwrap() error { return d.Err }

// partRejected is a request that the receiver will never take as it is: something in it is bad, or it is too large.
type partRejected struct {
	at     int // which of the part is bad; -1 where that was not said
	reason string
}

func (r *partRejected) Error() string { return r.reason }

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
// concerns our credentials or the URL is not the alerts' fault: all of them would get it, so they wait.
func (c *httpClient) judge(r reply) error {
	said := errors.New(c.said(r))
	switch {
	case r.status >= 200 && r.status < 300:
		return nil
	case r.status >= 300 && r.status < 400:
		return &Denied{fmt.Errorf("%w: redirects are not followed; set url to the final address", said)}
	case r.status == http.StatusRequestTimeout, r.status == http.StatusTooEarly, r.status == http.StatusTooManyRequests, r.status >= 500:
		return &Busy{After: pauseAsked(r.header), Err: said}
	case speaksOfURL(r.status):
		return &Denied{said}
	}
	return &partRejected{at: -1, reason: said.Error()}
}

// speaksOfURL reports the 4xx that every request of this client to this URL gets.
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
