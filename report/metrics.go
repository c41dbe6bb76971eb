package report

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what was sent and what was not. A nil *Metrics counts nothing.
type Metrics struct {
	sent    *prometheus.CounterVec // kind
	dropped *prometheus.CounterVec // kind, reason
}

// NewMetrics registers the package's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_sentry_events_total", Help: "Events that the Sentry server took, by kind: transaction, message, error.",
		}, []string{"kind"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_sentry_dropped_total", Help: "Events that the Sentry server did not get, by kind and reason.",
		}, []string{"kind", "reason"}),
	}
	reg.MustRegister(m.sent, m.dropped)
	// What has not happened yet is 0, not missing.
	for k := range kinds {
		m.sent.WithLabelValues(k.String())
		for _, reason := range reasons() {
			m.dropped.WithLabelValues(k.String(), reason)
		}
	}
	return m
}

func (m *Metrics) send(k Kind) {
	if m != nil {
		m.sent.WithLabelValues(k.String()).Inc()
	}
}

func (m *Metrics) drop(k Kind, reason string) {
	if m != nil {
		m.dropped.WithLabelValues(k.String(), reason).Inc()
	}
}

// Why a record was not sent; doc.go explains each.
const (
	reasonBudget   = "budget"
	reasonRepeated = "repeated"
	reasonFull     = "queue_full"
	reasonLimited  = "rate_limited"
	reasonNetwork  = "network"
	reasonRefused  = "refused"
	reasonUnfit    = "unfit"
	reasonShutdown = "shutdown"
)

func reasons() []string {
	return []string{
		reasonBudget, reasonRepeated, reasonFull, reasonLimited, reasonNetwork, reasonRefused, reasonUnfit, reasonShutdown,
	}
}
