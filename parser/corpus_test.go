package parser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/parser/parsertest"
)

// agreement compares what the parser finds in the corpus with everything else
// that is known about it. Every disagreement must be explained in
// testdata/corpus_differences.tsv, and every line there must still be needed.
type agreement struct {
	t        *testing.T
	names    map[string]string // program -> DEX
	swaps    map[string][]swapcast.Swap
	unparsed map[string][]swapcast.Unparsed
	checked  map[string]*tally // by check and DEX
	found    map[string]*found // by DEX
	differ   []difference
	why      map[string]string // what is checked in, by line
}

// tally counts one check's outcomes for one DEX.
type tally struct{ agree, differ int }

// difference is one disagreement: what the other side says that ours does not.
type difference struct{ check, dex, signature, what string }

func (d difference) line() string {
	return strings.Join([]string{d.check, d.dex, d.signature, d.what}, "\t")
}

func TestCorpusAgreement(t *testing.T) {
	cases := parsertest.Corpus(t)
	a := &agreement{
		t: t, names: map[string]string{}, swaps: map[string][]swapcast.Swap{}, unparsed: map[string][]swapcast.Unparsed{},
		checked: map[string]*tally{}, found: map[string]*found{},
	}
	for _, d := range parser.DEXes() {
		a.names[d.Program.String()] = d.Name
		a.found[d.Name] = &found{}
	}
	a.parse(cases)
	a.quiet(cases)
	a.expected()
	a.derived()
	a.vaults(cases)
	a.spots()
	a.explained()
	a.summary()
}

// count notes one comparison.
func (a *agreement) count(check, dex, signature, what string, agrees bool) {
	key := check + "\t" + dex
	c := a.checked[key]
	if c == nil {
		c = &tally{}
		a.checked[key] = c
	}
	if agrees {
		c.agree++
		return
	}
	c.differ++
	d := difference{check, dex, signature, what}
	if !slices.Contains(a.differ, d) {
		a.differ = append(a.differ, d)
	}
}

// parse runs the parser over everything. Every swap instruction of a successful
// transaction must be one: an Unparsed is a difference.
func (a *agreement) parse(cases []parsertest.Case) {
	p := parser.New()
	var r parser.Result
	for _, c := range cases {
		p.Parse(c.Tx, &r)
		sig := c.Tx.Signature.String()
		for i := range r.Swaps {
			a.count("parsed:"+c.Source, r.Swaps[i].DEX, sig, "", true)
		}
		for _, u := range r.Unparsed {
			a.count("parsed:"+c.Source, u.DEX, sig, fmt.Sprint(u.Path, " ", u.Reason), false)
		}
		// The same transaction in a block and on its own must give the same.
		if before, ok := a.swaps[sig]; ok && len(before) != len(r.Swaps) {
			a.t.Errorf("%s: %d swaps on its own, %d in %s", sig, len(before), len(r.Swaps), c.Source)
		}
		if c.Tx.Failed && len(r.Swaps) > 0 {
			a.t.Errorf("%s failed and has swaps", sig)
		}
		a.swaps[sig], a.unparsed[sig] = slices.Clone(r.Swaps), slices.Clone(r.Unparsed)
	}
}

// expected compares with the results that other projects' tests state.
func (a *agreement) expected() {
	for _, row := range parsertest.Table(a.t, "expected.tsv") {
		dex, ok := a.names[row["program"]]
		if !ok {
			continue // a router, a wallet's net effect, or a DEX not listed yet
		}
		a.count("expected", dex, row["signature"], legText(row), a.holds(row, dex, false))
	}
}

// derived compares with the events that programs emitted and with pairs of
// opposing transfers, whose order says nothing.
func (a *agreement) derived() {
	for _, row := range parsertest.Table(a.t, "derived.tsv") {
		dex, ok := a.names[row["program"]]
		if !ok {
			continue
		}
		check, loose := "transfers", true
		switch how := row["how"]; {
		case strings.HasPrefix(how, "Jupiter"):
			check, loose = "jupiter event", false
		case strings.HasPrefix(how, "Pump"):
			check, loose = "own event", false
		}
		a.count(check, dex, row["signature"], legText(row), a.holds(row, dex, loose))
	}
}

// sameMint compares with a table's mint. PumpSwap's events name none: the table
// then says just base or quote.
func sameMint(mint solana.PublicKey, text string) bool {
	return strings.HasPrefix(text, "base") || strings.HasPrefix(text, "quote") || mint.String() == text
}

func legText(row map[string]string) string {
	return fmt.Sprintf("%s %s -> %s %s", row["in_amount"], short(row["in_mint"]), row["out_amount"], short(row["out_mint"]))
}

func short(s string) string { return s[:min(len(s), 4)] }

// holds says that one of our swaps is the row's: same exchange, mints and
// amounts, the pool's or the trader's. loose takes either direction.
func (a *agreement) holds(row map[string]string, dex string, loose bool) bool {
	in, err1 := amountOf(row["in_amount"])
	out, err2 := amountOf(row["out_amount"])
	if err1 != nil || err2 != nil {
		a.t.Fatalf("amounts of %v", row)
	}
	for i := range a.swaps[row["signature"]] {
		s := &a.swaps[row["signature"]][i]
		if s.DEX != dex {
			continue
		}
		if is(s, row["in_mint"], in, row["out_mint"], out) || (loose && is(s, row["out_mint"], out, row["in_mint"], in)) {
			return true
		}
	}
	return false
}

func amountOf(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }

func is(s *swapcast.Swap, mintIn string, in uint64, mintOut string, out uint64) bool {
	return sameMint(s.MintIn, mintIn) && sameMint(s.MintOut, mintOut) &&
		(s.AmountIn == in || s.UserAmountIn == in) && (s.AmountOut == out || s.UserAmountOut == out)
}

// vaults holds the sums of our swaps of each pool against what its accounts
// gained and lost over the whole transaction. The accounts are found here from
// the instruction's own accounts and the balance rows, not by the parser: those
// of the pool's two mints that no signer owns and that changed.
func (a *agreement) vaults(cases []parsertest.Case) {
	seen := map[string]bool{}
	for _, c := range cases {
		sig := c.Tx.Signature.String()
		if seen[sig] {
			continue
		}
		seen[sig] = true
		type side struct{ pool, mint solana.PublicKey }
		net := map[side]int64{}
		dex := map[side]string{}
		accounts := map[side][]byte{}
		var order []side
		for i := range a.swaps[sig] {
			s := &a.swaps[sig][i]
			in, out := side{s.Pool, s.MintIn}, side{s.Pool, s.MintOut}
			for _, k := range []side{in, out} {
				if _, ok := net[k]; !ok {
					order = append(order, k)
				}
				dex[k] = s.DEX
				accounts[k] = append(accounts[k], instructionAt(c.Tx, s.Path).Accounts...)
			}
			net[in] += int64(s.AmountIn)
			net[out] -= int64(s.AmountOut)
		}
		for _, k := range order {
			got, what := vaultChange(c.Tx, k.pool, k.mint, accounts[k], net[k])
			a.count("vaults", dex[k], sig, fmt.Sprintf("%s of %s: swaps %+d, %s", short(k.mint.String()), short(k.pool.String()), net[k], what), got)
		}
	}
}

// spots holds each stated price after a swap against what the swap paid. A trade
// moves the price against itself, so it pays between the price before and the
// price after, less the fee: never much less than the latter, and more only by
// its own impact, which the largest trades of the corpus bring to a factor of
// two and a bit.
func (a *agreement) spots() {
	for sig, swaps := range a.swaps {
		for i := range swaps {
			s := &swaps[i]
			if !s.SpotKnown {
				continue
			}
			rate := float64(s.AmountOut) / float64(s.AmountIn) / s.Spot
			a.count("spot", s.DEX, sig, fmt.Sprintf("swap %d paid %.4f of the price after it", s.Index, rate), rate > 0.97 && rate < 2.5)
		}
	}
}

func instructionAt(tx *swapcast.Transaction, p swapcast.Path) *swapcast.Instruction {
	for i := range tx.Instructions {
		if ix := &tx.Instructions[i]; int(ix.Outer) == p.Outer && int(ix.Inner) == p.Inner {
			return ix
		}
	}
	return &swapcast.Instruction{}
}

// vaultChange says whether one of the instruction's token accounts that can be
// the pool's changed by just that much; for SOL also the lamports of one that
// holds no tokens, the pool or an account beside it.
func vaultChange(tx *swapcast.Transaction, pool, mint solana.PublicKey, accounts []byte, want int64) (bool, string) {
	var changes []string
	for _, a := range slices.Compact(slices.Sorted(slices.Values(accounts))) {
		pre, _, okPre := tokenRow(tx.PreTokens, a, mint)
		post, owner, okPost := tokenRow(tx.PostTokens, a, mint)
		if okPost && (okPre || post > 0) && !signs(tx, owner) {
			if int64(post)-int64(pre) == want {
				return true, ""
			}
			changes = append(changes, fmt.Sprintf("%+d", int64(post)-int64(pre)))
		}
		if mint == swapcast.NativeMint() && !okPost && !signs(tx, tx.Keys[a]) {
			change := int64(tx.PostBalances[a]) - int64(tx.PreBalances[a])
			if change == want {
				return true, ""
			}
			if tx.Keys[a] == pool {
				changes = append(changes, fmt.Sprintf("lamports %+d", change))
			}
		}
	}
	return false, "accounts " + strings.Join(changes, " ")
}

func tokenRow(rows []swapcast.TokenBalance, account byte, mint solana.PublicKey) (uint64, solana.PublicKey, bool) {
	for i := range rows {
		if rows[i].Account == account && rows[i].Mint == mint {
			return rows[i].Amount, rows[i].Owner, true
		}
	}
	return 0, solana.PublicKey{}, false
}

func signs(tx *swapcast.Transaction, owner solana.PublicKey) bool {
	return slices.Contains(tx.Keys[:tx.NumSigners], owner)
}

// explained compares the differences with the checked-in table.
func (a *agreement) explained() {
	path := filepath.Join("testdata", "corpus_differences.tsv")
	f, err := os.Open(path)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	a.why = map[string]string{}
	unneeded := map[string]bool{}
	for _, row := range parsertest.ReadTable(a.t, f) {
		d := difference{row["check"], row["dex"], row["signature"], row["what"]}
		if strings.TrimSpace(row["why"]) == "" {
			a.t.Errorf("%s: no explanation for: %s", path, d.line())
		}
		a.why[d.line()], unneeded[d.line()] = row["why"], true
	}
	for _, d := range a.differ {
		if a.why[d.line()] == "" {
			a.t.Errorf("unexplained: %s", d.line())
		}
		delete(unneeded, d.line())
	}
	for line := range unneeded {
		a.t.Errorf("%s: no longer so: %s", path, line)
	}
}
