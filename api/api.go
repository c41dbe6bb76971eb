package api

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/swap"
)

// Market is what this package reads of the market. Each call returns data that
// the caller may keep.
type Market interface {
	// Price returns the newest price of a mint, false where it never traded.
	Price(mint solana.PublicKey) (swapcast.Price, bool)
	// Top returns the most liquid mints' prices, best first.
	Top(limit int) []swapcast.Price
	// Trades returns the newest trades of a mint, newest first.
	Trades(mint solana.PublicKey, limit int) []swapcast.Trade
	// Candles returns the newest candles of a mint, oldest first, without holes.
	Candles(mint solana.PublicKey, interval swapcast.Interval, limit int) []swapcast.Candle
	// Token returns what is known of a mint, false where nothing is.
	Token(mint solana.PublicKey) (swapcast.Token, bool)
}

// Pool is one pool of a token, as seen from that token. The zero value of a
// field means not known, but for Agrees and where another field says so.
type Pool struct {
	Address solana.PublicKey
	DEX     string
	Other   solana.PublicKey // mint of the other side
	// USD is this pool's own price of the token, valid where USDKnown.
	USD      float64
	USDKnown bool
	// ReserveAsset and ReserveOther are the vaults' raw amounts, valid where
	// ReservesKnown.
	ReserveAsset, ReserveOther uint64
	ReservesKnown              bool
	LiquidityUSD               float64 // what the pool holds, US dollars
	// DepthUSD is what Share is made of, age left out: twice what is trusted of what
	// the pool holds of the other side, in US dollars, and what it counts for where
	// that is not known. Valid where USDKnown.
	DepthUSD float64
	Share    float64 // of the weight behind the token's price, 0 to 1
	Agrees   bool    // whether it stands within the band that makes the price
	LastSlot uint64  // of the pool's newest swap
	Trades   uint64  // swaps seen by this run
	Curve    swapcast.Curve
}

// Day is what a token did within the last 24 hours.
type Day struct {
	VolumeUSD float64
	ChangePct float64 // of its price since Since
	Since     int64   // Unix seconds: 24 hours ago, or the first trade that is known
}

// Options configure a handler. Market, Pools and Status are needed; the zero
// value of everything else works.
type Options struct {
	Market Market
	// Pools returns a token's pools, the weightiest first.
	Pools func(mint solana.PublicKey) []Pool
	// Reasons returns the codes of what lowers the confidence in a token's price or
	// explains its source, such as "thin". Nil means that there are none to tell.
	Reasons func(mint solana.PublicKey) []string
	// Day returns a token's last 24 hours, false where no trade of it is known.
	// Nil means that nobody keeps them.
	Day func(mint solana.PublicKey) (Day, bool)
	// NewTokens returns the tokens that were seen trading on a bonding curve, the
	// newest first. Nil means that there are none to tell.
	NewTokens func(limit int) []NewToken
	// Quote returns the best quote for a request; its errors are quote.Engine's. Nil
	// means that nobody quotes.
	Quote func(ctx context.Context, r quote.Request) (*quote.Answer, error)
	// Swap makes an unsigned transaction for a wallet; its errors are those of quote's
	// Engine and swap's Builder. Nil means that nobody makes any.
	Swap func(ctx context.Context, w Wish) (*Swap, error)
	// Send forwards a signed transaction and begins to follow it; *NotSentError says why
	// it did not. Nil means that nobody forwards any.
	Send func(ctx context.Context, raw []byte, s swap.State) (swap.State, error)
	// Transaction returns what became of one that was forwarded.
	Transaction func(signature solana.Signature) (swap.State, bool)
	// Authorized tells whether a request may make and forward transactions; nil means
	// that everybody may.
	Authorized func(r *http.Request) bool
	// Wallets answers what is asked of wallets. Nil means that nobody follows any.
	Wallets Wallets
	// Status returns the state of the server at the time of the call.
	Status func() Status
	// Ready returns nil when the stream is fresh, else the reason why not,
	// which clients see. Nil means always ready.
	Ready func() error
	// Feed returns the kind of data that this server serves; nil means a live
	// chain.
	Feed func() swapcast.Feed
	// QuoteFeed is the same for quotes and swaps, which may be asked for before anything
	// is known of the chain; nil means Feed.
	QuoteFeed func() swapcast.Feed
	// AllowedOrigins are the web origins whose pages may read answers: hosts
	// such as "example.org" or "*.example.org", with a scheme where that
	// matters ("https://example.org"). Empty or "*" allows every page: the data
	// is public and no cookie is read.
	AllowedOrigins []string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// handler answers requests. All of it is static after construction.
type handler struct {
	Options
	routes  *http.ServeMux
	openAPI document
	async   document
}

// New returns the handler of every path that this package owns: /v1/, the two
// documents, /healthz and /readyz. Any other path is a 404 problem. It panics
// where a needed option is missing or an origin pattern is malformed: both are
// mistakes of the program.
func New(o Options) http.Handler {
	if o.Market == nil || o.Pools == nil || o.Status == nil {
		panic("api: Market, Pools and Status are needed")
	}
	o.AllowedOrigins = slices.Clone(o.AllowedOrigins)
	for _, pattern := range o.AllowedOrigins {
		if _, err := path.Match(pattern, ""); err != nil {
			panic(fmt.Sprintf("api: allowed origin %q: %v", pattern, err))
		}
	}
	if o.Feed == nil {
		o.Feed = func() swapcast.Feed { return swapcast.FeedLive }
	}
	if o.QuoteFeed == nil {
		o.QuoteFeed = o.Feed
	}
	if o.Authorized == nil {
		o.Authorized = func(*http.Request) bool { return true }
	}
	if o.Reasons == nil {
		o.Reasons = func(solana.PublicKey) []string { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h := &handler{Options: o, routes: http.NewServeMux(), openAPI: newDocument(openAPIJSON), async: newDocument(asyncAPIJSON())}
	for pattern, serve := range map[string]http.HandlerFunc{
		"/v1/prices":         h.prices,
		"/v1/tokens":         h.tokens,
		"/v1/tokens/{mint}":  h.token,
		"/v1/trades/{mint}":  h.trades,
		"/v1/candles/{mint}": h.candles,
		"/v1/status":         h.status,
		"/v1/quote":          h.quote,
		"/openapi.json":      h.openAPI.serve,
		"/asyncapi.json":     h.async.serve,
		"/healthz":           h.health,
		"/readyz":            h.ready,
	} {
		h.routes.Handle(pattern, h.readOnly(serve))
	}
	for pattern, serve := range map[string]http.HandlerFunc{
		"/v1/wallets/{owner}/balances":  ofWallet(h, Wallets.Balances),
		"/v1/wallets/{owner}/portfolio": ofWallet(h, Wallets.Portfolio),
		"/v1/wallets/{owner}/pnl":       ofWallet(h, Wallets.PnL),
	} {
		h.routes.Handle(pattern, h.readOnly(serve))
	}
	h.routes.HandleFunc("/v1/swap", h.post(h.makeSwap))
	h.routes.HandleFunc("/v1/transactions", h.post(h.send))
	h.routes.HandleFunc("/v1/transactions/{signature}", h.readOnly(h.keyed(h.transactionState)))
	h.routes.HandleFunc("/", h.notFound)
	return h
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	AllowOrigin(w, r, h.AllowedOrigins)
	h.routes.ServeHTTP(w, r)
}

const allowedMethods = "GET, HEAD, OPTIONS"

// readOnly lets GET and HEAD through, answers OPTIONS and refuses the rest.
func (h *handler) readOnly(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			serve(w, r)
		case http.MethodOptions:
			w.Header().Set("Allow", allowedMethods)
			w.Header().Set("Access-Control-Allow-Methods", allowedMethods)
			w.Header().Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Allow", allowedMethods)
			writeProblem(w, newProblem(CodeMethodNotAllowed, "", "this path can only be read"))
		}
	}
}

// Preflight answers a browser that asks whether a page may make a request.
func Preflight(w http.ResponseWriter, methods string) {
	w.Header().Set("Access-Control-Allow-Methods", methods)
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	w.WriteHeader(http.StatusNoContent)
}

// AllowOrigin tells the browser whether the asking page may read the answer, by what
// Options.AllowedOrigins has.
func AllowOrigin(w http.ResponseWriter, r *http.Request, allowed []string) {
	if len(allowed) == 0 || slices.Contains(allowed, "*") {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		return
	}
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin != "" && slices.ContainsFunc(allowed, func(pattern string) bool { return originMatches(pattern, origin) }) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
	}
}

// originMatches reports whether pattern names origin. A pattern without a
// scheme is about the host (and port) alone.
func originMatches(pattern, origin string) bool {
	pattern, origin = strings.ToLower(pattern), strings.ToLower(origin)
	if !strings.Contains(pattern, "://") {
		_, origin, _ = strings.Cut(origin, "://")
	}
	ok, err := path.Match(pattern, origin)
	return err == nil && ok
}

func (h *handler) notFound(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, newProblem(CodeNotFound, "", fmt.Sprintf("there is no %q here; /openapi.json lists what there is", echo(r.URL.Path))))
}

func notImplemented(w http.ResponseWriter, _ *http.Request) {
	writeProblem(w, newProblem(CodeNotImplemented, "", "this version of swapcast does not serve this yet"))
}
