package swap

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast/quote"
)

// maxAnswer bounds a source's answer; a transaction has 1,232 bytes.
const maxAnswer = 64 << 10

// Options make a Builder. A source without a URL makes no transactions.
type Options struct {
	Jupiter   quote.Jupiter
	DFlow     quote.Remote
	Timeout   time.Duration     // of one call; default 5 s
	Transport http.RoundTripper // nil: one of the builder's own
	Metrics   *Metrics          // nil: not counted
}

// Builder asks sources for transactions.
type Builder struct {
	opts   Options
	client *http.Client
}

// ErrNoBuilder means that no transaction can be made from any quote of an answer.
var ErrNoBuilder = errors.New("no transaction can be made from these quotes")

// SourceError is a source that gave no transaction. It holds no key.
type SourceError struct {
	Source string
	Reason string
}

// Error names the source.
func (e *SourceError) Error() string { return e.Source + ": " + e.Reason }

// NewBuilder makes one. Its errors name the URL that is none.
func NewBuilder(o Options) (*Builder, error) {
	for _, base := range []string{o.Jupiter.URL, o.DFlow.URL} {
		if u, err := url.Parse(base); base != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("%q is no http or https URL", base)
		}
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Transport == nil {
		o.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16,
			TLSHandshakeTimeout: 5 * time.Second, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return &Builder{opts: o, client: &http.Client{
		Transport: o.Transport,
		// A key stays with who it was made for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close ends the connections that idle.
func (b *Builder) Close() { b.client.CloseIdleConnections() }

// Built is an unsigned transaction that passed Check.
type Built struct {
	Source  string
	Quote   *quote.Quote
	Raw     []byte
	Checked *Checked
	// LastValidBlockHeight is the block height after which the transaction is void; 0
	// unknown.
	LastValidBlockHeight uint64
}

// Build makes a transaction from the best quote of an answer from which one can be
// made: Built.Source says which. The error is a *SourceError, a *Refusal, ErrNoBuilder or ctx's.
func (b *Builder) Build(ctx context.Context, a *quote.Answer, user solana.PublicKey) (*Built, error) {
	source, q := b.pick(a)
	if q == nil {
		return nil, ErrNoBuilder
	}
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	start := time.Now()
	raw, height, err := b.ask(ctx, source, q, user)
	b.opts.Metrics.asked(source, time.Since(start))
	if err != nil {
		b.opts.Metrics.built(source, "failed")
		return nil, err
	}
	checked, err := Check(raw, source, q, user)
	if err != nil {
		b.opts.Metrics.built(source, "refused")
		var refusal *Refusal
		if errors.As(err, &refusal) {
			b.opts.Metrics.refuse(source, refusal.Code)
		}
		return nil, err
	}
	b.opts.Metrics.built(source, "built")
	return &Built{Source: source, Quote: q, Raw: raw, Checked: checked, LastValidBlockHeight: height}, nil
}

// pick is the winner, or the best of the others, of those that make transactions.
func (b *Builder) pick(a *quote.Answer) (string, *quote.Quote) {
	able := func(source string, q *quote.Quote) bool {
		return q != nil && q.Executable && len(q.Raw) > 0 && (source == quote.NameJupiter && b.opts.Jupiter.URL != "" || source == quote.NameDFlow && b.opts.DFlow.URL != "")
	}
	if able(a.Source, a.Quote) {
		return a.Source, a.Quote
	}
	var best *quote.Result
	for i := range a.Sources {
		if r := &a.Sources[i]; able(r.Source, r.Quote) && (best == nil || r.Score.Total() > best.Score.Total()) {
			best = r
		}
	}
	if best == nil {
		return "", nil
	}
	return best.Source, best.Quote
}

// ask makes the call: Jupiter's POST /swap/v2/swap ("taker") or v1's /swap/v1/swap
// ("userPublicKey"), DFlow's POST /swap. All take their own quote back verbatim.
func (b *Builder) ask(ctx context.Context, source string, q *quote.Quote, user solana.PublicKey) (raw []byte, height uint64, err error) {
	remote, path, who := b.opts.DFlow, "/swap", "userPublicKey"
	if source == quote.NameJupiter {
		remote, path, who = b.opts.Jupiter.Remote, "/swap/v2/swap", "taker"
		if b.opts.Jupiter.V1 {
			path, who = "/swap/v1/swap", "userPublicKey"
		}
	}
	body, err := json.Marshal(map[string]any{who: user.String(), "quoteResponse": q.Raw, "dynamicComputeUnitLimit": true})
	if err != nil {
		return nil, 0, &SourceError{source, "its quote cannot be sent back"}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(remote.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, &SourceError{source, "the request could not be made"}
	}
	request.Header.Set("Content-Type", "application/json")
	if remote.Key != "" {
		request.Header.Set("X-Api-Key", remote.Key)
	}
	response, err := b.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, 0, &SourceError{source, "no answer in time"}
		}
		return nil, 0, &SourceError{source, "no connection"}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return nil, 0, &SourceError{source, "the answer broke off"}
	case response.StatusCode != http.StatusOK:
		return nil, 0, &SourceError{source, "it answers with HTTP status " + strconv.Itoa(response.StatusCode)}
	case len(text) > maxAnswer || kind != "application/json":
		return nil, 0, &SourceError{source, "the answer is no JSON, or too large"}
	}
	return readBuilt(source, text)
}

func readBuilt(source string, text []byte) ([]byte, uint64, error) {
	var answer struct {
		SwapTransaction      string          `json:"swapTransaction"`
		LastValidBlockHeight json.RawMessage `json:"lastValidBlockHeight"` // a number, in places a string
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.SwapTransaction == "" {
		return nil, 0, &SourceError{source, "the answer holds no transaction"}
	}
	raw, err := base64.StdEncoding.DecodeString(answer.SwapTransaction)
	if err != nil || len(raw) == 0 {
		return nil, 0, &SourceError{source, "the transaction is no base64"}
	}
	height, err := strconv.ParseUint(strings.Trim(string(answer.LastValidBlockHeight), `"`), 10, 64)
	if err != nil {
		height = 0 // unknown: the answer says so
	}
	return raw, height, nil
}
