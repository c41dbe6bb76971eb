package market_test

import (
	"fmt"
	"testing"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// BenchmarkApply is the steady state: every mint and pool has been seen, each
// swap moves one pool of one mint, four pools a mint, half of them against SOL.
func BenchmarkApply(b *testing.B) {
	for _, mints := range []uint64{1, 100, 10_000} {
		b.Run(fmt.Sprintf("mints=%d", mints), func(b *testing.B) {
			m := newMarket(market.Options{})
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
			var u market.Update
			for range 220 / 4 { // until the trade rings are full where there is room
				for _, s := range swaps {
					m.Apply(s, &u)
				}
				if mints > 100 {
					break
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				s := swaps[i%len(swaps)]
				s.Slot = 1_000 + uint64(i)/1_000
				m.Apply(s, &u)
				i++
			}
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
