package stream

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/stream/wire"
)

// Metrics are the stream's counters. A nil *Metrics counts nothing.
type Metrics struct {
	connections   prometheus.Gauge
	streams       prometheus.Gauge
	forms         *prometheus.GaugeVec   // form
	subscriptions *prometheus.GaugeVec   // channel
	sent          *prometheus.CounterVec // channel
	conflated     prometheus.Counter
	closed        *prometheus.CounterVec // code
	refused       *prometheus.CounterVec // reason
	dropped       *prometheus.CounterVec // channel, reason
	evicted       prometheus.Counter
	resumed       *prometheus.CounterVec // channel, outcome
	replayed      prometheus.Counter
	deferred      prometheus.Counter
	writes        prometheus.Counter
	writtenBytes  prometheus.Counter

	// StageHub is the time from publishing an update to its shard taking it
	// up, StageWrite from there to the sockets of the shard, StageTotal from
	// the receipt of the transaction to the sockets; in seconds, observed once
	// for each batch that a shard writes. Nil allowed; set before New.
	StageHub, StageWrite, StageTotal interface{ Observe(seconds float64) }
}

// NewMetrics registers the stream's metrics. It panics when they are already
// registered, as client_golang does.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_ws_connections", Help: "WebSocket connections that are open.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_sse_connections", Help: "Streams of server-sent events that are open.",
		}),
		forms: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swapcast_ws_connections_by_form", Help: "WebSocket connections that are open, by the form in which they are sent messages.",
		}, []string{"form"}),
		subscriptions: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swapcast_ws_subscriptions", Help: "Subscriptions that are held, by channel.",
		}, []string{"channel"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_ws_messages_sent_total", Help: "Messages handed to sockets, by channel; answers to requests count as replies.",
		}, []string{"channel"}),
		conflated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_ws_conflated_total", Help: "Prices, candles and statuses skipped because a newer one took their place, for a slow client or within a window.",
		}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_ws_closed_total", Help: "Connections that ended, streams of server-sent events among them, by close code.",
		}, []string{"code"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_ws_refused_total", Help: "Connections and requests that were refused, by reason.",
		}, []string{"reason"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_ws_dropped_total", Help: "Updates and control frames that were dropped, by channel and reason.",
		}, []string{"channel", "reason"}),
		evicted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_ws_assets_evicted_total", Help: "Mints without subscribers whose last price was forgotten to keep within the limit.",
		}),
		resumed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_ws_resumed_total", Help: "Subscriptions that went on where a client had left off, by channel and whether nothing (recovered) or something (gap) was missing.",
		}, []string{"channel", "outcome"}),
		replayed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_ws_replayed_total", Help: "Trades and retracts given out of the history to clients that resume, or whose shard had no room for them.",
		}),
		deferred: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_ws_deferred_total", Help: "Trades and retracts that found no room in a shard's queue and are given out of the history instead.",
		}),
		writes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_ws_writes_total", Help: "Writes to sockets; messages sent over writes is the coalescing.",
		}),
		writtenBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_ws_written_bytes_total", Help: "Bytes written to sockets by shards.",
		}),
	}
	reg.MustRegister(m.connections, m.streams, m.forms, m.subscriptions, m.sent, m.conflated, m.closed, m.refused, m.dropped,
		m.evicted, m.resumed, m.replayed, m.deferred, m.writes, m.writtenBytes)
	// What has not happened yet is 0, not missing.
	for f := range forms {
		m.forms.WithLabelValues(f.String())
	}
	for k := range kinds {
		m.sent.WithLabelValues(k.label())
	}
	for ch := range channels {
		m.subscriptions.WithLabelValues(ch.name())
		m.resumed.WithLabelValues(ch.name(), resumedWhole)
		m.resumed.WithLabelValues(ch.name(), resumedGap)
	}
	for _, code := range []wire.CloseCode{
		wire.CloseNormal, wire.CloseGoingAway, wire.CloseProtocolError, wire.CloseAbnormal, wire.ClosePolicy, wire.CloseTooBig,
		wire.CloseInternalError, wire.CloseOverload, wire.CloseBadRequest, wire.CloseBadKey, wire.CloseSlowConsumer,
	} {
		m.closed.WithLabelValues(code.String())
	}
	return m
}

func (m *Metrics) connected(c *conn, by float64) {
	switch {
	case m == nil:
	case c.sse:
		m.streams.Add(by)
	default:
		m.connections.Add(by)
		m.forms.WithLabelValues(c.form.String()).Add(by)
	}
}

func (m *Metrics) subscribed(ch channel, by int64) {
	if m != nil {
		m.subscriptions.WithLabelValues(ch.name()).Add(float64(by))
	}
}

func (m *Metrics) close(code wire.CloseCode) {
	if m != nil {
		m.closed.WithLabelValues(code.String()).Inc()
	}
}

func (m *Metrics) refuse(reason string) {
	if m != nil {
		m.refused.WithLabelValues(reason).Inc()
	}
}

func (m *Metrics) drop(channel, reason string) { m.lose(channel, reason, 1) }

// lose is drop for several.
func (m *Metrics) lose(channel, reason string, n uint64) {
	if m != nil {
		m.dropped.WithLabelValues(channel, reason).Add(float64(n))
	}
}

func (m *Metrics) postpone() {
	if m != nil {
		m.deferred.Inc()
	}
}

func (m *Metrics) evict() {
	if m != nil {
		m.evicted.Inc()
	}
}

// The outcomes of a subscription that goes on where a client has left off.
const (
	resumedWhole = "recovered"
	resumedGap   = "gap"
)

func (m *Metrics) resume(ch channel, whole bool) {
	if m == nil {
		return
	}
	outcome := resumedGap
	if whole {
		outcome = resumedWhole
	}
	m.resumed.WithLabelValues(ch.name(), outcome).Inc()
}

func (m *Metrics) replay(n int) {
	if m != nil {
		m.replayed.Add(float64(n))
	}
}

// wrote adds what a shard wrote in one turn.
func (m *Metrics) wrote(b *books) {
	if m == nil {
		return
	}
	for k, n := range b.sent {
		if n > 0 {
			m.sent.WithLabelValues(kind(k).label()).Add(float64(n))
		}
	}
	if b.conflated > 0 {
		m.conflated.Add(float64(b.conflated))
	}
	if b.writes > 0 {
		m.writes.Add(float64(b.writes))
		m.writtenBytes.Add(float64(b.bytes))
	}
}

// observe notes how long an update took, from the times when its shard took it
// up and when it was written, in Unix nanoseconds.
func (m *Metrics) observe(it *item, taken, written int64) {
	if m == nil {
		return
	}
	const nano = 1e-9
	if m.StageHub != nil {
		m.StageHub.Observe(max(0, float64(taken-it.at)) * nano)
	}
	if m.StageWrite != nil {
		m.StageWrite.Observe(max(0, float64(written-taken)) * nano)
	}
	if m.StageTotal != nil && it.receivedAt != 0 {
		m.StageTotal.Observe(max(0, float64(written-it.receivedAt)) * nano)
	}
}
