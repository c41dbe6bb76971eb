package wallet_test

import (
	"fmt"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/wallet"
)

// Amounts of the scripts: tokens and dollars have six decimals, SOL has nine.
const (
	one  = 1_000_000     // token, or dollar
	sol1 = 1_000_000_000 // SOL, in lamports
)

var (
	me   = key(1)
	tok  = key(50)
	usdc = swapcast.USDC()
	wsol = swapcast.NativeMint()
)

// step is one transaction of a scripted wallet: what it swapped, and what else
// came and went.
type step struct {
	slot, index uint64
	sol, tokUSD float64 // prices at that moment; 0 unknown
	give, get   asset   // the swap, if any
	router      bool    // the pools name somebody else as trader
	via         *asset  // of two hops: what is between
	in, out     []asset // transfers
	fee         uint64  // lamports
	retract     bool    // takes back the step of this slot
}

type asset struct {
	mint   solana.PublicKey
	amount uint64
}

// want is a line of a table: one asset, one method, one unit.
type want struct {
	mint                  solana.PublicKey
	method                wallet.Method
	unit                  wallet.Unit
	realized              int64
	amount, cost, unknown uint64 // held at known cost, that cost, held at unknown cost
	blind                 uint64 // given without a known gain
	unrealized            int64
}

func decimalsOf(mint solana.PublicKey) uint8 {
	if mint == wsol {
		return 9
	}
	return 6
}

// tx makes the transaction of a step.
func (s *step) tx() *wallet.Tx {
	tx := &wallet.Tx{TxRef: ref(s.slot, byte(s.index)), Index: s.index, BlockTime: int64(1_000_000 + s.slot)}
	move := func(a asset, in bool) {
		c := swapcast.BalanceChange{Owner: me, Mint: a.mint, Account: key(byte(100 + decimalsOf(a.mint))), Decimals: decimalsOf(a.mint)}
		const before = 1 << 60 // what else it holds does not matter
		c.Pre, c.Post = before, before-a.amount
		if in {
			c.Post = before + a.amount
		}
		if a.mint == wsol {
			c.Native, c.Account = true, me
		}
		tx.Changes = append(tx.Changes, c)
	}
	trader := me
	if s.router {
		trader = key(99)
	}
	swap := func(give, get asset) {
		tx.Swaps = append(tx.Swaps, swapcast.Swap{
			Trader: trader, MintIn: give.mint, UserAmountIn: give.amount, DecimalsIn: decimalsOf(give.mint),
			MintOut: get.mint, UserAmountOut: get.amount, DecimalsOut: decimalsOf(get.mint),
		})
	}
	if s.give.amount > 0 {
		if s.via != nil {
			swap(s.give, *s.via)
			swap(*s.via, s.get)
		} else {
			swap(s.give, s.get)
		}
		move(s.give, false)
		move(s.get, true)
	}
	for _, a := range s.in {
		move(a, true)
	}
	for _, a := range s.out {
		move(a, false)
	}
	if s.fee > 0 {
		move(asset{wsol, s.fee}, false)
		tx.Changes[len(tx.Changes)-1].Fee = s.fee
	}
	return tx
}

func prices(sol, tokUSD float64) wallet.Price {
	return func(mint solana.PublicKey) (float64, bool) {
		switch {
		case mint == wsol && sol > 0:
			return sol, true
		case mint == tok && tokUSD > 0:
			return tokUSD, true
		case mint == usdc:
			return 0.9987, true // what a market may say: a dollar of USDC is a dollar here
		default:
			return 0, false
		}
	}
}

const (
	fifo = wallet.FIFO
	avg  = wallet.Average
	inU  = wallet.USD
	inS  = wallet.SOL
)

// TestScriptedWallets holds ten wallets against tables that were worked out by
// hand: the working is in the comments. SOL is at $100 where nothing else is said.
func TestScriptedWallets(t *testing.T) {
	for _, c := range []struct {
		name        string
		steps       []step
		sol, tokUSD float64 // prices at the end
		want        []want
		fees        uint64 // lamports
		feesUSD     uint64 // millionths
		swaps       int
	}{
		{
			// Bought 100 for $100 (1 SOL's worth), sold for $130 (1.3 SOL): +$30, +0.3 SOL.
			name: "1 bought and sold whole",
			steps: []step{
				{slot: 1, sol: 100, give: asset{usdc, 100 * one}, get: asset{tok, 100 * one}},
				{slot: 2, sol: 100, give: asset{tok, 100 * one}, get: asset{usdc, 130 * one}},
			},
			sol: 100, tokUSD: 1.3, swaps: 2,
			want: []want{
				{mint: tok, method: fifo, unit: inU, realized: 30 * one},
				{mint: tok, method: avg, unit: inU, realized: 30 * one},
				{mint: tok, method: fifo, unit: inS, realized: sol1 * 3 / 10},
				{mint: tok, method: avg, unit: inS, realized: sol1 * 3 / 10},
			},
		},
		{
			// Bought 100 at $1 and 100 at $3, sold 150 at $3 = $450.
			// FIFO: they cost 100·1 + 50·3 = $250: +$200; 50 stay that cost $150.
			// Average: (100+300)/200 = $2 each, 150·2 = $300: +$150; 50 stay that cost $100.
			// At $4 the 50 are worth $200: +$50 and +$100. In SOL at $100, a hundredth of it all.
			name: "2 part of two lots sold",
			steps: []step{
				{slot: 1, sol: 100, give: asset{usdc, 100 * one}, get: asset{tok, 100 * one}},
				{slot: 2, sol: 100, give: asset{usdc, 300 * one}, get: asset{tok, 100 * one}},
				{slot: 3, sol: 100, give: asset{tok, 150 * one}, get: asset{usdc, 450 * one}},
			},
			sol: 100, tokUSD: 4, swaps: 3,
			want: []want{
				{mint: tok, method: fifo, unit: inU, realized: 200 * one, amount: 50 * one, cost: 150 * one, unrealized: 50 * one},
				{mint: tok, method: avg, unit: inU, realized: 150 * one, amount: 50 * one, cost: 100 * one, unrealized: 100 * one},
				{mint: tok, method: fifo, unit: inS, realized: 2 * sol1, amount: 50 * one, cost: sol1 * 3 / 2, unrealized: sol1 / 2},
				{mint: tok, method: avg, unit: inS, realized: sol1 * 3 / 2, amount: 50 * one, cost: sol1, unrealized: sol1},
			},
		},
		{
			// 2 SOL for 10 tokens with SOL at $100 ($200), back for 2 SOL at $150 ($300):
			// +$100 in dollars, nothing in SOL. The SOL given is of unknown cost (nobody
			// saw it come): 2 SOL without a gain in dollars; the 2 SOL that came back cost
			// $300 and at $160 are worth $320: +$20.
			name: "3 SOL moves, the token does not",
			steps: []step{
				{slot: 1, sol: 100, give: asset{wsol, 2 * sol1}, get: asset{tok, 10 * one}},
				{slot: 2, sol: 150, give: asset{tok, 10 * one}, get: asset{wsol, 2 * sol1}},
			},
			sol: 160, tokUSD: 32, swaps: 2,
			want: []want{
				{mint: tok, method: fifo, unit: inU, realized: 100 * one},
				{mint: tok, method: avg, unit: inU, realized: 100 * one},
				{mint: tok, method: fifo, unit: inS},
				{mint: wsol, method: fifo, unit: inU, blind: 2 * sol1, amount: 2 * sol1, cost: 300 * one, unrealized: 20 * one},
				{mint: wsol, method: avg, unit: inU, blind: 2 * sol1, amount: 2 * sol1, cost: 300 * one, unrealized: 20 * one},
				{mint: wsol, method: fifo, unit: inS, amount: 2 * sol1, cost: 2 * sol1},
			},
		},
		{
			// 5 SOL come at $100 ($500). A swap of 1 SOL at $120 costs 0.01 SOL of fee:
			// the SOL cost $100 and fetched $120: +$20. The fee cost $1 and was worth $1.20:
			// +$0.20, and $1.20 of fees. 3.99 SOL stay that cost $399, worth 3.99·120 = $478.80: +$79.80.
			name: "4 a network fee",
			steps: []step{
				{slot: 1, sol: 100, in: []asset{{wsol, 5 * sol1}}},
				{slot: 2, sol: 120, give: asset{wsol, sol1}, get: asset{tok, 10 * one}, fee: sol1 / 100},
			},
			sol: 120, tokUSD: 12, fees: sol1 / 100, feesUSD: 1_200_000, swaps: 1,
			want: []want{
				{mint: wsol, method: fifo, unit: inU, realized: 20_200_000, amount: 3_990_000_000, cost: 399 * one, unrealized: 79_800_000},
				{mint: wsol, method: avg, unit: inU, realized: 20_200_000, amount: 3_990_000_000, cost: 399 * one, unrealized: 79_800_000},
				{mint: wsol, method: fifo, unit: inS, amount: 3_990_000_000, cost: 3_990_000_000},
				{mint: tok, method: fifo, unit: inU, amount: 10 * one, cost: 120 * one},
				{mint: tok, method: avg, unit: inS, amount: 10 * one, cost: sol1},
			},
		},
		{
			// 100 tokens come at a price of $2 ($200 = 2 SOL), 100 more are bought for $400
			// (4 SOL). 50 go elsewhere: nothing is realized. FIFO: they are of the first lot,
			// $100 of cost go with them; average $3: $150. 100 are sold for $500 (5 SOL).
			// FIFO: 50 of the first ($100) and 50 of the second ($200): +$200, 50 stay ($200).
			// Average: 100·3 = $300: +$200, 50 stay ($150). At $5 they are worth $250: +$50, +$100.
			name: "5 transfers in and out",
			steps: []step{
				{slot: 1, sol: 100, tokUSD: 2, in: []asset{{tok, 100 * one}}},
				{slot: 2, sol: 100, tokUSD: 4, give: asset{usdc, 400 * one}, get: asset{tok, 100 * one}},
				{slot: 3, sol: 100, tokUSD: 4, out: []asset{{tok, 50 * one}}},
				{slot: 4, sol: 100, tokUSD: 5, give: asset{tok, 100 * one}, get: asset{usdc, 500 * one}},
			},
			sol: 100, tokUSD: 5, swaps: 2,
			want: []want{
				{mint: tok, method: fifo, unit: inU, realized: 200 * one, amount: 50 * one, cost: 200 * one, unrealized: 50 * one},
				{mint: tok, method: avg, unit: inU, realized: 200 * one, amount: 50 * one, cost: 150 * one, unrealized: 100 * one},
				{mint: tok, method: fifo, unit: inS, realized: 2 * sol1, amount: 50 * one, cost: 2 * sol1, unrealized: sol1 / 2},
				{mint: tok, method: avg, unit: inS, realized: 2 * sol1, amount: 50 * one, cost: sol1 * 3 / 2, unrealized: sol1},
			},
		},
		{
			// 30 tokens come while nobody knows a price; 30 are bought for $60; 40 are sold
			// for $120. FIFO: the first 30 have no cost, so no gain (blind 30); 10 of the
			// second, for a quarter of $120: 30 - 20 = +$10; 20 stay ($40). Average: of the 60
			// held half has a cost, so of the 40 given 20 have: they cost $40 and fetched
			// $60: +$20, blind 20; 10 stay at known ($20) and 10 at unknown cost.
			// At $3: 20 are worth $60: +$20; 10 are worth $30: +$10.
			name: "6 a transfer of unknown cost",
			steps: []step{
				{slot: 1, sol: 100, in: []asset{{tok, 30 * one}}},
				{slot: 2, sol: 100, give: asset{usdc, 60 * one}, get: asset{tok, 30 * one}},
				{slot: 3, sol: 100, give: asset{tok, 40 * one}, get: asset{usdc, 120 * one}},
			},
			sol: 100, tokUSD: 3, swaps: 2,
			want: []want{
				{mint: tok, method: fifo, unit: inU, realized: 10 * one, amount: 20 * one, cost: 40 * one, blind: 30 * one, unrealized: 20 * one},
				{mint: tok, method: avg, unit: inU, realized: 20 * one, amount: 10 * one, cost: 20 * one, unknown: 10 * one, blind: 20 * one, unrealized: 10 * one},
			},
		},
		{
			// As 2, but that the chain drops the second purchase (slot 2): of 100 at $1
			// held, 150 are sold for $450: 100 of them fetched $300: +$200, the other 50 are
			// of unknown cost. Nothing stays.
			name: "7 a purchase is retracted",
			steps: []step{
				{slot: 1, sol: 100, give: asset{usdc, 100 * one}, get: asset{tok, 100 * one}},
				{slot: 2, sol: 100, give: asset{usdc, 300 * one}, get: asset{tok, 100 * one}},
				{slot: 3, sol: 100, give: asset{tok, 150 * one}, get: asset{usdc, 450 * one}},
				{slot: 2, retract: true},
			},
			sol: 100, tokUSD: 4, swaps: 2,
			want: []want{
				{mint: tok, method: fifo, unit: inU, realized: 200 * one, blind: 50 * one},
				{mint: tok, method: avg, unit: inU, realized: 200 * one, blind: 50 * one},
			},
		},
		{
			// As 2, but that the first purchase comes last, and the sale before the second:
			// what counts is the order of the chain, so the table is that of 2.
			name: "8 a swap comes late",
			steps: []step{
				{slot: 3, sol: 100, give: asset{tok, 150 * one}, get: asset{usdc, 450 * one}},
				{slot: 2, sol: 100, give: asset{usdc, 300 * one}, get: asset{tok, 100 * one}},
				{slot: 1, sol: 100, give: asset{usdc, 100 * one}, get: asset{tok, 100 * one}},
			},
			sol: 100, tokUSD: 4, swaps: 3,
			want: []want{
				{mint: tok, method: fifo, unit: inU, realized: 200 * one, amount: 50 * one, cost: 150 * one, unrealized: 50 * one},
				{mint: tok, method: avg, unit: inU, realized: 150 * one, amount: 50 * one, cost: 100 * one, unrealized: 100 * one},
				{mint: tok, method: fifo, unit: inS, realized: 2 * sol1, amount: 50 * one, cost: sol1 * 3 / 2, unrealized: sol1 / 2},
				{mint: tok, method: avg, unit: inS, realized: sol1 * 3 / 2, amount: 50 * one, cost: sol1, unrealized: sol1},
			},
		},
		{
			// $150 go by way of 1 SOL into 30 tokens: SOL is only passed through, and is no
			// position. The tokens cost $150, which at $150 is 1 SOL. A router that trades in
			// the wallet's stead sells 10 for 0.5 SOL at $160 ($80): cost a third, $50: +$30;
			// in SOL 0.5 - 1/3: of 1,000,000,000 lamports a third rounds down to 333,333,333:
			// +166,666,667. 20 stay ($100; 666,666,667 lamports), at $8 worth $160: +$60.
			// At $160 that is 1 SOL: +333,333,333.
			name: "9 two hops, then a router",
			steps: []step{
				{slot: 1, sol: 150, give: asset{usdc, 150 * one}, via: &asset{wsol, sol1}, get: asset{tok, 30 * one}},
				{slot: 2, sol: 160, give: asset{tok, 10 * one}, get: asset{wsol, sol1 / 2}, router: true},
			},
			sol: 160, tokUSD: 8, swaps: 3,
			want: []want{
				{mint: tok, method: fifo, unit: inU, realized: 30 * one, amount: 20 * one, cost: 100 * one, unrealized: 60 * one},
				{mint: tok, method: avg, unit: inU, realized: 30 * one, amount: 20 * one, cost: 100 * one, unrealized: 60 * one},
				{mint: tok, method: fifo, unit: inS, realized: 166_666_667, amount: 20 * one, cost: 666_666_667, unrealized: 333_333_333},
				{mint: tok, method: avg, unit: inS, realized: 166_666_667, amount: 20 * one, cost: 666_666_667, unrealized: 333_333_333},
				{mint: wsol, method: fifo, unit: inU, amount: sol1 / 2, cost: 80 * one},
			},
		},
		{
			// A swap of 1 SOL ($100) for 3 raw units of a token, with rent for its account
			// (0.002 SOL, a transfer) and a fee of 5,000 lamports. One raw unit is given at a
			// time, for $40 each: $33.333333 of cost leave with the first (rounded down),
			// half of the $66.666667 left with the second: 33.333333, and 33.333334 with the
			// last. Nothing is lost in rounding: +$20 in all by both methods.
			// The last comes while SOL has no price: in SOL it has no gain. The two before it
			// fetched 0.4 SOL each and cost 333,333,333 each: +133,333,334.
			name: "10 rounding, rent, no price of SOL",
			steps: []step{
				{slot: 1, sol: 100, give: asset{wsol, sol1}, get: asset{tok, 3}, out: []asset{{wsol, 2_000_000}}, fee: 5_000},
				{slot: 2, sol: 100, give: asset{tok, 1}, get: asset{usdc, 40 * one}},
				{slot: 3, sol: 100, give: asset{tok, 1}, get: asset{usdc, 40 * one}},
				{slot: 4, give: asset{tok, 1}, get: asset{usdc, 40 * one}},
			},
			sol: 100, swaps: 4, fees: 5_000, feesUSD: 500,
			want: []want{
				{mint: tok, method: fifo, unit: inU, realized: 20 * one},
				{mint: tok, method: avg, unit: inU, realized: 20 * one},
				{mint: tok, method: fifo, unit: inS, realized: 133_333_334, blind: 1},
				{mint: tok, method: avg, unit: inS, realized: 133_333_334, blind: 1},
				// Given without anybody having seen it come: the swap and the fee. Rent is no sale.
				{mint: wsol, method: fifo, unit: inU, blind: sol1 + 5_000},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := wallet.NewPositions(wallet.PositionOptions{})
			p.Watch(me)
			for i := range c.steps {
				s := &c.steps[i]
				s.index = s.slot
				if s.retract {
					if got := p.Retract([]swapcast.TxRef{ref(s.slot, byte(s.index))}, nil); len(got) != 1 {
						t.Fatalf("step %d: retracting changed %v", i, got)
					}
					continue
				}
				if got := p.Apply(s.tx(), prices(s.sol, s.tokUSD), nil); len(got) != 1 {
					t.Fatalf("step %d: changed %v", i, got)
				}
				if again := p.Apply(s.tx(), prices(s.sol, s.tokUSD), nil); len(again) != 0 {
					t.Fatalf("step %d counted twice", i)
				}
			}
			check(t, p, prices(c.sol, c.tokUSD), c.want)
			r, _ := p.Report(me, prices(c.sol, c.tokUSD))
			if r.Fees.Amount != c.fees || r.Fees.Value[wallet.USD] != c.feesUSD || r.Swaps != c.swaps {
				t.Errorf("fees %+v, %d swaps; want %d lamports, %d millionths of a dollar, %d swaps", r.Fees, r.Swaps, c.fees, c.feesUSD, c.swaps)
			}
		})
	}
}

// check compares lines of a table.
func check(t *testing.T, p *wallet.Positions, price wallet.Price, lines []want) {
	t.Helper()
	r, ok := p.Report(me, price)
	if !ok {
		t.Fatal("not watched")
	}
	for _, w := range lines {
		found := false
		for _, a := range r.Assets {
			if a.Mint != w.mint {
				continue
			}
			found = true
			g := a.Gains[w.method][w.unit]
			got := want{w.mint, w.method, w.unit, g.Realized, g.Amount, g.Cost, g.Unknown, g.Blind, g.Unrealized}
			if got != w {
				t.Errorf("%s\n got %s\nwant %s", name(w), got, w)
			}
		}
		if !found {
			t.Errorf("%s: no such asset", name(w))
		}
	}
}

func name(w want) string {
	mint := map[solana.PublicKey]string{tok: "TOK", wsol: "SOL", usdc: "USDC"}[w.mint]
	return fmt.Sprintf("%s %s %s", mint, [...]string{"FIFO", "average"}[w.method], [...]string{"USD", "SOL"}[w.unit])
}

func (w want) String() string {
	return fmt.Sprintf("realized %d, held %d at cost %d and %d at unknown cost, blind %d, unrealized %d", w.realized, w.amount, w.cost, w.unknown, w.blind, w.unrealized)
}

// BenchmarkReport is what one answer about a wallet costs that is not cached: of one
// with as many transactions as are kept.
func BenchmarkReport(b *testing.B) {
	p := wallet.NewPositions(wallet.PositionOptions{})
	p.Watch(me)
	for i := range uint64(5_000) {
		s := step{slot: i/20 + 1, index: i, sol: 100, give: asset{usdc, 3 * one}, get: asset{tok, one}, fee: 5_000}
		if i%2 == 1 {
			s.give, s.get = asset{tok, one / 2}, asset{usdc, one}
		}
		tx := s.tx()
		tx.Signature[2], tx.Signature[3] = byte(i), byte(i>>8)
		p.Apply(tx, prices(100, 2), nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r, _ := p.Report(me, prices(100, 2)); r.Transactions != 5_000 {
			b.Fatalf("%d transactions", r.Transactions)
		}
	}
}

// BenchmarkApplyOfNobody is what a transaction costs here that changes wallets which
// nobody watches.
func BenchmarkApplyOfNobody(b *testing.B) {
	p := wallet.NewPositions(wallet.PositionOptions{})
	p.Watch(key(200))
	s := step{slot: 1, index: 1, sol: 100, give: asset{usdc, 3 * one}, get: asset{tok, one}, fee: 5_000}
	tx := s.tx()
	b.ReportAllocs()
	for b.Loop() {
		p.Apply(tx, nil, nil)
	}
}
