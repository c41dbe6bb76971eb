package onchain

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what a Keeper does. Nil works and counts nothing.
type Metrics struct {
	reads   *prometheus.CounterVec
	missing prometheus.Counter
	waiting prometheus.Gauge
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_wallet_rpc_total",
			Help: "Snapshots and pages of history that were asked for of watched wallets, by outcome: ok, lagging (the node is behind what is needed; asked again), failed (asked again).",
		}, []string{"what", "outcome"}),
		missing: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_wallet_history_missing_total",
			Help: "Transactions of watched wallets that a node lists and no node gives, or that cannot be read.",
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_wallet_rpc_waiting",
			Help: "Watched wallets of which something is still to be read over RPC.",
		}),
	}
	r.MustRegister(m.reads, m.missing, m.waiting)
	return m
}

func (m *Metrics) read(what kind, outcome string) {
	if m != nil {
		m.reads.WithLabelValues(what.String(), outcome).Inc()
	}
}

func (m *Metrics) lost(n int) {
	if m != nil {
		m.missing.Add(float64(n))
	}
}

func (m *Metrics) left(n int) {
	if m != nil {
		m.waiting.Set(float64(n))
	}
}
