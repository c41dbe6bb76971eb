package swap

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/quote"
)

// Metrics counts what is made, held back, simulated, forwarded and followed. A nil
// *Metrics counts nothing.
type Metrics struct {
	builds      *prometheus.CounterVec
	refused     *prometheus.CounterVec
	took        *prometheus.HistogramVec
	simulations *prometheus.CounterVec
	forwarded   *prometheus.CounterVec
	ended       *prometheus.CounterVec
	followed    prometheus.Gauge
	landing     prometheus.Histogram
}

// What became of a transaction that was to be forwarded.
const (
	ForwardSent    = "sent"     // a node took it
	ForwardRefused = "refused"  // a node said no
	ForwardUnknown = "unknown"  // no node said anything: it may be on its way
	ForwardTooMany = "too_many" // not sent: too many are followed
	ForwardNoNode  = "no_node"  // not sent: no node answers
)

// Ends of a followed transaction beside StageConfirmed and StageExpired.
const (
	endFailed  = "failed"  // confirmed, and did nothing
	endUnknown = "unknown" // in a block of which nothing more was heard
)

// NewMetrics makes the package's metrics and registers them; a nil Registerer
// registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		builds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_swap_builds_total",
			Help: "Transactions asked of a source, by outcome: built, refused (it does not pass the checks), failed (the source gave none).",
		}, []string{"source", "outcome"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_swap_refused_total", Help: "Transactions of a source that did not pass a check, by the check's code.",
		}, []string{"source", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "swapcast_swap_source_seconds", Help: "Seconds that a source took for a transaction, whatever came of it.",
			Buckets: []float64{.01, .05, .1, .2, .4, .8, 1.5, 3, 5},
		}, []string{"source"}),
		simulations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_swap_simulations_total",
			Help: "Simulations, by outcome: ok, failed (the chain's error), short (less than the threshold, or more taken), unknown (no amounts), unavailable (no node did it).",
		}, []string{"outcome"}),
		forwarded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_transactions_forwarded_total",
			Help: "Signed transactions to be forwarded, by outcome: sent, refused, unknown (no node said anything), too_many, no_node.",
		}, []string{"outcome"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_transactions_ended_total",
			Help: "Forwarded transactions that are followed no more, by outcome: confirmed, failed (confirmed without effect), expired, unknown.",
		}, []string{"outcome"}),
		followed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_transactions_followed", Help: "Forwarded transactions that have not ended.",
		}),
		landing: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "swapcast_transactions_confirmed_seconds", Help: "Seconds from a transaction's forwarding to its confirmation on the stream.",
			Buckets: []float64{.25, .5, 1, 2, 4, 8, 16, 32, 64, 120},
		}),
	}
	for _, source := range []string{quote.NameJupiter, quote.NameDFlow} {
		for _, outcome := range []string{"built", "refused", "failed"} {
			m.builds.WithLabelValues(source, outcome)
		}
	}
	for _, outcome := range []string{"ok", "failed", "short", "unknown", "unavailable"} {
		m.simulations.WithLabelValues(outcome)
	}
	for _, outcome := range []string{ForwardSent, ForwardRefused, ForwardUnknown, ForwardTooMany, ForwardNoNode} {
		m.forwarded.WithLabelValues(outcome)
	}
	for _, outcome := range []string{string(StageConfirmed), endFailed, string(StageExpired), endUnknown} {
		m.ended.WithLabelValues(outcome)
	}
	if reg != nil {
		reg.MustRegister(m.builds, m.refused, m.took, m.simulations, m.forwarded, m.ended, m.followed, m.landing)
	}
	return m
}

// Forwarded counts one of the Forward outcomes.
func (m *Metrics) Forwarded(outcome string) {
	if m != nil {
		m.forwarded.WithLabelValues(outcome).Inc()
	}
}

func (m *Metrics) asked(source string, took time.Duration) {
	if m != nil {
		m.took.WithLabelValues(source).Observe(took.Seconds())
	}
}

func (m *Metrics) built(source, outcome string) {
	if m != nil {
		m.builds.WithLabelValues(source, outcome).Inc()
	}
}

func (m *Metrics) refuse(source, code string) {
	if m != nil {
		m.refused.WithLabelValues(source, code).Inc()
	}
}

func (m *Metrics) simulated(s *Simulation, err error) {
	if m == nil {
		return
	}
	outcome := "short"
	switch {
	case err != nil:
		outcome = "unavailable"
	case s.Error != "":
		outcome = "failed"
	case !s.Known:
		outcome = "unknown"
	case s.OK:
		outcome = "ok"
	}
	m.simulations.WithLabelValues(outcome).Inc()
}

func (m *Metrics) follow(by float64) {
	if m != nil {
		m.followed.Add(by)
	}
}

func (m *Metrics) end(s *State, now time.Time) {
	if m == nil {
		return
	}
	outcome := string(s.Stage)
	switch {
	case s.Stage == StageConfirmed && s.Failed:
		outcome = endFailed
	case s.Stage == StageProcessed:
		outcome = endUnknown
	}
	m.ended.WithLabelValues(outcome).Inc()
	m.followed.Dec()
	if s.Stage == StageConfirmed && !s.SentAt.IsZero() {
		m.landing.Observe(now.Sub(s.SentAt).Seconds())
	}
}
