package sim

import "math"

// product is a constant-product curve over two reserves.
type product struct{ x, y uint64 }

// out is what in (after fees) buys, rounded down.
func (c *product) out(aToB bool, in uint64) uint64 {
	x, y := c.x, c.y
	if !aToB {
		x, y = y, x
	}
	return mulDiv(y, in, x+in)
}

func (c *product) price() float64 { return float64(c.y) / float64(c.x) }

// toward returns how much of which side moves the price to target.
func (c *product) toward(target float64) (aToB bool, in uint64) {
	l := math.Sqrt(float64(c.x) * float64(c.y))
	return towardL(l, math.Sqrt(c.price()), math.Sqrt(target))
}

// towardL is toward for liquidity l between square-root prices s and t.
func towardL(l, s, t float64) (aToB bool, in uint64) {
	if t < s {
		return true, uint64(float64(l * float64(1/t-1/s)))
	}
	return false, uint64(float64(l * float64(t-s)))
}
