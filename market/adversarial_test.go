package market_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// TestAdversarial plays each file of testdata/adversarial: what somebody does to
// a market, and below the line of dashes the path of the victims' prices. Rewrite
// the paths with: go test ./market -run TestAdversarial -update, read the diff.
//
//	# a title that says what the attacker tries
//	watch TOK SOL                            the victims
//	use major                                honest pools, see honest below
//	pool NAME BASE/QUOTE DEX PRICE DEPTH     both in whole quote tokens, a side; options:
//	     novaults, spot (the pool states its price), lone=QUOTE,BASE (the vaults
//	     hold that whatever is traded), virtual (a launch curve), fee=BPS
//	alias NAME OTHER ...                     a pool at the other's address
//	SLOT NAME buy|sell QUOTE [by WHO] [!]    a swap of so much quote
//	SLOT NAME jump PRICE QUOTE [!]           a swap of so much that leaves that price
//	SLOT NAME raw buy|sell IN OUT [!]        a swap of these raw amounts
//	SLOT NAME soldout buy QUOTE              the curve's last token
//	SLOT NAME scale|rebase FACTOR            liquidity, or the tokens in the pool, come or
//	                                         go; no swap
//	                                         interim, taxed: as Swap.Interim; a transfer fee
//	arrives TOK PRICE [within SLOTS]         the price at the end, within 0.5%, and so
//	                                         many slots after the first swap of all
//
// A line that ends in ! is an attack: no victim moves by more than a percent
// over it. Where the victims are majors each swap in a pool that the scenario
// itself opened is one, unless it ends in ~, which says that the pool is honest.
// These bounds hold besides the golden path, whoever rewrites it.
func TestAdversarial(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "adversarial", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 30 {
		t.Fatalf("%d scenarios, want 30 at least", len(files))
	}
	attacks, moves := 0, 0
	for _, path := range files {
		p := &play{m: newMarket(market.Options{}), pools: map[string]*actor{}, mints: map[string]solana.PublicKey{
			"SOL": swapcast.NativeMint(), "USDC": swapcast.USDC(), "USDT": swapcast.USDT(), "mSOL": mSOL(), "USD1": usd1(),
		}}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			script, want, _ := strings.Cut(string(b), "---\n")
			for i, line := range strings.Split(script, "\n") {
				if err := p.line(t, line); err != nil {
					t.Fatalf("%s:%d: %q: %v", path, i+1, line, err)
				}
			}
			if len(p.watch) == 0 || p.swaps == 0 {
				t.Fatalf("%s: nothing happens", path)
			}
			if *update {
				if err := os.WriteFile(path, []byte(script+"---\n"+p.path.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got := p.path.String(); got != want {
				t.Errorf("%s: the path is\n%s", path, got)
			}
		})
		attacks += p.attacks
		moves += p.moves
	}
	if attacks < 30 || moves < 3 {
		t.Errorf("%d attacking swaps and %d moves within a slot in all", attacks, moves)
	}
}

// actor is a pool of a scenario.
type actor struct {
	cp
	name       string
	virtual    bool    // a curve that shows its virtual reserves
	lone       bool    // the vaults hold these two whatever is traded
	lonQ, lonB float64 // whole
}

// play is a scenario under way.
type play struct {
	m       *market.Market
	pools   map[string]*actor
	mints   map[string]solana.PublicKey
	watch   []string
	path    strings.Builder
	swaps   int
	attacks int
	moves   int // true ones that had to arrive within one slot
	tx      uint64

	major bool     // the victims are majors, of the pools opened so far
	own   []string // pools that the scenario opened itself
	first uint64   // slot of its first swap, 0 before
	slot  uint64   // of its last one
}

// worst is how far an attack may move a price.
const worst = 0.01

func (p *play) mint(name string) solana.PublicKey {
	k, ok := p.mints[name]
	if !ok {
		k = mint(uint64(100 + len(p.mints)))
		p.mints[name] = k
	}
	return k
}

func decimalsOf(name string) uint8 {
	if strings.HasSuffix(name, "SOL") {
		return 9
	}
	return 6
}

func (p *play) line(t *testing.T, line string) error {
	f := strings.Fields(line)
	switch {
	case len(f) == 0 || f[0] == "#":
		return nil
	case f[0] == "watch":
		p.watch = f[1:]
		return nil
	case f[0] == "use":
		for _, l := range strings.Split(honest(f[1]), "\n") {
			if err := p.line(t, l); err != nil {
				return err
			}
		}
		p.path.Reset() // every scenario would begin with the same lines
		p.major, p.own, p.first = f[1] == "major", nil, 0
		return nil
	case f[0] == "arrives":
		return p.arrives(t, f[1:])
	case f[0] == "pool":
		return p.open(f[1:])
	case f[0] == "alias":
		if err := p.open(append([]string{f[1]}, f[3:]...)); err != nil {
			return err
		}
		p.pools[f[1]].address = p.pools[f[2]].address
		return nil
	}
	return p.act(t, line, f)
}

func (p *play) arrives(t *testing.T, f []string) error {
	want, err := strconv.ParseFloat(f[1], 64)
	if err != nil {
		return err
	}
	near(t, "price of "+f[0]+" at the end", priceOf(t, p.m, p.mint(f[0])).USD, want, 0.005)
	if len(f) == 2 {
		return nil
	}
	within, err := strconv.ParseUint(f[3], 10, 64)
	if err != nil {
		return err
	}
	if took := p.slot - p.first + 1; took > within {
		t.Errorf("%s arrives after %d slots, want %d at most", f[0], took, within)
	} else if within == 1 {
		p.moves++
	}
	return nil
}

// honest is what a scenario begins with. The first swaps are long enough ago for
// the market to know its pools.
func honest(name string) string {
	if name != "major" {
		return "pool sol SOL/USDC raydium-v4 150 15000000\n1000 sol buy 100\n2000 sol buy 100"
	}
	return `pool sol SOL/USDC raydium-v4 150 15000000
		pool a TOK/USDC raydium-cpmm 3 2000000
		pool b TOK/SOL raydium-cpmm 0.02 8000
		pool c TOK/USDC raydium-cpmm 3 500000
		1000 sol buy 100
		1000 a buy 10
		1000 b buy 0.1
		1000 c buy 10
		2000 sol buy 100
		2000 a buy 10
		2000 b buy 0.1
		2000 c buy 10`
}

func (p *play) open(f []string) error {
	base, quote, _ := strings.Cut(f[1], "/")
	price, err := strconv.ParseFloat(f[3], 64)
	if err != nil {
		return err
	}
	depth, err := strconv.ParseFloat(f[4], 64)
	if err != nil {
		return err
	}
	a := &actor{name: f[0], cp: cp{
		dex: f[2], address: pool(uint64(len(p.pools))), base: p.mint(base), quote: p.mint(quote),
		decB: decimalsOf(base), decQ: decimalsOf(quote), vaultB: depth / price, vaultQ: depth, feeBps: 25,
	}}
	for _, o := range f[5:] {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "novaults":
			a.hideReserves = true
		case "spot":
			a.spot = true
		case "virtual":
			a.virtual = true
		case "fee":
			n, err := strconv.Atoi(value)
			if err != nil {
				return err
			}
			a.feeBps = int32(n)
		case "lone":
			a.lone = true
			if _, err := fmt.Sscanf(value, "%g,%g", &a.lonQ, &a.lonB); err != nil {
				return err
			}
		default:
			return fmt.Errorf("option %q", o)
		}
	}
	p.pools[a.name] = a
	p.own = append(p.own, a.name)
	return nil
}

// act plays one swap, or a move of liquidity.
func (p *play) act(t *testing.T, line string, f []string) error {
	slot, err := strconv.ParseUint(f[0], 10, 64)
	if err != nil {
		return err
	}
	a := p.pools[f[1]]
	if a == nil {
		return fmt.Errorf("no such pool")
	}
	a.slot = slot
	attack := f[len(f)-1] == "!"
	if p.slot = slot; p.first == 0 {
		p.first = slot
	}
	if p.major && !attack && f[len(f)-1] != "~" && f[2] != "scale" && slices.Contains(p.own, a.name) {
		return fmt.Errorf("is neither an attack nor an honest pool's")
	}
	var n []float64
	for _, w := range f[3:] {
		if v, err := strconv.ParseFloat(w, 64); err == nil {
			n = append(n, v)
		}
	}
	s := p.swap(a, f[2:], n)
	if s == nil {
		return nil
	}
	p.tx++
	s.TxIndex = p.tx
	if i := slices.Index(f, "by"); i > 0 {
		s.Trader = mint(uint64(f[i+1][0]))
	} else {
		s.Trader = mint(1_000 + p.tx) // everybody else comes once
	}
	s.Interim = slices.Contains(f, "interim")
	before := p.prices()
	apply(t, p.m, s)
	p.swaps++
	if attack {
		p.attacks++
		for i, now := range p.prices() {
			if moved := math.Abs(now/before[i] - 1); before[i] > 0 && !(moved <= worst) {
				t.Errorf("%q moved %s by %.2f%%: %v -> %v", line, p.watch[i], 100*moved, before[i], now)
			}
		}
	}
	p.tell(strings.Join(strings.Fields(line), " "))
	return nil
}

func (p *play) swap(a *actor, f []string, n []float64) *swapcast.Swap {
	var s *swapcast.Swap
	switch f[0] {
	case "buy":
		s = a.pay(n[0])
	case "sell":
		s = a.pay(-n[0])
	case "scale":
		a.vaultB, a.vaultQ, a.lonB, a.lonQ = a.vaultB*n[0], a.vaultQ*n[0], a.lonB*n[0], a.lonQ*n[0]
		return nil
	case "rebase":
		a.vaultB *= n[0]
		return nil
	case "soldout":
		s = a.pay(n[0])
		a.lonB = 0
	case "jump": // what a pool of the right depth does, and the trade is as large as told
		rise := n[0] > a.mid()
		q := n[1] / math.Abs(math.Sqrt(n[0]/a.mid())-1)
		a.vaultB, a.vaultQ = q/a.mid(), q
		if s = a.pay(n[1]); !rise {
			a.vaultB, a.vaultQ = q/a.mid(), q
			s = a.pay(-n[1])
		}
		a.vaultB = a.vaultQ / n[0]
		s.Spot = n[0] * math.Pow10(int(a.decQ)-int(a.decB))
		if s.SpotKnown = true; s.MintIn == a.quote {
			s.Spot = 1 / s.Spot
		}
	case "raw":
		s = a.pay(1e-9)
		if f[1] == "sell" {
			s = a.pay(-1e-9)
		}
		s.AmountIn, s.AmountOut = uint64(n[0]), uint64(n[1])
	}
	if a.virtual {
		s.VirtualKnown, s.VirtualIn, s.VirtualOut = true, s.ReserveIn, s.ReserveOut
	}
	if slices.Contains(f, "taxed") { // the trader's side, a transfer fee later or sooner
		s.UserAmountIn, s.UserAmountOut = s.AmountIn*10/9, s.AmountOut*9/10
	}
	if a.lone {
		q, b := raw(a.lonQ, a.decQ), raw(a.lonB, a.decB)
		if s.ReserveIn, s.ReserveOut = b, q; s.MintIn == a.quote {
			s.ReserveIn, s.ReserveOut = q, b
		}
	}
	return s
}

func (p *play) prices() []float64 {
	var list []float64
	for _, name := range p.watch {
		price, _ := p.m.Price(p.mint(name))
		list = append(list, price.USD)
	}
	return list
}

// tell writes what became of the victims.
func (p *play) tell(line string) {
	fmt.Fprintf(&p.path, "%s\n", line)
	for _, name := range p.watch {
		price, why, ok := p.m.Assess(p.mint(name))
		if !ok {
			fmt.Fprintf(&p.path, "  %-4s unseen\n", name)
			continue
		}
		fmt.Fprintf(&p.path, "  %-4s %s confidence %.3f liquidity %.0f %s\n", name, figure(price.USD, price.Known),
			price.Confidence, price.LiquidityUSD, strings.Join(why.Codes(), ","))
	}
}
