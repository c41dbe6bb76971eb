package tokens

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what a Loader does. Nil works and counts nothing.
type Metrics struct {
	lookups *prometheus.CounterVec
	dropped *prometheus.CounterVec
	waiting prometheus.Gauge
	known   prometheus.Gauge
}

// NewMetrics registers the metrics. It panics where r has them already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_token_lookups_total",
			Help: "Mints whose facts were asked for, by outcome: found, unnamed (no metadata), not_mint, missing, failed (no endpoint answered).",
		}, []string{"outcome"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_token_dropped_total",
			Help: "Wishes for a mint's facts that were dropped, by reason: queue_full.",
		}, []string{"reason"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_token_queue_length",
			Help: "Mints that wait to be asked for.",
		}),
		known: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_token_known",
			Help: "Mints that are remembered, with or without facts.",
		}),
	}
	r.MustRegister(m.lookups, m.dropped, m.waiting, m.known)
	return m
}

func (m *Metrics) lookup(outcome outcome) {
	if m != nil {
		m.lookups.WithLabelValues(string(outcome)).Inc()
	}
}

func (m *Metrics) drop() {
	if m != nil {
		m.dropped.WithLabelValues("queue_full").Inc()
	}
}

func (m *Metrics) size(waiting, known int) {
	if m != nil {
		m.waiting.Set(float64(waiting))
		m.known.Set(float64(known))
	}
}
