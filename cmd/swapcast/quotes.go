package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// sourceFlags say where quotes come from.
type sourceFlags struct {
	JupiterURL     string        `name:"jupiter-url" help:"Jupiter's address; off switches it off. Default https://api.jup.ag, and for the built-in market, where no flag of the quote sources is given, a stand-in with simulated prices." placeholder:"URL" group:"Quotes"`
	JupiterKey     string        `help:"Key for Jupiter, sent as x-api-key. Without one Jupiter's own address is not asked, but for --jupiter-v1. Better given as SWAPCAST_JUPITER_KEY: others see a command line." placeholder:"KEY" group:"Quotes"`
	JupiterV1      bool          `name:"jupiter-v1" help:"Ask Jupiter's older /swap/v1/quote, which answers without a key (30 requests a minute)." group:"Quotes"`
	JupiterRate    float64       `help:"Requests a second that the key for Jupiter allows; 0: 10 to Jupiter's own address, no limit elsewhere." group:"Quotes"`
	JupiterTimeout time.Duration `help:"Time that one call to Jupiter may take; 0: half of --quote-deadline. A call that fails in time may be made again." group:"Quotes"`

	DFlowURL     string        `name:"dflow-url" help:"DFlow's address; off switches it off. Default https://quote-api.dflow.net; its development server https://dev-quote-api.dflow.net wants no key." placeholder:"URL" group:"Quotes"`
	DFlowKey     string        `name:"dflow-key" help:"Key for DFlow, sent as x-api-key; without one its own address is not asked." placeholder:"KEY" group:"Quotes"`
	DFlowRate    float64       `name:"dflow-rate" help:"As --jupiter-rate." group:"Quotes"`
	DFlowTimeout time.Duration `name:"dflow-timeout" help:"As --jupiter-timeout." group:"Quotes"`

	HashflowURL     string        `help:"Hashflow's address; off switches it off. Default https://api.hashflow.com/taker/v3." placeholder:"URL" group:"Quotes"`
	HashflowKey     string        `help:"Key for Hashflow; without one it is off." placeholder:"KEY" group:"Quotes"`
	HashflowSource  string        `help:"Name that Hashflow gave out with the key, sent as source." placeholder:"NAME" group:"Quotes"`
	HashflowRate    float64       `help:"As --jupiter-rate." group:"Quotes"`
	HashflowTimeout time.Duration `help:"As --jupiter-timeout." group:"Quotes"`

	PythURL     string        `name:"pyth-url" help:"Address of a Hermes server of Pyth, for indications when nobody else has a quote; off switches it off. Default https://pyth.dourolabs.app/hermes." placeholder:"URL" group:"Quotes"`
	PythKey     string        `help:"Key for Pyth, sent as a bearer token; without one its own address is not asked." placeholder:"KEY" group:"Quotes"`
	PythRate    float64       `help:"As --jupiter-rate." group:"Quotes"`
	PythTimeout time.Duration `help:"As --jupiter-timeout." group:"Quotes"`
}

// quoteFlags say where quotes come from and what makes one doubtful.
type quoteFlags struct {
	sourceFlags `embed:""`

	QuoteDeadline     time.Duration `help:"A request for a quote is answered within this time, with the best that has come." default:"2s" group:"Quotes"`
	QuoteMaxHops      int           `help:"Longest path through a route that is not doubtful." default:"4" group:"Quotes"`
	QuoteMaxImpact    float64       `help:"Greatest price impact that is not doubtful, a fraction: 0.03 is 3%." default:"0.03" group:"Quotes"`
	QuoteMinLiquidity float64       `help:"Least that a pool on the way may hold, in dollars, for a quote not to be doubtful." default:"10000" group:"Quotes"`
}

// check refuses values that the flags' own types let pass.
func (f *quoteFlags) check() error {
	for _, rate := range []struct {
		flag  string
		value float64
	}{
		{"--jupiter-rate", f.JupiterRate},
		{"--dflow-rate", f.DFlowRate},
		{"--hashflow-rate", f.HashflowRate},
		{"--pyth-rate", f.PythRate},
	} {
		if !(rate.value >= 0 && rate.value <= 1e6) {
			return usagef("%s %v: must be from 0 to 1e6", rate.flag, rate.value)
		}
	}
	for _, timeout := range []struct {
		flag  string
		value time.Duration
	}{
		{"--jupiter-timeout", f.JupiterTimeout},
		{"--dflow-timeout", f.DFlowTimeout},
		{"--hashflow-timeout", f.HashflowTimeout},
		{"--pyth-timeout", f.PythTimeout},
	} {
		if timeout.value < 0 || timeout.value > 20*time.Second {
			return usagef("%s %s: must be from 0 to 20s", timeout.flag, timeout.value)
		}
	}
	switch {
	case f.QuoteDeadline < 50*time.Millisecond || f.QuoteDeadline > 20*time.Second:
		return usagef("--quote-deadline %s: must be from 50ms to 20s", f.QuoteDeadline)
	case f.QuoteMaxHops < 1:
		return usagef("--quote-max-hops %d: must be above 0", f.QuoteMaxHops)
	case !(f.QuoteMaxImpact > 0 && f.QuoteMaxImpact <= 1):
		return usagef("--quote-max-impact %v: must be above 0 and at most 1", f.QuoteMaxImpact)
	case !(f.QuoteMinLiquidity > 0):
		return usagef("--quote-min-liquidity %v: must be above 0", f.QuoteMinLiquidity)
	case f.HashflowKey != "" && f.HashflowSource == "":
		return usagef("--hashflow-source is missing: Hashflow gives it out with --hashflow-key")
	}
	return nil
}

// given tells whether anything is said of who is to be asked.
func (f *quoteFlags) given() bool {
	return f.JupiterV1 || f.JupiterURL+f.JupiterKey+f.DFlowURL+f.DFlowKey+f.HashflowURL+f.HashflowKey+f.PythURL+f.PythKey != ""
}

// options are the engine's. elsewhere says that the chain is not the real one (or
// not of now), so that the services' own addresses are only asked where a flag says
// so.
func (f *quoteFlags) options(elsewhere bool) quote.Options {
	o := quote.Options{
		Jupiter: quote.Jupiter{
			Remote: remote(f.JupiterURL, f.JupiterKey, quote.JupiterURL, f.JupiterRate, elsewhere && !f.JupiterV1),
			V1:     f.JupiterV1,
		},
		DFlow: remote(f.DFlowURL, f.DFlowKey, quote.DFlowURL, f.DFlowRate, elsewhere),
		Hashflow: quote.Hashflow{
			Remote: remote(f.HashflowURL, f.HashflowKey, quote.HashflowURL, f.HashflowRate, elsewhere),
			Source: f.HashflowSource,
		},
		Pyth:     quote.Pyth{Remote: remote(f.PythURL, f.PythKey, quote.PythURL, f.PythRate, elsewhere)},
		Deadline: f.QuoteDeadline,
		Limits:   quote.Limits{MaxHops: f.QuoteMaxHops, MaxImpact: f.QuoteMaxImpact, MinLiquidity: f.QuoteMinLiquidity},
	}
	o.Jupiter.TryTimeout, o.DFlow.TryTimeout = f.JupiterTimeout, f.DFlowTimeout
	o.Hashflow.TryTimeout, o.Pyth.TryTimeout = f.HashflowTimeout, f.PythTimeout
	return o
}

// noRate is a budget that nobody uses up.
const noRate = 1e6

// remote is one service as its flags say. Its own address has the budget that a
// small plan has; what somebody runs himself has none unless he says so.
func remote(url, key, own string, rate float64, elsewhere bool) quote.Remote {
	r := quote.Remote{URL: url, Key: key}
	switch {
	case url == "off":
		r.URL = ""
	case url == "" && (key != "" || !elsewhere):
		r.URL = own
	}
	r.PerSecond = rate
	if rate == 0 && r.URL != own {
		r.PerSecond, r.MaxCalls = noRate, 512
	}
	return r
}

// quotes is the quote engine of a server, with the stand-ins that it asks where the
// market is simulated and nobody said whom to ask instead.
type quotes struct {
	engine   *quote.Engine
	standIns *standIns // nil: none
}

// openQuotes makes the engine.
func (s *server) openQuotes(ctx context.Context) error {
	flags := &s.config.quoteFlags
	o := flags.options(s.upstream.feed != swapcast.FeedLive)
	seen := quotedMarket{s.processed.market, s.feed}
	if s.upstream.feed == swapcast.FeedSimulated && !flags.given() {
		var err error
		if s.quotes.standIns, err = openStandIns(ctx, "quote stand-ins", "127.0.0.1:0", simulatedPrices(seen)); err != nil {
			return err
		}
		s.quotes.standIns.use(&o)
	}
	o.Reference, o.OnChain.Reserves = seen, seen
	o.Logger = s.log.With("component", "quote")
	o.Metrics = quote.NewMetrics(s.registry)
	var err error
	if s.quotes.engine, err = quote.New(o); err != nil {
		s.quotes.close()
		return usagef("%v", err)
	}
	return s.openSwaps(&o)
}

// close ends the engine; the stand-ins end with what serves them.
func (q *quotes) close() {
	if q.standIns != nil {
		_ = q.standIns.listener.Close() // served or not, it is of no more use
	}
	if q.engine != nil {
		q.engine.Close()
	}
}

// logQuoteSources tells once who is asked, and why others are not.
func logQuoteSources(log *slog.Logger, e *quote.Engine, standIns bool) {
	var attributes []any
	for _, s := range e.Status() {
		state := "on"
		if s.Off != "" {
			state = "off: " + s.Off
		}
		attributes = append(attributes, s.Source, state)
	}
	log.Info("quote sources", append(attributes, "stand_ins", standIns)...)
}

// quotedMarket is the processed market as quotes are judged by it and made from it.
type quotedMarket struct {
	market *market.Market
	feed   *feedState
}

// Head is the newest slot on the stream and when that was.
func (m quotedMarket) Head() (uint64, time.Time) {
	at := m.feed.slotAt.Load()
	if at == 0 {
		return 0, time.Time{}
	}
	return m.feed.tipSlot.Load(), time.Unix(0, at)
}

// Mid is a mint's streamed price.
func (m quotedMarket) Mid(mint solana.PublicKey) (quote.Mid, bool) {
	p, ok := m.market.Price(mint)
	if !ok || !p.Known {
		return quote.Mid{}, false
	}
	return quote.Mid{USD: p.USD, Confidence: p.Confidence, Slot: p.Slot}, true
}

// Decimals is a mint's, false where they are not known.
func (m quotedMarket) Decimals(mint solana.PublicKey) (uint8, bool) { return m.market.Decimals(mint) }

// Liquidity is what a pool holds, in dollars.
func (m quotedMarket) Liquidity(pool solana.PublicKey) (float64, bool) {
	return m.market.PoolLiquidity(pool)
}

// Pools appends a mint's constant-product pools.
func (m quotedMarket) Pools(dst []quote.Pool, mint solana.PublicKey) []quote.Pool {
	for _, r := range m.market.Reserves(nil, mint) {
		if r.FeeBps < 0 || r.FeeBps >= quote.MaxSlippageBps {
			continue
		}
		dst = append(dst, quote.Pool{
			Address: r.Address, DEX: r.DEX, MintA: r.Base, MintB: r.Quote,
			ReserveA: r.ReserveBase, ReserveB: r.ReserveQuote,
			FeeBps: uint16(r.FeeBps), FeeOnB: r.FeeOnQuote, Slot: r.Slot,
		})
	}
	return dst
}

// simulatedPrices are the same market's for the stand-ins: what they answer is made
// from what the pages show.
type simulatedPrices quotedMarket

// Price is US dollars per whole token.
func (m simulatedPrices) Price(mint solana.PublicKey) (usd float64, decimals uint8, ok bool) {
	p, ok := m.market.Price(mint)
	if !ok || !p.Known {
		return 0, 0, false
	}
	decimals, ok = m.market.Decimals(mint)
	return p.USD, decimals, ok
}

// Depth is half of what the mint's pools hold, US dollars.
func (m simulatedPrices) Depth(mint solana.PublicKey) float64 {
	p, _ := m.market.Price(mint)
	return p.LiquidityUSD / 2
}

// Slot is the newest slot.
func (m simulatedPrices) Slot() uint64 { return m.feed.tipSlot.Load() }

// standIns are servers that answer as Jupiter, DFlow, Hashflow, Hermes and a Solana RPC
// node do, with simulated prices.
type standIns struct {
	listener net.Listener
	server   *http.Server
	services *quotetest.Services
	url      string // without a slash at the end
}

// openStandIns takes a port for stand-ins; flag names it in errors.
func openStandIns(ctx context.Context, flag, address string, m quotetest.Market) (*standIns, error) {
	listener, err := listenOn(ctx, flag, address)
	if err != nil {
		return nil, err
	}
	services := quotetest.New(m, quote.PythFeeds())
	server := &http.Server{Handler: services.Handler()}
	limitHTTP(server, time.Minute)
	return &standIns{listener: listener, server: server, services: services, url: "http://" + listener.Addr().String()}, nil
}

// use makes them the sources of an engine.
func (s *standIns) use(o *quote.Options) {
	stand := func(name, key string, was quote.Remote) quote.Remote {
		return quote.Remote{URL: s.url + "/" + name, Key: key, Policy: quote.Policy{PerSecond: noRate, MaxCalls: 512, TryTimeout: was.TryTimeout}}
	}
	o.Jupiter.Remote = stand("jupiter", "", o.Jupiter.Remote)
	o.DFlow = stand("dflow", "", o.DFlow)
	o.Hashflow = quote.Hashflow{Remote: stand("hashflow", "simulated", o.Hashflow.Remote), Source: "swapcast"}
	o.Pyth.Remote = stand("hermes", "", o.Pyth.Remote)
}

// serve answers until ctx ends.
func (s *standIns) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.server.Close() })
	defer stop()
	return closed(s.server.Serve(s.listener))
}
