package market

import (
	"math"
	"time"

	"github.com/swapcast/swapcast"
)

const (
	// lateSeconds and restartTrades do for the clock what lateSlots and
	// restartTransactions do for slots: so many trades in a row from longer ago
	// than that are a clock that was set back, fewer are stragglers.
	lateSeconds   = 120
	restartTrades = 32
)

// candleClock is the time by which candles end: the newest block time seen, or,
// where none was seen yet, the newest time of receipt that stood in for one.
type candleClock struct {
	now    uint32
	epoch  uint32 // grows when the clock is set back
	behind int    // trades in a row from long before now
	chain  bool   // a block time was seen
	since  uint32 // receipt of the first trade without one, 0 none
}

// timeSwap takes the time of a swap that begins to be applied.
func (m *Market) timeSwap(s *swapcast.Swap, receivedAt int64, restart bool) {
	m.swapTime = 0
	at, ok := timeOf(s, receivedAt)
	switch {
	case !ok:
		return
	case s.BlockTime == 0 && !m.clock.stands(at, m.opts.BlockTimeWithin):
		m.metrics.ignore(refuseCandleUntimed)
		return
	case m.opts.NoRestarts && m.time.slot-s.Slot > lateSlots: // the clock is the present's
	case s.BlockTime != 0 && !m.clock.chain:
		m.startClock(at)
	default:
		m.clock.see(at, restart)
	}
	m.swapTime = at
}

// stands tells whether a time of receipt stands in for a block time: where none
// was seen for so long that the source seems to have none. The chain's time may
// lag minutes behind that of receipt, so that a clock of both would end candles
// that have not begun.
func (c *candleClock) stands(receipt uint32, within time.Duration) bool {
	if c.since == 0 {
		c.since = receipt
	}
	return !c.chain && int64(receipt)-int64(c.since) >= int64(within/time.Second)
}

// startClock takes the first block time. Candles that times of receipt made until
// then lie anywhere in the chain's time, and are forgotten.
func (m *Market) startClock(at uint32) {
	c := &m.clock
	c.now, c.behind, c.chain = at, 0, true
	for m.candleUse.tail != nil {
		m.clearCandles(m.candleUse.tail)
		m.metrics.evict(evictCandlesReceipt)
	}
}

// see takes the time of a trade, where restart says that the slots began anew.
func (c *candleClock) see(at uint32, restart bool) {
	switch {
	case at >= c.now:
		c.now, c.behind = at, 0
		return
	case c.now-at <= lateSeconds && !restart:
		c.behind = 0
		return
	}
	if c.behind++; restart || c.behind >= restartTrades {
		c.now, c.behind = at, 0
		c.epoch++
	}
}

// over tells whether the interval that holds a moment has ended.
func (c *candleClock) over(at, length uint32) bool {
	return at < c.now && c.now-(at-at%length) >= length
}

// timeOf is the time of a swap in whole seconds: its block's, else that of its
// receipt. False where there is none that a bar can hold.
func timeOf(s *swapcast.Swap, receivedAt int64) (uint32, bool) {
	at := s.BlockTime
	if at == 0 {
		at = receivedAt / 1e9
	}
	return uint32(at), at > 0 && at < math.MaxUint32-daySeconds //nolint:gosec // the bounds are the second result
}

// Tick tells the market the chain's time in Unix seconds, so that candles end
// where nothing trades. It counts as a block time; one earlier than the one known
// changes nothing.
func (m *Market) Tick(unix int64) {
	if unix <= 0 || unix >= math.MaxUint32-daySeconds {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tick(unix)
}

func (m *Market) tick(unix int64) {
	m.recordTick(unix)
	at := uint32(unix) //nolint:gosec // Tick has the bounds
	if !m.clock.chain {
		m.startClock(at)
		return
	}
	m.clock.now = max(m.clock.now, at)
}

// Time is the time in Unix seconds by which candles end: the chain's, or that of
// receipt where that stands in for it; 0 before there is one.
func (m *Market) Time() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return int64(m.clock.now)
}

// BlockTime is the newest block time seen, in Unix seconds; 0 before the first.
func (m *Market) BlockTime() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.clock.chain {
		return 0
	}
	return int64(m.clock.now)
}
