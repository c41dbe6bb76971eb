package wallet_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/gagliardetto/solana-go"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/wallet"
)

// drawSteps makes a history of one wallet whose prices are all known.
func drawSteps(t *rapid.T) []step {
	n := rapid.IntRange(1, 30).Draw(t, "n")
	steps := make([]step, n)
	for i := range steps {
		s := step{slot: uint64(i/2 + 1), index: uint64(i), sol: rapid.Float64Range(50, 200).Draw(t, "sol"), tokUSD: rapid.Float64Range(0.1, 10).Draw(t, "tok")}
		amount := func(what string) uint64 { return rapid.Uint64Range(1, 1_000_000_000).Draw(t, what) }
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			s.give, s.get = asset{usdc, amount("usdc")}, asset{tok, amount("tok")}
		case 1:
			s.give, s.get = asset{tok, amount("tok")}, asset{usdc, amount("usdc")}
		case 2:
			s.give, s.get = asset{wsol, amount("sol")}, asset{tok, amount("tok")}
		case 3:
			s.in = []asset{{tok, amount("tok")}}
		case 4:
			s.out = []asset{{tok, amount("tok")}}
		}
		s.fee = rapid.Uint64Range(0, 10_000).Draw(t, "fee")
		if s.fee == 0 && s.give.amount == 0 && len(s.in)+len(s.out) == 0 {
			s.fee = 5_000
		}
		steps[i] = s
	}
	return steps
}

func report(t *rapid.T, p *wallet.Positions) *wallet.Report {
	r, ok := p.Report(me, prices(100, 2))
	if !ok {
		t.Fatal("not watched")
	}
	return r
}

// TestPositionsForgetWhatFell: whatever the order in which transactions come, those
// that the chain drops leave no trace, and folding and settling change nothing.
func TestPositionsForgetWhatFell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := drawSteps(t)
		all, living := wallet.NewPositions(wallet.PositionOptions{}), wallet.NewPositions(wallet.PositionOptions{})
		all.Watch(me)
		living.Watch(me)
		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0)).Perm(len(steps))
		var dead []swapcast.TxRef
		for i := range steps {
			fell := rapid.Bool().Draw(t, "fell")
			if fell {
				dead = append(dead, steps[i].tx().TxRef)
			} else {
				living.Apply(steps[i].tx(), prices(steps[i].sol, steps[i].tokUSD), nil)
			}
		}
		for _, i := range order {
			all.Apply(steps[i].tx(), prices(steps[i].sol, steps[i].tokUSD), nil)
		}
		all.Retract(dead, nil)
		all.Settle(rapid.Uint64Range(0, 20).Draw(t, "settled"))
		if got, want := report(t, all), report(t, living); !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	})
}

// TestFoldingKeepsTheSums: a wallet of which few transactions are kept has the same
// positions, as long as they come in order.
func TestFoldingKeepsTheSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := drawSteps(t)
		whole, folded := wallet.NewPositions(wallet.PositionOptions{}), wallet.NewPositions(wallet.PositionOptions{MaxEvents: 5})
		for _, p := range []*wallet.Positions{whole, folded} {
			p.Watch(me)
			for i := range steps {
				p.Settle(steps[i].slot - 1)
				p.Apply(steps[i].tx(), prices(steps[i].sol, steps[i].tokUSD), nil)
			}
		}
		if n := len(folded.Events(me)); n > 7 { // two of a slot that is not settled
			t.Fatalf("%d transactions are kept, want about 5", n)
		}
		got, want := report(t, folded), report(t, whole)
		if !reflect.DeepEqual(got.Assets, want.Assets) || got.Fees != want.Fees || got.Swaps != want.Swaps || got.Transactions != want.Transactions {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	})
}

// TestCostIsNeverLost: by both methods and in dollars, what came at known cost is
// what was realized, went elsewhere, or is still held: of each asset,
// cost in + realized = proceeds + cost held + cost that left. Nothing is lost in
// rounding. Scripts without transfers out and without more given than held.
func TestCostIsNeverLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := wallet.NewPositions(wallet.PositionOptions{})
		p.Watch(me)
		held := uint64(0)
		for i, s := range drawSteps(t) {
			switch {
			case len(s.out) > 0:
				s.out, s.fee = nil, 5_000
			case s.give.mint == tok:
				s.give.amount = min(s.give.amount, held)
				held -= s.give.amount
				if s.give.amount == 0 {
					s.give, s.get, s.fee = asset{}, asset{}, 5_000
				}
			case s.get.mint == tok:
				held += s.get.amount
			case len(s.in) > 0:
				held += s.in[0].amount
			}
			s.slot, s.index = uint64(i+1), uint64(i)
			p.Apply(s.tx(), prices(s.sol, s.tokUSD), nil)
		}
		for _, a := range report(t, p).Assets {
			if a.Mint != tok {
				continue
			}
			if a.Held != held {
				t.Fatalf("holds %d, want %d", a.Held, held)
			}
			for m := range a.Gains {
				g := a.Gains[m][inU]
				in := int64(a.Bought.Value[inU] + a.In.Value[inU])
				if in+g.Realized != int64(a.Sold.Value[inU]+g.Cost) || g.Blind+g.Unknown != 0 {
					t.Fatalf("method %d: %d came, %+d realized, %d fetched, %d held (blind %d, unknown %d)", m, in, g.Realized, a.Sold.Value[inU], g.Cost, g.Blind, g.Unknown)
				}
			}
		}
	})
}

// TestStoredWalletGoesOn: what a store was given makes the same positions in the
// next run, which reads on from the newest transaction that was stored; all of it,
// where the first run ended before it was certain that it had everything.
func TestStoredWalletGoesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := drawSteps(t)
		first := wallet.NewPositions(wallet.PositionOptions{MaxEvents: 8})
		first.Watch(me)
		first.Missed(me, 0, 0)
		joined := rapid.Bool().Draw(t, "joined")
		if joined {
			first.Join(me, 1)
		}
		var saved wallet.Saved
		save := func(p *wallet.Positions) {
			d := p.Unsaved(me)
			if d == nil {
				return
			}
			saved.Events = append(saved.Events, d.Events...)
			if d.Base != nil {
				saved.Base = d.Base
			}
			if d.Past != nil {
				saved.Past = *d.Past
			}
			p.Saved(me, d)
			if more := p.Unsaved(me); more != nil {
				t.Fatalf("saved, and still there is %+v", more)
			}
		}
		for i := range steps {
			first.Settle(steps[i].slot - 1)
			first.Apply(steps[i].tx(), prices(steps[i].sol, steps[i].tokUSD), nil)
			if rapid.Bool().Draw(t, "save") {
				save(first)
			}
		}
		first.Settle(100)
		save(first)
		second := wallet.NewPositions(wallet.PositionOptions{MaxEvents: 8})
		second.Watch(me)
		second.Restore(me, &saved)
		got, want := report(t, second), report(t, first)
		if !reflect.DeepEqual(got.Assets, want.Assets) || got.Fees != want.Fees || got.Transactions != want.Transactions {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
		var newest solana.Signature
		if joined {
			newest = steps[len(steps)-1].tx().Signature
		}
		spans := got.Past.Spans
		if len(spans) == 0 || spans[len(spans)-1] != (wallet.Span{Address: me, Until: newest}) {
			t.Fatalf("the next run reads %+v, want what is newer than %s", spans, newest)
		}
	})
}

// TestSnapshotsAndChanges: a book that saw a chain from the middle on, in any order,
// with forks, has the same totals as the chain once a snapshot is in: whether the
// snapshot's changes came before it, come after it, or never.
func TestSnapshotsAndChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type tx struct {
			ref    swapcast.TxRef
			index  uint64
			change swapcast.BalanceChange
			fork   bool
		}
		const slots = 12
		accounts := [3]solana.PublicKey{key(101), key(102), key(103)} // of one mint
		held := [3]uint64{}
		at := [slots + 1][3]uint64{} // after each slot
		var txs []tx
		for slot := uint64(1); slot <= slots; slot++ {
			for i := range rapid.IntRange(0, 2).Draw(t, "txs") {
				a := rapid.IntRange(0, 2).Draw(t, "account")
				c := swapcast.BalanceChange{Owner: me, Mint: tok, Account: accounts[a], Pre: held[a], Decimals: 6}
				c.Post = rapid.Uint64Range(0, 50).Draw(t, "post")
				x := tx{ref(slot, byte(len(txs))), uint64(i), c, rapid.IntRange(0, 4).Draw(t, "fork") == 0}
				if !x.fork {
					held[a] = c.Post
				}
				txs = append(txs, x)
			}
			at[slot] = held
		}
		from := rapid.Uint64Range(1, slots).Draw(t, "watched from")
		taken := rapid.Uint64Range(from-1, slots).Draw(t, "snapshot of")
		if taken == 0 {
			taken = 1
		}
		shot := &wallet.Snapshot{Owner: me, Part: wallet.PartToken, Slot: taken}
		for a, amount := range at[taken] {
			if amount > 0 || rapid.Bool().Draw(t, "zero row") {
				shot.Accounts = append(shot.Accounts, wallet.Account{Key: accounts[a], Mint: tok, Amount: amount, Decimals: 6})
			}
		}
		b := wallet.NewBook(wallet.Options{})
		b.Watch(me)
		seen := txs[:0:0]
		for _, x := range txs {
			if x.ref.Slot >= from {
				seen = append(seen, x)
			}
		}
		when := rapid.IntRange(0, len(seen)).Draw(t, "snapshot comes after")
		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0)).Perm(len(seen))
		for n, i := range order {
			if n == when {
				b.Load(shot, nil)
			}
			b.Apply(seen[i].ref, seen[i].index, []swapcast.BalanceChange{seen[i].change}, nil)
		}
		b.Load(shot, nil) // here at the latest; a second time it is nothing
		var dead []swapcast.TxRef
		for _, x := range seen {
			if x.fork {
				dead = append(dead, x.ref)
			}
		}
		b.Retract(dead, nil)
		b.Settle(slots)
		want := held[0] + held[1] + held[2]
		got := uint64(0)
		balances, _ := b.Balances(me)
		for _, x := range balances {
			got += x.Amount
		}
		if got != want {
			t.Fatalf("watched from %d, snapshot of %d: holds %d, want %d", from, taken, got, want)
		}
	})
}
