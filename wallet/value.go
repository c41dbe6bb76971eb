package wallet

import (
	"math"
	"math/bits"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Unit is what worth is counted in.
type Unit uint8

// The units. Money is a whole number of millionths of a US dollar in the one, and
// of lamports in the other.
const (
	USD Unit = iota
	SOL
	numUnits
)

// Value is what something was worth, in both units, where each is known.
type Value struct {
	Amount [numUnits]uint64 `json:"a"`
	Known  [numUnits]bool   `json:"k"`
}

// In makes a value that is known in one unit.
func (v Value) In(u Unit, amount uint64) Value {
	v.Amount[u], v.Known[u] = amount, true
	return v
}

// Price gives what one whole token of a mint was worth in US dollars, false where
// that is not known.
type Price func(mint solana.PublicKey) (usd float64, ok bool)

// money tells whether a mint is what a unit counts in: a dollar of USDC or USDT is
// a dollar, and a lamport is a lamport, whatever they were had for. There is no
// gain in it, and it is never unknown.
func money(u Unit, mint solana.PublicKey) bool {
	if u == SOL {
		return mint == swapcast.NativeMint()
	}
	return mint == swapcast.USDC() || mint == swapcast.USDT()
}

// worth is the value of an amount of one mint by itself. USDC, USDT and SOL are
// exact in their own unit; the rest goes by price.
func worth(mint solana.PublicKey, amount uint64, decimals uint8, price Price) Value {
	var v Value
	sol, solKnown := price(swapcast.NativeMint())
	solKnown = solKnown && sol > 0
	switch {
	case money(USD, mint):
		v = v.In(USD, amount) // six decimals both
	case money(SOL, mint):
		v = v.In(SOL, amount)
	}
	if !v.Known[USD] {
		if usd, ok := price(mint); ok {
			if n, ok := whole(float64(amount) / math.Pow10(int(decimals)) * usd * 1e6); ok {
				v = v.In(USD, n)
			}
		}
	}
	if !v.Known[SOL] && v.Known[USD] && solKnown {
		if n, ok := whole(float64(v.Amount[USD]) / 1e6 / sol * 1e9); ok {
			v = v.In(SOL, n)
		}
	}
	return v
}

// whole rounds to an integer; false where there is none of 63 bits.
func whole(f float64) (uint64, bool) {
	f = math.Round(f)
	if !(f >= 0 && f < math.MaxInt64) {
		return 0, false
	}
	return uint64(f), true
}

// muldiv is a·b/c, rounded down, with b not above c; 0 where c is 0.
func muldiv(a, b, c uint64) uint64 {
	if c == 0 {
		return 0
	}
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, c)
	return q
}

// gain adds to a sum of profits and losses, which stays within its 64 bits: the sum
// is worked out in 128.
func gain(sum int64, proceeds, cost uint64) int64 {
	high := sum >> 63 // of sum: 0 or -1
	low, carry := bits.Add64(uint64(sum), proceeds, 0)
	low, borrow := bits.Sub64(low, cost, 0)
	high += int64(carry) - int64(borrow)
	switch {
	case high == 0 && low <= math.MaxInt64, high == -1 && low > math.MaxInt64:
		return int64(low)
	case high < 0:
		return math.MinInt64
	default:
		return math.MaxInt64
	}
}
