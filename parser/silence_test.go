package parser_test

import (
	"bytes"
	"testing"

	"github.com/swapcast/swapcast/parser"
	. "github.com/swapcast/swapcast/parser/parsertest"
)

// TestUnknownSwapIsNeverSilent plays the swaps of every exchange with an
// instruction that nobody knows yet, as after a program's upgrade: what moves
// the vaults against each other and is not read has to be said, be it tokens in
// both or lamports in one.
func TestUnknownSwapIsNeverSilent(t *testing.T) {
	p := parser.New()
	var r parser.Result
	for _, f := range Fixtures() {
		if f.Kind == Malformed {
			continue
		}
		p.Parse(f.Tx, &r)
		path, tx := r.Swaps[0].Path, *f.Tx
		tx.Instructions = append(tx.Instructions[:0:0], tx.Instructions...)
		for i := range tx.Instructions {
			if ix := &tx.Instructions[i]; int(ix.Outer) == path.Outer && int(ix.Inner) == path.Inner {
				ix.Data = bytes.Repeat([]byte{0xa5}, len(ix.Data))
			}
		}
		p.Parse(&tx, &r)
		if len(r.Swaps) != 0 || len(r.Unparsed) != 1 || r.Unparsed[0].Reason != "unknown_instruction" || r.Unparsed[0].Path != path {
			t.Errorf("%s: %d swaps, unparsed %v", f.Name(), len(r.Swaps), r.Unparsed)
		}
	}
}
