package parser

import (
	"math"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Balances appends to dst what a transaction did to every owner's holdings,
// and returns it. Rows with equal amounts before and after are left out.
//
// First come the tokens: one row for each owner and mint, in order of their
// first account, over all token accounts of that owner and mint that the
// transaction names. An account made by the transaction had 0 before, one that
// it closed has 0 after, and one that changed its owner is taken from the old
// and given to the new one. Where no owner is recorded (very old transactions)
// the token account's own address stands for it. A sum that does not fit 64
// bits, which no mint's supply allows, stops at the largest number.
//
// Then come lamports, one row for each account key whose lamports changed, with
// Native set, the wrapped SOL mint and the account's own address as owner. This
// is for token accounts too: what they hold in lamports (their rent, and in a
// wrapped SOL account the SOL itself) is under the account's address, not the
// wallet's, so that adding up an owner's rows never counts SOL twice, and all
// Native rows add up to minus the fee. The wrapped SOL mint thus appears in two
// kinds of rows, told apart by Native: wrapped SOL by wallet, lamports by
// account.
//
// A failed transaction changes balances as well: by its fee.
func Balances(tx *swapcast.Transaction, dst []swapcast.BalanceChange) []swapcast.BalanceChange {
	start := len(dst)
	for i := range tx.PreTokens {
		if r := &tx.PreTokens[i]; r.Amount > 0 {
			var c *swapcast.BalanceChange
			dst, c = holding(tx, dst, start, r)
			c.Pre = addUpTo(c.Pre, r.Amount)
		}
	}
	for i := range tx.PostTokens {
		if r := &tx.PostTokens[i]; r.Amount > 0 {
			var c *swapcast.BalanceChange
			dst, c = holding(tx, dst, start, r)
			c.Post = addUpTo(c.Post, r.Amount)
		}
	}
	kept := dst[:start]
	for _, c := range dst[start:] {
		if c.Pre != c.Post {
			c.Index = len(kept) - start
			kept = append(kept, c)
		}
	}
	dst = kept
	for i := range min(len(tx.Keys), len(tx.PreBalances), len(tx.PostBalances)) {
		if tx.PreBalances[i] == tx.PostBalances[i] {
			continue
		}
		dst = lamportsRow(tx, dst, start, i)
	}
	return dst
}

// lamportsRow adds a row for the lamports of an account key.
func lamportsRow(tx *swapcast.Transaction, dst []swapcast.BalanceChange, start, key int) []swapcast.BalanceChange {
	return append(dst, swapcast.BalanceChange{
		Signature: tx.Signature,
		Slot:      tx.Slot,
		BlockTime: tx.BlockTime,
		Index:     len(dst) - start,
		Owner:     tx.Keys[key],
		Mint:      swapcast.NativeMint(),
		Native:    true,
		Pre:       tx.PreBalances[key],
		Post:      tx.PostBalances[key],
		Decimals:  solDecimals,
	})
}

// AccountBalances is Balances account by account, for the owners that follows
// names alone: a row for each of their token accounts that the transaction
// changed, then one for the owner's own lamports. The owner who paid the fee has
// that row even where it got as much back. Index counts the rows that are given.
//
// An owner who is not followed costs a call of follows for each of its token
// accounts and lamports that the transaction names.
func AccountBalances(
	tx *swapcast.Transaction, follows func(owner solana.PublicKey) bool, dst []swapcast.BalanceChange,
) []swapcast.BalanceChange {
	start := len(dst)
	for i := range tx.PreTokens {
		r := &tx.PreTokens[i]
		if owner := ownerOf(tx, r); follows(owner) {
			post := uint64(0)
			if after := sameHolding(tx, tx.PostTokens, r); after != nil {
				post = after.Amount
			}
			dst = accountRow(tx, dst, start, r, r.Amount, post)
		}
	}
	for i := range tx.PostTokens {
		r := &tx.PostTokens[i]
		if owner := ownerOf(tx, r); follows(owner) && sameHolding(tx, tx.PreTokens, r) == nil {
			dst = accountRow(tx, dst, start, r, 0, r.Amount)
		}
	}
	for i := range min(len(tx.Keys), len(tx.PreBalances), len(tx.PostBalances)) {
		fee := uint64(0)
		if i == 0 {
			fee = tx.Fee
		}
		if tx.PreBalances[i] == tx.PostBalances[i] && fee == 0 || !follows(tx.Keys[i]) {
			continue
		}
		dst = lamportsRow(tx, dst, start, i)
		own := &dst[len(dst)-1]
		own.Account, own.Fee = tx.Keys[i], fee
	}
	return dst
}

// accountRow adds a row where the amount has changed.
func accountRow(
	tx *swapcast.Transaction, dst []swapcast.BalanceChange, start int, r *swapcast.TokenBalance, pre, post uint64,
) []swapcast.BalanceChange {
	if pre == post || int(r.Account) >= len(tx.Keys) {
		return dst
	}
	return append(dst, swapcast.BalanceChange{
		Signature: tx.Signature,
		Slot:      tx.Slot,
		BlockTime: tx.BlockTime,
		Index:     len(dst) - start,
		Owner:     ownerOf(tx, r),
		Mint:      r.Mint,
		Pre:       pre,
		Post:      post,
		Decimals:  r.Decimals,
		Account:   tx.Keys[r.Account],
		Program:   r.Program,
	})
}

// sameHolding finds the row of the same account, owner and mint.
func sameHolding(tx *swapcast.Transaction, rows []swapcast.TokenBalance, of *swapcast.TokenBalance) *swapcast.TokenBalance {
	for i := range rows {
		r := &rows[i]
		if r.Account == of.Account && r.Mint == of.Mint && ownerOf(tx, r) == ownerOf(tx, of) {
			return r
		}
	}
	return nil
}

// ownerOf is who owns a token account: where that is not recorded its own address
// stands for it.
func ownerOf(tx *swapcast.Transaction, r *swapcast.TokenBalance) solana.PublicKey {
	if r.Owner.IsZero() && int(r.Account) < len(tx.Keys) {
		return tx.Keys[r.Account]
	}
	return r.Owner
}

// holding finds or adds the row of a balance's owner and mint. A transaction
// names few token accounts, so looking through them beats a map.
func holding(
	tx *swapcast.Transaction, dst []swapcast.BalanceChange, start int, r *swapcast.TokenBalance,
) ([]swapcast.BalanceChange, *swapcast.BalanceChange) {
	owner := ownerOf(tx, r)
	for i := start; i < len(dst); i++ {
		if dst[i].Mint == r.Mint && dst[i].Owner == owner {
			return dst, &dst[i]
		}
	}
	dst = append(dst, swapcast.BalanceChange{
		Signature: tx.Signature,
		Slot:      tx.Slot,
		BlockTime: tx.BlockTime,
		Owner:     owner,
		Mint:      r.Mint,
		Decimals:  r.Decimals,
	})
	return dst, &dst[len(dst)-1]
}

// addUpTo adds and stays at the largest number.
func addUpTo(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxUint64
}
