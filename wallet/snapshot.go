package wallet

import (
	"slices"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Part is what one question to a node answers for: the accounts of one token
// program, or the wallet's own lamports. Each has a slot of its own.
type Part uint8

// The parts of a wallet.
const (
	PartToken Part = iota
	PartToken2022
	PartSOL
	numParts
)

// partOf is the part that a change belongs to. A token program that is not named
// is SPL Token: old transactions are from before there was another.
func partOf(c *swapcast.BalanceChange) Part {
	switch {
	case c.Native:
		return PartSOL
	case c.Program == solana.Token2022ProgramID:
		return PartToken2022
	default:
		return PartToken
	}
}

// Snapshot is everything that one part of a wallet held at the end of a confirmed
// slot.
type Snapshot struct {
	Owner    solana.PublicKey
	Part     Part
	Slot     uint64
	Accounts []Account
}

// Account is one account's holding. Those that hold nothing may be left out.
type Account struct {
	Key      solana.PublicKey // Owner for lamports
	Mint     solana.PublicKey
	Amount   uint64
	Decimals uint8
}

// Needs says that changes of a wallet before this slot may have been missed: it is
// complete once a snapshot of each part from there or later is in, and never before
// this was said of it by name once. A zero owner means every wallet.
func (b *Book) Needs(owner solana.PublicKey, slot uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !owner.IsZero() {
		if w := b.wallets[owner]; w != nil {
			w.needs, w.sure = max(w.needs, slot), true
		}
		return
	}
	for _, w := range b.wallets {
		w.needs = max(w.needs, slot) // sure or not: that is of each by itself
	}
}

// Lacks tells from which slot on a snapshot of a part is wanted; false where the
// one that is known will do, or the wallet is not watched.
func (b *Book) Lacks(owner solana.PublicKey, part Part) (from uint64, lacks bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	w := b.wallets[owner]
	if w == nil || w.parts[part] != 0 && w.parts[part] >= w.needs {
		return 0, false
	}
	return w.needs, true
}

// Complete tells whether all that a wallet holds is known, and the slot of the
// oldest snapshot that this rests on, 0 where there is none of some part.
func (b *Book) Complete(owner solana.PublicKey) (slot uint64, complete bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	w := b.wallets[owner]
	if w == nil {
		return 0, false
	}
	slot = slices.Min(w.parts[:])
	return slot, w.sure && slot != 0 && slot >= w.needs && !w.partial
}

// Partial tells whether a wallet has more accounts than are kept.
func (b *Book) Partial(owner solana.PublicKey) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	w := b.wallets[owner]
	return w != nil && w.partial
}

// Accounts are a wallet's token accounts that hold something, at most limit.
func (b *Book) Accounts(owner solana.PublicKey, limit int) []solana.PublicKey {
	b.mu.RLock()
	defer b.mu.RUnlock()
	w := b.wallets[owner]
	if w == nil {
		return nil
	}
	var keys []solana.PublicKey
	for at, h := range w.holdings {
		if !at.native && !at.account.IsZero() && h.newest().post > 0 {
			keys = append(keys, at.account)
		}
	}
	slices.SortFunc(keys, func(a, b solana.PublicKey) int { return slices.Compare(a[:], b[:]) })
	return keys[:min(limit, len(keys))]
}

// Load takes a snapshot, and appends to dst the balances that it changed. Changes
// of its slot and before are in it, whether they came already or come later: they
// do not count beside it. Accounts of the part that it does not name hold nothing.
// One that is older than what is known of the part is passed over.
func (b *Book) Load(s *Snapshot, dst []swapcast.Balance) []swapcast.Balance {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.wallets[s.Owner]
	if w == nil || s.Slot == 0 || s.Slot <= w.parts[s.Part] {
		return dst
	}
	w.parts[s.Part] = s.Slot
	before := make(map[asset]uint64)
	note := func(a asset) {
		if _, known := before[a]; !known {
			before[a] = b.balance(w, s.Owner, a).Amount
		}
	}
	named := make(map[place]struct{}, len(s.Accounts))
	for i := range s.Accounts {
		a := &s.Accounts[i]
		at := place{asset{a.Mint, s.Part == PartSOL}, a.Key}
		named[at] = struct{}{}
		h := w.holdings[at]
		if h == nil && a.Amount == 0 {
			continue
		}
		fresh := len(w.assets[at.asset]) == 0
		if !fresh {
			note(at.asset)
		}
		if h == nil {
			h = b.add(w, &holding{owner: s.Owner, place: at, part: s.Part, decimals: a.Decimals})
		}
		if h == nil {
			continue
		}
		if fresh {
			before[at.asset] = ^a.Amount // nothing was told of it: it is news
		}
		b.rebase(h, s.Slot, a.Amount)
	}
	for at, h := range w.holdings {
		if _, ok := named[at]; !ok && h.part == s.Part {
			note(at.asset)
			b.rebase(h, s.Slot, 0)
		}
	}
	start := len(dst)
	for a, was := range before {
		if now := b.balance(w, s.Owner, a); now.Amount != was {
			dst = append(dst, now)
		}
	}
	slices.SortFunc(dst[start:], func(x, y swapcast.Balance) int { return slices.Compare(x.Mint[:], y.Mint[:]) })
	b.opts.Metrics.snapshot(s.Part)
	return dst
}

// rebase sets what an account held at the end of a slot.
func (b *Book) rebase(h *holding, slot, amount uint64) {
	if h.base.ref.Slot > slot {
		return // what is settled is newer
	}
	h.base = change{ref: swapcast.TxRef{Slot: slot}, index: afterAll, post: amount}
	kept := h.pending[:0]
	for _, c := range h.pending {
		if c.ref.Slot <= slot {
			b.forget(c.ref, h)
			continue
		}
		kept = append(kept, c)
	}
	h.pending = kept
}
