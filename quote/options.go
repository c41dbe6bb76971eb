package quote

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gagliardetto/solana-go"
)

// The services' own addresses. Without a key a service at its own address is off,
// where it wants one; a server elsewhere (a proxy that adds the key, a fake) is
// asked without.
const (
	JupiterURL  = "https://api.jup.ag"
	DFlowURL    = "https://quote-api.dflow.net"
	HashflowURL = "https://api.hashflow.com/taker/v3"
	PythURL     = "https://pyth.dourolabs.app/hermes"
)

// Options make an Engine. The zero value has every source off. Durations that are
// left 0 are the stated share of Deadline.
type Options struct {
	Jupiter  Jupiter
	DFlow    Remote
	Hashflow Hashflow
	Pyth     Pyth
	OnChain  OnChain

	// Reference judges quotes; nil: only what an answer says of itself is judged.
	Reference Reference
	Limits    Limits

	// Deadline is the most that Quote takes; default 2 s. What is sent is cut a
	// tenth earlier, so that the answer is out in time even where the machine is busy.
	Deadline time.Duration
	// HedgeMin and HedgeMax bound how long Jupiter is waited for alone; default 150 ms
	// and 600 ms of 2 s.
	HedgeMin, HedgeMax time.Duration
	// Settle is how long others may still bring a better quote once a trusted one of
	// a fallback is there; default 250 ms of 2 s.
	Settle time.Duration
	// LastAfter is when Pyth is asked although others still run; default 1.2 s of 2 s.
	LastAfter time.Duration
	// SlowAfter is how long a try must have run for its cutting off by the engine to
	// count as the source's failure; default HedgeMax.
	SlowAfter time.Duration
	// QuoteLife is how long an answer without a promise may be used; default 3 s.
	QuoteLife time.Duration

	// Transport carries the HTTP requests; nil: one of the engine's own.
	Transport http.RoundTripper
	// Now is the clock of ages and expiry; default time.Now.
	Now     func() time.Time
	Logger  *slog.Logger // nil: silent
	Metrics *Metrics     // nil: not counted
}

// Remote is a service that is asked over HTTP.
type Remote struct {
	URL string // "" off
	Key string
	Policy
}

// Jupiter is asked for Metis quotes: /swap/v2/quote, or v1's by V1.
type Jupiter struct {
	Remote
	V1 bool
}

// Hashflow needs a key and the name that goes with it.
type Hashflow struct {
	Remote
	Source string // "source" of each call
	// Trader is the wallet that the quote is asked for; zero: Hashflow wants one, so
	// the system program's address is sent.
	Trader solana.PublicKey
}

// Pyth is Hermes.
type Pyth struct {
	Remote
	// Feeds maps mints to price feeds, 64 hex digits without 0x; nil: PythFeeds.
	Feeds map[solana.PublicKey]string
	// MaxAge is how old a price may be; default 10 s.
	MaxAge time.Duration
	// MaxWidth is how wide a price may be, its confidence interval over itself;
	// default 0.02.
	MaxWidth float64
}

// OnChain is our own source.
type OnChain struct {
	Reserves Reserves // nil off
	// MaxPoolAge is how many slots may have gone since a pool's last swap: liquidity
	// that comes or goes shows with the next one. Default 9,000.
	MaxPoolAge uint64
}

// Policy is how one source is treated. Zero fields take the defaults.
type Policy struct {
	TryTimeout time.Duration // of one call; default half of the deadline
	// MaxTries is how many calls a request may make; default 3.
	MaxTries int
	// BackoffMin and BackoffMax bound the waits between tries; default 100 ms and 1 s
	// of 2 s.
	BackoffMin, BackoffMax time.Duration
	BreakAfter             int           // failures in a row; default 3
	BreakFor               time.Duration // default 5 s
	// PerSecond and Burst are the budget of the key; default 10 and as many again.
	PerSecond float64
	Burst     int
	MaxCalls  int // at once; default 32
}

// Limits say what makes a quote doubtful or absurd. Zero fields take the defaults.
type Limits struct {
	// Tolerance is how far our mid may be off, a fraction, beside the slippage;
	// default 0.01.
	Tolerance float64
	// MinConfidence is the least of both mids' for a quote to be judged by them;
	// default 0.5.
	MinConfidence float64
	// MaxGain is how much better than the mid a quote may be to be believed, a
	// fraction; default 0.1.
	MaxGain float64
	// MaxLoss is how much of what the mid and the stated price impact promise may be
	// missing, a fraction; default 0.5.
	MaxLoss float64
	// MaxImpact is the greatest price impact that is not doubtful; default 0.03.
	MaxImpact float64
	// MaxHops is the longest path that is not doubtful; default 4.
	MaxHops int
	// MinLiquidity is the least that a pool may hold, in dollars; default 10,000.
	MinLiquidity float64
	// MaxLag is how many slots the market of a quote may be behind our stream;
	// default 40 (10 s of 250 ms slots).
	MaxLag uint64
	// MaxSilence is how long our own stream may have been silent for its prices and
	// reserves to be used; default 10 s.
	MaxSilence time.Duration
}

// orDuration returns d, or the default where it is not set.
func orDuration(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}

func orFloat(v, def float64) float64 {
	if v > 0 {
		return v
	}
	return def
}

func orInt(v, def int) int {
	if v > 0 {
		return v
	}
	return def
}

func orSlots(v, def uint64) uint64 {
	if v > 0 {
		return v
	}
	return def
}

func (o Options) withDefaults() Options {
	o.Deadline = orDuration(o.Deadline, 2*time.Second)
	d := o.Deadline
	o.HedgeMin = orDuration(o.HedgeMin, d*3/40)
	o.HedgeMax = orDuration(o.HedgeMax, d*3/10)
	o.HedgeMin = min(o.HedgeMin, o.HedgeMax)
	o.Settle = orDuration(o.Settle, d/8)
	o.LastAfter = orDuration(o.LastAfter, d*3/5)
	o.SlowAfter = orDuration(o.SlowAfter, o.HedgeMax)
	o.QuoteLife = orDuration(o.QuoteLife, 3*time.Second)
	o.Limits = o.Limits.withDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, p := range []*Policy{&o.Jupiter.Policy, &o.DFlow.Policy, &o.Hashflow.Policy, &o.Pyth.Policy} {
		*p = p.withDefaults(d)
	}
	if o.Pyth.Feeds == nil {
		o.Pyth.Feeds = PythFeeds()
	}
	o.Pyth.MaxAge = orDuration(o.Pyth.MaxAge, 10*time.Second)
	o.Pyth.MaxWidth = orFloat(o.Pyth.MaxWidth, 0.02)
	o.OnChain.MaxPoolAge = orSlots(o.OnChain.MaxPoolAge, 9_000)
	if o.Hashflow.Trader.IsZero() {
		o.Hashflow.Trader = solana.SystemProgramID
	}
	return o
}

func (p Policy) withDefaults(deadline time.Duration) Policy {
	p.TryTimeout = orDuration(p.TryTimeout, deadline/2)
	p.MaxTries = orInt(p.MaxTries, 3)
	p.BackoffMin = orDuration(p.BackoffMin, deadline/20)
	p.BackoffMax = max(orDuration(p.BackoffMax, deadline/2), p.BackoffMin)
	p.BreakAfter = orInt(p.BreakAfter, 3)
	p.BreakFor = orDuration(p.BreakFor, 5*time.Second)
	p.PerSecond = orFloat(p.PerSecond, 10)
	p.Burst = orInt(p.Burst, int(p.PerSecond+0.999))
	p.MaxCalls = orInt(p.MaxCalls, 32)
	return p
}

func (l Limits) withDefaults() Limits {
	l.Tolerance = orFloat(l.Tolerance, 0.01)
	l.MinConfidence = orFloat(l.MinConfidence, 0.5)
	l.MaxGain = orFloat(l.MaxGain, 0.1)
	l.MaxLoss = orFloat(l.MaxLoss, 0.5)
	l.MaxImpact = orFloat(l.MaxImpact, 0.03)
	l.MaxHops = orInt(l.MaxHops, 4)
	l.MinLiquidity = orFloat(l.MinLiquidity, 10_000)
	l.MaxLag = orSlots(l.MaxLag, 40)
	l.MaxSilence = orDuration(l.MaxSilence, 10*time.Second)
	return l
}
