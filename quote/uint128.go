package quote

import "math/bits"

// mulDiv is a*b/c, rounded down, by way of 128 bits. c is above 0. A result of
// more than 64 bits is the greatest uint64.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 1<<64 - 1
	}
	q, _ := bits.Div64(hi, lo, c)
	return q
}

// mulDivUp is a*b/c, rounded up.
func mulDivUp(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 1<<64 - 1
	}
	q, rest := bits.Div64(hi, lo, c)
	if rest > 0 && q < 1<<64-1 {
		q++
	}
	return q
}

// mulDivSum is a*b/(c+d), rounded down, where c+d may take 65 bits. b must be at
// most c+d and c+d above 0, so that the result fits.
func mulDivSum(a, b, c, d uint64) uint64 {
	sum, carry := bits.Add64(c, d, 0)
	if carry == 0 {
		return mulDiv(a, b, sum)
	}
	// The divisor has 65 bits: one bit of the dividend at a time, as by hand. This is
	// rare: a pool that holds more than half of what 64 bits can count.
	hi, lo := bits.Mul64(a, b)
	var q, restHi, restLo uint64
	for i := 127; i >= 0; i-- {
		bit := lo >> min(uint(i), 63) & 1
		if i >= 64 {
			bit = hi >> uint(i-64) & 1
		}
		restHi = restHi<<1 | restLo>>63
		restLo = restLo<<1 | bit
		q <<= 1
		low, borrow := bits.Sub64(restLo, sum, 0)
		if high, under := bits.Sub64(restHi, carry, borrow); under == 0 {
			restHi, restLo = high, low
			q |= 1
		}
	}
	return q
}
