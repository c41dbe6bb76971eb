package market_test

import (
	"testing"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// TestNoRestarts fills a gap of long ago beside the present: neither prices nor
// candles go back, until the caller says that the chain did.
func TestNoRestarts(t *testing.T) {
	t.Parallel()
	for _, steady := range []bool{false, true} {
		m := market.New(market.Options{NoRestarts: steady, JournalSwaps: 1000, Now: fixedNow})
		var u market.Update
		sell := func(slot, tx uint64, usdc uint64, at int64) {
			m.Apply(&swapcast.Swap{
				Slot: slot, TxIndex: tx, BlockTime: at, DEX: "raydium-v4", Pool: pool(1),
				MintIn: swapcast.NativeMint(), MintOut: swapcast.USDC(), DecimalsIn: 9, DecimalsOut: 6,
				AmountIn: 1e9, AmountOut: usdc, ReservesKnown: true, ReserveIn: 1e12, ReserveOut: 1000 * usdc,
			}, &u)
		}
		const now = 1_764_000_000
		sell(4_000, 1, 200e6, now)
		for i := range uint64(100) {
			sell(1_001+i, i, 50e6, now-1_000)
		}
		p, _ := m.Price(swapcast.NativeMint())
		if restarted := p.USD < 100 || m.Time() < now; restarted == steady {
			t.Fatalf("NoRestarts %t: the price is %v and the clock %d", steady, p.USD, m.Time()-now)
		}
		if !steady {
			continue
		}
		m.Restart()
		if entries, _ := m.JournalEntries(); entries != 0 {
			t.Errorf("%d entries of the old chain are kept", entries)
		}
		sell(7, 1, 30e6, now-5_000)
		if p, _ := m.Price(swapcast.NativeMint()); p.USD > 40 || m.Time() != now-5_000 {
			t.Errorf("the chain began anew: the price is %v and the clock %d", p.USD, m.Time()-now)
		}
		sell(8, 1, 31e6, now-4_999)
		if m.Time() != now-4_999 {
			t.Errorf("the clock is %d", m.Time()-now)
		}
	}
}
