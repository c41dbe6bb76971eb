package parser

import (
	"github.com/gagliardetto/solana-go"
)

// trader tells whose tokens a transfer into a pool moved.
//
//  1. The owner of the account that paid, if that owner signed the transaction.
//  2. Else the tokens only passed through (a router's shared account): they are
//     followed up the transfers that came before within the same outer
//     instruction, to an owner who signed, or to an earlier swap, whose trader
//     this one shares.
//  3. Else, if the paying account's balance is another one after the
//     transaction, its owner trades for itself: a program's own account.
//  4. Else the fee payer.
//
// Where no balance row names an owner (old transactions; wrapped SOL made and
// closed within) the transfer's authority stands for it.
func (c *call) trader(paid *transfer) solana.PublicKey {
	owner := c.ownerOf(paid)
	if c.signed(owner) {
		return owner
	}
	if up, ok := c.upstream(paid.from); ok {
		return up
	}
	if pre, post, known := c.p.rows.balance(c.tx, paid.from); known && pre != post && !owner.IsZero() {
		return owner
	}
	return c.tx.Keys[0]
}

// ownerOf tells who owns the account that a transfer left.
func (c *call) ownerOf(t *transfer) solana.PublicKey {
	if o := c.p.rows.owner(c.tx, t.from); !o.IsZero() {
		return o
	}
	return c.tx.Keys[t.by]
}

// upstream follows tokens back from an account through the transfers before
// this call, within the same outer instruction.
func (c *call) upstream(account uint8) (solana.PublicKey, bool) {
	for i := c.pos - 1; i >= 0 && c.tx.Instructions[i].Outer == c.ix.Outer; i-- {
		ix := &c.tx.Instructions[i]
		k := c.p.kindOf(ix)
		if k != kindToken && k != kindToken2022 {
			continue
		}
		t, ok := tokenMove(ix, k, c.p.keys)
		if !ok || t.to != account || t.from == t.to {
			continue
		}
		if o := c.ownerOf(&t); c.signed(o) {
			return o, true
		}
		if o, ok := c.earlier(i); ok {
			return o, true
		}
		account = t.from
	}
	return solana.PublicKey{}, false
}

// earlier returns the trader of the swap of the same outer instruction that
// the instruction at a position belongs to.
func (c *call) earlier(pos int) (solana.PublicKey, bool) {
	inner := int(c.tx.Instructions[pos].Inner)
	swaps := c.p.out.Swaps
	// The last swap is the one being read.
	for i := len(swaps) - 2; i >= 0; i-- {
		s := &swaps[i]
		if s.Path.Outer != int(c.ix.Outer) {
			break
		}
		if s.Path.Inner < inner {
			return s.Trader, !s.Trader.IsZero()
		}
	}
	return solana.PublicKey{}, false
}
