package market

// Reasons is a set of what lowers a price's confidence or explains its source.
type Reasons uint16

// The reasons. Their codes are part of the public face.
const (
	// ReasonThin: under 10,000 dollars of depth agree on the price.
	ReasonThin Reasons = 1 << iota
	// ReasonSinglePool: one pool makes the price.
	ReasonSinglePool
	// ReasonStale: no pool that agrees has traded for a while.
	ReasonStale
	// ReasonDisagreement: a tenth of all depth stands off the price.
	ReasonDisagreement
	// ReasonNew: the mint has just been seen for the first time.
	ReasonNew
	// ReasonDepthUnknown: most weight is of pools whose vaults are not known.
	ReasonDepthUnknown
	// ReasonExecution: most weight comes from trades rather than pool states.
	ReasonExecution
	// ReasonCurve: most weight is of a bonding curve.
	ReasonCurve
	// ReasonReference: one dollar by definition.
	ReasonReference
	// ReasonAssumed: taken to be one dollar until its pools say otherwise.
	ReasonAssumed
	// ReasonNoDollar: known in SOL only, SOL's own price is not known yet.
	ReasonNoDollar
	// ReasonPulled: nine tenths and more of the depth has gone.
	ReasonPulled
)

// Codes returns the stable names, in a fixed order.
func (r Reasons) Codes() []string {
	names := [...]string{
		"thin", "single_pool", "stale", "disagreement", "new", "depth_unknown",
		"execution", "curve", "reference", "assumed", "no_dollar", "pulled",
	}
	var codes []string
	for i, name := range names {
		if r&(1<<i) != 0 {
			codes = append(codes, name)
		}
	}
	return codes
}

// judge gives an estimate its confidence and reasons; doc.go has the formula.
func (m *Market) judge(e *estimate, ms *mintState, c *centre) {
	age := distance(m.time.slot, c.newest)
	e.confidence = c.depth / (c.depth + halfDepth) * (1 - 0.2/c.effective) * c.agree *
		decay(age, 4*m.opts.HalfLifeSlots) * c.trust
	mark := func(when bool, r Reasons) {
		if when {
			e.reasons |= r
		}
	}
	if m.newcomer(ms) {
		e.confidence *= newTrust
		e.reasons |= ReasonNew
	}
	mark(c.depth < halfDepth, ReasonThin)
	mark(c.pools == 1, ReasonSinglePool)
	mark(age > m.opts.HalfLifeSlots, ReasonStale)
	mark(c.agree < 1-disagreeShare, ReasonDisagreement)
	mark(c.unknownDepth > 0.5, ReasonDepthUnknown)
	mark(c.gone > 1-pulledShare, ReasonPulled)
	mark(c.execution > 0.5, ReasonExecution)
	mark(c.curve > 0.5, ReasonCurve)
	e.confidence = min(max(e.confidence, 0), 1)
}

// newcomer tells whether a mint appeared a short while ago, and not merely
// because the market itself began then.
func (m *Market) newcomer(ms *mintState) bool {
	first := ms.state.firstSlot
	return !ms.reference() && !m.beginning(first) && distance(m.time.slot, first) < m.opts.HalfLifeSlots
}

// beginning tells whether a slot is of the market's own first ones.
func (m *Market) beginning(slot uint64) bool { return slot <= m.time.first+settleSlots }

// settleSlots is how long after its start the market takes every mint for an
// old one: by then whatever trades often has been seen.
const settleSlots = 150
