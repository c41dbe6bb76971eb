package backfill

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what a Filler does. Nil works and counts nothing. Requests are
// counted by rpcpool.
type Metrics struct {
	slots    *prometheus.CounterVec
	lost     *prometheus.CounterVec
	txs      prometheus.Counter
	bad      prometheus.Counter
	disputes *prometheus.CounterVec
	queue    prometheus.Gauge
}

// NewMetrics registers the metrics. It panics where r has them already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		slots: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_backfill_slots_total",
			Help: "Missing slots that RPC answered, by outcome: filled, skipped.",
		}, []string{"outcome"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_backfill_lost_slots_total",
			Help: "Missing slots that could not be had over RPC, by reason.",
		}, []string{"reason"}),
		txs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_backfill_transactions_total",
			Help: "Transactions delivered for missing slots and disputes.",
		}),
		bad: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_backfill_undecodable_total",
			Help: "Transactions of fetched blocks that could not be decoded.",
		}),
		disputes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_backfill_disputes_total",
			Help: "Disputed transactions, by outcome: found, absent, unresolved (no block), dropped (too many waiting).",
		}, []string{"outcome"}),
		queue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_backfill_queue_slots",
			Help: "Slots that are being fetched or wait for it.",
		}),
	}
	r.MustRegister(m.slots, m.lost, m.txs, m.bad, m.disputes, m.queue)
	return m
}

func (m *Metrics) slot(outcome string) {
	if m != nil {
		m.slots.WithLabelValues(outcome).Inc()
	}
}

func (m *Metrics) lose(reason string, slots uint64) {
	if m != nil {
		m.lost.WithLabelValues(reason).Add(float64(slots))
	}
}

func (m *Metrics) transaction() {
	if m != nil {
		m.txs.Inc()
	}
}

func (m *Metrics) undecodable() {
	if m != nil {
		m.bad.Inc()
	}
}

func (m *Metrics) dispute(outcome string) {
	if m != nil {
		m.disputes.WithLabelValues(outcome).Inc()
	}
}

func (m *Metrics) waiting(slots int) {
	if m != nil {
		m.queue.Set(float64(slots))
	}
}
