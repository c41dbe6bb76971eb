package sim_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/parser"
)

// truths are what the market says about each transaction.
type truths struct {
	swaps    map[solana.Signature][]swapcast.Swap
	balances map[solana.Signature][]swapcast.BalanceChange
}

// TestParserAgreesWithTheGroundTruth sends the market's transactions through
// the decoder and the parser, which know nothing of it, and compares every swap
// and every balance change.
func TestParserAgreesWithTheGroundTruth(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 6000
	}
	tr := truths{map[solana.Signature][]swapcast.Swap{}, map[solana.Signature][]swapcast.BalanceChange{}}
	m, err := sim.New(sim.Options{
		Seed: 42, TPS: 2000, Launches: 900,
		OnSwap:    func(s *swapcast.Swap) { tr.swaps[s.Signature] = append(tr.swaps[s.Signature], *s) },
		OnBalance: func(c *swapcast.BalanceChange) { tr.balances[c.Signature] = append(tr.balances[c.Signature], *c) },
	})
	if err != nil {
		t.Fatal(err)
	}
	dec, p := geyser.NewDecoder(), parser.New()
	var tx swapcast.Transaction
	var res parser.Result
	var changes []swapcast.BalanceChange
	c := counter{t: t, dex: map[string]int{}, diff: map[string]int{}}
	for range n {
		u, err := m.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		x := u.GetTransaction()
		if x == nil {
			continue
		}
		if err := dec.Transaction(x, &tx); err != nil {
			t.Fatal(err)
		}
		p.Parse(&tx, &res)
		for _, bad := range res.Unparsed {
			c.wrong("unparsed "+bad.DEX+" "+bad.Reason, tx.Signature, fmt.Sprintf("%+v", bad.Path))
		}
		c.swaps(tx.Signature, tr.swaps[tx.Signature], res.Swaps)
		changes = parser.Balances(&tx, changes[:0])
		c.balances(tx.Signature, tr.balances[tx.Signature], changes)
		delete(tr.swaps, tx.Signature)
		delete(tr.balances, tx.Signature)
	}
	for _, d := range parser.DEXes() {
		if simulated[d.Name] && c.dex[d.Name] == 0 {
			t.Errorf("no swap of %s was compared", d.Name)
		}
	}
	if c.curves[swapcast.CurveComplete] == 0 {
		t.Error("no curve was completed")
	}
	t.Logf("swaps compared: %v; balance changes: %d", c.dex, c.changes)
	for k, v := range c.diff {
		t.Errorf("%s: %d times", k, v)
	}
}

//nolint:gochecknoglobals // a set, never written
var simulated = map[string]bool{
	"raydium-v4": true, "raydium-cpmm": true, "raydium-clmm": true, "orca-whirlpool": true,
	"meteora-dlmm": true, "meteora-damm-v2": true, "pumpfun": true, "pumpswap": true,
}

type counter struct {
	t       *testing.T
	dex     map[string]int
	curves  [3]int // by stage
	diff    map[string]int
	changes int
}

// wrong counts a disagreement and shows its first examples.
func (c *counter) wrong(kind string, sig solana.Signature, detail string) {
	c.diff[kind]++
	if c.diff[kind] <= 2 {
		c.t.Logf("%s: %s: %s", kind, sig, detail)
	}
}

func (c *counter) swaps(sig solana.Signature, want, got []swapcast.Swap) {
	if len(want) != len(got) {
		c.wrong("count", sig, fmt.Sprintf("truth %d, parser %d", len(want), len(got)))
		return
	}
	for i := range want {
		w, g := &want[i], &got[i]
		c.dex[w.DEX]++
		c.curves[w.Curve.Stage]++
		check := func(field string, ok bool, a, b any) {
			if !ok {
				c.wrong(w.DEX+" "+field, sig, fmt.Sprintf("truth %v, parser %v", a, b))
			}
		}
		check("dex", w.DEX == g.DEX && w.Program == g.Program, w.DEX, g.DEX)
		check("path", w.Path == g.Path, w.Path, g.Path)
		check("place", w.Slot == g.Slot && w.TxIndex == g.TxIndex && w.Index == g.Index, w.TxIndex, g.TxIndex)
		check("pool", w.Pool == g.Pool, w.Pool, g.Pool)
		check("trader", w.Trader == g.Trader, w.Trader, g.Trader)
		check("mints", w.MintIn == g.MintIn && w.MintOut == g.MintOut, w.MintIn, g.MintIn)
		check("decimals", w.DecimalsIn == g.DecimalsIn && w.DecimalsOut == g.DecimalsOut, w.DecimalsIn, g.DecimalsIn)
		check("amounts", w.AmountIn == g.AmountIn && w.AmountOut == g.AmountOut, [2]uint64{w.AmountIn, w.AmountOut}, [2]uint64{g.AmountIn, g.AmountOut})
		check("user amounts", w.UserAmountIn == g.UserAmountIn && w.UserAmountOut == g.UserAmountOut,
			[2]uint64{w.UserAmountIn, w.UserAmountOut}, [2]uint64{g.UserAmountIn, g.UserAmountOut})
		check("reserves", w.ReservesKnown == g.ReservesKnown && w.ReserveIn == g.ReserveIn && w.ReserveOut == g.ReserveOut,
			[2]uint64{w.ReserveIn, w.ReserveOut}, [2]uint64{g.ReserveIn, g.ReserveOut})
		check("virtual", w.VirtualKnown == g.VirtualKnown && w.VirtualIn == g.VirtualIn && w.VirtualOut == g.VirtualOut,
			[2]uint64{w.VirtualIn, w.VirtualOut}, [2]uint64{g.VirtualIn, g.VirtualOut})
		check("curve", w.Curve.Stage == g.Curve.Stage && w.Curve.Known == g.Curve.Known && math.Abs(w.Curve.Progress-g.Curve.Progress) < 1e-9, w.Curve, g.Curve)
		if w.SpotKnown {
			check("spot", g.SpotKnown && math.Abs(g.Spot/w.Spot-1) < 1e-9, w.Spot, g.Spot)
		}
		if w.FeeBps >= 0 && g.FeeBps >= 0 {
			check("fee", w.FeeBps == g.FeeBps, w.FeeBps, g.FeeBps)
		}
	}
}

func (c *counter) balances(sig solana.Signature, want, got []swapcast.BalanceChange) {
	got = slices.Clone(got)
	slices.SortFunc(want, sim.CompareBalances)
	slices.SortFunc(got, sim.CompareBalances)
	for i := range min(len(want), len(got)) {
		w, g := &want[i], &got[i]
		c.changes++
		if w.Owner != g.Owner || w.Mint != g.Mint || w.Native != g.Native || w.Pre != g.Pre || w.Post != g.Post || w.Decimals != g.Decimals {
			c.wrong("balance", sig, fmt.Sprintf("truth %+v, parser %+v", *w, *g))
			return
		}
	}
	if len(want) != len(got) {
		c.wrong("balance count", sig, fmt.Sprintf("truth %d, parser %d", len(want), len(got)))
	}
}
