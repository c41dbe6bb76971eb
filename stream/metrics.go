package stream

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the stream's counters. A nil *Metrics counts nothing.
type Metrics struct {
	connections   prometheus.Gauge
	subscriptions *prometheus.GaugeVec   // channel
	sent          *prometheus.CounterVec // channel
	conflated     prometheus.Counter
	closed        *prometheus.CounterVec // code
	refused       *prometheus.CounterVec // reason
	dropped       *prometheus.CounterVec // channel, reason
	evicted       prometheus.Counter
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
		subscriptions: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swapcast_ws_subscriptions", Help: "Subscriptions that are held, by channel.",
		}, []string{"channel"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_ws_messages_sent_total", Help: "Messages handed to sockets, by channel; answers to requests count as replies.",
		}, []string{"channel"}),
		conflated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_ws_conflated_total", Help: "Prices skipped because a newer one of the same asset took their place, for a slow client or within a window.",
		}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_ws_closed_total", Help: "Connections that ended, by close code.",
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
		writes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_ws_writes_total", Help: "Writes to sockets; messages sent over writes is the coalescing.",
		}),
		writtenBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_ws_written_bytes_total", Help: "Bytes written to sockets by shards.",
		}),
	}
	reg.MustRegister(m.connections, m.subscriptions, m.sent, m.conflated, m.closed, m.refused, m.dropped,
		m.evicted, m.writes, m.writtenBytes)
	return m
}
