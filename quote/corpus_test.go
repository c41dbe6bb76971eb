package quote_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/parser/parsertest"
	"github.com/swapcast/swapcast/quote"
)

// onePool is the on-chain source's whole market.
type onePool struct{ pool quote.Pool }

func (o *onePool) Head() (uint64, time.Time) { return o.pool.Slot, time.Now() }

func (o *onePool) Pools(dst []quote.Pool, mint solana.PublicKey) []quote.Pool {
	if mint == o.pool.MintA {
		return append(dst, o.pool)
	}
	return dst
}

// predict asks an engine that has nothing but this pool.
func predict(t *testing.T, p quote.Pool, mint solana.PublicKey, in uint64) uint64 {
	t.Helper()
	e, err := quote.New(quote.Options{OnChain: quote.OnChain{Reserves: &onePool{p}}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	other := p.MintB
	if mint == p.MintB {
		other = p.MintA
	}
	a, err := e.Quote(context.Background(), quote.Request{InputMint: mint, OutputMint: other, Amount: in})
	if err != nil {
		return 0
	}
	return a.OutAmount
}

// realTrade is a swap of the corpus with the reserves that it met.
type realTrade struct {
	dex, signature string
	pool           quote.Pool // reserves before, from the vaults after and what moved
	in             uint64     // as the trader gave it
	out            uint64     // as the trader got it
	mint           solana.PublicKey
	tx             *swapcast.Transaction
	swap           swapcast.Swap
}

// TestOnChainAgainstCorpus predicts every constant-product swap of the corpus whose
// reserves before are known and holds the prediction against what the chain paid.
// What differs is listed with its explanation, which is computed from what the
// program logged, in testdata/onchain_corpus.golden.
func TestOnChainAgainstCorpus(t *testing.T) {
	trades := realTrades(t)
	type tally struct{ exact, explained, unexplained int }
	tallies := map[string]*tally{}
	var lines []string
	for i := range trades {
		r := &trades[i]
		n := tallies[r.dex]
		if n == nil {
			n = &tally{}
			tallies[r.dex] = n
		}
		got := predict(t, r.pool, r.mint, r.in)
		if got == r.out {
			n.exact++
			continue
		}
		why := explain(t, r, got)
		if why == "" {
			n.unexplained++
			why = "UNEXPLAINED"
			t.Errorf("%s %s: in %d predicted %d, paid %d, fee %d, reserves %d %d", r.dex, r.signature, r.in, got, r.out, r.pool.FeeBps, r.pool.ReserveA, r.pool.ReserveB)
		} else {
			n.explained++
		}
		lines = append(lines, fmt.Sprintf("%s\t%s\tpaid %d\tpredicted %d\t%s", r.dex, r.signature, r.out, got, why))
	}
	var text strings.Builder
	for _, dex := range []string{"raydium-v4", "raydium-cpmm", "pumpswap"} {
		n := tallies[dex]
		if n == nil {
			t.Fatalf("no swap of %s: the reading is broken", dex)
		}
		fmt.Fprintf(&text, "%s: %d swaps, %d to the last unit, %d explained, %d not\n",
			dex, n.exact+n.explained+n.unexplained, n.exact, n.explained, n.unexplained)
	}
	t.Log("\n" + text.String())
	slices.Sort(lines)
	for _, l := range lines {
		fmt.Fprintln(&text, l)
	}
	golden(t, "onchain_corpus.golden", text.String())
}

func realTrades(t *testing.T) []realTrade {
	var trades []realTrade
	seen := map[solana.Signature]bool{}
	p := parser.New()
	var res parser.Result
	for _, c := range parsertest.Corpus(t) {
		if seen[c.Tx.Signature] || c.Tx.Failed {
			continue
		}
		seen[c.Tx.Signature] = true
		p.Parse(c.Tx, &res)
		through := map[solana.PublicKey]int{}
		for i := range res.Swaps {
			through[res.Swaps[i].Pool]++
		}
		for i := range res.Swaps {
			s := res.Swaps[i]
			if !s.ReservesKnown || through[s.Pool] != 1 || s.ReserveIn < s.AmountIn {
				continue // of two swaps through one pool, neither's reserves are known
			}
			if r, ok := tradeOf(s); ok {
				r.tx = c.Tx
				trades = append(trades, r)
			}
		}
	}
	return trades
}

// tradeOf is a swap as a trader saw it, and the pool as it was before.
func tradeOf(s swapcast.Swap) (realTrade, bool) {
	r := realTrade{
		dex: s.DEX, signature: s.Signature.String(), mint: s.MintIn, in: s.AmountIn, out: s.AmountOut, swap: s,
		pool: quote.Pool{
			Address: s.Pool, DEX: s.DEX, MintA: s.MintIn, MintB: s.MintOut,
			ReserveA: s.ReserveIn - s.AmountIn, ReserveB: s.ReserveOut + s.AmountOut, Slot: s.Slot,
		},
	}
	switch s.DEX {
	case "raydium-v4":
		r.pool.FeeBps = 25
	case "raydium-cpmm":
		r.pool.FeeBps = 25 // the lowest tier, where the event does not show it
		if s.FeeBps >= 0 {
			r.pool.FeeBps = uint16(s.FeeBps)
		}
	case "pumpswap":
		if s.FeeBps < 0 {
			return r, false
		}
		r.pool.FeeBps, r.pool.FeeOnB = uint16(s.FeeBps), true
		switch {
		case s.UserAmountIn != s.AmountIn: // a buy: what came in is the pool's quote
			r.pool.MintA, r.pool.MintB = r.pool.MintB, r.pool.MintA
			r.pool.ReserveA, r.pool.ReserveB = r.pool.ReserveB, r.pool.ReserveA
			r.in = s.UserAmountIn
		default:
			r.out = s.UserAmountOut
		}
	default:
		return r, false
	}
	return r, true
}

// explain finds out what the prediction lacked, "" where nothing does.
func explain(t *testing.T, r *realTrade, got uint64) string {
	if r.dex == "pumpswap" {
		return explainPumpSwap(t, r, got)
	}
	logged, onOut := r.pool, uint64(0)
	switch r.dex {
	case "raydium-v4":
		if e := rayLog(r.tx, r.swap.AmountIn, r.swap.AmountOut); e != nil {
			coin, pc := u64(e, 33), u64(e, 41)
			logged.ReserveA, logged.ReserveB = coin, pc
			if u64(e, 17) == 1 {
				logged.ReserveA, logged.ReserveB = pc, coin
			}
		}
	case "raydium-cpmm":
		if e := cpmmEvent(r.tx, r.swap); e != nil {
			logged.ReserveA, logged.ReserveB = u64(e, 32), u64(e, 40)
			if len(e) >= 162 && e[161] == 0 {
				onOut = u64(e, 153)
			}
		}
	}
	for _, bps := range []uint16{r.pool.FeeBps, 25, 100, 200, 400} {
		logged.FeeBps = bps
		out := predict(t, logged, r.mint, r.in) - onOut
		exact := out == r.out
		// Two fees of what comes in, each rounded up, take one unit more than their sum.
		twice := r.dex == "raydium-cpmm" && out > r.out && predict(t, logged, r.mint, r.in-1) <= r.out
		least := predict(t, logged, r.mint, r.in-1) < r.out && out > r.out
		if !exact && !least && !twice {
			continue
		}
		var why []string
		if logged.ReserveA != r.pool.ReserveA || logged.ReserveB != r.pool.ReserveB {
			why = append(why, "the vaults hold fees or profit that are not the curve's")
		}
		if bps != r.pool.FeeBps {
			why = append(why, fmt.Sprintf("the fee of what comes in is %d bps", bps))
		}
		if onOut > 0 {
			why = append(why, "the creator's fee is taken of what goes out")
		}
		if twice {
			why = append(why, "two fees, each rounded up")
		}
		if least && !twice {
			why = append(why, "the trade asked for an exact output: the input is the least that brings it")
		}
		return strings.Join(why, "; ")
	}
	return ""
}

// explainPumpSwap knows that the fee has up to three parts, each rounded up, of
// which only the sum is known: a seller gets up to two units less, and a buyer, who
// asks for an exact output, pays up to three units more than the least.
func explainPumpSwap(t *testing.T, r *realTrade, got uint64) string {
	switch {
	case r.in == r.swap.AmountIn && got > r.out && got-r.out <= 2:
		return "three fees, each rounded up"
	case r.in != r.swap.AmountIn && got > r.out && predict(t, r.pool, r.mint, r.in-3) <= r.out:
		return "the trade asked for an exact output: the input is the least that brings it, and three fees, each rounded up"
	}
	return ""
}

func u64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }

// rayLog finds the ray_log of a trade by its amounts.
func rayLog(tx *swapcast.Transaction, in, out uint64) []byte {
	for _, line := range tx.Logs {
		_, text, ok := strings.Cut(line, "ray_log: ")
		if !ok {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(b) < 57 {
			continue
		}
		if b[0] == 3 && u64(b, 1) == in && u64(b, 49) == out || b[0] == 4 && u64(b, 49) == in && u64(b, 9) == out {
			return b
		}
	}
	return nil
}

// cpmmEvent finds the SwapEvent of a trade, without its discriminator.
func cpmmEvent(tx *swapcast.Transaction, s swapcast.Swap) []byte {
	for _, line := range tx.Logs {
		_, text, ok := strings.Cut(line, "Program data: ")
		if !ok {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(b) < 8+32+48 {
			continue
		}
		if e := b[8:]; [32]byte(e[:32]) == s.Pool && u64(e, 48) == s.AmountIn && u64(e, 56) == s.AmountOut {
			return e
		}
	}
	return nil
}

// golden holds text against a file of testdata, or writes it (-update).
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != text {
		t.Errorf("%s differs; look at the change and write it with -update:\n%s", path, text)
	}
}
