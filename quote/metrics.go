package quote

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts requests and what sources answered. A nil *Metrics counts
// nothing.
type Metrics struct {
	requests *prometheus.CounterVec
	sources  *prometheus.CounterVec
	seconds  prometheus.Histogram
	took     *prometheus.HistogramVec
	retries  *prometheus.CounterVec
	merged   prometheus.Counter

	breakers *breakerCollector
}

// NewMetrics makes the package's metrics and registers them; a nil Registerer
// registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	buckets := []float64{.001, .005, .02, .05, .1, .15, .2, .3, .4, .6, .8, 1, 1.2, 1.5, 1.8, 2, 2.5}
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_quote_requests_total",
			Help: "Quote requests answered, by outcome: ok, indicative, no_route, no_quote, deadline, cancelled, bad_request, closed.",
		}, []string{"outcome"}),
		sources: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_quote_source_requests_total",
			Help: "What became of each source in each plan, by the contract's outcomes.",
		}, []string{"source", "outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "swapcast_quote_seconds", Help: "Seconds from a quote request to its answer.", Buckets: buckets,
		}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "swapcast_quote_source_seconds", Help: "Seconds of each call to a source, whatever came of it.", Buckets: buckets,
		}, []string{"source"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_quote_retries_total", Help: "Second and later calls within one request.",
		}, []string{"source"}),
		merged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_quote_merged_total", Help: "Requests that joined an identical one in flight.",
		}),
		breakers: &breakerCollector{desc: prometheus.NewDesc("swapcast_breaker_state",
			"State of a source's circuit breaker: 0 closed, 1 half open, 2 open.", []string{"source"}, nil)},
	}
	for _, o := range []string{"ok", "indicative", "no_route", "no_quote", "deadline", "cancelled", "bad_request", "closed"} {
		m.requests.WithLabelValues(o)
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.sources, m.seconds, m.took, m.retries, m.merged, m.breakers)
	}
	return m
}

func (m *Metrics) request(outcome string, took time.Duration) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(outcome).Inc()
	m.seconds.Observe(took.Seconds())
}

func (m *Metrics) source(source string, o Outcome) {
	if m != nil {
		m.sources.WithLabelValues(source, string(o)).Inc()
	}
}

func (m *Metrics) call(source string, took time.Duration, again bool) {
	if m == nil {
		return
	}
	m.took.WithLabelValues(source).Observe(took.Seconds())
	if again {
		m.retries.WithLabelValues(source).Inc()
	}
}

func (m *Metrics) merge() {
	if m != nil {
		m.merged.Inc()
	}
}

// watch adds a breaker whose state is read at each scrape: it changes with time
// alone, so a stored value would be old.
func (m *Metrics) watch(source string, state func() int) {
	if m == nil {
		return
	}
	m.breakers.mu.Lock()
	defer m.breakers.mu.Unlock()
	m.breakers.list = append(m.breakers.list, breakerSeries{source, state})
}

type breakerSeries struct {
	source string
	state  func() int
}

type breakerCollector struct {
	desc *prometheus.Desc

	mu   sync.Mutex // guards list
	list []breakerSeries
}

// Describe is prometheus.Collector's.
func (c *breakerCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect is prometheus.Collector's.
func (c *breakerCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	list := c.list
	c.mu.Unlock()
	for _, b := range list {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(b.state()), b.source)
	}
}
