package parser

import (
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// venue names the accounts of one exchange, as positions in the keys.
type venue struct {
	pool   uint8
	vaultA uint8
	vaultB uint8
	// dest is the trader's account for what comes out where the instruction
	// names it, else -1: then it is where the first transfer out of a vault went.
	// Fees that a program pays out of its vault go elsewhere.
	dest int16
}

// flow is what one vault gained and lost by a call's own transfers.
type flow struct{ gained, lost uint64 }

// add returns a sum and whether it fits.
func add(a, b uint64) (uint64, bool) {
	s := a + b
	return s, s >= a
}

// exchange reads a swap from the transfers of the call between a trader and a
// pool's two vaults, and adds it to the result. What moved decides: which vault
// gained is what the trader gave. The caller adds what only its event tells.
func (c *call) exchange(v venue) (*swapcast.Swap, reason) {
	return c.exchangeOf(v, c.tokens)
}

// exchangeOf is exchange over some of the call's transfers: programs that swap
// in several pools within one instruction give each pool its own.
func (c *call) exchangeOf(v venue, moved []transfer) (*swapcast.Swap, reason) {
	a, b, why := c.flows(v, moved)
	if why != "" {
		return nil, why
	}
	in, out := v.vaultA, v.vaultB
	fin, fout := a, b
	switch {
	case a.gained > a.lost && b.lost > b.gained:
	case b.gained > b.lost && a.lost > a.gained:
		in, out, fin, fout = out, in, b, a
	case a.gained == a.lost || b.gained == b.lost:
		return nil, zeroAmount
	default:
		return nil, sameDirection
	}
	s := c.add(v.pool)
	s.AmountIn, s.AmountOut = fin.gained-fin.lost, fout.lost-fout.gained
	if why := c.sides(s, in, out, moved); why != "" {
		return nil, why
	}
	if why := c.userSide(s, v, in, out, moved); why != "" {
		return nil, why
	}
	return s, ""
}

// flows sums what each vault gained and lost.
func (c *call) flows(v venue, moved []transfer) (a, b flow, why reason) {
	touched := false
	for i := range moved {
		t := &moved[i]
		if t.from == t.to {
			continue
		}
		ok := true
		for _, side := range [2]struct {
			vault uint8
			f     *flow
		}{{v.vaultA, &a}, {v.vaultB, &b}} {
			if t.from == side.vault {
				touched = true
				side.f.lost, ok = add(side.f.lost, t.amount)
			}
			if !ok {
				return a, b, overflow
			}
			if t.to == side.vault {
				touched = true
				got, known := c.p.received(t)
				if !known {
					return a, b, transferFee
				}
				if side.f.gained, ok = add(side.f.gained, got); !ok {
					return a, b, overflow
				}
			}
		}
	}
	if !touched {
		return a, b, noTransfers
	}
	return a, b, ""
}

// add appends a swap with all that holds for any of them.
func (c *call) add(pool uint8) *swapcast.Swap {
	out := c.p.out
	out.Swaps = append(out.Swaps, swapcast.Swap{})
	s := &out.Swaps[len(out.Swaps)-1]
	s.Signature = c.tx.Signature
	s.Slot, s.TxIndex, s.BlockTime = c.tx.Slot, c.tx.Index, c.tx.BlockTime
	s.ReceivedAt, s.CreatedAt = c.tx.ReceivedAt, c.tx.CreatedAt
	s.Index = len(out.Swaps) - 1
	s.Path = swapcast.Path{Outer: int(c.ix.Outer), Inner: int(c.ix.Inner)}
	s.DEX = c.dex.name
	s.Program = c.tx.Keys[c.ix.Program]
	s.Pool = c.tx.Keys[pool]
	s.FeeBps = -1
	return s
}

// sides fills mints, decimals and reserves from the vaults' rows.
func (c *call) sides(s *swapcast.Swap, in, out uint8, moved []transfer) reason {
	var ok bool
	if s.MintIn, s.DecimalsIn, ok = c.mintOf(in, moved); !ok {
		return unknownMint
	}
	if s.MintOut, s.DecimalsOut, ok = c.mintOf(out, moved); !ok {
		return unknownMint
	}
	if s.MintIn == s.MintOut {
		return sameMint
	}
	_, rin, okIn := c.p.rows.balance(c.tx, in)
	_, rout, okOut := c.p.rows.balance(c.tx, out)
	if okIn && okOut {
		s.ReservesKnown, s.ReserveIn, s.ReserveOut = true, rin, rout
	}
	return ""
}

// mintOf tells an account's mint: from its balance row, else from a transfer
// that names it.
func (c *call) mintOf(account uint8, moved []transfer) (solana.PublicKey, uint8, bool) {
	if r := c.p.rows.row(c.tx, account); r != nil && !r.Mint.IsZero() {
		return r.Mint, r.Decimals, true
	}
	for i := range moved {
		if t := &moved[i]; t.mint >= 0 && (t.from == account || t.to == account) {
			return c.tx.Keys[t.mint], t.decimals, true
		}
	}
	return solana.PublicKey{}, 0, false
}

// userSide fills the trader and what moved on the trader's side: all that left
// the account that paid the vault, fees to third parties included, and all that
// reached the account that the vault paid.
func (c *call) userSide(s *swapcast.Swap, v venue, in, out uint8, moved []transfer) reason {
	var first *transfer
	dest := v.dest
	for i := range moved {
		t := &moved[i]
		if t.to == in && first == nil {
			first = t
		}
		if t.from == out && dest < 0 {
			dest = int16(t.to)
		}
	}
	if first == nil {
		return noTransfers
	}
	flat := c.flat()
	for i := range moved {
		t := &moved[i]
		var ok bool
		// In a flat list a router's own fee transfers may stand among these.
		if t.from == first.from && (!flat || t.to == in) {
			if s.UserAmountIn, ok = add(s.UserAmountIn, t.amount); !ok {
				return overflow
			}
		}
		if t.from == out && int16(t.to) == dest {
			got, known := c.p.received(t)
			if !known {
				return transferFee
			}
			if s.UserAmountOut, ok = add(s.UserAmountOut, got); !ok {
				return overflow
			}
		}
	}
	s.Trader = c.trader(first)
	return ""
}
