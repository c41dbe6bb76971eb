package main

import (
	"fmt"
)

// verdict is what one client's book comes to.
type verdict struct {
	lost, wrong, alive, moved int // trades
	candlesLost, candlesWrong int
	candles                   int // that were compared
	balancesWrong, balances   int
}

// judge compares a book with the truth, with its candles where the client followed
// them. Nobody writes either any more.
func judge(b *book, t *truth, candles bool) verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	b.settle0(t)
	var v verdict
	v.judgeTrades(b, t)
	judgeFalls(b, t)
	if candles {
		v.judgeCandles(b, t)
	}
	v.judgeBalances(b, t)
	return v
}

func (v *verdict) judgeTrades(b *book, t *truth) {
	for key, fact := range t.trades {
		tx := &t.txs[fact.tx]
		got, ok := b.trades[key]
		switch {
		case !ok:
			v.lost++
			b.problems.add("trades lost", "%s: of transaction %s in slot %d, never told", b.name, tx.signature, tx.slot)
		case !got.live:
			v.lost++
			b.problems.add("trades lost", "%s: of transaction %s in slot %d, told %d times, in slot %d last, and retracted", b.name, tx.signature, tx.slot, got.times, got.slot)
		case got.slot != tx.slot:
			v.moved++
			b.problems.add("trades in another slot", "%s: of transaction %s, in slot %d and told in %d", b.name, tx.signature, tx.slot, got.slot)
		case got.check != fact.check:
			v.wrong++
			b.problems.add("trades not as they were", "%s: of transaction %s in slot %d", b.name, tx.signature, tx.slot)
		}
	}
	for key, got := range b.trades {
		if _, ok := t.trades[key]; got.live && !ok {
			v.alive++
			b.problems.add("trades that never were", "%s: in slot %d, told %d times", b.name, got.slot, got.times)
		}
	}
}

// judgeFalls looks at what was taken back of slots in which it is true: that is
// right only where an endpoint altered the transaction, or where another bank of
// the slot had it too and lost, which may be all that was known of it until then.
func judgeFalls(b *book, t *truth) {
	for f, trades := range b.falls {
		number, lands := t.bySig[f.signature]
		if !lands || t.txs[number].slot != f.slot {
			continue
		}
		if _, twin := t.twins[f]; twin {
			b.counts.reborn += uint64(len(trades))
			continue
		}
		if _, lied := t.lies[f.signature]; lied {
			b.counts.corrected += uint64(len(trades))
			continue
		}
		b.problems.add("retracted, but true", "%s: %s in slot %d, %d times", b.name, t.txs[number].signature, f.slot, len(trades))
	}
}

func (v *verdict) judgeCandles(b *book, t *truth) {
	for key, fact := range t.candles {
		if key.start+key.interval.Seconds() > t.clock {
			continue // its interval is not over
		}
		mint := t.mints[key.mint]
		first, any := b.since1[topic{"candles", key.interval.String(), mint}]
		if any && key.start < first {
			continue // from before its subscription
		}
		v.candles++
		got, ok := b.candles[key]
		switch {
		case !ok:
			v.candlesLost++
			b.problems.add("candles lost", "%s: %s %s at %d", b.name, mint, key.interval, key.start)
		case !got.final:
			v.candlesWrong++
			b.problems.add("candles not final", "%s: %s %s at %d, last told on connection %d", b.name, mint, key.interval, key.start, got.session)
		case got.candleFact != fact:
			v.candlesWrong++
			b.problems.add("candles not as they were", "%s: %s %s at %d: told %v on connection %d, true %v", b.name, mint, key.interval, key.start, got.candleFact, got.session, fact)
		}
	}
	for key, got := range b.candles {
		if key.start+key.interval.Seconds() > t.clock {
			continue // what it will be is not known yet
		}
		if _, ok := t.candles[key]; !ok && got.trades > 0 && key.mint >= 0 {
			v.candlesWrong++
			b.problems.add("candles that never were", "%s: %s %s at %d: %v", b.name, t.mints[key.mint], key.interval, key.start, got.candleFact)
		}
	}
}

func (v *verdict) judgeBalances(b *book, t *truth) {
	for key, fact := range t.balances {
		v.balances++
		got, ok := b.balances[key]
		if !ok || got.amount != fact.amount {
			v.balancesWrong++
			b.problems.add("balances wrong", "%s: %s of %s native %v: told %d (slot %d, %v), true %d (market's slot %d)", b.name, key.mint, key.owner, key.native, got.amount, got.slot, ok, fact.amount, fact.slot)
		}
	}
	for key, got := range b.balances { // what never changed may be told too
		if _, changed := t.balances[key]; changed {
			continue
		}
		if held, ok := t.held[key]; !ok || held != got.amount {
			v.balancesWrong++
			b.problems.add("balances wrong", "%s: %s of %s native %v was told to be %d; it never changed, known %v: %d", b.name, key.mint, key.owner, key.native, got.amount, ok, held)
		}
	}
}

// settle0 is settle with the truth's lock held: mints are looked up before.
func (b *book) settle0(t *truth) {
	for _, r := range b.repairs {
		if n, ok := t.mintOf[r.topic.id]; ok {
			b.mints[r.topic.id] = n
		}
	}
	b.settle()
}

// String tells the verdict in short.
func (v *verdict) String() string {
	return fmt.Sprintf("lost %d, wrong %d, never were %d, in another slot %d; candles lost %d, wrong %d of %d; balances wrong %d of %d",
		v.lost, v.wrong, v.alive, v.moved, v.candlesLost, v.candlesWrong, v.candles, v.balancesWrong, v.balances)
}
