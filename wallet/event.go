package wallet

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Tx is what one transaction did, as far as wallets care. Changes are rows with
// Account set, of the wallet's own accounts among others'.
type Tx struct {
	swapcast.TxRef
	Index     uint64 // position in its block
	BlockTime int64  // Unix seconds, 0 unknown
	Swaps     []swapcast.Swap
	Changes   []swapcast.BalanceChange
}

// Kind says why something came to a wallet or left it.
type Kind uint8

// The kinds, in the order in which those of one transaction count.
const (
	TransferIn Kind = iota
	Sold            // given in a swap
	Bought          // received in a swap
	Fee             // of the network
	TransferOut
)

// Flow is an amount of one asset that came to a wallet or left it. SOL is one
// asset, wrapped or not: wrapping moves nothing.
type Flow struct {
	Kind     Kind             `json:"k"`
	Mint     solana.PublicKey `json:"m"`
	Amount   uint64           `json:"n"`
	Decimals uint8            `json:"d"`
	Value    Value            `json:"v"` // at that moment
}

// Event is what one transaction did to one wallet. It is not changed once made.
type Event struct {
	Slot      uint64           `json:"s"`
	Index     uint64           `json:"i"`
	Signature solana.Signature `json:"g"`
	BlockTime int64            `json:"t"`
	Flows     []Flow           `json:"f"`
	Swaps     int              `json:"w"` // that the wallet made
	// Loose says that Index is not that in the block, which nobody told: it is
	// right among those of one list.
	Loose bool `json:"l,omitzero"`
}

// Ref names the event's transaction.
func (e *Event) Ref() swapcast.TxRef {
	return swapcast.TxRef{Slot: e.Slot, Signature: e.Signature}
}

// compareEvents orders events as the chain did.
func compareEvents(a, b *Event) int {
	return cmp.Or(
		cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Index, b.Index),
		bytes.Compare(a.Signature[:], b.Signature[:]),
	)
}

// delta is what one asset of a wallet gained and lost.
type delta struct {
	mint     solana.PublicKey
	decimals uint8
	in, out  uint64
}

type deltas []delta

func (d *deltas) of(mint solana.PublicKey, decimals uint8) *delta {
	for i := range *d {
		if (*d)[i].mint == mint {
			return &(*d)[i]
		}
	}
	*d = append(*d, delta{mint: mint, decimals: decimals})
	return &(*d)[len(*d)-1]
}

// net leaves the difference.
func (d *delta) net() {
	m := min(d.in, d.out)
	d.in, d.out = d.in-m, d.out-m
}

// NewEvent works out what a transaction did to a wallet; nil where it did nothing
// to it.
//
// The legs of a swap are those of the pools, as the trader's side saw them, where
// the pools name the wallet as the trader: what goes in at one and out at the next
// cancels out. Where a router trades in the wallet's stead, the legs are what the
// wallet's own balances gained and lost: SOL is one of them only where no other
// asset stands on its side, for rent and tips move it too. What is left of the
// wallet's changes, after legs and fee, was transferred: rents of token accounts
// and tips to validators are transfers of SOL.
//
// The two sides of a swap are worth the same. That is the worth of the side which
// is in dollars (USDC, USDT) or else in SOL; where neither is, of the side whose
// price is known, the given one first. A transfer in counts at its price then.
func NewEvent(owner solana.PublicKey, tx *Tx, price Price) *Event {
	changed, fee, any := changesOf(owner, tx)
	legs, swaps := legsOf(owner, tx, changed)
	if !any && swaps == 0 {
		return nil
	}
	e := &Event{Slot: tx.Slot, Index: tx.Index, Signature: tx.Signature, BlockTime: tx.BlockTime, Swaps: swaps}
	for _, l := range legs { // what is left of the changes was transferred
		c := changed.of(l.mint, l.decimals)
		c.in, c.out = addUpTo(c.in, l.out), addUpTo(c.out, l.in)
	}
	if fee > 0 {
		c := changed.of(swapcast.NativeMint(), solDecimals)
		c.in = addUpTo(c.in, fee)
		e.Flows = append(e.Flows, Flow{
			Kind: Fee, Mint: c.mint, Amount: fee, Decimals: solDecimals,
			Value: worth(c.mint, fee, solDecimals, price),
		})
	}
	for i := range changed {
		c := &changed[i]
		c.net()
		kind, amount := TransferIn, c.in
		if c.out > 0 {
			kind, amount = TransferOut, c.out
		}
		if amount > 0 {
			e.Flows = append(e.Flows, Flow{
				Kind: kind, Mint: c.mint, Amount: amount, Decimals: c.decimals, Value: worth(c.mint, amount, c.decimals, price),
			})
		}
	}
	e.Flows = append(e.Flows, trade(legs, price)...)
	slices.SortStableFunc(e.Flows, func(a, b Flow) int { return cmp.Compare(a.Kind, b.Kind) })
	return e
}

const solDecimals = 9

// changesOf adds up a wallet's own changes.
func changesOf(owner solana.PublicKey, tx *Tx) (changed deltas, fee uint64, any bool) {
	for i := range tx.Changes {
		c := &tx.Changes[i]
		if c.Owner != owner {
			continue
		}
		any = true
		d := changed.of(c.Mint, c.Decimals)
		d.in, d.out = addUpTo(d.in, c.Post), addUpTo(d.out, c.Pre)
		fee += c.Fee
	}
	for i := range changed {
		changed[i].net()
	}
	return changed, fee, any
}

// legsOf finds what was given and received in swaps.
func legsOf(owner solana.PublicKey, tx *Tx, changed deltas) (legs deltas, swaps int) {
	for i := range tx.Swaps {
		s := &tx.Swaps[i]
		if s.Trader != owner {
			continue
		}
		swaps++
		in := legs.of(s.MintIn, s.DecimalsIn)
		in.out = addUpTo(in.out, s.UserAmountIn)
		out := legs.of(s.MintOut, s.DecimalsOut)
		out.in = addUpTo(out.in, s.UserAmountOut)
	}
	for i := range legs {
		legs[i].net()
	}
	legs = slices.DeleteFunc(legs, func(d delta) bool { return d.in == 0 && d.out == 0 })
	if len(tx.Swaps) > 0 && !slices.ContainsFunc(legs, changed.shows) {
		// It is not named, or as the fee payer alone: none of the legs moved its own.
		legs = routed(changed)
		swaps = min(1, len(legs))
	}
	return legs, swaps
}

// shows tells whether a wallet's changes go the way of a leg.
func (d deltas) shows(leg delta) bool {
	return slices.ContainsFunc(d, func(c delta) bool {
		return c.mint == leg.mint && (c.in > 0 && leg.in > 0 || c.out > 0 && leg.out > 0)
	})
}

// routed takes for the legs what the wallet gained and lost in a transaction with
// swaps that do not name it; none where it did not do both.
func routed(changed deltas) deltas {
	var legs deltas
	var given, received bool
	var sol *delta
	for i := range changed {
		c := &changed[i]
		if c.mint == swapcast.NativeMint() {
			sol = c
			continue
		}
		given, received = given || c.out > 0, received || c.in > 0
		legs = append(legs, *c)
	}
	if sol != nil && given != received && (sol.out > 0) == received {
		legs = append(legs, *sol)
		given, received = true, true
	}
	if !given || !received {
		return nil
	}
	return legs
}

// trade makes the flows of a swap's legs, each side worth the same.
func trade(legs deltas, price Price) []Flow {
	var sides [2][]Flow // given, received
	for _, l := range legs {
		if l.out > 0 {
			sides[0] = append(sides[0], Flow{Kind: Sold, Mint: l.mint, Amount: l.out, Decimals: l.decimals, Value: worth(l.mint, l.out, l.decimals, price)})
		} else {
			sides[1] = append(sides[1], Flow{Kind: Bought, Mint: l.mint, Amount: l.in, Decimals: l.decimals, Value: worth(l.mint, l.in, l.decimals, price)})
		}
	}
	if len(sides[0]) == 0 || len(sides[1]) == 0 {
		return slices.Concat(sides[0], sides[1])
	}
	for u := range numUnits {
		total, from, known := sideWorth(u, sides)
		for i := range sides {
			if !known || i != from {
				share(u, sides[i], total, known)
			}
		}
	}
	return slices.Concat(sides[0], sides[1])
}

// sideWorth chooses the side whose worth is that of the swap: one of dollars
// alone, of SOL alone, or the first that is known whole.
func sideWorth(u Unit, sides [2][]Flow) (total uint64, from int, known bool) {
	best := 3
	for i, side := range sides {
		rank, sum := 0, uint64(0)
		for _, f := range side {
			switch {
			case !f.Value.Known[u]:
				rank = 3
			case money(u, f.Mint):
			case money(USD, f.Mint) || money(SOL, f.Mint):
				rank = max(rank, 1)
			default:
				rank = max(rank, 2)
			}
			sum = addUpTo(sum, f.Value.Amount[u])
		}
		if rank < best {
			best, total, from, known = rank, sum, i, true
		}
	}
	return total, from, known
}

// share gives the flows of a side the worth of the whole: in proportion to what
// each is worth by itself where there are several. What is worth a fixed amount
// keeps it.
func share(u Unit, side []Flow, total uint64, known bool) {
	if len(side) == 1 && known {
		if !money(u, side[0].Mint) {
			side[0].Value = side[0].Value.In(u, total)
		}
		return
	}
	sum := uint64(0)
	for _, f := range side {
		known = known && f.Value.Known[u]
		sum = addUpTo(sum, f.Value.Amount[u])
	}
	known = known && sum > 0
	left := total
	for i := range side {
		v := &side[i].Value
		switch {
		case money(u, side[i].Mint): // as it is
		case !known:
			v.Amount[u], v.Known[u] = 0, false
		case i == len(side)-1:
			*v = v.In(u, left)
		default:
			part := min(left, muldiv(total, v.Amount[u], sum))
			*v = v.In(u, part)
			left -= part
		}
	}
}
