package market_test

import (
	"math"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// The second quotes of these tests: 9 and 6 decimals, as the built-in list says.
func mSOL() solana.PublicKey {
	return solana.MustPublicKeyFromBase58("mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So")
}

func usd1() solana.PublicKey {
	return solana.MustPublicKeyFromBase58("USD1ttGY1N17NEEHLmELoaybftRBUSErhqYiQzvEmuB")
}

// quotePool is a pool that prices a second quote against a root.
func quotePool(address uint64, base, quote solana.PublicKey, decB, decQ uint8, price, depth float64) *cp {
	return &cp{
		dex: "raydium-cpmm", address: pool(address), base: base, quote: quote,
		decB: decB, decQ: decQ, vaultB: depth / price, vaultQ: depth, feeBps: 25, slot: 1_000,
	}
}

func TestSecondQuotes(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	staked := tokenPool(1, 1, mSOL(), 0.1, 3_000)
	staked.decQ = 9
	dollar := tokenPool(2, 2, usd1(), 4, 80_000)
	for _, p := range []*cp{staked, dollar} {
		if u := apply(t, m, p.pay(1)); u.Prices[0].Known || len(u.Prices) != 1 {
			t.Fatalf("a price through a quote that has none: %+v", u.Prices)
		}
	}
	sol := solUSDC(150)
	apply(t, m, sol.pay(100))
	stake := quotePool(3, mSOL(), swapcast.NativeMint(), 9, 9, 1.3, 20_000)
	peg := quotePool(4, usd1(), swapcast.USDC(), 6, 6, 0.97, 500_000)
	apply(t, m, stake.pay(1))
	apply(t, m, peg.pay(1))

	p := priceOf(t, m, mint(1))
	near(t, "token against mSOL", p.USD, staked.mid()*stake.mid()*sol.mid(), 1e-6)
	near(t, "in SOL", p.SOL, staked.mid()*stake.mid(), 1e-6)
	near(t, "token against USD1, which left its peg", priceOf(t, m, mint(2)).USD, dollar.mid()*peg.mid(), 1e-6)
	near(t, "mSOL", priceOf(t, m, mSOL()).USD, stake.mid()*sol.mid(), 1e-6)
	near(t, "what mSOL quotes is its liquidity too", priceOf(t, m, mSOL()).LiquidityUSD,
		2*20_000*150+2*3_000*1.3*150, 1e-2)
	if p.Confidence >= priceOf(t, m, mSOL()).Confidence || p.Confidence < 0.3 {
		t.Errorf("confidence %v", p.Confidence)
	}

	// SOL moves mSOL and what it quotes at once, though neither trades.
	sol.slot++
	apply(t, m, sol.pay(sol.vaultQ*0.05))
	near(t, "after SOL moved", priceOf(t, m, mint(1)).USD, staked.mid()*stake.mid()*sol.mid(), 1e-6)
	near(t, "USD1 stays", priceOf(t, m, mint(2)).USD, dollar.mid()*peg.mid(), 1e-6)
	// Three hops are too many: mSOL is not priced through USD1.
	odd := quotePool(5, mSOL(), usd1(), 9, 6, 1_000, 50_000_000)
	odd.slot += 2
	apply(t, m, odd.pay(10))
	near(t, "mSOL after a pool against USD1", priceOf(t, m, mSOL()).USD, stake.mid()*sol.mid(), 1e-6)
}

// TestShallowHop has a deep pool against a quote whose own pools hold little: the
// path counts for as little as that.
func TestShallowHop(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	apply(t, m, tokenPool(1, 1, swapcast.USDC(), 3, 100_000).pay(1))
	apply(t, m, quotePool(2, usd1(), swapcast.USDC(), 6, 6, 50, 1_000).pay(1))
	// Worth 50 million dollars at that price.
	u := apply(t, m, tokenPool(1, 3, usd1(), 3, 1_000_000).pay(1))
	if got := u.Prices[0].USD; math.Abs(got/3-1) > 0.01 {
		t.Errorf("a thin second hop moved the price to %v", got)
	}
}
