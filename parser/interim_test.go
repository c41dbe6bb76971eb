package parser_test

import (
	"testing"

	"github.com/swapcast/swapcast/parser"
	. "github.com/swapcast/swapcast/parser/parsertest"
)

// TestInterim has three swaps in one transaction: the first pool is met again.
func TestInterim(t *testing.T) {
	b := NewBuilder("interim", user)
	p, q := newPool(b, "one pool", assetA, assetB), newPool(b, "another", assetA, assetB)
	from, to := b.Account("gives", user, assetA, 10_000), b.Account("gets", user, assetB, 0)
	swapAB(b, p, user, from, to, 100, 200)
	swapAB(b, q, user, from, to, 100, 190)
	swapAB(b, p, user, from, to, 100, 180)
	tx := b.Tx()
	r := parse(tx)
	want(t, r, [4]uint64{100, 200, 100, 200}, [4]uint64{100, 190, 100, 190}, [4]uint64{100, 180, 100, 180})
	for i, interim := range []bool{true, false, false} {
		if r.Swaps[i].Interim != interim {
			t.Errorf("swap %d: interim %v, want %v", i, r.Swaps[i].Interim, interim)
		}
	}
}

// TestCorpusInterim has a mainnet transaction that goes through one Raydium pool
// twice: its first swap left a price 2% off the last.
func TestCorpusInterim(t *testing.T) {
	const signature = "4cWStqraSHpMd8ix4eNaRSa22BUubTtDxLaemkPRwpnydJWsZUxHi4xXuMnuZZX7KS2eZdguspZJL8bpQ34ZikfU"
	p := parser.New()
	var r parser.Result
	for _, c := range Corpus(t) {
		p.Parse(c.Tx, &r)
		if len(r.Swaps) < 2 || r.Swaps[0].Signature.String() != signature {
			continue
		}
		last := len(r.Swaps) - 1
		if !r.Swaps[0].Interim || r.Swaps[last].Interim {
			t.Errorf("interim: first %v, last %v", r.Swaps[0].Interim, r.Swaps[last].Interim)
		}
		return
	}
	t.Fatal("the corpus does not have the transaction")
}
