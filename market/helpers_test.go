package market_test

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

func fixedNow() time.Time { return time.Unix(1_764_000_000, 0) }

func newMarket(o market.Options) *market.Market {
	if o.Now == nil {
		o.Now = fixedNow
	}
	return market.New(o)
}

// key makes a public key that no real one equals; kind tells mints from pools.
func key(kind byte, n uint64) solana.PublicKey {
	var k solana.PublicKey
	k[0] = kind
	binary.BigEndian.PutUint64(k[24:], n+1)
	return k
}

func mint(n uint64) solana.PublicKey { return key('m', n) }
func pool(n uint64) solana.PublicKey { return key('p', n) }

// cp is a constant-product pool that trades as a real one does, so that its
// swaps carry the amounts and reserves that belong together.
type cp struct {
	dex          string
	address      solana.PublicKey
	base, quote  solana.PublicKey
	decB, decQ   uint8
	vaultB       float64 // whole
	vaultQ       float64 // whole
	feeBps       int32
	slot         uint64
	tx           uint64
	hideReserves bool
	spot         bool
}

func raw(whole float64, dec uint8) uint64 { return uint64(math.Round(whole * math.Pow10(int(dec)))) }

// pay puts quote (buy) or, where negative, its worth in base (sell) through the
// pool and returns the swap.
func (c *cp) pay(quote float64) *swapcast.Swap {
	c.tx++
	s := &swapcast.Swap{
		DEX: c.dex, Pool: c.address, Slot: c.slot, TxIndex: c.tx, Trader: key('t', 1),
		FeeBps: c.feeBps, BlockTime: 1_764_000_000, ReceivedAt: fixedNow().UnixNano(),
	}
	s.Signature[0] = byte(c.tx)
	kept := 1 - float64(max(c.feeBps, 0))/10_000
	k := c.vaultB * c.vaultQ
	if quote >= 0 {
		out := c.vaultB - k/(c.vaultQ+quote*kept)
		c.vaultQ += quote
		c.vaultB -= out
		s.MintIn, s.DecimalsIn, s.AmountIn = c.quote, c.decQ, raw(quote, c.decQ)
		s.MintOut, s.DecimalsOut, s.AmountOut = c.base, c.decB, raw(out, c.decB)
		s.ReserveIn, s.ReserveOut = raw(c.vaultQ, c.decQ), raw(c.vaultB, c.decB)
	} else {
		in := -quote / (c.vaultQ / c.vaultB)
		out := c.vaultQ - k/(c.vaultB+in*kept)
		c.vaultB += in
		c.vaultQ -= out
		s.MintIn, s.DecimalsIn, s.AmountIn = c.base, c.decB, raw(in, c.decB)
		s.MintOut, s.DecimalsOut, s.AmountOut = c.quote, c.decQ, raw(out, c.decQ)
		s.ReserveIn, s.ReserveOut = raw(c.vaultB, c.decB), raw(c.vaultQ, c.decQ)
	}
	s.ReservesKnown = !c.hideReserves
	if c.spot {
		s.SpotKnown = true
		s.Spot = c.vaultQ / c.vaultB * math.Pow10(int(c.decQ)-int(c.decB))
		if s.MintIn == c.quote {
			s.Spot = 1 / s.Spot
		}
	}
	return s
}

func (c *cp) mid() float64 { return c.vaultQ / c.vaultB }

// solUSDC is a deep pool that sets SOL's price.
func solUSDC(price float64) *cp {
	return &cp{
		dex: "raydium-v4", address: pool(9_000), base: swapcast.NativeMint(), quote: swapcast.USDC(),
		decB: 9, decQ: 6, vaultB: 100_000, vaultQ: 100_000 * price, feeBps: 25, slot: 1_000,
	}
}

// tokenPool is a pool of mint(n) with the given depth on each side, in quote.
func tokenPool(n, address uint64, quote solana.PublicKey, price, depth float64) *cp {
	dec := uint8(6)
	if quote == swapcast.NativeMint() {
		dec = 9
	}
	return &cp{
		dex: "raydium-cpmm", address: pool(address), base: mint(n), quote: quote,
		decB: 6, decQ: dec, vaultB: depth / price, vaultQ: depth, feeBps: 25, slot: 1_000,
	}
}

func apply(t testing.TB, m *market.Market, s *swapcast.Swap) market.Update {
	t.Helper()
	var u market.Update
	m.Apply(s, &u)
	return u
}

func near(t testing.TB, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Abs(want) {
		t.Errorf("%s = %v, want %v (within %v)", what, got, want, tolerance)
	}
}

func priceOf(t testing.TB, m *market.Market, k solana.PublicKey) swapcast.Price {
	t.Helper()
	p, ok := m.Price(k)
	if !ok || !p.Known {
		t.Fatalf("price of %s not known", k)
	}
	return p
}
