package wallet

import (
	"slices"

	"github.com/gagliardetto/solana-go"
)

// Report is what a wallet's transactions come to.
type Report struct {
	Assets       []Asset // by mint
	Fees         Sums    // of the network, lamports
	Swaps        int
	Transactions int
	Past         Past
	// Newest and Oldest are of the transactions that count, Slot 0 for none.
	Newest, Oldest struct {
		Slot uint64
		At   int64 // Unix seconds, 0 unknown
	}
}

// Asset is what became of one asset.
type Asset struct {
	Mint                  solana.PublicKey
	Decimals              uint8
	Held                  uint64 // that the transactions leave, raw units
	Bought, Sold, In, Out Sums
	Swaps                 int
	Gains                 [numMethods][numUnits]Gain
}

// Gain is profit and loss of one asset, in one unit by one method.
type Gain struct {
	Realized int64
	// Blind is how much was given without a known gain, in raw units.
	Blind uint64
	// Of what is held, Amount is known to have cost Cost, and Unknown has no known
	// cost. Worth is what Amount is worth now, valid with Unrealized where Priced.
	Amount, Cost, Unknown uint64
	Worth                 uint64
	Unrealized            int64
	Priced                bool
}

// Report works out positions and gains, at the prices of now; false where the
// wallet is not watched. It takes all of its transactions one after the other: the
// longer a wallet trades the dearer it is.
func (p *Positions) Report(owner solana.PublicKey, price Price) (*Report, bool) {
	p.mu.RLock()
	t := p.wallets[owner]
	if t == nil {
		p.mu.RUnlock()
		return nil, false
	}
	events, base, last, past := slices.Clone(t.events), t.base, t.last, t.past
	past.Spans = slices.Clone(past.Spans)
	a := newAccounts()
	if base != nil {
		a = base.clone() // with mu held: folding changes it
	}
	p.mu.RUnlock()
	r := &Report{Past: past}
	for _, e := range events {
		a.apply(e)
		r.Newest.Slot, r.Newest.At = e.Slot, e.BlockTime
	}
	switch {
	case last != nil:
		r.Oldest.Slot, r.Oldest.At = last.Slot, last.BlockTime
	case len(events) > 0:
		r.Oldest.Slot, r.Oldest.At = events[0].Slot, events[0].BlockTime
	}
	r.Fees, r.Swaps, r.Transactions = a.Fees, a.Swaps, a.Events
	for mint, pos := range a.Positions {
		r.Assets = append(r.Assets, pos.asset(mint, price))
	}
	slices.SortFunc(r.Assets, func(x, y Asset) int { return slices.Compare(x.Mint[:], y.Mint[:]) })
	return r, true
}

// asset is a position at the prices of now.
func (p *position) asset(mint solana.PublicKey, price Price) Asset {
	out := Asset{
		Mint: mint, Decimals: p.Decimals, Held: p.held(), Swaps: p.Swaps,
		Bought: p.Bought, Sold: p.Sold, In: p.In, Out: p.Out,
	}
	for m := range numMethods {
		for u := range numUnits {
			g := Gain{Realized: p.Realized[m][u], Blind: p.Blind[m][u]}
			g.Amount, g.Cost, g.Unknown = p.cost(m, u)
			v := worth(mint, g.Amount, p.Decimals, price)
			g.Worth, g.Priced = v.Amount[u], v.Known[u] || g.Amount == 0
			if g.Priced {
				g.Unrealized = gain(0, g.Worth, g.Cost)
			}
			out.Gains[m][u] = g
		}
	}
	return out
}

// Worth is what an amount is worth at a price: exact for USDC, USDT and SOL in
// their own units.
func Worth(mint solana.PublicKey, amount uint64, decimals uint8, price Price) Value {
	return worth(mint, amount, decimals, price)
}
