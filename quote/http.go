package quote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

const (
	// maxBody bounds an answer after decompression; Jupiter's greatest routes are
	// some 30 kB. What is larger has cost its reading before it is refused.
	maxBody = 256 << 10
	// maxDepth bounds the nesting of an answer; real ones nest five deep.
	maxDepth = 32
	// maxRedirects bounds redirects, all of them within the host that was asked.
	maxRedirects = 3
	// maxEcho bounds how much of a server's text is repeated, in bytes.
	maxEcho = 120
)

// newTransport is the engine's own: a connection that idles is kept, for a
// handshake costs more than an answer.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    2 * time.Second,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// dial connects with a receive buffer no larger than an answer may be: the kernel would
// else take in megabytes of a body that is given up after the first of them.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 15 * time.Second}).DialContext(ctx, network, address)
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(maxBody) // a hint: the larger buffer does no harm but cost
	}
	return c, err
}

var errRedirect = errors.New("redirected")

// service is one HTTP service. Its methods make one call each.
type service struct {
	base   string // without a slash at the end
	client *http.Client
	header http.Header // sent with each call; holds the key
	now    func() time.Time
}

func newService(base string, transport http.RoundTripper, now func() time.Time) (*service, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is no http or https URL", base)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the URL of %s may hold no user, query or fragment", u.Host)
	}
	return &service{
		base: strings.TrimRight(base, "/"),
		client: &http.Client{
			Transport: transport,
			CheckRedirect: func(req *http.Request, via []*http.Request) error {
				if len(via) > maxRedirects || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
					return errRedirect // the key stays with who it was made for
				}
				return nil
			},
		},
		header: http.Header{"Accept": {"application/json"}, "User-Agent": {"swapcast"}},
		now:    now,
	}, nil
}

// reply is an answer as it came, whole and bounded.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// get asks path with a query.
func (s *service) get(ctx context.Context, path string, query string) (*reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path+"?"+query, http.NoBody)
	if err != nil {
		return nil, bad("request", "the request could not be made")
	}
	return s.do(req)
}

// post sends JSON.
func (s *service) post(ctx context.Context, path string, body []byte) (*reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+path, strings.NewReader(string(body)))
	if err != nil {
		return nil, bad("request", "the request could not be made")
	}
	req.Header.Set("Content-Type", "application/json")
	return s.do(req)
}

func (s *service) do(req *http.Request) (*reply, error) {
	maps.Copy(req.Header, s.header)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, transportError(req.Context(), err)
	}
	defer resp.Body.Close()
	if resp.ContentLength > maxBody {
		return nil, bad("body_too_large", "the answer is larger than 256 KiB")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case len(body) > maxBody:
		return nil, bad("body_too_large", "the answer is larger than 256 KiB")
	case err != nil && req.Context().Err() != nil:
		return nil, context.Cause(req.Context())
	case err != nil:
		return nil, &SourceError{
			Outcome: OutcomeError, Reason: "cut_off", Detail: "the answer broke off", Failure: true, Retry: true, Err: err,
		}
	}
	return &reply{resp.StatusCode, resp.Header, body}, nil
}

// transportError is why no answer came. Its text names no URL: queries may be
// long, and the host is in the source's name.
func transportError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errRedirect):
		return bad("redirect", "it sends us elsewhere")
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return &SourceError{
		Outcome: OutcomeError, Reason: "connection", Detail: clean(err.Error()), Failure: true, Retry: true, Err: err,
	}
}

// decode reads the JSON of a good answer into v.
func (r *reply) decode(v any) error {
	kind, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	if err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return bad("content_type", "the answer is no JSON by its type")
	}
	return decodeJSON(r.body, v)
}

func decodeJSON(body []byte, v any) error {
	if tooDeep(body) {
		return bad("too_deep", "the answer is nested too deep")
	}
	if err := json.Unmarshal(body, v); err != nil {
		return bad("bad_json", "the answer cannot be read")
	}
	return nil
}

// tooDeep tells whether brackets nest deeper than maxDepth, without building
// anything.
func tooDeep(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// refused is the error of a status that is no 200, for what is the same with all
// services; a 4xx that is an answer is the source's to read first.
func (r *reply) refused(now time.Time) *SourceError {
	reason := "http_" + strconv.Itoa(r.status)
	switch {
	case r.status == http.StatusTooManyRequests:
		return r.limited(now)
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		return bad("unauthorized", "the key is missing, wrong or not good for this")
	case r.status >= 500 || r.status == http.StatusRequestTimeout:
		return &SourceError{
			Outcome: OutcomeError, Reason: reason, Detail: "the server failed", Failure: true, Retry: true, Wait: r.wait(now),
		}
	case r.status >= 400:
		return refusal(reason, "")
	}
	return bad(reason, "an answer of an unknown kind")
}

// limited is a 429 in any form. Where it does not say until when, a second is what
// Jupiter advises.
func (r *reply) limited(now time.Time) *SourceError {
	wait := r.wait(now)
	if wait <= 0 {
		wait = time.Second
	}
	return &SourceError{
		Outcome: OutcomeRateLimited, Reason: "http_429", Detail: "over the rate limit of the key", Failure: true, Retry: true, Wait: wait,
	}
}

// wait reads Retry-After (seconds or a date) or x-ratelimit-reset (Unix seconds); 0
// where neither says anything.
func (r *reply) wait(now time.Time) time.Duration {
	if v := r.header.Get("Retry-After"); v != "" {
		if n, err := strconv.ParseUint(v, 10, 31); err == nil {
			return time.Duration(n) * time.Second
		}
		if at, err := http.ParseTime(v); err == nil {
			return max(0, at.Sub(now))
		}
	}
	if n, err := strconv.ParseInt(r.header.Get("X-Ratelimit-Reset"), 10, 64); err == nil && r.status == http.StatusTooManyRequests {
		return max(0, time.Unix(n, 0).Sub(now))
	}
	return 0
}

// clean makes a server's text fit to be shown: short, printable, one line.
func clean(s string) string {
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxEcho {
		s = strings.ToValidUTF8(s[:maxEcho], "") + "..."
	}
	return strings.TrimSpace(s)
}

// The JSON forms that every source has.
type (
	// amount is a decimal string of raw units. Anything else, a number among it, is
	// an error: floats have lost units before we see them.
	amount uint64
	// fraction is a decimal string or a number.
	fraction float64
	// key is a base58 public key.
	key solana.PublicKey
)

var (
	errAmount   = errors.New("no decimal string of an amount")
	errFraction = errors.New("no fraction")
)

// UnmarshalJSON reads an amount.
func (a *amount) UnmarshalJSON(b []byte) error {
	if len(b) < 3 || b[0] != '"' || b[len(b)-1] != '"' {
		return errAmount
	}
	var v uint64
	for _, c := range b[1 : len(b)-1] {
		d := uint64(c - '0')
		if d > 9 || v > (1<<64-1-d)/10 {
			return errAmount
		}
		v = v*10 + d
	}
	*a = amount(v)
	return nil
}

// UnmarshalJSON reads a fraction.
func (f *fraction) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "null" {
		return nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v != v || v > 1e18 || v < -1e18 {
		return errFraction
	}
	*f = fraction(v)
	return nil
}

// UnmarshalJSON reads a key.
func (k *key) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' {
		return swapcast.ErrInvalidKey
	}
	v, err := swapcast.ParseKey(string(b[1 : len(b)-1]))
	*k = key(v)
	return err
}
