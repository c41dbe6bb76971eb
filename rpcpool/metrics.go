package rpcpool

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what a pool asks. Nil works and counts nothing.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	open     *prometheus.GaugeVec
	waited   prometheus.Counter
}

// NewMetrics registers the metrics. It panics where r has them already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_rpc_requests_total",
			Help: "Attempts at RPC endpoints, by the URL's place in the list (from 0), method and outcome.",
		}, []string{"url", "method", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "swapcast_rpc_seconds",
			Help:    "Time of one attempt, from the request to the end of the answer.",
			Buckets: []float64{0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60},
		}, []string{"method"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swapcast_rpc_breaker_open",
			Help: "1 while an endpoint has failed several times in a row and is tried by single requests only, by the URL's place in the list.",
		}, []string{"url"}),
		waited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_rpc_waited_seconds_total",
			Help: "Time that requests waited for an endpoint that may be asked: rate limits and backoff.",
		}),
	}
	r.MustRegister(m.requests, m.seconds, m.open, m.waited)
	return m
}

func (m *Metrics) attempt(index int, method string, outcome Outcome, seconds float64) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(strconv.Itoa(index), method, string(outcome)).Inc()
	m.seconds.WithLabelValues(method).Observe(seconds)
}

func (m *Metrics) setOpen(index int, open bool) {
	if m == nil {
		return
	}
	v := 0.0
	if open {
		v = 1
	}
	m.open.WithLabelValues(strconv.Itoa(index)).Set(v)
}

func (m *Metrics) wait(seconds float64) {
	if m != nil {
		m.waited.Add(seconds)
	}
}
