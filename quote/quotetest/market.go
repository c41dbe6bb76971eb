package quotetest

import (
	"crypto/sha256"
	"math"
	"sync/atomic"

	"github.com/gagliardetto/solana-go"
)

// Market is where the stand-ins' prices come from.
type Market interface {
	// Price is US dollars per whole token, false for a mint that nobody trades.
	Price(mint solana.PublicKey) (usd float64, decimals uint8, ok bool)
	// Depth is how deep a mint's market is: US dollars on each side of one
	// constant-product pool that stands for all of them; 0: DefaultDepth.
	Depth(mint solana.PublicKey) float64
	// Slot is the newest slot.
	Slot() uint64
}

// DefaultDepth is a market's whose depth is not known, US dollars on each side.
const DefaultDepth = 25_000_000

// Token is a mint of a Fixed market.
type Token struct {
	USD      float64
	Decimals uint8
	Depth    float64 // as Market.Depth
}

// Fixed is a market whose prices do not move.
type Fixed struct {
	Tokens map[solana.PublicKey]Token // not to be changed once it is used
	Head   atomic.Uint64              // the slot
}

// Price is Market's.
func (f *Fixed) Price(mint solana.PublicKey) (float64, uint8, bool) {
	t, ok := f.Tokens[mint]
	return t.USD, t.Decimals, ok
}

// Depth is Market's.
func (f *Fixed) Depth(mint solana.PublicKey) float64 { return f.Tokens[mint].Depth }

// Slot is Market's.
func (f *Fixed) Slot() uint64 { return f.Head.Load() }

// offer is what a stand-in pays for an amount.
type offer struct {
	out    uint64
	impact float64 // what the trade moves the price by, a fraction
}

// convert is what an amount of one mint brings in another: the market's price less a
// spread, and less what a trade of this size moves it by. Both are those of one
// constant-product pool, as deep as the shallower of the two mints' markets by the
// part of it that the stand-in reaches: of a value v, D/(D+v) arrives.
func convert(m Market, from, to solana.PublicKey, amount uint64, spread, reach float64) (offer, bool) {
	in, decIn, okIn := m.Price(from)
	out, decOut, okOut := m.Price(to)
	if !okIn || !okOut || in <= 0 || out <= 0 {
		return offer{}, false
	}
	deep := reach * min(depth(m, from), depth(m, to))
	value := float64(amount) * in * math.Pow10(-int(decIn))
	impact := value / (deep + value)
	v := value / out * math.Pow10(int(decOut)) * (1 - impact) * (1 - spread)
	if !(v >= 1 && v < 1<<63) {
		return offer{}, false
	}
	return offer{uint64(v), impact}, true
}

func depth(m Market, mint solana.PublicKey) float64 {
	if d := m.Depth(mint); d > 0 {
		return d
	}
	return DefaultDepth
}

// poolKey is a made-up pool's address.
func poolKey(label string) solana.PublicKey {
	return sha256.Sum256([]byte("swapcast quotetest pool " + label))
}
