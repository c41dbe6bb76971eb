package market

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the market holds, forgets and refuses. A nil *Metrics
// counts nothing.
type Metrics struct {
	// StagePrice observes the seconds of each Apply; nil leaves the clock alone.
	StagePrice interface{ Observe(seconds float64) }

	pools, mints, trades, candles prometheus.Gauge
	evicted                       map[eviction]prometheus.Counter
	ignored                       map[refusal]prometheus.Counter

	journaled                                      prometheus.Gauge
	forgotten, retracted, replayed, unknownRetract prometheus.Counter
}

type (
	eviction uint8
	refusal  uint8
)

// Why something was forgotten.
const (
	evictMintLimit eviction = iota
	evictMintIdle
	evictPoolLimit
	evictPoolOfMint
	evictPoolWithMint
	evictTradesLimit
	evictCandlesLimit
	evictCandlesReceipt
)

// Why a swap or a part of it was not used.
const (
	refuseZeroAmount refusal = iota
	refuseSelfPool
	refuseNoMint
	refuseLate
	refusePoolOwner
	refuseSpot
	refuseDecimals
	refuseRestart
	refuseWash
	refuseCandleLate
	refuseCandleUntimed
)

// NewMetrics makes the market's metrics and registers them; a nil Registerer
// registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	ev := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "swapcast_market_evictions_total",
		Help: "Mints, pools, trade histories and candles of a mint forgotten, by reason.",
	}, []string{"kind", "reason"})
	ig := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "swapcast_market_ignored_total",
		Help: "Swaps of which something was not used for a price or a candle, by reason.",
	}, []string{"reason"})
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &Metrics{
		pools:   gauge("swapcast_market_pools", "Pools followed."),
		mints:   gauge("swapcast_market_mints", "Mints followed."),
		trades:  gauge("swapcast_market_trades", "Trades kept for readers."),
		candles: gauge("swapcast_market_candles", "Candles kept for readers."),
		evicted: map[eviction]prometheus.Counter{
			evictMintLimit:    ev.WithLabelValues("mint", "limit"),
			evictMintIdle:     ev.WithLabelValues("mint", "idle"),
			evictPoolLimit:    ev.WithLabelValues("pool", "limit"),
			evictPoolOfMint:   ev.WithLabelValues("pool", "pools_per_mint"),
			evictPoolWithMint: ev.WithLabelValues("pool", "mint_forgotten"),
			evictTradesLimit:  ev.WithLabelValues("trades", "limit"),
			evictCandlesLimit: ev.WithLabelValues("candles", "limit"),
			// First block time after times of receipt.
			evictCandlesReceipt: ev.WithLabelValues("candles", "block_time"),
		},
		ignored: map[refusal]prometheus.Counter{
			refuseZeroAmount: ig.WithLabelValues("zero_amount"),
			refuseSelfPool:   ig.WithLabelValues("self_pool"),
			refuseNoMint:     ig.WithLabelValues("unknown_mint"),
			refuseLate:       ig.WithLabelValues("late"),
			refusePoolOwner:  ig.WithLabelValues("pool_owner"),
			refuseSpot:       ig.WithLabelValues("spot_mismatch"),
			refuseDecimals:   ig.WithLabelValues("decimals_conflict"),
			refuseRestart:    ig.WithLabelValues("timeline_restart"),
			refuseWash:       ig.WithLabelValues("wash_trade"),
			refuseCandleLate: ig.WithLabelValues("candle_late"),
			// No block time where there are some, or should be soon.
			refuseCandleUntimed: ig.WithLabelValues("candle_untimed"),
		},
		journaled: gauge("swapcast_market_journal_swaps", "Swaps that a retraction can take back, as of the last time that slots were settled."),
		forgotten: counter("swapcast_market_journal_overflow_total", "Swaps made final because the journal was full, before their slots were settled."),
		retracted: counter("swapcast_market_retracted_swaps_total", "Swaps taken back because their slot died."),
		replayed:  counter("swapcast_market_replayed_swaps_total", "Swaps applied again because one before them was taken back."),
		unknownRetract: counter("swapcast_market_retract_unknown_total",
			"Transactions that should be taken back and were not, or not whole: never applied, settled, or out of the journal."),
	}
	if reg != nil {
		reg.MustRegister(m.pools, m.mints, m.trades, m.candles, ev, ig,
			m.journaled, m.forgotten, m.retracted, m.replayed, m.unknownRetract)
	}
	return m
}

func (m *Metrics) evict(e eviction) {
	if m != nil {
		m.evicted[e].Inc()
	}
}

func (m *Metrics) ignore(r refusal) {
	if m != nil {
		m.ignored[r].Inc()
	}
}

func (m *Metrics) sizes(pools, mints, trades, candles int) {
	if m != nil {
		m.pools.Set(float64(pools))
		m.mints.Set(float64(mints))
		m.trades.Set(float64(trades))
		m.candles.Set(float64(candles))
	}
}

// overflow counts a swap that the journal had no room for any more.
func (m *Metrics) overflow() {
	if m != nil {
		m.forgotten.Inc()
	}
}

func (m *Metrics) journal(swaps int) {
	if m != nil {
		m.journaled.Set(float64(swaps))
	}
}

func (m *Metrics) unknown(transactions int) {
	if m != nil {
		m.unknownRetract.Add(float64(transactions))
	}
}

func (m *Metrics) retract(r *Retraction) {
	if m != nil {
		m.retracted.Add(float64(r.Swaps))
		m.replayed.Add(float64(r.Replayed))
		m.unknown(len(r.Unknown))
	}
}
