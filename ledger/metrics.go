package ledger

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type (
	refusal      uint8
	disagreement uint8
	refusals     [refusalCount]uint64
)

// Why something that was heard was not used.
const (
	refuseSlot         refusal = iota // slot 0, or one above all that can be
	refuseSettled                     // its slot is settled
	refuseFar                         // its slot lies in a future that no stream began at
	refuseBanks                       // an endpoint named too many banks of a slot
	refuseFull                        // MaxTxs, and its slot is the oldest one
	refuseParent                      // a parent that cannot be, or another one than before
	refuseConflict                    // contradicts what is decided about the chain
	refuseTwice                       // its signature was confirmed in another slot
	refuseUndetermined                // settled while it was neither confirmed nor retracted
	refuseOverflow                    // a slot given up for MaxSlots or MaxTxs
	refusalCount
)

// String returns the reason's label.
func (r refusal) String() string {
	return [...]string{
		"bad_slot", "settled", "far_future", "banks", "max_txs", "parent", "conflict", "twice",
		"undetermined", "overflow",
	}[r]
}

// What an endpoint said that was not believed.
const (
	disagreeContent  disagreement = iota // another content of a transaction
	disagreeOmitted                      // a transaction that it left out
	disagreeInvented                     // one that is not there
	disagreeDead                         // dead and confirmed
	disagreementCount
)

func (d disagreement) String() string {
	return [...]string{"content", "omitted", "invented", "dead"}[d]
}

// Metrics counts what the ledger decides. A nil *Metrics counts nothing.
type Metrics struct {
	first, duplicates              *prometheus.CounterVec
	behind                         *prometheus.HistogramVec
	disagreements                  *prometheus.CounterVec
	retractions, gaps              *prometheus.CounterVec
	refusals                       [refusalCount]prometheus.Counter
	lates, unproveds, disputes     prometheus.Counter
	missed                         prometheus.Counter
	slots, txs, held, missingSlots prometheus.Gauge
	checkpoint, confirmed, length  prometheus.Gauge
}

// NewMetrics makes the ledger's metrics and registers them; a nil Registerer
// registers nothing.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	var all []prometheus.Collector
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		all = append(all, g)
		return g
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		all = append(all, c)
		return c
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		all = append(all, c)
		return c
	}
	m := &Metrics{
		first:         vec("swapcast_ledger_first_total", "Transactions that the endpoint brought before all others.", "endpoint"),
		duplicates:    vec("swapcast_ledger_duplicates_total", "Transactions that the endpoint brought again.", "endpoint"),
		disagreements: vec("swapcast_ledger_disagreements_total", "Words of the endpoint that were not believed, by what they were about.", "endpoint", "reason"),
		retractions:   vec("swapcast_ledger_retracted_total", "Transactions taken back, by reason.", "reason"),
		gaps:          vec("swapcast_ledger_gap_slots_total", "Slots declared lost, by reason.", "reason"),
		lates:         counter("swapcast_ledger_late_total", "Transactions told after their slot was confirmed."),
		unproveds:     counter("swapcast_ledger_unproved_slots_total", "Slots confirmed without proof that they are complete."),
		disputes:      counter("swapcast_ledger_disputed_total", "Transactions whose copies differed."),
		missed:        counter("swapcast_ledger_missing_slots_total", "Slots asked of the filler, each time that they were."),
		slots:         gauge("swapcast_ledger_slots", "Slots kept."),
		txs:           gauge("swapcast_ledger_transactions", "Transactions kept."),
		held:          gauge("swapcast_ledger_held_slots", "Slots of the confirmed chain that wait for proof, for those before them or for a dispute."),
		missingSlots:  gauge("swapcast_ledger_missing_slots", "Slots asked of the filler and not there yet."),
		checkpoint:    gauge("swapcast_ledger_checkpoint_slot", "Slot up to which everything is decided."),
		confirmed:     gauge("swapcast_ledger_confirmed_slot", "Newest slot confirmed to the outside."),
		length:        gauge("swapcast_ledger_slot_seconds", "Measured length of a slot, 0 while unknown."),
	}
	m.behind = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "swapcast_ledger_behind_seconds",
		Help:    "By how much the endpoint brought a transaction after the first one.",
		Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .4, .8, 1.6, 5, 20},
	}, []string{"endpoint"})
	refused := vec("swapcast_ledger_refused_total", "What was heard and not used, by reason.", "reason")
	for r := range refusalCount {
		m.refusals[r] = refused.WithLabelValues(r.String())
	}
	if reg != nil {
		reg.MustRegister(append(all, m.behind)...)
	}
	return m
}

// endpointMetrics are the series of one endpoint, looked up once.
type endpointMetrics struct {
	first, duplicates prometheus.Counter
	behind            prometheus.Observer
	disagreements     [disagreementCount]prometheus.Counter
}

func (m *Metrics) endpoint(name string) *endpointMetrics {
	if m == nil {
		return nil
	}
	e := &endpointMetrics{
		first: m.first.WithLabelValues(name), duplicates: m.duplicates.WithLabelValues(name),
		behind: m.behind.WithLabelValues(name),
	}
	for d := range disagreementCount {
		e.disagreements[d] = m.disagreements.WithLabelValues(name, d.String())
	}
	return e
}

func (e *endpointMetrics) firstOne() {
	if e != nil {
		e.first.Inc()
	}
}

func (e *endpointMetrics) duplicate() {
	if e != nil {
		e.duplicates.Inc()
	}
}

func (e *endpointMetrics) late(d time.Duration) {
	if e != nil {
		e.behind.Observe(d.Seconds())
	}
}

func (e *endpointMetrics) disagree(d disagreement) {
	if e != nil {
		e.disagreements[d].Inc()
	}
}

func (m *Metrics) refused(r refusal) {
	if m != nil {
		m.refusals[r].Inc()
	}
}

func (m *Metrics) retracted(reason string, n int) {
	if m != nil {
		m.retractions.WithLabelValues(reason).Add(float64(n))
	}
}

func (m *Metrics) gapSlots(reason string, n uint64) {
	if m != nil {
		m.gaps.WithLabelValues(reason).Add(float64(n))
	}
}

func (m *Metrics) missing(n uint64) {
	if m != nil {
		m.missed.Add(float64(n))
	}
}

func (m *Metrics) lateOne() {
	if m != nil {
		m.lates.Inc()
	}
}

func (m *Metrics) unproved() {
	if m != nil {
		m.unproveds.Inc()
	}
}

func (m *Metrics) disputed() {
	if m != nil {
		m.disputes.Inc()
	}
}

// sizes sets the gauges.
func (m *Metrics) sizes(l *Ledger) {
	if m == nil {
		return
	}
	m.slots.Set(float64(l.win.kept))
	m.txs.Set(float64(l.idx.count))
	m.held.Set(float64(l.held()))
	m.missingSlots.Set(float64(l.stats.MissingSlots))
	m.checkpoint.Set(float64(l.front.checkpoint))
	m.confirmed.Set(float64(l.stats.Confirmed))
	m.length.Set(l.SlotLength().Seconds())
}
