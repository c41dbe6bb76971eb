package market_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser/sim"
)

// TestAccuracyUnderAttack holds the built-in market's prices against the true
// mids, by how liquid the token is, with and without an attacker who trades in
// thin pools and makes false ones. Each price that was published counts, those
// that he caused included. The figures, in basis points:
//
//	go test ./market -run TestAccuracyUnderAttack -v
func TestAccuracyUnderAttack(t *testing.T) {
	t.Parallel()
	const updates = 40_000
	o := sim.Options{Seed: 3, TPS: 200}
	calm, last := measureErrors(t, o, updates, nil)
	a := &attacker{pools: map[string]*actor{}}
	attacked, _ := measureErrors(t, o, updates, a.follow)
	if a.swaps < 2_000 {
		t.Fatalf("%d swaps by the attacker: too few to tell", a.swaps)
	}
	classes := []struct {
		name       string
		least      float64 // dollars of liquidity
		calm, torn []float64
	}{{name: "over 10M", least: 10e6}, {name: "3M to 10M", least: 3e6}, {name: "under 3M"}}
	for symbol, errors := range calm {
		if symbol == "USDC" || symbol == "USDT" {
			continue
		}
		i := 0
		for last[symbol].LiquidityUSD < classes[i].least {
			i++
		}
		classes[i].calm = append(classes[i].calm, errors...)
		classes[i].torn = append(classes[i].torn, attacked[symbol]...)
	}
	for _, c := range classes {
		if len(c.calm) < 500 {
			t.Logf("%s: %d prices", c.name, len(c.calm))
			continue
		}
		median, p99 := report(t, c.name, c.calm)
		tornMedian, tornP99 := report(t, "attacked", c.torn)
		if tornMedian > median+5 || tornP99 > p99+15 {
			t.Errorf("%s: median %.1f and p99 %.1f under attack, %.1f and %.1f without", c.name, tornMedian, tornP99, median, p99)
		}
	}
	t.Logf("%d swaps by the attacker", a.swaps)
}

// attacker picks the base of an honest swap for his next deed.
type attacker struct {
	pools map[string]*actor
	first uint64
	seen  int // swaps against USDC
	swaps int
}

// attackAfter is when he begins, in slots: before, every pool counts as old.
const attackAfter = 160

func (a *attacker) follow(s *swapcast.Swap, apply func(*swapcast.Swap)) {
	if a.first == 0 {
		a.first = s.Slot
	}
	if s.Slot < a.first+attackAfter {
		return
	}
	victim, decimals, usd := s.MintIn, s.DecimalsIn, 0.0
	if victim == swapcast.USDC() || victim == swapcast.USDT() || victim == swapcast.NativeMint() {
		victim, decimals = s.MintOut, s.DecimalsOut
	}
	switch { // what one is worth, roughly, as the swap says against a dollar
	case s.MintIn == swapcast.USDC() && victim == s.MintOut:
		usd = float64(s.AmountIn) / float64(s.AmountOut) * math.Pow10(int(s.DecimalsOut)-6)
	case s.MintOut == swapcast.USDC() && victim == s.MintIn:
		usd = float64(s.AmountOut) / float64(s.AmountIn) * math.Pow10(int(s.DecimalsIn)-6)
	default:
		return
	}
	a.seen++
	deed := a.seen % 6
	p := a.pool(deed, victim, decimals, usd)
	p.slot = s.Slot
	var out *swapcast.Swap
	switch deed {
	case 4: // one raw unit
		out = p.pay(1)
		out.AmountIn, out.AmountOut, out.ReservesKnown = 1+uint64(a.seen%50), 1, false
	default:
		quote := p.vaultQ / 50
		if p.mid() > 10*usd || a.seen/6%2 == 0 {
			quote = -quote
		}
		out = p.pay(quote)
	}
	if p.lone {
		q, b := raw(p.lonQ, 6), raw(p.lonB, decimals)
		if out.ReserveIn, out.ReserveOut = b, q; out.MintIn == p.quote {
			out.ReserveIn, out.ReserveOut = q, b
		}
	}
	out.TxIndex, out.Trader = s.TxIndex, key('t', 666)
	a.swaps++
	apply(out)
}

// pool returns his pool for a deed against a mint, and makes one where there is
// none.
func (a *attacker) pool(deed int, victim solana.PublicKey, decimals uint8, usd float64) *actor {
	name := fmt.Sprint(deed, victim)
	if deed == 1 {
		name = fmt.Sprint(name, a.seen/2_000) // a new one now and then
	}
	if p := a.pools[name]; p != nil {
		return p
	}
	p := &actor{cp: cp{
		dex: "raydium-cpmm", address: key('x', uint64(len(a.pools))), base: victim, quote: swapcast.USDC(),
		decB: decimals, decQ: 6, feeBps: 25,
	}}
	price, depth := 10*usd, 500.0
	switch deed {
	case 1: // new and deep
		price, depth = 3*usd, 50e6
	case 2: // shows no vaults
		p.dex, p.hideReserves, depth = "obric-v2", true, 10e6
	case 3: // hollow: full vaults, a few dollars near the price
		p.dex, p.spot, p.lone, p.lonQ, p.lonB = "raydium-clmm", true, true, 50e6, 50e6/usd
		price, depth = usd, 2_000
	case 4: // dust only
		p.dex, p.hideReserves = "obric-v2", true
	case 5: // thin and cheap
		price = usd / 10
	}
	p.vaultB, p.vaultQ = depth/price, depth
	a.pools[name] = p
	return p
}
