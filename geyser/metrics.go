package geyser

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Observer takes one measurement, in seconds.
type Observer interface{ Observe(float64) }

// Metrics are the counters of one or more subscribers. Nil works and counts
// nothing.
type Metrics struct {
	updates    *prometheus.CounterVec
	slot       prometheus.Gauge
	reconnects *prometheus.CounterVec
	gaps       prometheus.Counter
	decode     *prometheus.CounterVec
	blocked    *prometheus.CounterVec
	connected  *prometheus.GaugeVec
	streams    *prometheus.GaugeVec
	slots      *prometheus.GaugeVec
	breaker    *prometheus.GaugeVec
	resumes    *prometheus.CounterVec
	uncovered  *prometheus.GaugeVec

	mu        sync.Mutex
	endpoints map[string]uint64 // those that run: the newest slot of each

	// StageChain measures transactions from the server's created_at to their
	// receipt here; StageGeyser from receipt to hand-over, waiting for a slow
	// consumer included. Set them before New; nil is allowed.
	StageChain  Observer
	StageGeyser Observer
}

// NewMetrics registers the metrics. It panics where r has them already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		endpoints: make(map[string]uint64),
		updates: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_geyser_updates_total",
			Help: "Updates received, by endpoint and kind (tx, slot, block, ping, pong, other).",
		}, []string{"endpoint", "kind"}),
		slot: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_geyser_slot",
			Help: "Newest slot heard of from any endpoint.",
		}),
		reconnects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_geyser_reconnects_total",
			Help: "Streams that ended and were replaced, by endpoint and reason.",
		}, []string{"endpoint", "reason"}),
		gaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_geyser_gap_slots_total",
			Help: "Slots that no stream, replay or backfill covered: they are given up.",
		}),
		decode: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_geyser_decode_errors_total",
			Help: "Transactions that could not be decoded, by endpoint and reason.",
		}, []string{"endpoint", "reason"}),
		blocked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_geyser_blocked_seconds_total",
			Help: "Time that the subscriber waited for a consumer slower than the stream.",
		}, []string{"endpoint"}),
		connected: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swapcast_geyser_connected",
			Help: "1 while all streams of the endpoint bring data, else 0.",
		}, []string{"endpoint"}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swapcast_geyser_streams",
			Help: "Streams of the endpoint that bring data: two while one takes over from another, more where the keys are split.",
		}, []string{"endpoint"}),
		slots: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swapcast_geyser_endpoint_slot",
			Help: "Newest slot heard of from the endpoint.",
		}, []string{"endpoint"}),
		breaker: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swapcast_geyser_breaker_state",
			Help: "Whether the endpoint is tried: 0 closed (it is), 1 half open (by one stream), 2 open (it is left alone for a while).",
		}, []string{"endpoint"}),
		resumes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_geyser_resumes_total",
			Help: "Streams that had a checkpoint to resume from, by endpoint and outcome: replayed, short (the history begins after it), ignored (from_slot was taken and nothing replayed), live (none was asked for).",
		}, []string{"endpoint", "outcome"}),
	}
	m.uncovered = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "swapcast_geyser_uncovered_keys",
		Help: "Programs, wallets and token accounts that no stream of the endpoint asks for, because its provider refuses them or allows too few.",
	}, []string{"endpoint"})
	r.MustRegister(m.uncovered, m.updates, m.slot, m.reconnects, m.gaps, m.decode, m.blocked, m.connected, m.streams, m.slots, m.breaker, m.resumes)
	return m
}

// AddGap counts slots that are lost for good. No endpoint can know that by
// itself, so it is for whoever puts them together to call.
func (m *Metrics) AddGap(slots uint64) {
	if m != nil {
		m.gaps.Add(float64(slots))
	}
}

// updateKind is the label kind of updates_total.
type updateKind uint8

const (
	updateTx updateKind = iota
	updateSlot
	updateBlock
	updatePing
	updatePong
	updateOther
	updateKinds
)

func (k updateKind) String() string {
	return [updateKinds]string{"tx", "slot", "block", "ping", "pong", "other"}[k]
}

// The label outcome of resumes_total.
const (
	resumeReplayed = "replayed"
	resumeShort    = "short"
	resumeIgnored  = "ignored"
	resumeLive     = "live"
)

// endpointMetrics are one endpoint's series, looked up once. Its methods work
// on nil.
type endpointMetrics struct {
	all     *Metrics
	name    string
	updates [updateKinds]prometheus.Counter
	blocked prometheus.Counter
}

func (m *Metrics) endpoint(name string) *endpointMetrics {
	if m == nil {
		return nil
	}
	e := &endpointMetrics{all: m, name: name, blocked: m.blocked.WithLabelValues(name)}
	for k := range updateKinds {
		e.updates[k] = m.updates.WithLabelValues(name, k.String())
	}
	return e
}

// enter begins a run. Two at once under one name would write over each other's
// gauges.
func (e *endpointMetrics) enter() error {
	if e == nil {
		return nil
	}
	e.all.mu.Lock()
	defer e.all.mu.Unlock()
	if _, taken := e.all.endpoints[e.name]; taken {
		return fmt.Errorf("geyser: two endpoints are called %q", e.name)
	}
	e.all.endpoints[e.name] = 0
	e.all.connected.WithLabelValues(e.name).Set(0)
	e.all.streams.WithLabelValues(e.name).Set(0)
	e.all.breaker.WithLabelValues(e.name).Set(0)
	e.all.uncovered.WithLabelValues(e.name).Set(0)
	return nil
}

// leave ends a run: what the endpoint is like is no longer known. What it has
// done stays counted.
func (e *endpointMetrics) leave() {
	if e == nil {
		return
	}
	e.all.mu.Lock()
	defer e.all.mu.Unlock()
	delete(e.all.endpoints, e.name)
	for _, g := range []*prometheus.GaugeVec{e.all.connected, e.all.streams, e.all.slots, e.all.breaker, e.all.uncovered} {
		g.DeleteLabelValues(e.name)
	}
}

// ifRunning calls set while the endpoint is in a run: a series that is gone
// does not come back.
func (e *endpointMetrics) ifRunning(set func()) {
	if e == nil {
		return
	}
	e.all.mu.Lock()
	defer e.all.mu.Unlock()
	if _, running := e.all.endpoints[e.name]; running {
		set()
	}
}

func (e *endpointMetrics) update(k updateKind) {
	if e != nil {
		e.updates[k].Inc()
	}
}

// setSlot is called a few times a second.
func (e *endpointMetrics) setSlot(slot uint64) {
	e.ifRunning(func() {
		e.all.endpoints[e.name] = slot
		e.all.slots.WithLabelValues(e.name).Set(float64(slot))
		for _, other := range e.all.endpoints {
			slot = max(slot, other)
		}
		e.all.slot.Set(float64(slot))
	})
}

func (e *endpointMetrics) setStreams(n int32, connected bool) {
	e.ifRunning(func() {
		e.all.streams.WithLabelValues(e.name).Set(float64(n))
		v := 0.0
		if connected {
			v = 1
		}
		e.all.connected.WithLabelValues(e.name).Set(v)
	})
}

func (e *endpointMetrics) setUncovered(keys int) {
	e.ifRunning(func() { e.all.uncovered.WithLabelValues(e.name).Set(float64(keys)) })
}

func (e *endpointMetrics) setBreaker(s BreakerState) {
	e.ifRunning(func() { e.all.breaker.WithLabelValues(e.name).Set(float64(s)) })
}

func (e *endpointMetrics) resume(outcome string) {
	if e != nil {
		e.all.resumes.WithLabelValues(e.name, outcome).Inc()
	}
}

func (e *endpointMetrics) reconnect(r Reason) {
	if e != nil {
		e.all.reconnects.WithLabelValues(e.name, string(r)).Inc()
	}
}

func (e *endpointMetrics) decodeError(reason string) {
	if e != nil {
		e.all.decode.WithLabelValues(e.name, reason).Inc()
	}
}

func (e *endpointMetrics) wait(seconds float64) {
	if e != nil {
		e.blocked.Add(seconds)
	}
}

// stages observes one transaction's way. Clocks of two machines differ: a
// negative time counts as 0.
func (e *endpointMetrics) stages(created, received, handed int64) {
	if e == nil {
		return
	}
	if e.all.StageChain != nil && created != 0 {
		e.all.StageChain.Observe(float64(max(0, received-created)) / 1e9)
	}
	if e.all.StageGeyser != nil {
		e.all.StageGeyser.Observe(float64(max(0, handed-received)) / 1e9)
	}
}
