package quote_test

import (
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
	"github.com/swapcast/swapcast/quote"
)

// followed is the market as quotes want it: what the wiring has to write.
type followed struct{ *market.Market }

func (f followed) Mid(mint solana.PublicKey) (quote.Mid, bool) {
	p, ok := f.Price(mint)
	return quote.Mid{USD: p.USD, Confidence: p.Confidence, Slot: p.Slot}, ok && p.Known
}

func (f followed) Liquidity(pool solana.PublicKey) (float64, bool) { return f.PoolLiquidity(pool) }

func (f followed) Pools(dst []quote.Pool, mint solana.PublicKey) []quote.Pool {
	var buf [64]market.Reserves
	for _, r := range f.Reserves(buf[:0], mint) {
		dst = append(dst, quote.Pool{
			Address: r.Address, DEX: r.DEX, MintA: r.Base, MintB: r.Quote, ReserveA: r.ReserveBase, ReserveB: r.ReserveQuote,
			FeeBps: uint16(r.FeeBps), FeeOnB: r.FeeOnQuote, Slot: r.Slot,
		})
	}
	return dst
}

// trade is a swap of a pool that holds these reserves afterwards.
func trade(pool byte, dex string, in, out solana.PublicKey, decIn, decOut uint8, paid, got, rIn, rOut uint64) *swapcast.Swap {
	return &swapcast.Swap{
		DEX: dex, Pool: key(pool), Slot: 400_000_000, Trader: key(1), FeeBps: -1, ReceivedAt: time.Now().UnixNano(), BlockTime: time.Now().Unix(),
		MintIn: in, DecimalsIn: decIn, AmountIn: paid, UserAmountIn: paid,
		MintOut: out, DecimalsOut: decOut, AmountOut: got, UserAmountOut: got,
		ReservesKnown: true, ReserveIn: rIn, ReserveOut: rOut,
	}
}

// TestFollowedMarket quotes from the real market's state, over one hop and two, both
// ways.
func TestFollowedMarket(t *testing.T) {
	m := market.New(market.Options{})
	var out market.Update
	sol, usdc, token := swapcast.NativeMint(), swapcast.USDC(), key(7)
	m.Apply(trade(2, "raydium-v4", sol, usdc, 9, 6, 1e9, 149e6, 1e14, 15e12), &out)
	m.Apply(trade(3, "raydium-v4", token, sol, 6, 9, 1e9, 1e9, 1e13, 1e13), &out)
	e, err := quote.New(quote.Options{Reference: followed{m}, OnChain: quote.OnChain{Reserves: followed{m}}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	// With integers: i = 1e9 - 1e9*25/1e4; 1e13*i/(1e13+i) = 997,400,509 lamports; the
	// same with those into 1e14 lamports and 15e12 micro-dollars: 149,234,566.
	a, err := e.Quote(t.Context(), quote.Request{InputMint: token, OutputMint: usdc, Amount: 1e9, SlippageBps: 100})
	if err != nil || a.OutAmount != 149_234_566 || a.Hops != 2 || a.Route[0].OutAmount != 997_400_509 || a.Source != quote.NameOnChain {
		t.Fatalf("%+v, %v", a, err)
	}
	if len(a.Warnings) != 0 {
		t.Errorf("%+v", a.Warnings)
	}
	back, err := e.Quote(t.Context(), quote.Request{InputMint: usdc, OutputMint: token, Amount: a.OutAmount, SlippageBps: 100})
	if err != nil || back.Hops != 2 || back.OutAmount >= 1e9 || back.OutAmount < 98e7 {
		t.Fatalf("%+v, %v", back, err)
	}
	one, err := e.Quote(t.Context(), quote.Request{InputMint: sol, OutputMint: token, Amount: 1e9, SlippageBps: 100})
	if err != nil || one.Hops != 1 {
		t.Fatalf("%+v, %v", one, err)
	}
}
