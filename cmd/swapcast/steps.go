package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
	"github.com/swapcast/swapcast/market"
	"github.com/swapcast/swapcast/wallet"
)

// view is the world at one commitment: the processed one takes transactions as
// they come and gives back those that the chain drops, the confirmed one takes
// whole confirmed slots in order. Owned by the pipeline's goroutine; market and
// book may be read by anybody.
type view struct {
	// static after construction
	commitment swapcast.Commitment
	market     *market.Market
	book       *wallet.Book
	stream     teller

	wallets *wallets // told what wallets did; of the processed view

	shown shownCandles // by its lock; of the processed view

	update     market.Update
	retraction market.Retraction
	balances   []swapcast.Balance
	owners     []solana.PublicKey // wallets that a step changed
	moved      []solana.PublicKey // mints that were traded since candles were told
	movedAt    int64              // at which second all of them were, Unix
	clock      int64              // the market's time that the stream was told, Unix seconds
}

// apply takes what one transaction did. blockTime, where not 0, is better known
// than what the swaps say.
func (v *view) apply(tx *ledger.Tx, blockTime int64) {
	for i := range tx.Swaps {
		swap := tx.Swaps[i]
		if blockTime != 0 {
			swap.BlockTime = blockTime
		}
		v.at(&swap)
		v.market.Apply(&swap, &v.update)
		for j := range v.update.Trades {
			v.stream.PublishTrade(&v.update.Trades[j])
			if mint := v.update.Trades[j].Mint; !slices.Contains(v.moved, mint) {
				v.moved = append(v.moved, mint)
			}
		}
		for j := range v.update.Prices {
			v.stream.PublishPrice(&v.update.Prices[j])
		}
	}
	if len(tx.Changes) > 0 {
		v.balances = v.book.Apply(tx.TxRef, tx.Index, tx.Changes, v.balances[:0])
		v.publishBalances(tx.ReceivedAt)
		v.positions(tx, blockTime)
	}
}

// positions takes what a transaction did to wallets, at the prices that it left.
func (v *view) positions(tx *ledger.Tx, blockTime int64) {
	if v.wallets == nil {
		return
	}
	t := wallet.Tx{TxRef: tx.TxRef, Index: tx.Index, BlockTime: cmp.Or(blockTime, tx.BlockTime), Swaps: tx.Swaps, Changes: tx.Changes}
	if t.BlockTime == 0 {
		t.BlockTime = tx.Changes[0].BlockTime
	}
	v.owners = v.wallets.positions.Apply(&t, v.price, v.owners[:0])
	v.outdated()
}

// price is what a whole token is worth now.
func (v *view) price(mint solana.PublicKey) (usd float64, ok bool) {
	p, ok := v.market.Price(mint)
	return p.USD, ok && p.Known
}

// outdated has what is cached of the wallets in owners and balances dropped.
func (v *view) outdated() {
	if v.wallets == nil {
		return
	}
	for i := range v.balances {
		if !slices.Contains(v.owners, v.balances[i].Owner) {
			v.owners = append(v.owners, v.balances[i].Owner)
		}
	}
	for _, owner := range v.owners {
		v.wallets.changed(owner)
	}
}

// load takes a snapshot of a wallet.
func (v *view) load(s *wallet.Snapshot) {
	v.balances, v.owners = v.book.Load(s, v.balances[:0]), append(v.owners[:0], s.Owner)
	v.publishBalances(0)
	v.outdated()
}

// at tells the candles of the second before where a swap is of another one: the
// newest candle alone would not show them any more.
func (v *view) at(swap *swapcast.Swap) {
	at := swap.BlockTime
	if at == 0 {
		at = swap.ReceivedAt / int64(time.Second)
	}
	if at != v.movedAt {
		v.candles()
		v.movedAt = at
	}
}

// retract takes back what transactions of one slot did.
func (v *view) retract(dead []swapcast.TxRef) {
	v.market.Retract(dead, &v.retraction)
	trades := v.retraction.Trades
	for len(trades) > 0 {
		first := trades[0]
		r := swapcast.Retract{Mint: first.Mint, Slot: first.Slot, Commitment: v.commitment}
		n := 0
		for n < len(trades) && trades[n].Mint == first.Mint && trades[n].Slot == first.Slot {
			if s := trades[n].Signature; !slices.Contains(r.Signatures, s) {
				r.Signatures = append(r.Signatures, s)
			}
			n++
		}
		trades = trades[n:]
		v.stream.PublishRetract(&r)
	}
	for i := range v.retraction.Prices {
		v.stream.PublishPrice(&v.retraction.Prices[i])
	}
	for i := range v.retraction.Candles {
		v.correct(&v.retraction.Candles[i])
	}
	v.balances = v.book.Retract(dead, v.balances[:0])
	v.publishBalances(0)
	if v.wallets != nil {
		v.owners = v.wallets.positions.Retract(dead, v.owners[:0])
		v.outdated()
	}
}

// correct tells a candle that is not what it was said to be, where somebody
// listens to it.
func (v *view) correct(c *swapcast.Candle) {
	for interval := range v.stream.CandlesWantedAt(c.Mint, v.commitment).All() {
		if interval == c.Interval {
			v.stream.PublishCandle(c)
		}
	}
}

func (v *view) publishBalances(receivedAt int64) {
	for i := range v.balances {
		v.balances[i].ReceivedAt = receivedAt
		v.stream.PublishBalance(&v.balances[i])
	}
}

// advance tells the market and the stream of the chain's time, so that candles
// that have ended are told to be final.
func (v *view) advance(blockTime int64) {
	v.market.Tick(blockTime)
	if now := v.market.Time(); now != v.clock {
		v.clock = now
		v.stream.CloseCandlesAt(now, v.commitment)
	}
}

// candles publishes what was done to the candles that somebody listens to, once
// for all swaps since it was called last: those of a second that has passed too.
func (v *view) candles() {
	if len(v.moved) == 0 {
		return
	}
	v.advance(0)
	for _, mint := range v.moved {
		for interval := range v.stream.CandlesWantedAt(mint, v.commitment).All() {
			start := v.movedAt - v.movedAt%interval.Seconds()
			if candle, ok := v.market.CandleAt(mint, interval, start); ok {
				v.stream.PublishCandle(&candle)
			}
		}
	}
	v.moved = v.moved[:0]
}

// carryOut does what the ledger asks for, in order.
func (p *pipeline) carryOut() {
	if len(p.effects.Steps) == 0 {
		p.settle()
		return
	}
	started := time.Now()
	priced := false
	for i := range p.effects.Steps {
		step := &p.effects.Steps[i]
		switch step.Kind {
		case ledger.StepApply:
			p.processed.apply(step.Tx, 0)
			p.corrects.applied(step.Tx, p.stream)
			priced = priced || len(step.Tx.Swaps) > 0
		case ledger.StepRetract:
			p.processed.retract(refs(step))
			p.corrects.corrected(p.processed.retraction.Candles, p.stream)
		case ledger.StepConfirm:
			p.confirm(step)
		case ledger.StepLate:
			if !step.Applied {
				p.processed.apply(step.Tx, step.BlockTime)
			}
			p.confirmed.apply(step.Tx, step.BlockTime)
			p.sent.Confirmed(step.Tx.Slot, time.Now())
			p.corrects.note(step.Tx, step.BlockTime, true, p.stream)
		case ledger.StepMissing:
			if p.filler != nil {
				p.filler.Missing(step.Slot, step.To)
			}
		case ledger.StepDisputed:
			if p.filler != nil {
				p.filler.Disputed(step.Ref)
			}
		case ledger.StepGap:
			p.gap(step)
		}
	}
	if p.tokens != nil {
		for _, mint := range p.processed.moved {
			p.tokens.Want(mint) // a full queue is counted there; the next trade asks again
		}
	}
	p.processed.candles()
	p.confirmed.candles()
	p.corrects.run(p.confirmed, p.processed)
	if priced {
		p.price.Observe(time.Since(started).Seconds())
	}
	p.effects.Reset()
	p.settle()
}

// settle has the processed view forget how to take back what stands. That is
// known of the ledger's state after all its steps, so it comes after them: a step
// may retract what is settled by the end.
func (p *pipeline) settle() {
	settled := p.ledger.Settled()
	if settled <= p.settled {
		return
	}
	p.settled = settled
	p.processed.market.Settle(settled)
	p.processed.book.Settle(settled)
	p.processed.wallets.positions.Settle(settled)
}

// confirm takes a slot of the confirmed chain.
func (p *pipeline) confirm(step *ledger.Step) {
	at := step.BlockTime
	if at == 0 && p.feed.blockTime() != 0 {
		// The slot before it is nearer than the newest block, which may be from
		// long after it: that would close candles to which its successors belong.
		if at = p.confirmed.market.BlockTime(); at == 0 {
			at = p.feed.blockTime()
		}
	}
	for _, tx := range step.Txs {
		p.confirmed.apply(tx, at)
		p.corrects.note(tx, at, false, p.stream)
	}
	p.confirmed.candles() // whole, before the next slot ends them
	p.confirmed.advance(at)
	if p.confirmed.clock != p.corrects.settled {
		// Now, not after all steps: those may be of minutes, and a candle without a
		// trade is known for so long only.
		p.processed.candles()
		p.corrects.run(p.confirmed, p.processed)
	}
	p.confirmed.book.Settle(step.Slot)
	p.sent.Confirmed(step.Slot, time.Now())
}

// gap says that slots are lost for good.
func (p *pipeline) gap(step *ledger.Step) {
	p.lost.AddGap(step.To - step.Slot + 1)
	p.log.Error("slots are lost: no stream brought them and they cannot be had elsewhere",
		"from", step.Slot, "to", step.To, "slots", step.To-step.Slot+1, "reason", step.Reason)
	p.stream.PublishGap(&swapcast.Gap{FromSlot: step.Slot, ToSlot: step.To, Reason: step.Reason})
	p.processed.wallets.gap(step.Slot, step.To)
}

func refs(step *ledger.Step) []swapcast.TxRef {
	list := make([]swapcast.TxRef, 0, len(step.Txs))
	for _, tx := range step.Txs {
		list = append(list, tx.TxRef)
	}
	return list
}
