package replay

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the server does. A nil *Metrics counts nothing.
type Metrics struct {
	playedTotal  [kinds]prometheus.Counter
	sentTotal    [kinds]prometheus.Counter
	skippedTotal prometheus.Counter
	laggedTotal  prometheus.Counter
	faultsTotal  *prometheus.CounterVec
	streams      prometheus.Gauge
}

// NewMetrics registers the metrics with r, which may be nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	played := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "swapcast_replay_updates_total", Help: "Updates of the source that were played, by kind.",
	}, []string{"kind"})
	sent := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "swapcast_replay_sent_total", Help: "Messages written to subscribers, by kind.",
	}, []string{"kind"})
	m := &Metrics{
		skippedTotal: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_replay_skipped_total", Help: "Updates of the source that could not be played.",
		}),
		laggedTotal: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_replay_lagged_total", Help: "Subscribers cut for being too slow.",
		}),
		faultsTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_geyser_faults_total", Help: "Faults on request that struck, by fault.",
		}, []string{"fault"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "swapcast_replay_streams", Help: "Subscribe streams that are open.",
		}),
	}
	for k := range kinds {
		m.playedTotal[k] = played.WithLabelValues(k.String())
		m.sentTotal[k] = sent.WithLabelValues(k.String())
	}
	if r != nil {
		r.MustRegister(played, sent, m.skippedTotal, m.laggedTotal, m.faultsTotal, m.streams)
	}
	return m
}

func (m *Metrics) played(k kind) {
	if m != nil {
		m.playedTotal[k].Inc()
	}
}

// sent takes over the counts of one subscriber and zeroes them.
func (m *Metrics) sent(counts *[kinds]uint64) {
	for k, n := range counts {
		if n > 0 && m != nil {
			m.sentTotal[k].Add(float64(n))
		}
		counts[k] = 0
	}
}

func (m *Metrics) skipped() {
	if m != nil {
		m.skippedTotal.Inc()
	}
}

func (m *Metrics) lagged() {
	if m != nil {
		m.laggedTotal.Inc()
	}
}

func (m *Metrics) fault(kind string) {
	if m != nil {
		m.faultsTotal.WithLabelValues(kind).Inc()
	}
}

func (m *Metrics) subscribers(by float64) {
	if m != nil {
		m.streams.Add(by)
	}
}
