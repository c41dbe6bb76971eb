package parser_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/parser/parsertest"
)

// found is what the corpus holds of one exchange, each transaction once.
type found struct {
	succeeded, failed int // transactions that call its program
	swaps, unparsed   int
	// Successful transactions without a swap, by what its instructions' accounts
	// of others than the signers did: nothing (oracle updates, orders that need no
	// funds, votes on prices), all in one direction (liquidity, orders, fees), or
	// against each other, which is a difference to be explained.
	still, oneWay, against int
}

// quiet looks at the transactions that call an exchange. Of those without a swap
// or an unparsed line of it, it works out by itself, from the balances alone,
// whether something moved against something else: that would be a swap unseen.
func (a *agreement) quiet(cases []parsertest.Case) {
	seen := map[string]bool{}
	for _, c := range cases {
		sig := c.Tx.Signature.String()
		if seen[sig] {
			continue
		}
		seen[sig] = true
		accounts := map[string][]byte{} // of the exchange's instructions
		for i := range c.Tx.Instructions {
			ix := &c.Tx.Instructions[i]
			if dex := a.names[c.Tx.Keys[ix.Program].String()]; dex != "" {
				accounts[dex] = append(accounts[dex], ix.Accounts...)
			}
		}
		for _, s := range a.swaps[sig] {
			a.found[s.DEX].swaps++
		}
		for _, u := range a.unparsed[sig] {
			a.found[u.DEX].unparsed++
		}
		for dex, list := range accounts {
			f := a.found[dex]
			if c.Tx.Failed {
				f.failed++
				continue
			}
			f.succeeded++
			if slices.ContainsFunc(a.swaps[sig], func(s swapcast.Swap) bool { return s.DEX == dex }) ||
				slices.ContainsFunc(a.unparsed[sig], func(u swapcast.Unparsed) bool { return u.DEX == dex }) {
				continue
			}
			switch gained, lost := movedBy(c.Tx, list); {
			case gained == "" && lost == "":
				f.still++
			case gained == "" || lost == "":
				f.oneWay++
			default:
				f.against++
				a.count("quiet", dex, sig, gained+" against "+lost, false)
			}
		}
	}
}

// movedBy says which of the accounts that no signer owns gained and which lost:
// tokens, or lamports of accounts that hold no tokens and were there before and
// after.
func movedBy(tx *swapcast.Transaction, accounts []byte) (gained, lost string) {
	tell := func(change int64, what string) {
		switch {
		case change > 0:
			gained = strings.TrimSpace(fmt.Sprintf("%s %+d %s", gained, change, what))
		case change < 0:
			lost = strings.TrimSpace(fmt.Sprintf("%s %+d %s", lost, change, what))
		}
	}
	slices.Sort(accounts)
	for _, at := range slices.Compact(accounts) {
		token := false
		for _, rows := range [][]swapcast.TokenBalance{tx.PostTokens, tx.PreTokens} {
			i := slices.IndexFunc(rows, func(b swapcast.TokenBalance) bool { return b.Account == at })
			if i < 0 || token {
				continue
			}
			token = true
			pre, _, _ := tokenRow(tx.PreTokens, at, rows[i].Mint)
			post, _, _ := tokenRow(tx.PostTokens, at, rows[i].Mint)
			if !signs(tx, rows[i].Owner) {
				tell(int64(post)-int64(pre), short(rows[i].Mint.String()))
			}
		}
		if pre, post := tx.PreBalances[at], tx.PostBalances[at]; !token && !signs(tx, tx.Keys[at]) && pre > 0 && post > 0 {
			tell(int64(post)-int64(pre), "lamports")
		}
	}
	return gained, lost
}

// cell is a check's outcome as the table shows it: "agree" or "agree (explained)".
func (a *agreement) cell(check, dex string) string {
	var sum tally
	for key, c := range a.checked {
		if name, of, _ := strings.Cut(key, "\t"); of == dex && name == check {
			sum.agree, sum.differ = sum.agree+c.agree, sum.differ+c.differ
		}
	}
	switch {
	case sum == tally{}:
		return "-"
	case sum.differ == 0:
		return fmt.Sprint(sum.agree)
	}
	return fmt.Sprintf("%d (%d)", sum.agree, sum.differ)
}

// summary prints what the corpus holds of every exchange and how each check came
// out, and holds it against the table that is checked in: a swap more or less
// anywhere is seen. Rewrite it with go test ./parser -run Corpus -update.
func (a *agreement) summary() {
	checks := []string{"vaults", "expected", "own event", "jupiter event", "transfers", "spot"}
	var b bytes.Buffer
	b.WriteString("# Each transaction once. ok, failed: transactions that call the exchange's program.\n" +
		"# The successful ones without a swap: still (nothing moved), one way (liquidity, orders, fees), against (explained).\n" +
		"# Checks: how many agree (how many differ; each stands in corpus_differences.tsv with its reason). Two vaults a swap and pool.\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "exchange\tok\tfailed\tswaps\tunparsed\tstill\tone way\tagainst\t%s\n", strings.Join(checks, "\t"))
	for _, d := range parser.DEXes() {
		f := a.found[d.Name]
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d", d.Name, f.succeeded, f.failed, f.swaps, f.unparsed, f.still, f.oneWay, f.against)
		for _, check := range checks {
			_, _ = fmt.Fprintf(w, "\t%s", a.cell(check, d.Name))
		}
		_, _ = fmt.Fprintln(w)
	}
	_ = w.Flush()
	path := filepath.Join("testdata", "corpus_agreement.txt")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			a.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		a.t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		a.t.Errorf("%s differs", path)
	}
	a.t.Logf("\n%s\n", b.String())
	slices.SortStableFunc(a.differ, func(x, y difference) int { return strings.Compare(x.check+x.dex, y.check+y.dex) })
	for _, d := range a.differ {
		a.t.Logf("%s %s %s: %s. %s", d.check, d.dex, d.signature, d.what, a.why[d.line()])
	}
}

// TestContractExchanges holds the list of exchanges against the public one.
func TestContractExchanges(t *testing.T) {
	const contract = "raydium-v4 raydium-cpmm raydium-clmm raydium-launchlab orca-whirlpool meteora-dlmm meteora-damm-v1 " +
		"meteora-damm-v2 meteora-dbc pumpfun pumpswap phoenix openbook-v2 lifinity-v2 solfi zerofi humidifi obric-v2 goonfi " +
		"tessera fluxbeam pancakeswap-v3 invariant moonshot saber stabble boop heaven"
	have := map[string]bool{}
	for _, d := range parser.DEXes() {
		have[d.Name] = true
	}
	for name := range strings.FieldsSeq(contract) {
		if !have[name] {
			t.Errorf("%s is not read", name)
		}
	}
}
