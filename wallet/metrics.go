package wallet

import "github.com/prometheus/client_golang/prometheus"

// Why something of a wallet is not kept.
const (
	dropWallet  = "too_many_wallets"
	dropHolding = "too_many_holdings"
)

// Metrics count what a book keeps and what it has no room for. The methods of
// nil count nothing.
type Metrics struct {
	wallets prometheus.Gauge
	dropped *prometheus.CounterVec
}

// NewMetrics registers the metrics of a book.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		wallets: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_wallets_watched",
			Help: "Wallets whose balances are followed.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_wallets_dropped_total",
			Help: "Wallets that were refused, and changes of holdings that were left out, for want of room.",
		}, []string{"reason"}),
	}
	r.MustRegister(m.wallets, m.dropped)
	for _, reason := range []string{dropWallet, dropHolding} {
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
