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
	// Slot is the newest slot.
	Slot() uint64
}

// Token is a mint of a Fixed market.
type Token struct {
	USD      float64
	Decimals uint8
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

// Slot is Market's.
func (f *Fixed) Slot() uint64 { return f.Head.Load() }

// convert is what an amount is worth in another mint, less a spread.
func convert(m Market, from, to solana.PublicKey, amount uint64, spread float64) (uint64, bool) {
	in, decIn, okIn := m.Price(from)
	out, decOut, okOut := m.Price(to)
	if !okIn || !okOut || in <= 0 || out <= 0 {
		return 0, false
	}
	v := float64(amount) * in / out * math.Pow10(int(decOut)-int(decIn)) * (1 - spread)
	if v < 1 || v >= 1<<63 {
		return 0, false
	}
	return uint64(v), true
}

// poolKey is a made-up pool's address.
func poolKey(label string) solana.PublicKey {
	return sha256.Sum256([]byte("swapcast quotetest pool " + label))
}
