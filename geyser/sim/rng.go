package sim

import "math"

// rng is splitmix64: small, fast, and the same on every platform and Go
// version, which the standard library does not promise for its helpers.
type rng struct{ s uint64 }

// mix is splitmix64's finaliser, a bijection on 64 bits.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

const golden = 0x9e3779b97f4a7c15

func (r *rng) u64() uint64 {
	r.s += golden
	return mix(r.s)
}

// n returns a number in [0, n); the bias for small n is far below anything
// that a market shows. n must be positive.
func (r *rng) n(n int) int {
	return int((r.u64() >> 33) % uint64(n))
}

// f returns a number in [0, 1).
func (r *rng) f() float64 { return float64(r.u64()>>11) / (1 << 53) }

// chance is true with probability p.
func (r *rng) chance(p float64) bool { return r.f() < p }

// norm returns a standard normal number (Box and Muller, one of the pair).
func (r *rng) norm() float64 {
	u := 1 - r.f()
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*r.f())
}

// logNormal returns median*exp(sigma*N).
func (r *rng) logNormal(median, sigma float64) float64 {
	return median * math.Exp(float64(sigma*r.norm()))
}

// between returns a number in [lo, hi).
func (r *rng) between(lo, hi float64) float64 { return lo + float64(r.f()*(hi-lo)) }

// fill writes pseudo-random bytes; len(b) must be a multiple of 8.
func (r *rng) fill(b []byte) {
	for i := 0; i < len(b); i += 8 {
		le.PutUint64(b[i:], r.u64())
	}
}
