package rpcpool

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gagliardetto/solana-go/rpc"
	"github.com/gagliardetto/solana-go/rpc/jsonrpc"
)

// Outcome is how one attempt ended: a metric's label.
type Outcome string

// The outcomes. OK and Answered are the endpoint's own words; all others make
// it wait.
const (
	OK          Outcome = "ok"
	Answered    Outcome = "rpc_error"    // an error in JSON-RPC form that is the caller's to judge
	RateLimited Outcome = "rate_limited" // 429, by HTTP or in JSON
	Unhealthy   Outcome = "unhealthy"    // -32005: the node says that it is behind
	Lagging     Outcome = "lagging"      // -32016: minContextSlot not reached
	NodeError   Outcome = "node_error"   // -32603 and alike: the node failed, not the request
	ServerError Outcome = "server_error" // HTTP 5xx
	Refused     Outcome = "refused"      // HTTP 401 or 403: a wrong key
	HTTPError   Outcome = "http_error"   // any other HTTP status
	Timeout     Outcome = "timeout"
	Unreachable Outcome = "unreachable" // no connection, or it broke
	Malformed   Outcome = "malformed"   // no JSON-RPC answer
	TooLong     Outcome = "too_long"    // above MaxBody
	Cancelled   Outcome = "cancelled"   // by the caller; nobody's fault
)

// Codes of Solana's JSON-RPC errors (Agave's rpc-client-api, custom_error.rs)
// and of JSON-RPC itself.
const (
	CodeBlockCleanedUp         = -32001
	CodeBlockNotAvailable      = -32004
	CodeNodeUnhealthy          = -32005
	CodeSlotSkipped            = -32007
	CodeLongTermSlotSkipped    = -32009
	CodeHistoryNotAvailable    = -32011
	CodeBlockStatusNotYet      = -32014
	CodeUnsupportedVersion     = -32015
	CodeMinContextSlot         = -32016
	CodeLongTermUnreachable    = -32019
	CodeMethodNotFound         = -32601
	CodeInvalidParams          = -32602
	CodeInternal               = -32603
	codeRateLimited            = 429
	codeRateLimitedByExtension = -32429
)

// Error is why a request failed, of its last attempt. It holds nothing of the
// URL but the host.
type Error struct {
	Method  string
	Host    string
	Outcome Outcome
	Status  int    // HTTP status, 0 where there was none
	Code    int    // JSON-RPC code, 0 where there was none
	Message string // what the server said or what went wrong, cleaned and cut
	// Answers are the codes of all endpoints where each was asked (Call.Elsewhere),
	// this one's last.
	Answers []int
}

// Error tells all of it.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s: %s", e.Method, e.Host, e.Outcome)
	if e.Status != 0 {
		fmt.Fprintf(&b, ", HTTP %d", e.Status)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, ", code %d", e.Code)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	return b.String()
}

// Code is the JSON-RPC error code that an endpoint answered with, 0 where err
// is of another kind.
func Code(err error) int {
	var e *Error
	if errors.As(err, &e) && e.Outcome == Answered {
		return e.Code
	}
	return 0
}

// OutcomeOf is how the last attempt of a request ended that gave err.
func OutcomeOf(err error) Outcome {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Outcome
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Cancelled
	default:
		return OK // a null result, or what the caller's own code said
	}
}

// explain turns what solana-go gave into an Error. parent is the caller's
// context, attempt the one of this attempt, broke what went wrong while its
// answer was read. Nil means that the endpoint answered: err is then the caller's
// to see.
func (e *endpoint) explain(parent, attempt context.Context, method string, broke, err error) *Error {
	out := &Error{Method: method, Host: e.host}
	var status *statusError
	var answer *jsonrpc.RPCError
	var netErr *url.Error
	switch {
	case err == nil, errors.Is(err, rpc.ErrNotFound), errors.Is(err, rpc.ErrNotConfirmed), errors.Is(err, errCaller):
		return nil
	case parent.Err() != nil:
		out.Outcome = Cancelled
	case errors.As(err, &answer):
		out.Outcome, out.Code, out.Message = outcomeOfCode(answer.Code), answer.Code, e.clean(answer.Message)
	case errors.As(err, &status):
		out.Outcome, out.Status, out.Code = status.outcome(), status.status, status.code
		out.Message = e.clean(status.message)
	case errors.Is(broke, errTooLong):
		out.Outcome, out.Message = TooLong, errTooLong.Error()
	case attempt.Err() != nil:
		out.Outcome = Timeout
	case broke != nil:
		out.Outcome, out.Message = Unreachable, e.clean(broke.Error())
	case errors.As(err, &netErr):
		out.Outcome, out.Message = Unreachable, e.clean(netErr.Err.Error())
	default:
		out.Outcome, out.Message = Malformed, e.clean(innermost(err).Error())
	}
	return out
}

// innermost skips solana-go's wrapping, whose text holds the URL.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

func outcomeOfCode(code int) Outcome {
	switch code {
	case codeRateLimited, codeRateLimitedByExtension:
		return RateLimited
	case CodeNodeUnhealthy:
		return Unhealthy
	case CodeMinContextSlot:
		return Lagging
	case CodeInternal, CodeBlockStatusNotYet, CodeLongTermUnreachable:
		return NodeError
	default:
		return Answered
	}
}

// maxMessage bounds the text of a server that is shown, in bytes.
const maxMessage = 200

// clean makes a text of outside fit for a log: printable, cut, and without the
// parts of the URL that may be keys.
func (e *endpoint) clean(s string) string {
	if len(s) > 4*maxMessage {
		s = s[:4*maxMessage]
	}
	for _, secret := range e.secrets {
		s = strings.ReplaceAll(s, secret, "[hidden]")
	}
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "..."
	}
	return strings.Join(strings.Fields(s), " ")
}

// secretsOf lists the parts of a URL that may be keys. Short ones, such as a
// version in the path, are not: hiding them would make texts unreadable.
func secretsOf(u *url.URL) []string {
	const shortest = 6
	var out []string
	add := func(s string) {
		if len(s) >= shortest {
			out = append(out, s)
		}
	}
	add(u.RawQuery)
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		add(password)
		add(u.User.Username())
	}
	add(strings.Trim(u.Path, "/"))
	for part := range strings.SplitSeq(u.Path, "/") {
		add(part)
	}
	return out
}
