package relay

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what goes over Redis. Nil counts nothing.
type Metrics struct {
	published, skipped, dropped, failures *prometheus.CounterVec
	received, lost                        *prometheus.CounterVec
	takeovers, fenced                     prometheus.Counter
	repaired, again, resubscribed, bad    prometheus.Counter
	leads, followed, behind               prometheus.Gauge
	redis, backlog                        prometheus.Gauge
	role                                  *prometheus.GaugeVec
}

// NewMetrics registers the relay's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "swapcast_relay_" + name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	counter := func(name, help string) prometheus.Counter { return vec(name, help).WithLabelValues() }
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "swapcast_relay_" + name, Help: help})
		r.MustRegister(g)
		return g
	}
	m := &Metrics{
		published:    vec("published_total", "Updates that an ingest has written to Redis.", "kind"),
		skipped:      vec("skipped_total", "Updates that the ingest before had told already (told), or newer ones (older), and those that have no form to be told in (unencodable).", "reason"),
		dropped:      vec("dropped_total", "Updates that found no room while Redis took none; trades among them are told as a gap.", "kind"),
		failures:     vec("errors_total", "Calls of Redis that failed, and are made again.", "operation"),
		received:     vec("received_total", "Updates that an edge was given by Redis.", "kind"),
		lost:         vec("lost_total", "Numbers that an edge missed and that Redis has no more; of prices, which the next one covers, too.", "kind"),
		takeovers:    counter("takeovers_total", "How often this ingest came to lead."),
		fenced:       counter("fenced_total", "Writes that were refused since another ingest leads."),
		repaired:     counter("repaired_total", "Trades and retracts that an edge missed and read from the log."),
		again:        counter("duplicates_total", "Trades and retracts that an edge was given again, and passed over."),
		resubscribed: counter("resubscribed_total", "Subscriptions to Redis that were made again after a connection was lost."),
		bad:          counter("unread_total", "Messages that could not be read."),
		leads:        gauge("leader", "1 while this ingest is the one that publishes."),
		followed:     gauge("followed", "Mints and wallets, by commitment, that an edge has subscribed to."),
		behind:       gauge("behind", "Of these, how many lack trades that are still to be read from Redis, or are being subscribed to."),
		redis:        gauge("redis_up", "1 while Redis answers, 0 once it has not: asked six times in the time of a lease."),
		backlog:      gauge("backlog_seconds", "Age of the oldest update that the ingest that leads has yet to publish; 0 of the others."),
		role: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "swapcast_relay_role", Help: "1: what the server is to the relay, ingest or edge.",
		}, []string{"role"}),
	}
	r.MustRegister(m.role)
	for _, k := range []kind{kindPrice, kindTrade, kindCandle, kindBalance} {
		m.published.WithLabelValues(k.label())
		m.dropped.WithLabelValues(k.label())
		m.received.WithLabelValues(k.label())
	}
	m.lost.WithLabelValues(kindTrade.label())
	m.lost.WithLabelValues(kindPrice.label())
	return m
}

func (k kind) label() string {
	switch k {
	case kindPrice:
		return "price"
	case kindTrade:
		return "trade"
	case kindCandle:
		return "candle"
	case kindBalance:
		return "balance"
	case kindClock:
		return "clock"
	case kindGap:
		return "gap"
	default:
		return "other"
	}
}

func (m *Metrics) publish(k kind, n int) {
	if m != nil {
		m.published.WithLabelValues(k.label()).Add(float64(n))
	}
}

func (m *Metrics) skip(reason string) {
	if m != nil {
		m.skipped.WithLabelValues(reason).Inc()
	}
}

func (m *Metrics) drop(k kind) {
	if m != nil {
		m.dropped.WithLabelValues(k.label()).Inc()
	}
}

func (m *Metrics) failed(operation string) {
	if m != nil {
		m.failures.WithLabelValues(operation).Inc()
	}
}

func (m *Metrics) receive(k kind) {
	if m != nil {
		m.received.WithLabelValues(k.label()).Inc()
	}
}

func (m *Metrics) lose(k kind, n uint64) {
	if m != nil {
		m.lost.WithLabelValues(k.label()).Add(float64(n))
	}
}

func (m *Metrics) lead(now bool) {
	switch {
	case m == nil:
	case now:
		m.takeovers.Inc()
		m.leads.Set(1)
	default:
		m.leads.Set(0)
	}
}

func (m *Metrics) is(role string) {
	if m != nil {
		m.role.WithLabelValues(role).Set(1)
	}
}

// answered takes down whether Redis did.
func (m *Metrics) answered(err error) {
	switch {
	case m == nil:
	case err != nil:
		m.redis.Set(0)
	default:
		m.redis.Set(1)
	}
}

// waits takes down how old the oldest update is that is to be published: what a
// standby keeps is not.
func (m *Metrics) waits(age time.Duration, leads bool) {
	switch {
	case m == nil:
	case leads:
		m.backlog.Set(age.Seconds())
	default:
		m.backlog.Set(0)
	}
}

func (m *Metrics) fencedOff() {
	if m != nil {
		m.fenced.Inc()
	}
}

func (m *Metrics) repair(n int) {
	if m != nil {
		m.repaired.Add(float64(n))
	}
}

func (m *Metrics) duplicate() {
	if m != nil {
		m.again.Inc()
	}
}

func (m *Metrics) resubscribe() {
	if m != nil {
		m.resubscribed.Inc()
	}
}

func (m *Metrics) unread() {
	if m != nil {
		m.bad.Inc()
	}
}

func (m *Metrics) lack(by int) {
	if m != nil {
		m.behind.Add(float64(by))
	}
}

func (m *Metrics) follow(by int) {
	if m != nil {
		m.followed.Add(float64(by))
	}
}
