package market_test

import (
	"fmt"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// BenchmarkApply is the steady state: every mint and pool has been seen, each
// swap moves one pool of one mint, four pools a mint, half of them against SOL.
func BenchmarkApply(b *testing.B) { benchmarkApply(b, 0) }

// BenchmarkApplyJournal is likewise with a journal, 500 swaps a slot, settled
// eight slots behind.
func BenchmarkApplyJournal(b *testing.B) { benchmarkApply(b, market.DefaultJournalSwaps) }

func benchmarkApply(b *testing.B, journal int) {
	for _, mints := range []uint64{1, 100, 10_000} {
		b.Run(fmt.Sprintf("mints=%d", mints), func(b *testing.B) {
			m := newMarket(market.Options{JournalSwaps: journal})
			swaps := busySwaps(b, m, mints)
			var u market.Update
			for range 220 / 4 { // until the trade rings are full where there is room
				for _, s := range swaps {
					m.Apply(s, &u)
				}
				if mints > 100 {
					break
				}
			}
			slot := uint64(1_000)
			next := func(i int) {
				s := swaps[i%len(swaps)]
				s.Slot = slot + uint64(i)/500
				if m.Apply(s, &u); i%500 == 0 {
					m.Settle(s.Slot - 8)
				}
			}
			for i := range 8_000 { // until the journal is as long as it gets
				next(i)
			}
			slot += 20
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				next(i)
				i++
			}
		})
	}
}

// busySwaps is one swap of each of four pools of each mint.
func busySwaps(b *testing.B, m *market.Market, mints uint64) []*swapcast.Swap {
	apply(b, m, solUSDC(150).pay(100))
	swaps := make([]*swapcast.Swap, 0, 4*mints)
	for p := range uint64(4) {
		for i := range mints {
			quote := swapcast.USDC()
			price := 3.0
			if p%2 == 1 {
				quote, price = swapcast.NativeMint(), 0.02
			}
			swaps = append(swaps, tokenPool(i, 4*i+p, quote, price, 10_000*float64(p+1)).pay(1))
		}
	}
	return swaps
}

// BenchmarkRetract takes back one slot of 500 swaps: the newest one, and one that
// 32 slots of as many came after.
func BenchmarkRetract(b *testing.B) {
	for _, after := range []int{0, 32} {
		b.Run(fmt.Sprintf("slots_after=%d", after), func(b *testing.B) {
			const perSlot = 500
			m := newMarket(market.Options{JournalSwaps: market.DefaultJournalSwaps})
			swaps := busySwaps(b, m, 2_500)
			var u market.Update
			for _, s := range swaps {
				m.Apply(s, &u)
			}
			dead := make([]swapcast.TxRef, perSlot)
			var r market.Retraction
			slot := uint64(2_000)
			for b.Loop() {
				b.StopTimer()
				m.Settle(slot)
				for n := range after + 1 {
					slot++
					for i := range perSlot {
						s := swaps[(n*perSlot+i)%len(swaps)]
						s.Slot, s.Signature = slot, solana.Signature{byte(i), byte(i >> 8)}
						s.BlockTime = 1_764_000_000 + int64(slot*2/5)
						if m.Apply(s, &u); n == 0 {
							dead[i] = swapcast.TxRef{Slot: slot, Signature: s.Signature}
						}
					}
				}
				b.StartTimer()
				m.Retract(dead, &r)
			}
			if r.Swaps != perSlot || r.Replayed != after*perSlot {
				b.Errorf("%d swaps, %d replayed", r.Swaps, r.Replayed)
			}
			b.ReportMetric(float64(len(r.Prices)), "prices")
			b.ReportMetric(float64(len(r.Candles)), "candles")
		})
	}
}

// BenchmarkApplySOL is a swap that moves SOL itself, with 64 pools.
func BenchmarkApplySOL(b *testing.B) {
	m := newMarket(market.Options{})
	var swaps []*swapcast.Swap
	for i := range uint64(64) {
		c := solUSDC(150 + float64(i)/100)
		c.address = pool(i)
		swaps = append(swaps, c.pay(100))
	}
	var u market.Update
	for range 4 {
		for _, s := range swaps {
			m.Apply(s, &u)
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.Apply(swaps[i%len(swaps)], &u)
		i++
	}
}

func BenchmarkPrice(b *testing.B) {
	m := newMarket(market.Options{})
	for p := range uint64(4) {
		apply(b, m, tokenPool(1, p, swapcast.USDC(), 3, 10_000).pay(1))
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Price(mint(1))
	}
}

// BenchmarkTop looks at 10,000 mints.
func BenchmarkTop(b *testing.B) {
	m := newMarket(market.Options{})
	for i := range uint64(10_000) {
		apply(b, m, tokenPool(i, i, swapcast.USDC(), 3, 10_000).pay(1))
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Top(20)
	}
}
