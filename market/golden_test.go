package market_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// Rewrite with: go test ./market -run TestGolden -update, and read the diff.
var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden keeps the price path of each scenario: for every swap the updates
// and trades that it brought.
func TestGolden(t *testing.T) {
	t.Parallel()
	sol := func(c *cp) []*swapcast.Swap { return []*swapcast.Swap{c.pay(15_000), c.pay(-7_500)} }
	for name, swaps := range map[string]func() []*swapcast.Swap{
		// Tokens trade against SOL before SOL has a price in dollars.
		"first_minutes": func() []*swapcast.Swap {
			token := tokenPool(1, 1, swapcast.NativeMint(), 0.02, 500)
			list := []*swapcast.Swap{token.pay(1)}
			list = append(list, sol(solUSDC(150))...)
			token.slot += 2
			list = append(list, token.pay(2), token.pay(-1))
			token.slot++
			return append(list, token.pay(20))
		},
		// A thin pool cries wolf while two deep ones trade on.
		"thin_pool_at_10x": func() []*swapcast.Swap {
			a, b := tokenPool(1, 1, swapcast.USDC(), 3, 800_000), tokenPool(1, 2, swapcast.USDC(), 3.01, 600_000)
			wolf := tokenPool(1, 3, swapcast.USDC(), 30, 2_000)
			list := []*swapcast.Swap{a.pay(100), b.pay(100), wolf.pay(50)}
			for range 2 {
				a.slot, b.slot, wolf.slot = a.slot+1, b.slot+1, wolf.slot+1
				list = append(list, wolf.pay(500), a.pay(-2_000), b.pay(3_000))
			}
			return list
		},
		// The deepest pool moves 5%, the others follow in the same slot.
		"move_of_5_percent": func() []*swapcast.Swap {
			pools := []*cp{
				tokenPool(1, 1, swapcast.USDC(), 3, 900_000), tokenPool(1, 2, swapcast.USDC(), 3, 500_000),
				tokenPool(1, 3, swapcast.USDC(), 3, 300_000),
			}
			var list []*swapcast.Swap
			for _, p := range pools {
				list = append(list, p.pay(10))
			}
			for _, p := range pools {
				p.slot++
				list = append(list, p.pay(p.vaultQ*(math.Sqrt(1.05)-1)))
			}
			return list
		},
		// Two tokens that trade against each other, one of them priced.
		"token_against_token": func() []*swapcast.Swap {
			pair := &cp{
				dex: "raydium-v4", address: pool(2), base: mint(2), quote: mint(1), decB: 9, decQ: 6,
				vaultB: 5_000, vaultQ: 50_000, feeBps: 25, slot: 1_001,
			}
			return []*swapcast.Swap{
				pair.pay(100), tokenPool(1, 1, swapcast.USDC(), 0.5, 20_000).pay(40), pair.pay(100), pair.pay(-50),
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMarket(market.Options{})
			var got strings.Builder
			var u market.Update
			for i, s := range swaps() {
				m.Apply(s, &u)
				fmt.Fprintf(&got, "swap %d slot %d %s %s\n", i+1, s.Slot, s.DEX, label(s.Pool))
				for _, p := range u.Prices {
					fmt.Fprintf(&got, "  price %s usd %s sol %s confidence %.4f liquidity %.0f\n", label(p.Mint),
						figure(p.USD, p.Known), figure(p.SOL, p.SOLKnown), p.Confidence, p.LiquidityUSD)
				}
				for _, tr := range u.Trades {
					fmt.Fprintf(&got, "  trade %s %s %d usd %s value %s\n", label(tr.Mint), tr.Side, tr.Amount,
						figure(tr.USD, tr.Known), figure(tr.AmountUSD, tr.Known))
				}
			}
			path := filepath.Join("testdata", "golden", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("differs from %s:\n%s", path, got.String())
			}
		})
	}
}

func figure(v float64, known bool) string {
	if !known {
		return "null"
	}
	return fmt.Sprintf("%.6g", v)
}

// label names the made-up keys and the reference mints.
func label(k solana.PublicKey) string {
	switch k {
	case swapcast.NativeMint():
		return "SOL"
	case swapcast.USDC():
		return "USDC"
	}
	return fmt.Sprintf("%c%d", k[0], int(k[31])+int(k[30])<<8-1)
}
