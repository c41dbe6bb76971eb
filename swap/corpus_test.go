package swap

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser/parsertest"
	"github.com/swapcast/swapcast/quote"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// recorded is a transaction as getTransaction and getBlock tell it.
type recorded struct {
	Transaction json.RawMessage
	Version     json.RawMessage
	Meta        struct {
		LoadedAddresses struct{ Writable, Readonly []string }
	}
}

// read makes a transaction of it that nobody has signed; nil for the forms that are
// parsed or encoded, of which the same exchanges are there as JSON.
func (r *recorded) read() (tx *solana.Transaction, loaded []string) {
	tx = new(solana.Transaction)
	if json.Unmarshal(r.Transaction, tx) != nil || len(tx.Signatures) == 0 {
		return nil, nil
	}
	if string(r.Version) == "0" {
		tx.Message.SetVersion(solana.MessageVersionV0)
	}
	return tx, append(r.Meta.LoadedAddresses.Writable, r.Meta.LoadedAddresses.Readonly...)
}

// recordings are all transactions of the corpus.
func recordings(t *testing.T) (list []recorded) {
	t.Helper()
	dir := parsertest.CorpusDir(t)
	single, err := filepath.Glob(filepath.Join(dir, "tx", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range single {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			recorded
			Result *recorded
		}
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		if file.Result != nil {
			file.recorded = *file.Result
		}
		list = append(list, file.recorded)
	}
	return list
}

// TestCheckAgainstCorpus holds real transactions that call Jupiter themselves against
// the quote that their own arguments tell, as if they had just been made for their fee
// payer. Those that Jupiter's API makes pass; the others do more than a swap, and the
// golden file says what.
func TestCheckAgainstCorpus(t *testing.T) {
	var lines []string
	passed := 0
	for _, r := range recordings(t) {
		tx, loaded := r.read()
		if tx == nil {
			continue
		}
		q, ok := quoteOf(t, tx, loaded)
		if !ok {
			continue
		}
		signature := tx.Signatures[0]
		for i := range tx.Signatures {
			tx.Signatures[i] = solana.Signature{}
		}
		raw, err := tx.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		outcome := "passes"
		_, err = Check(raw, quote.NameJupiter, q, tx.Message.AccountKeys[0])
		var refusal *Refusal
		switch {
		case err == nil:
			passed++
		case errors.As(err, &refusal):
			outcome = refusal.Error()
		default:
			t.Fatal(err)
		}
		lines = append(lines, signature.String()[:12]+"  "+outcome)
	}
	slices.Sort(lines)
	text := fmt.Sprintf("%d transactions, %d pass\n%s\n", len(lines), passed, strings.Join(lines, "\n"))
	path := filepath.Join("testdata", "corpus.golden")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != text {
		t.Errorf("%v: with -update it would be\n%s", err, text)
	}
}

// quoteOf reads the quote out of the one call of Jupiter's router.
func quoteOf(t *testing.T, tx *solana.Transaction, loaded []string) (*quote.Quote, bool) {
	t.Helper()
	keys := slices.Clone(tx.Message.AccountKeys)
	for _, text := range loaded {
		keys = append(keys, solana.MPK(text))
	}
	for i := range tx.Message.Instructions {
		in := &tx.Message.Instructions[i]
		f, known := formOf(keys[in.ProgramIDIndex], in.Data)
		if !known || keys[in.ProgramIDIndex] != jupiterProgram {
			continue
		}
		a, ok := f.read(in.Data)
		if !ok {
			t.Fatalf("%s: the amounts cannot be read", tx.Signatures[0])
		}
		mint := map[int]int{3: 5, 6: 8}[f.to] // of the output, in route and shared_accounts_route
		return &quote.Quote{
			InputMint: swapcast.NativeMint(), OutputMint: keys[in.Accounts[mint]], InAmount: a.in, OutAmount: a.quoted,
			Threshold: leastOf(a.quoted, a.slippage), SlippageBps: a.slippage,
		}, true
	}
	return nil, false
}
