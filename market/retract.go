package market

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Retraction is what Retract changed, for those who were told otherwise. The
// caller owns it and reuses it; Retract resets all lists.
type Retraction struct {
	// Prices has each mint whose published price is another one now: its price at
	// present, with the highest dead slot in Corrects. Known is false where it has
	// none any more; Slot is 0 where no swap of it is left.
	Prices []swapcast.Price
	// Trades has both trades of each swap that was taken back, those of one slot
	// and mint side by side.
	Trades []swapcast.RetractedTrade
	// Candles has each candle that changed as it is now, final ones too, by mint,
	// interval and time. One that
	// has no trade left has Trades 0 and reads as an interval without a trade
	// does: flat at the close before it; its prices are 0 where there is none
	// before it. ReceivedAt is 0.
	Candles []swapcast.Candle
	// Unknown has the transactions that could not be taken back whole: never
	// applied, settled, or forgotten for JournalSwaps. What the journal still had
	// of them is taken back.
	Unknown []swapcast.TxRef
	// Swaps is how many were taken back, Replayed how many of the others came
	// after the first of them and were applied again.
	Swaps, Replayed int
}

func (r *Retraction) reset() {
	r.Prices, r.Trades, r.Candles, r.Unknown = r.Prices[:0], r.Trades[:0], r.Candles[:0], r.Unknown[:0]
	r.Swaps, r.Replayed = 0, 0
}

// Retract takes back every swap of the given transactions: afterwards the state
// is that of a market that never saw them and got all others in the order, at
// the times and between the ticks in which they came. It fills out with what
// that changed. The goroutine that applies calls it; readers see the state
// before or after, and wait meanwhile: about two microseconds for each swap that
// came after the first dead one. False where Options.JournalSwaps is 0: nothing
// is kept that could be taken back.
func (m *Market) Retract(dead []swapcast.TxRef, out *Retraction) bool {
	out.reset()
	if m.journal == nil {
		out.Unknown = append(out.Unknown, dead...)
		m.metrics.unknown(len(dead))
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	first, end := m.markDead(dead, out), m.journal.entries.to
	if first < end {
		m.compare(first, end)
		m.undoTo(first)
		m.replay(first, end, out)
		m.tell(out)
		m.sizes()
	}
	m.metrics.retract(out)
	return true
}

// markDead marks the swaps of the transactions, tells the trades that they made
// and which transactions it does not have, and returns where the first one is.
func (m *Market) markDead(dead []swapcast.TxRef, out *Retraction) uint64 {
	j := m.journal
	found := make(map[swapcast.TxRef]bool, len(dead))
	lowest, highest := uint64(math.MaxUint64), uint64(0)
	for _, ref := range dead {
		found[ref] = false
		lowest, highest = min(lowest, ref.Slot), max(highest, ref.Slot)
	}
	first := j.entries.to
	j.changes.corrects = 0
	for i := j.entries.from; i < j.entries.to; i++ {
		e := j.entries.at(i)
		if e.kind > entryRefused || e.swap.Slot < lowest || e.swap.Slot > highest {
			continue
		}
		ref := refOf(&e.swap)
		if _, e.dead = found[ref]; !e.dead {
			continue
		}
		found[ref] = true
		first = min(first, i)
		if e.kind == entrySwap {
			j.changes.corrects = max(j.changes.corrects, ref.Slot)
			out.Swaps++
			for _, mint := range [2]solana.PublicKey{e.swap.MintIn, e.swap.MintOut} {
				out.Trades = append(out.Trades, swapcast.RetractedTrade{
					Mint: mint, Slot: ref.Slot, Signature: ref.Signature, Index: e.swap.Index,
				})
			}
		}
	}
	slices.SortStableFunc(out.Trades, func(a, b swapcast.RetractedTrade) int {
		return cmp.Or(cmp.Compare(a.Slot, b.Slot), bytes.Compare(a.Mint[:], b.Mint[:]))
	})
	if found[j.cut] {
		found[j.cut] = false // what was forgotten of it stays
	}
	for _, ref := range dead {
		if !found[ref] {
			out.Unknown = append(out.Unknown, ref)
			found[ref] = true // once
		}
	}
	return first
}

// replay applies the living entries again that were undone. Each goes into the
// log at its old place or before, so that none is written over before it is read.
func (m *Market) replay(first, end uint64, out *Retraction) {
	j := m.journal
	counted := m.metrics
	m.metrics = nil // what happens again was counted when it came
	for i := first; i < end; i++ {
		e := j.entries.at(i)
		if e.dead {
			continue
		}
		at, tokens := e.at, e.tokens
		switch e.kind {
		case entrySwap:
			out.Replayed++
			j.swap = e.swap
			j.update.Prices, j.update.Trades = j.update.Prices[:0], j.update.Trades[:0]
			m.apply(&j.swap, at, &j.update)
		case entryRefused:
			j.swap = e.swap
			m.recordSwap(&j.swap, at, entryRefused)
		case entryTick:
			m.tick(at)
		case entryTokens:
			m.addTokens(tokens.added)
		}
	}
	m.metrics = counted
}

// Settle says that every slot up to this one is final, so that Retract need not
// reach there any more. What came after a swap of a later slot is kept with it,
// until that one is settled too. The goroutine that applies calls it.
func (m *Market) Settle(slot uint64) {
	j := m.journal
	if j == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for j.entries.from < j.entries.to {
		// A slot beyond the present is of a timeline that has ended.
		e := j.entries.at(j.entries.from)
		if e.kind <= entryRefused && e.swap.Slot > slot && e.swap.Slot <= m.time.slot {
			break
		}
		m.forgetOldest()
	}
	m.metrics.journal(j.swaps)
}
