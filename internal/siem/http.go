package siem

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
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/net/http/httpproxy"
)

// maxReply is how much of an answer is read, in bytes; what is beyond is left on the wire with its connection.
const maxReply = 1 << 20

// How long parts of an exchange may take; the whole of it has the sink's timeout.
const (
	dialTimeout = 10 * time.Second
	idleTimeout = 60 * time.Second // then the receiver's name is looked up anew
)

// httpOptions says whom to post to, and as whom.
type httpOptions struct {
	URL           string
	Authorization string            // the header's value; "" for none
	Headers       map[string]string // beside ours, which win
	Secrets       []string          // texts that must not stand in an error
	TLS           *tls.Config       // nil for the system's authorities
	Proxy         string            // URL; "" none; "environment" as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say
	Timeout       time.Duration     // of one exchange; 0 is 30 s
	Gzip          bool
	Agent         string // User-Agent
	Jar           http.CookieJar
}

// httpClient posts to one receiver. It speaks HTTP/1.1, where a request that got no answer in time takes its connection
// with it, so that the next one dials anew. It is used by one goroutine at a time.
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

// newHTTPClient checks the URL and makes a client that dials when it first posts.
func newHTTPClient(o httpOptions) (*httpClient, error) {
	base, err := receiverURL(o.URL)
	if err != nil {
		return nil, err
	}
	proxy, err := proxyFunc(o.Proxy)
	if err != nil {
		return nil, err
	}
	c := &httpClient{base: base, header: http.Header{}, timeout: o.Timeout, secrets: secretTexts(o, base)}
	if c.timeout <= 0 {
		c.timeout = 30 * time.Second
	}
	for name, value := range o.Headers {
		c.header.Set(name, value)
	}
	c.header.Set("User-Agent", o.Agent)
	if o.Authorization != "" {
		c.header.Set("Authorization", o.Authorization)
	}
	if o.Gzip {
		c.gzip = gzip.NewWriter(nil)
	}
	c.client = &http.Client{Transport: newTransport(o.TLS, proxy), Jar: o.Jar, CheckRedirect: stay}
	return c, nil
}

// receiverURL takes http and https URLs with a host. Its errors do not repeat the URL, which may hold a secret.
func receiverURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("url: not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("url: must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("url: names no host")
	case u.User != nil:
		return nil, errors.New("url: holds a user or password; use the keys user and password")
	case u.Fragment != "":
		return nil, errors.New("url: holds a #fragment")
	}
	return u, nil
}

// secretTexts are what errors must not hold: the secrets, the headers' values, and of the URL the path's long segments and
// the query's values, since some receivers put a key there.
func secretTexts(o httpOptions, base *url.URL) []string {
	const short = 8 // a shorter text says nothing, and would tear words apart
	var all []string
	add := func(text string) {
		if len(text) >= short {
			all = append(all, text)
		}
	}
	for _, s := range o.Secrets {
		if s != "" {
			all = append(all, s)
		}
	}
	add(o.Authorization)
	for _, value := range o.Headers {
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
	if err != nil || u.Host == "" {
		return nil, errors.New("proxy: not a URL with a host")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return http.ProxyURL(u), nil
	}
	return nil, errors.New("proxy: must begin with http://, https:// or socks5://")
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

// newHTTP makes the client of a sink.
func newHTTP(cfg Sink, opt Options, authorization string, jar http.CookieJar) (*httpClient, error) {
	trust, err := clientTLS(cfg.TLS, opt.Logger)
	if err != nil {
		return nil, bad(cfg, "tls", "%w", err)
	}
	c, err := newHTTPClient(httpOptions{
		URL: cfg.HTTP.URL, Authorization: authorization, Headers: cfg.HTTP.Headers,
		Secrets: []string{cfg.HTTP.Token.Reveal(), cfg.HTTP.Password.Reveal(), cfg.HTTP.HMACKey.Reveal()},
		TLS:     trust, Proxy: cfg.Proxy, Timeout: cfg.Timeout, Gzip: cfg.HTTP.Gzip, Agent: agent(opt), Jar: jar,
	})
	if err != nil {
		return nil, bad(cfg, "http", "%w", err)
	}
	if authorization != "" && c.base.Scheme == "http" {
		opt.Logger.Warn("the token or password goes to the receiver in the clear: use https")
	}
	return c, nil
}

// agent is how we name ourselves to receivers.
func agent(opt Options) string {
	if opt.Version == "" {
		return "avbeacon"
	}
	return "avbeacon/" + opt.Version
}

// authorization is the header's value: the token behind its scheme, or else user and password.
func authorization(cfg HTTP, scheme string) string {
	switch {
	case cfg.Token != "":
		return scheme + " " + cfg.Token.Reveal()
	case cfg.User != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(cfg.User+":"+cfg.Password.Reveal()))
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
	var refused tls.AlertError
	denied := errors.As(err, &untrusted) || errors.As(err, &refused)
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

// close gives up the connections.
func (c *httpClient) close() { c.client.CloseIdleConnections() }
