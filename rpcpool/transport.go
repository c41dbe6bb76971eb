package rpcpool

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

var (
	errTooLong = errors.New("the answer is longer than it may be")
	errCaller  = errors.New("the caller's own code")
)

// statusError is an answer whose HTTP status is not 200.
type statusError struct {
	status     int
	code       int // of a JSON-RPC error in the body, 0 none
	message    string
	retryAfter time.Duration // 0 not told
}

func (e *statusError) Error() string { return "HTTP status " + strconv.Itoa(e.status) }

func (e *statusError) outcome() Outcome {
	switch {
	case e.status == http.StatusTooManyRequests:
		return RateLimited
	case e.status >= 500:
		return ServerError
	case e.status == http.StatusUnauthorized, e.status == http.StatusForbidden:
		return Refused
	case e.code != 0: // some providers answer JSON-RPC errors with 400 or 404
		return outcomeOfCode(e.code)
	default:
		return HTTPError
	}
}

// doer is what solana-go's client sends its requests with: it bounds the
// answer, and turns every status but 200 into a statusError while the header,
// which that client does not show, is still there.
type doer struct {
	client  *http.Client
	maxBody int64
}

func newDoer(o *Options) *doer {
	return &doer{
		client: &http.Client{
			Transport: o.Transport,
			// A POST that follows a redirect may arrive as a GET, and would take
			// the URL's key elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		maxBody: o.MaxBody,
	}
}

// Do sends one request.
func (d *doer) Do(r *http.Request) (*http.Response, error) {
	resp, err := d.client.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		broke, _ := r.Context().Value(brokeKey{}).(*error)
		if broke == nil {
			broke = new(error)
		}
		resp.Body = &boundedBody{body: resp.Body, left: d.maxBody, broke: broke}
		return resp, nil
	}
	defer resp.Body.Close()
	const enough = 4 << 10 // an error page's beginning
	head, _ := io.ReadAll(io.LimitReader(resp.Body, enough))
	e := &statusError{status: resp.StatusCode, message: string(head), retryAfter: retryAfter(resp.Header.Get("Retry-After"))}
	var body struct {
		Error *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(head, &body) == nil && body.Error != nil {
		e.code, e.message = body.Error.Code, body.Error.Message
	}
	return nil, e
}

// CloseIdleConnections closes connections that nobody uses.
func (d *doer) CloseIdleConnections() { d.client.CloseIdleConnections() }

// retryAfter reads both forms of the header, 0 where it is absent or nonsense.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if seconds > 0 && seconds < 1e6 {
			return time.Duration(seconds * float64(time.Second))
		}
		return 0
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// brokeKey is under which an attempt's context holds a *error for what went
// wrong while its answer was read: solana-go's decoder does not tell.
type brokeKey struct{}

// boundedBody fails where an answer is longer than it may be, rather than
// ending it, for a cut answer might be valid.
type boundedBody struct {
	body  io.ReadCloser
	left  int64
	broke *error
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		*b.broke = errTooLong
		return 0, errTooLong
	}
	n, err := b.body.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && err != io.EOF { //nolint:errorlint // readers give io.EOF itself
		*b.broke = err
	}
	return n, err
}

func (b *boundedBody) Close() error { return b.body.Close() }
