package parser

import (
	"math"

	"github.com/swapcast/swapcast"
)

// spotOf sets the price of a constant product curve after a swap, from the
// reserves that it was computed with. Amounts are exact; the price is a ratio
// and may be a float.
func spotOf(s *swapcast.Swap, reserveIn, in, reserveOut, out uint64) {
	if out >= reserveOut {
		return
	}
	setSpot(s, float64(reserveOut-out)/(float64(reserveIn)+float64(in)))
}

// spotOfSqrt sets the price from a square root in 64.64 fixed point, of token 1
// (b, y) in token 0 (a, x). zeroIn says that the trader gave token 0.
func spotOfSqrt(s *swapcast.Swap, low, high uint64, zeroIn bool) {
	root := float64(high) + float64(low)/(1<<64)
	price := root * root
	if !zeroIn {
		price = 1 / price
	}
	setSpot(s, price)
}

// setSpot keeps a price that is one.
func setSpot(s *swapcast.Swap, price float64) {
	if price > 0 && !math.IsInf(price, 0) {
		s.Spot, s.SpotKnown = price, true
	}
}

// feeOf sets the fee in basis points of what came in, from its parts in raw
// units of the token that came in, rounded to the nearest.
func feeOf(s *swapcast.Swap, parts ...uint64) {
	var sum float64
	for _, p := range parts {
		sum += float64(p)
	}
	setFee(s, sum, s.AmountIn)
}

// feeOfOut adds a fee that was taken of what went out, after feeOf.
func feeOfOut(s *swapcast.Swap, fee uint64) {
	if bps := math.Round(float64(fee) / float64(s.AmountOut) * 10_000); fee > 0 && s.FeeBps >= 0 {
		s.FeeBps = int32(min(float64(s.FeeBps)+bps, 10_000))
	}
}

// setFee sets the fee as a part of an amount, unless it is no part.
func setFee(s *swapcast.Swap, fee float64, of uint64) {
	if bps := math.Round(fee / float64(of) * 10_000); of > 0 && bps <= 10_000 {
		s.FeeBps = int32(bps)
	}
}
