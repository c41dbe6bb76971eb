package parser_test

import (
	"testing"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/parser/parsertest"
)

// block returns the corpus block of slot 361774429 with those transactions for
// which keep is true.
func block(tb testing.TB, keep func(*swapcast.Transaction) bool) []*swapcast.Transaction {
	var out []*swapcast.Transaction
	for _, c := range parsertest.Corpus(tb) {
		if c.Source == "slot_361774429.getBlock.base64.json" && keep(c.Tx) {
			out = append(out, c.Tx)
		}
	}
	return out
}

func hasSwaps(tx *swapcast.Transaction) bool { return len(parse(tx).Swaps) > 0 }

func benchmarkParse(b *testing.B, txs []*swapcast.Transaction) {
	p := parser.New()
	var r parser.Result
	swaps, n := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(txs[n%len(txs)], &r)
		swaps += len(r.Swaps)
		n++
	}
	b.ReportMetric(float64(swaps)/float64(n), "swaps/op")
}

// BenchmarkParseBlock is a whole mainnet block, votes and all: one op is one
// transaction.
func BenchmarkParseBlock(b *testing.B) {
	benchmarkParse(b, block(b, func(*swapcast.Transaction) bool { return true }))
}

// BenchmarkParseSwaps is that block's transactions that hold swaps.
func BenchmarkParseSwaps(b *testing.B) { benchmarkParse(b, block(b, hasSwaps)) }

// BenchmarkParseOther is those of a known DEX's keys nowhere: the look that must
// cost next to nothing.
func BenchmarkParseOther(b *testing.B) {
	known := map[[32]byte]bool{}
	for _, d := range parser.DEXes() {
		known[d.Program] = true
	}
	benchmarkParse(b, block(b, func(tx *swapcast.Transaction) bool {
		for _, k := range tx.Keys {
			if known[k] {
				return false
			}
		}
		return !tx.Vote && !tx.Failed
	}))
}

// BenchmarkParseFixtures is one of each of our own transactions, for machines
// without the corpus.
func BenchmarkParseFixtures(b *testing.B) {
	var txs []*swapcast.Transaction
	for _, f := range parsertest.Fixtures() {
		txs = append(txs, f.Tx)
	}
	benchmarkParse(b, txs)
}

func BenchmarkBalances(b *testing.B) {
	txs := block(b, hasSwaps)
	var dst []swapcast.BalanceChange
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		dst = parser.Balances(txs[n%len(txs)], dst[:0])
		n++
	}
}

// TestAllocations: a warm parser allocates nothing.
func TestAllocations(t *testing.T) {
	p := parser.New()
	var r parser.Result
	var dst []swapcast.BalanceChange
	all := func() {
		for _, f := range fixtures {
			p.Parse(f.Tx, &r)
			dst = parser.Balances(f.Tx, dst[:0])
		}
	}
	all()
	if n := testing.AllocsPerRun(20, all); n > 0 {
		t.Errorf("%v allocations for %d transactions", n, len(fixtures))
	}
}

var fixtures = parsertest.Fixtures() //nolint:gochecknoglobals // made once for AllocsPerRun
