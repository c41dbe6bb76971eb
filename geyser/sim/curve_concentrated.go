package sim

import (
	"math"
	"math/big"
	"math/bits"
)

// concentrated is one wide position of liquidity l around a price, with the
// square-root price in Q64.64 as CLMM, Whirlpool and DAMM v2 keep it. Inside
// the position the formulas are theirs. The position spans a factor of 16 in
// price each way; the true mids move by a factor of 3 at most.
type concentrated struct {
	l            uint64
	sqrt         u128
	floor, limit u128 // bounds of the position

	// Scratch for 256-bit steps, so that a swap allocates nothing.
	t1, t2, t3 big.Int
}

// u128 is an unsigned 128-bit number.
type u128 struct{ hi, lo uint64 }

func (v u128) less(w u128) bool { return v.hi < w.hi || v.hi == w.hi && v.lo < w.lo }

func (v u128) add(w u128) u128 {
	lo, c := bits.Add64(v.lo, w.lo, 0)
	hi, _ := bits.Add64(v.hi, w.hi, c)
	return u128{hi, lo}
}

func (v u128) sub(w u128) u128 {
	lo, c := bits.Sub64(v.lo, w.lo, 0)
	hi, _ := bits.Sub64(v.hi, w.hi, c)
	return u128{hi, lo}
}

func (v u128) float() float64 { return float64(float64(v.hi)*(1<<64)) + float64(v.lo) }

// append writes it little-endian.
func (v u128) append(dst []byte) []byte {
	dst = le.AppendUint64(dst, v.lo)
	return le.AppendUint64(dst, v.hi)
}

func u128Of(f float64) u128 {
	hi := math.Floor(f / (1 << 64))
	return u128{uint64(hi), uint64(f - float64(hi*(1<<64)))}
}

func (v u128) big(z *big.Int) *big.Int {
	z.SetUint64(v.hi)
	z.Lsh(z, 64)
	return z.Or(z, new(big.Int).SetUint64(v.lo))
}

const q64 = 1 << 64

// newConcentrated makes a position whose value in b is value raw units at
// price (raw b for raw a), and returns what it holds.
func newConcentrated(price, value float64) (c concentrated, x, y uint64) {
	const span = 4 // square root of 16
	s := math.Sqrt(price)
	// value = x*price + y = 2*l*s*(1-1/span)
	l := value / (2 * s * (1 - 1.0/span))
	c.l = uint64(l)
	c.sqrt, c.floor, c.limit = u128Of(s*q64), u128Of(s/span*q64), u128Of(s*span*q64)
	return c, c.amountA(c.sqrt, c.limit) + 1, c.amountB(c.floor, c.sqrt) + 1
}

func (c *concentrated) price() float64 {
	s := c.sqrt.float() / q64
	return float64(s * s)
}

func (c *concentrated) toward(target float64) (aToB bool, in uint64) {
	return towardL(float64(c.l), c.sqrt.float()/q64, math.Sqrt(target))
}

// amountB is l*(hi-lo) in units of b, rounded down.
func (c *concentrated) amountB(lo, hi u128) uint64 {
	d := hi.sub(lo)
	h1, _ := bits.Mul64(c.l, d.lo)
	_, l2 := bits.Mul64(c.l, d.hi)
	return h1 + l2
}

// amountA is l*(1/lo-1/hi) in units of a, rounded down.
func (c *concentrated) amountA(lo, hi u128) uint64 {
	hi.sub(lo).big(&c.t1)
	c.t2.SetUint64(c.l)
	c.t1.Mul(&c.t1, &c.t2)
	c.t1.Lsh(&c.t1, 64)
	hi.big(&c.t2)
	lo.big(&c.t3)
	c.t1.Quo(&c.t1, &c.t2)
	c.t1.Quo(&c.t1, &c.t3)
	return c.t1.Uint64()
}

// step says where in (after fees) moves the price and what comes out; ok is
// false where it would leave the position.
func (c *concentrated) step(aToB bool, in uint64) (next u128, out uint64, ok bool) {
	if aToB {
		// next = ceil(l*2^64*sqrt / (l*2^64 + in*sqrt))
		c.sqrt.big(&c.t1)
		c.t2.SetUint64(in)
		c.t2.Mul(&c.t2, &c.t1)
		c.t3.SetUint64(c.l)
		c.t3.Lsh(&c.t3, 64)
		c.t2.Add(&c.t2, &c.t3) // denominator
		c.t1.Mul(&c.t1, &c.t3)
		c.t1.Add(&c.t1, &c.t2)
		c.t1.Sub(&c.t1, big1)
		c.t1.Quo(&c.t1, &c.t2)
		next = fromBig(&c.t1)
		if next.less(c.floor) || !next.less(c.sqrt) {
			return next, 0, false
		}
		return next, c.amountB(next, c.sqrt), true
	}
	// next = sqrt + floor(in*2^64 / l)
	hi, r := bits.Div64(0, in, c.l)
	lo, _ := bits.Div64(r, 0, c.l)
	next = c.sqrt.add(u128{hi, lo})
	if !next.less(c.limit) || !c.sqrt.less(next) {
		return next, 0, false
	}
	return next, c.amountA(c.sqrt, next), true
}

// grow adds (or with add false takes away) a part of the liquidity, and says
// what that moves: rounded in favour of the pool.
func (c *concentrated) grow(part float64, add bool) (dl, x, y uint64) {
	dl = uint64(float64(float64(c.l) * part))
	was := c.l
	c.l = dl
	x, y = c.amountA(c.sqrt, c.limit), c.amountB(c.floor, c.sqrt)
	if add {
		x, y = x+1, y+1
		c.l = was + dl
	} else {
		c.l = was - dl
	}
	return dl, x, y
}

//nolint:gochecknoglobals // the number 1, never written
var big1 = big.NewInt(1)

func fromBig(z *big.Int) u128 {
	w := z.Bits()
	var v u128
	if len(w) > 0 {
		v.lo = uint64(w[0])
	}
	if len(w) > 1 {
		v.hi = uint64(w[1])
	}
	return v
}
