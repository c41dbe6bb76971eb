package geyser

import "github.com/prometheus/client_golang/prometheus"

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

	// StageChain measures transactions from the server's created_at to their
	// receipt here; StageGeyser from receipt to hand-over, waiting for a slow
	// consumer included. Set them before New; nil is allowed.
	StageChain  Observer
	StageGeyser Observer
}

// NewMetrics registers the metrics. It panics where r has them already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		updates: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_geyser_updates_total",
			Help: "Updates received, by endpoint and kind (tx, slot, block, ping, pong, other).",
		}, []string{"endpoint", "kind"}),
		slot: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_geyser_slot",
			Help: "Newest slot heard of.",
		}),
		reconnects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_geyser_reconnects_total",
			Help: "Streams that ended and were replaced, by endpoint and reason.",
		}, []string{"endpoint", "reason"}),
		gaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_geyser_gap_slots_total",
			Help: "Slots that passed while no stream was up. The slots at both edges may be incomplete too and are not counted.",
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
			Help: "1 while the endpoint's stream brings data, else 0.",
		}, []string{"endpoint"}),
	}
	r.MustRegister(m.updates, m.slot, m.reconnects, m.gaps, m.decode, m.blocked, m.connected)
	return m
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

// endpointMetrics are one endpoint's series, looked up once. Its methods work
// on nil.
type endpointMetrics struct {
	all       *Metrics
	name      string
	updates   [updateKinds]prometheus.Counter
	blocked   prometheus.Counter
	connected prometheus.Gauge
}

func (m *Metrics) endpoint(name string) *endpointMetrics {
	if m == nil {
		return nil
	}
	e := &endpointMetrics{all: m, name: name, blocked: m.blocked.WithLabelValues(name), connected: m.connected.WithLabelValues(name)}
	for k := range updateKinds {
		e.updates[k] = m.updates.WithLabelValues(name, k.String())
	}
	return e
}

func (e *endpointMetrics) update(k updateKind) {
	if e != nil {
		e.updates[k].Inc()
	}
}

func (e *endpointMetrics) setSlot(slot uint64) {
	if e != nil {
		e.all.slot.Set(float64(slot))
	}
}

func (e *endpointMetrics) reconnect(r Reason) {
	if e != nil {
		e.all.reconnects.WithLabelValues(e.name, string(r)).Inc()
	}
}

func (e *endpointMetrics) gap(slots uint64) {
	if e != nil {
		e.all.gaps.Add(float64(slots))
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

func (e *endpointMetrics) setConnected(up bool) {
	if e == nil {
		return
	}
	v := 0.0
	if up {
		v = 1
	}
	e.connected.Set(v)
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
