package parser

import (
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// rows finds the token balance rows of an account. It is made at most once a
// transaction, at the first swap that needs it.
type rows struct {
	ready     bool
	pre, post [maxKeys]uint16 // 1 + position of the account's row, 0 none
}

func (r *rows) index(tx *swapcast.Transaction) {
	if r.ready {
		return
	}
	r.ready = true
	clear(r.pre[:])
	clear(r.post[:])
	for i := range min(len(tx.PreTokens), maxKeys) {
		r.pre[tx.PreTokens[i].Account] = uint16(i + 1)
	}
	for i := range min(len(tx.PostTokens), maxKeys) {
		r.post[tx.PostTokens[i].Account] = uint16(i + 1)
	}
}

// row returns what the transaction tells of a token account: the row after it,
// or before it where the account is gone, or nil.
func (r *rows) row(tx *swapcast.Transaction, account uint8) *swapcast.TokenBalance {
	r.index(tx)
	if at := r.post[account]; at != 0 {
		return &tx.PostTokens[at-1]
	}
	if at := r.pre[account]; at != 0 {
		return &tx.PreTokens[at-1]
	}
	return nil
}

// balance returns an account's balances before and after. An account made by
// the transaction had 0 before; known is false where it has none after.
func (r *rows) balance(tx *swapcast.Transaction, account uint8) (pre, post uint64, known bool) {
	r.index(tx)
	if at := r.pre[account]; at != 0 {
		pre = tx.PreTokens[at-1].Amount
	}
	at := r.post[account]
	if at == 0 {
		return pre, 0, false
	}
	return pre, tx.PostTokens[at-1].Amount, true
}

// owner returns who owned a token account before the transaction, or after it
// where it was made by it; zero where no row says so.
func (r *rows) owner(tx *swapcast.Transaction, account uint8) solana.PublicKey {
	r.index(tx)
	if at := r.pre[account]; at != 0 {
		return tx.PreTokens[at-1].Owner
	}
	if at := r.post[account]; at != 0 {
		return tx.PostTokens[at-1].Owner
	}
	return solana.PublicKey{}
}
