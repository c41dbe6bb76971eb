package wallet

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestMoneyArithmetic holds the integer arithmetic against big integers.
func TestMoneyArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		any64 := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 100), rapid.Uint64Range(math.MaxUint64-100, math.MaxUint64), rapid.Uint64Range(math.MaxInt64-5, math.MaxInt64+5))
		a, b, c := any64.Draw(t, "a"), any64.Draw(t, "b"), any64.Draw(t, "c")
		sum := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-5, 5), rapid.Just(int64(math.MinInt64)), rapid.Just(int64(math.MaxInt64))).Draw(t, "sum")
		of := func(n uint64) *big.Int { return new(big.Int).SetUint64(n) }
		if b <= c && c > 0 {
			want := new(big.Int).Div(new(big.Int).Mul(of(a), of(b)), of(c))
			if got := muldiv(a, b, c); of(got).Cmp(want) != 0 {
				t.Fatalf("%d·%d/%d = %d, want %s", a, b, c, got, want)
			}
		}
		exact := new(big.Int).Sub(of(a), of(b))
		exact.Add(exact, big.NewInt(sum))
		want := int64(math.MaxInt64)
		switch {
		case exact.IsInt64():
			want = exact.Int64()
		case exact.Sign() < 0:
			want = math.MinInt64
		}
		if got := gain(sum, a, b); got != want {
			t.Fatalf("%d + %d - %d = %d, want %d", sum, a, b, got, want)
		}
	})
}
