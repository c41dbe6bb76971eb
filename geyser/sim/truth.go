package sim

import (
	"bytes"
	"slices"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Truth is what really happened, in the order of the stream.
type Truth struct {
	// Swaps are all swaps of transactions that did not fail. Amounts follow the
	// words of swapcast.Swap; FeeBps is set where the pool has one fixed rate.
	Swaps []swapcast.Swap
	// Balances are all balance changes: of tokens per owner and mint, then of
	// lamports per account, failed transactions included.
	Balances []swapcast.BalanceChange
	// Mids are the true prices at the start of each slot.
	Mids []Mid
}

// Mid is the true price of a listed mint while a slot lasted: US dollars for
// one whole token.
type Mid struct {
	Slot uint64
	Mint solana.PublicKey
	USD  float64
}

// Truth returns the ground truth so far, nil unless Options.Truth is set. It
// may be read between calls of Next, and holds what Next has returned so far.
func (m *Market) Truth() *Truth { return m.truth }

// Mid returns the true price of a listed mint now.
func (m *Market) Mid(key solana.PublicKey) (usd float64, ok bool) {
	for i, mn := range m.mints {
		if mn.key == key {
			return m.mids[i], true
		}
	}
	return 0, false
}

// record tells the ground truth of the finished transaction.
func (b *builder) record(sig *[64]byte, index uint64, at int64) {
	m := b.m
	b.holdings()
	if m.truth == nil && m.opt.OnSwap == nil && m.opt.OnBalance == nil {
		return
	}
	for i := range b.swaps {
		s := &b.swaps[i]
		s.Signature, s.Slot, s.TxIndex, s.Index = *sig, m.slot, index, i
		s.BlockTime, s.CreatedAt = m.unixNow(), at
		if s.vaultIn != nil {
			s.ReservesKnown = true
			s.ReserveIn, s.ReserveOut = s.vaultIn.amount, s.vaultOut.amount
		}
		if m.truth != nil {
			m.truth.Swaps = append(m.truth.Swaps, s.Swap)
		}
		if m.opt.OnSwap != nil {
			m.opt.OnSwap(&s.Swap)
		}
	}
	b.changes(sig)
}

// Holding is what one account holds after a transaction.
type Holding struct {
	Account solana.PublicKey
	Owner   solana.PublicKey // Account itself where Native
	Mint    solana.PublicKey
	Native  bool
	Before  uint64 // raw units; 0 where the account was not there
	Amount  uint64 // raw units; 0 where the account is closed
}

// holdings tells what the accounts of the transaction hold.
func (b *builder) holdings() {
	tell := b.m.opt.OnHolding
	if tell == nil {
		return
	}
	for _, p := range b.order {
		a, s := b.accts[p], &b.snaps[p]
		tell(Holding{Account: a.key, Owner: a.key, Mint: b.m.mints[tokSOL].key, Native: true, Before: s.lamports, Amount: a.lamports})
		if a.mint == nil || !a.live && !s.live {
			continue
		}
		h := Holding{Account: a.key, Owner: a.owner.key, Mint: a.mint.key}
		if s.live {
			h.Before = s.amount
		}
		if a.live {
			h.Amount = a.amount
		}
		tell(h)
	}
}

// changes works out the balance changes.
func (b *builder) changes(sig *[64]byte) {
	m := b.m
	var out []swapcast.BalanceChange
	for _, p := range b.order {
		a, s := b.accts[p], &b.snaps[p]
		if a.mint == nil || !a.live && !s.live {
			continue
		}
		pre, post := uint64(0), uint64(0)
		if s.live {
			pre = s.amount
		}
		if a.live {
			post = a.amount
		}
		k := slices.IndexFunc(out, func(c swapcast.BalanceChange) bool {
			return c.Owner == a.owner.key && c.Mint == a.mint.key
		})
		if k < 0 {
			k = len(out)
			out = append(out, swapcast.BalanceChange{Owner: a.owner.key, Mint: a.mint.key, Decimals: a.mint.decimals})
		}
		out[k].Pre += pre
		out[k].Post += post
	}
	out = slices.DeleteFunc(out, func(c swapcast.BalanceChange) bool { return c.Pre == c.Post })
	for _, p := range b.order {
		a, s := b.accts[p], &b.snaps[p]
		if a.lamports != s.lamports {
			out = append(out, swapcast.BalanceChange{
				Owner: a.key, Mint: m.mints[tokSOL].key, Native: true,
				Pre: s.lamports, Post: a.lamports, Decimals: 9,
			})
		}
	}
	for i := range out {
		out[i].Signature, out[i].Slot, out[i].Index, out[i].BlockTime = *sig, m.slot, i, m.unixNow()
		if m.truth != nil {
			m.truth.Balances = append(m.truth.Balances, out[i])
		}
		if m.opt.OnBalance != nil {
			m.opt.OnBalance(&out[i])
		}
	}
}

// CompareBalances orders balance changes of one transaction by owner, mint and
// kind, so that two lists can be compared.
func CompareBalances(x, y swapcast.BalanceChange) int {
	if c := bytes.Compare(x.Owner[:], y.Owner[:]); c != 0 {
		return c
	}
	if c := bytes.Compare(x.Mint[:], y.Mint[:]); c != 0 {
		return c
	}
	return int(bit(x.Native)) - int(bit(y.Native))
}
