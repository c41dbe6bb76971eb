package market_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// lag is how far the chain's time is behind that of receipt: short enough for
// its trades to look like stragglers, which never set a clock back.
const lag = 100

// received gives a swap a time of receipt, in seconds after the first, and the
// block time that belongs to it where there is one.
func received(s *swapcast.Swap, second int64, timed bool) *swapcast.Swap {
	s.BlockTime, s.ReceivedAt = 0, (noon+second)*1e9
	if timed {
		s.BlockTime = noon + second - lag
	}
	return s
}

// TestChainBehindReceipt follows a source whose chain runs behind the wall clock
// and whose first swaps come before any block time: a second later candles are
// made of all that trades, and none lies in the future.
func TestChainBehindReceipt(t *testing.T) {
	for name, wait := range map[string]time.Duration{"waits": 10 * time.Second, "does not wait": 0} {
		for _, tick := range []bool{false, true} { // what tells the first block time
			reg := prometheus.NewRegistry()
			m := newMarket(market.Options{BlockTimeWithin: wait, Metrics: market.NewMetrics(reg)})
			p, once := tokenPool(1, 1, swapcast.USDC(), 2, 100_000), tokenPool(2, 2, swapcast.USDC(), 2, 100_000)
			apply(t, m, received(p.pay(100), 0, false))
			apply(t, m, received(once.pay(100), 0, false))
			if _, made := m.Candle(mint(1), swapcast.Interval1s); made != (wait == 0) {
				t.Errorf("%s: a candle by time of receipt: %v", name, made)
			}
			if tick {
				m.Tick(noon - lag)
			}
			for second := range int64(50) {
				apply(t, m, received(p.pay(100), second, true))
			}
			if m.Time() != noon+49-lag || m.BlockTime() != m.Time() {
				t.Errorf("%s: the clock stands at %d, %d", name, m.Time()-noon, m.BlockTime()-noon)
			}
			list := m.Candles(mint(1), swapcast.Interval1s, 1_000)
			if len(list) != 50 || list[0].Start != noon-lag {
				t.Errorf("%s: %d candles: %+v", name, len(list), list)
			}
			for _, c := range list {
				if c.Trades != 1 {
					t.Errorf("%s: %+v", name, c)
				}
			}
			if c, ok := m.Candle(mint(2), swapcast.Interval1s); ok {
				t.Errorf("%s: made by time of receipt: %+v", name, c)
			}
			apply(t, m, received(once.pay(100), 60, false)) // says nothing of the chain's time
			if m.Time() != noon+49-lag {
				t.Errorf("%s: a time of receipt moved the clock to %d", name, m.Time()-noon)
			}
			n := counts(t, reg)
			untimed, forgotten := 1.0, 3.0 // mints, USDC among them
			if wait > 0 {
				untimed, forgotten = 3, 0
			}
			if n["swapcast_market_ignored_total,candle_late"] != 0 || n["swapcast_market_ignored_total,candle_untimed"] != untimed ||
				n["swapcast_market_evictions_total,candles,block_time"] != forgotten {
				t.Errorf("%s: counted %v", name, n)
			}
			if st := m.Stats(); st.Candles == 0 || st.Candles > 2*(50+10+4+8) {
				t.Errorf("%s: %d candles are counted", name, st.Candles)
			}
		}
	}
}

// TestSourceWithoutBlockTimes waits for a block time, and no longer than told.
func TestSourceWithoutBlockTimes(t *testing.T) {
	m := newMarket(market.Options{BlockTimeWithin: 10 * time.Second})
	p := tokenPool(1, 1, swapcast.USDC(), 2, 100_000)
	for second := range int64(20) {
		apply(t, m, received(p.pay(100), second, false))
	}
	list := m.Candles(mint(1), swapcast.Interval1s, 1_000)
	if len(list) != 10 || list[0].Start != noon+10 || list[9].Start != noon+19 {
		t.Errorf("%+v", list)
	}
	if m.Time() != noon+19 || m.BlockTime() != 0 {
		t.Errorf("time %d, block time %d", m.Time()-noon, m.BlockTime())
	}
}
