package cache

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the cache did. A nil *Metrics counts nothing.
type Metrics struct {
	requests      *prometheus.CounterVec
	computes      *prometheus.CounterVec
	invalidations *prometheus.CounterVec
	coalesced     prometheus.Counter

	hits, misses prometheus.Counter // of requests, for the path that is measured in nanoseconds
}

// NewMetrics makes the package's metrics and registers them; a nil Registerer
// registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_cache_requests_total",
			Help: "What each layer was asked, by outcome. l1: hit, miss, stale (an older value in its grace was served). load: ok, not_found, error, timeout.",
		}, []string{"layer", "outcome"}),
		computes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_cache_computes_total",
			Help: "Calls of loaders, by what they load.",
		}, []string{"namespace"}),
		invalidations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_cache_invalidations_total",
			Help: "Tags invalidated, by origin: local, flush.",
		}, []string{"origin"}),
		coalesced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_cache_coalesced_total",
			Help: "Callers that shared the load of another in the same process.",
		}),
	}
	for _, o := range []string{"hit", "miss", "stale"} {
		m.requests.WithLabelValues("l1", o)
	}
	for _, o := range []string{"ok", "not_found", "error", "timeout"} {
		m.requests.WithLabelValues("load", o)
	}
	for _, o := range []string{"local", "flush"} {
		m.invalidations.WithLabelValues(o)
	}
	m.hits, m.misses = m.requests.WithLabelValues("l1", "hit"), m.requests.WithLabelValues("l1", "miss")
	if reg != nil {
		reg.MustRegister(m.requests, m.computes, m.invalidations, m.coalesced)
	}
	return m
}

func (m *Metrics) l1(hit bool) {
	switch {
	case m == nil:
	case hit:
		m.hits.Inc()
	default:
		m.misses.Inc()
	}
}

func (m *Metrics) request(layer, outcome string) {
	if m != nil {
		m.requests.WithLabelValues(layer, outcome).Inc()
	}
}

func (m *Metrics) compute(namespace string) {
	if m != nil {
		m.computes.WithLabelValues(namespace).Inc()
	}
}

func (m *Metrics) invalidated(origin string, n int) {
	if m != nil {
		m.invalidations.WithLabelValues(origin).Add(float64(n))
	}
}

func (m *Metrics) joined() {
	if m != nil {
		m.coalesced.Inc()
	}
}
