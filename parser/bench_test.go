package parser_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
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

var fixtures = parsertest.Fixtures()

// BenchmarkDecodeParse is the way from a stream's bytes to swaps over a whole
// mainnet block: protobuf, our own view, the parser. One op is one transaction.
func BenchmarkDecodeParse(b *testing.B) {
	updates := rawUpdates(b)
	b.Run("bytes", func(b *testing.B) {
		d, p := geyser.NewDecoder(), parser.New()
		var tx swapcast.Transaction
		var r parser.Result
		n := 0
		b.ReportAllocs()
		for b.Loop() {
			var u pb.SubscribeUpdate
			if err := proto.Unmarshal(updates[n%len(updates)], &u); err != nil {
				b.Fatal(err)
			}
			if err := d.Transaction(u.GetTransaction(), &tx); err != nil {
				b.Fatal(err)
			}
			p.Parse(&tx, &r)
			n++
		}
	})
	b.Run("decoded", func(b *testing.B) {
		decoded := make([]*pb.SubscribeUpdate, len(updates))
		for i := range updates {
			decoded[i] = new(pb.SubscribeUpdate)
			if err := proto.Unmarshal(updates[i], decoded[i]); err != nil {
				b.Fatal(err)
			}
		}
		d, p := geyser.NewDecoder(), parser.New()
		var tx swapcast.Transaction
		var r parser.Result
		n := 0
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Transaction(decoded[n%len(decoded)].GetTransaction(), &tx); err != nil {
				b.Fatal(err)
			}
			p.Parse(&tx, &r)
			n++
		}
	})
}

// rawUpdates is the corpus block as a stream would carry it.
func rawUpdates(b *testing.B) (out [][]byte) {
	path := filepath.Join(parsertest.CorpusDir(b), "blocks", "slot_361774429.getBlock.base64.json")
	f, err := capture.OpenPlain(path, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for {
		u, err := f.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			b.Fatal(err)
		}
		if u.GetTransaction() == nil {
			continue
		}
		raw, err := proto.Marshal(u)
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, raw)
	}
}
