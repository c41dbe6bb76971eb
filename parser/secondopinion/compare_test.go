package secondopinion

import (
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
)

// TestComparisonSees breaks one leg in each way: a comparison that agrees with
// everything would otherwise look the same as two parsers that agree.
func TestComparisonSees(t *testing.T) {
	dex := parser.DEXes()[0]
	a, b := solana.PublicKey{1}, solana.PublicKey{2}
	ours := []swapcast.Swap{{
		DEX: dex.Name, Program: dex.Program, Pool: solana.PublicKey{3}, Path: swapcast.Path{Inner: -1},
		MintIn: a, AmountIn: 100, UserAmountIn: 101, MintOut: b, AmountOut: 50, UserAmountOut: 49,
	}}
	tx := &swapcast.Transaction{
		Keys: []solana.PublicKey{{9}, {4}, {5}, dex.Program}, NumSigners: 1,
		PreBalances: make([]uint64, 4), PostBalances: make([]uint64, 4),
		Instructions: []swapcast.Instruction{{Program: 3, Inner: -1, Accounts: []byte{1, 2}}},
		PreTokens:    []swapcast.TokenBalance{{Account: 2, Mint: b, Amount: 50}},
		PostTokens:   []swapcast.TokenBalance{{Account: 1, Mint: a, Amount: 100}},
	}
	leg := func(program string, mintIn solana.PublicKey, in string, mintOut solana.PublicKey, out string) trade {
		return trade{Program: program, InMint: mintIn.String(), In: in, OutMint: mintOut.String(), Out: out}
	}
	program := dex.Program.String()
	good := leg(program, a, "100", b, "50")
	for name, c := range map[string]struct {
		theirs []trade
		want   tally
	}{
		"the pool's amounts":        {[]trade{good}, tally{theirs: 1, ours: 1, pool: 1}},
		"the trader's amounts":      {[]trade{leg(program, a, "101", b, "49")}, tally{theirs: 1, ours: 1, user: 1}},
		"one of each":               {[]trade{leg(program, a, "101", b, "50")}, tally{theirs: 1, ours: 1, user: 1}},
		"one unit more":             {[]trade{leg(program, a, "102", b, "50")}, tally{theirs: 1, ours: 1, differ: 1}},
		"the other way round":       {[]trade{leg(program, b, "50", a, "100")}, tally{theirs: 1, ours: 1, differ: 1}},
		"another mint":              {[]trade{leg(program, a, "100", solana.PublicKey{8}, "50")}, tally{theirs: 1, ours: 1, onlyTheirs: 1, onlyOurs: 1}},
		"another program":           {[]trade{leg(parser.DEXes()[1].Program.String(), a, "100", b, "50")}, tally{ours: 1, onlyOurs: 1}},
		"one swap of ours, for two": {[]trade{good, good}, tally{theirs: 2, ours: 1, pool: 1, onlyTheirs: 1}},
		"none":                      {nil, tally{ours: 1, onlyOurs: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			cmp := newComparison(t)
			cmp.compare(tx, c.theirs, ours)
			if got := *cmp.tally(dex.Name); got != c.want {
				t.Errorf("counted %+v, want %+v", got, c.want)
			}
			for _, d := range cmp.differ {
				if d.ours != nothing && !cmp.held[d.line()] {
					t.Errorf("the vaults bear ours out: %s", d.line())
				}
			}
		})
	}

	// The vaults contradict us.
	tx.PostTokens[0].Amount = 99
	cmp := newComparison(t)
	cmp.compare(tx, nil, ours)
	if len(cmp.differ) != 1 || cmp.held[cmp.differ[0].line()] || !strings.Contains(cmp.differ[0].vaults, "none by +100") {
		t.Errorf("a vault that gained 99 rather than 100: %+v", cmp.differ)
	}

	// Two events of Jupiter need two swaps.
	cmp = newComparison(t)
	routedLeg := leg(jupiter, a, "100", b, "50")
	cmp.compare(tx, []trade{routedLeg, routedLeg}, ours)
	if got := *cmp.tally(routed); got != (tally{theirs: 2, pool: 1, onlyTheirs: 1}) {
		t.Errorf("two events and one swap: %+v", got)
	}
}
