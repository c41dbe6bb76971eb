package backfill

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/parser/parsertest"
)

// BenchmarkBlock reads one mainnet block of 1,790 transactions as a node answers
// it, and decodes those that call Raydium's first program.
func BenchmarkBlock(b *testing.B) {
	raw, err := os.ReadFile(filepath.Join(parsertest.CorpusDir(b), "blocks", "slot_361774429.getBlock.base64.json"))
	if err != nil {
		b.Fatal(err)
	}
	if !bytes.Contains(raw[:200], []byte(`"result"`)) {
		raw = append(append([]byte(`{"result":`), raw...), '}')
	}
	f := &Filler{}
	m := newMatcher(geyser.Filter{Programs: []solana.PublicKey{solana.MustPublicKeyFromBase58("675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8")}})
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		block, err := capture.ReadBlock(bytes.NewReader(raw), 361774429)
		if err != nil {
			b.Fatal(err)
		}
		if d := f.pick(block, m, true, nil, 1); len(d.events) == 0 || d.broken {
			b.Fatal("nothing found")
		}
	}
}
