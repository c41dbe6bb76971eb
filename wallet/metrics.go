package wallet

import "github.com/prometheus/client_golang/prometheus"

// Why something of a wallet is not kept.
const (
	dropWallet  = "too_many_wallets"
	dropHolding = "too_many_holdings"
	dropLate    = "late" // a transaction from before what was folded
)

// Metrics count what a book and positions keep and what they have no room for.
// The methods of nil count nothing.
type Metrics struct {
	wallets   prometheus.Gauge
	dropped   *prometheus.CounterVec
	snapshots *prometheus.CounterVec
	events    prometheus.Gauge
	taken     *prometheus.CounterVec
	folded    prometheus.Counter
}

// NewMetrics registers the metrics of a book and of positions.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		wallets: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_wallets_watched",
			Help: "Wallets whose balances are followed.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_wallets_dropped_total",
			Help: "Wallets that were refused, changes of holdings that were left out for want of room, and transactions that came too late to count.",
		}, []string{"reason"}),
		snapshots: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_wallet_snapshots_total",
			Help: "Snapshots of wallets that were taken in, by what they are of.",
		}, []string{"part"}),
		events: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_wallet_events",
			Help: "Transactions that are kept of the wallets whose positions are followed.",
		}),
		taken: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_wallet_transactions_total",
			Help: "Transactions that count for the positions of a wallet, by where they came from, and those taken back.",
		}, []string{"from"}),
		folded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_wallet_folded_total",
			Help: "Old transactions of wallets with very many that are kept only as what they left.",
		}),
	}
	r.MustRegister(m.wallets, m.dropped, m.snapshots, m.events, m.taken, m.folded)
	for _, reason := range []string{dropWallet, dropHolding, dropLate} {
		m.dropped.WithLabelValues(reason)
	}
	return m
}

func (m *Metrics) drop(reason string) {
	if m != nil {
		m.dropped.WithLabelValues(reason).Inc()
	}
}

func (m *Metrics) watching(n int) {
	if m != nil {
		m.wallets.Set(float64(n))
	}
}

func (m *Metrics) snapshot(p Part) {
	if m != nil {
		m.snapshots.WithLabelValues([...]string{"token", "token_2022", "sol"}[p]).Inc()
	}
}

// Where transactions come from.
const (
	fromStream  = "stream"
	fromHistory = "history"
	fromStore   = "store"
	retracted   = "retracted"
)

func (m *Metrics) took(from string, n int) {
	if m == nil {
		return
	}
	m.taken.WithLabelValues(from).Add(float64(n))
}

func (m *Metrics) kept(change int) {
	if m != nil {
		m.events.Add(float64(change))
	}
}

func (m *Metrics) fold(n int) {
	if m != nil {
		m.folded.Add(float64(n))
	}
}
