package cache

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// Metrics counts what the cache did. A nil *Metrics counts nothing.
type Metrics struct {
	requests      *prometheus.CounterVec
	computes      *prometheus.CounterVec
	invalidations *prometheus.CounterVec
	messages      *prometheus.CounterVec
	coalesced     prometheus.Counter
	lost          prometheus.Counter
	inDoubt       prometheus.Gauge
	instances     *prometheus.GaugeVec
	breaker       prometheus.Gauge

	hits, misses prometheus.Counter // of requests, for the path that is measured in nanoseconds
}

// outcomes are the labels of swapcast_cache_requests_total, each series of
// which is there from the start.
func outcomes() map[string][]string {
	failures := []string{"error", "timeout", "breaker_open"}
	return map[string][]string{
		"l1":       {"hit", "miss", "stale"},
		"l2":       append([]string{"hit", "miss", "stale", "invalid", "doubt", "unreadable", "unbelieved", "wait", "wait_timeout", "lease_lost"}, failures...),
		"l2_store": append([]string{"ok", "fenced"}, failures...),
		"load":     {"ok", "not_found", "error", "timeout", "too_large", "unencodable"},
	}
}

// NewMetrics makes the package's metrics and registers them; a nil Registerer
// registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_cache_requests_total",
			Help: "What each layer was asked, by outcome. l1 is memory (stale: an older value in its grace was served), l2 Redis " +
				"(invalid: of an outdated version; doubt: older than the L1 TTL while the bus is in doubt; unbelieved: an invalidation " +
				"has not reached Redis yet; wait: another process loads; lease_lost: a load outlived its lease), l2_store what was " +
				"stored there (fenced: a later holder had stored already), load the loaders.",
		}, []string{"layer", "outcome"}),
		computes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_cache_computes_total",
			Help: "Calls of loaders, by what they load.",
		}, []string{"namespace"}),
		invalidations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_cache_invalidations_total",
			Help: "Tags invalidated, by origin: local, flush, bus (another instance), deferred (Redis took it later), " +
				"resubscribed (everything, after the bus was lost), overflow (pending ones given up for everything).",
		}, []string{"origin"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_cache_bus_messages_total",
			Help: "Messages heard on the bus, beats apart, by kind: tags, all, own (done already), unreadable (counts as all).",
		}, []string{"kind"}),
		coalesced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_cache_coalesced_total",
			Help: "Callers that shared the load of another in the same process.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_cache_bus_lost_total",
			Help: "Subscriptions to the bus that were lost.",
		}),
		inDoubt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_cache_bus_lost",
			Help: "1 while there is no proof that the bus is heard: nothing older than the L1 TTL is served.",
		}),
		instances: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swapcast_cache_instances",
			Help: "Other instances on the bus, by state: known, missing (silent; they may hold invalidations).",
		}, []string{"state"}),
		breaker: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_cache_breaker_state",
			Help: "State of Redis's circuit breaker: 0 closed, 1 half open, 2 open.",
		}),
	}
	for layer, list := range outcomes() {
		for _, o := range list {
			m.requests.WithLabelValues(layer, o)
		}
	}
	for _, o := range []string{"local", "flush", "bus", "deferred", "resubscribed", "overflow"} {
		m.invalidations.WithLabelValues(o)
	}
	m.hits, m.misses = m.requests.WithLabelValues("l1", "hit"), m.requests.WithLabelValues("l1", "miss")
	if reg != nil {
		reg.MustRegister(m.requests, m.computes, m.invalidations, m.messages, m.coalesced, m.lost, m.inDoubt, m.instances, m.breaker)
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

func (m *Metrics) busMessage(kind string) {
	if m != nil {
		m.messages.WithLabelValues(kind).Inc()
	}
}

func (m *Metrics) joined() {
	if m != nil {
		m.coalesced.Inc()
	}
}

func (m *Metrics) resubscribed() {
	if m != nil {
		m.lost.Inc()
	}
}

func (m *Metrics) doubt(is bool) {
	switch {
	case m == nil:
	case is:
		m.inDoubt.Set(1)
	default:
		m.inDoubt.Set(0)
	}
}

func (m *Metrics) seen(known, missing int) {
	if m != nil {
		m.instances.WithLabelValues("known").Set(float64(known))
		m.instances.WithLabelValues("missing").Set(float64(missing))
	}
}

// breakerState is called with the breaker's lock held and only stores a number.
func (m *Metrics) breakerState(s gobreaker.State) {
	if m != nil {
		m.breaker.Set(float64(s))
	}
}
