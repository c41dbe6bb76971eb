package parser

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what parsers found. A nil Metrics counts nothing. It is safe
// for concurrent use, so that all workers share one.
type Metrics struct {
	// Stage takes the seconds that one transaction took; nil takes none. It is
	// set before the first use.
	Stage interface{ Observe(float64) }

	errors *prometheus.CounterVec
	swaps  map[string]prometheus.Counter // by DEX, never written after NewMetrics
}

// NewMetrics makes the counters and registers them. Every DEX has its series of
// swaps from the start, so that one which falls silent shows as 0.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	swaps := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "swapcast_swaps_total",
		Help: "Swaps found, by DEX.",
	}, []string{"dex"})
	m := &Metrics{
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_parse_errors_total",
			Help: "Instructions that should have been swaps and could not be read as such, by DEX and reason.",
		}, []string{"dex", "reason"}),
		swaps: make(map[string]prometheus.Counter),
	}
	for _, d := range dexes() {
		m.swaps[d.name] = swaps.WithLabelValues(d.name)
	}
	reg.MustRegister(swaps, m.errors)
	return m
}

// Count adds what one transaction held and how long it took to parse.
func (m *Metrics) Count(r *Result, took time.Duration) {
	if m == nil {
		return
	}
	for i := range r.Swaps {
		if c := m.swaps[r.Swaps[i].DEX]; c != nil {
			c.Inc()
		}
	}
	for i := range r.Unparsed {
		m.errors.WithLabelValues(r.Unparsed[i].DEX, r.Unparsed[i].Reason).Inc()
	}
	if m.Stage != nil {
		m.Stage.Observe(took.Seconds())
	}
}
