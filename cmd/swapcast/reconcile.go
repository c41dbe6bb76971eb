package main

import (
	"sync"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
)

// reconciler corrects the candles that processed clients were told. Those were
// made from transactions in the order of their arrival, at times that were not
// exactly known yet; once the confirmed market has closed an interval, its candle
// is the one that stands. Owned by the pipeline's goroutine.
type reconciler struct {
	left    prometheus.Counter // candles for which there was no room
	open    map[candleKey]struct{}
	done    map[candleKey]struct{} // compared already, of the last maxFlatBack intervals
	settled int64                  // the time up to which they were looked at last
}

type candleKey struct {
	mint     solana.PublicKey
	interval swapcast.Interval
	start    int64 // Unix seconds
}

// maxReconciled bounds what waits for its interval's end. Candles beyond it
// keep what processed clients were told; there is one for each mint and interval
// that somebody listens to.
const maxReconciled = 100_000

func newReconciler(registry prometheus.Registerer) reconciler {
	left := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "swapcast_candles_unreconciled_total",
		Help: "Candles of processed clients that will not be compared with the confirmed ones: too many were open.",
	})
	registry.MustRegister(left)
	return reconciler{left: left, open: make(map[candleKey]struct{}), done: make(map[candleKey]struct{})}
}

// shownCandles are those with which the following of a processed candle began,
// and those before it that were not confirmed yet: a client may have them over
// HTTP. Their transactions may all be confirmed from when nobody listened.
type shownCandles struct {
	mu sync.Mutex
	// guarded by mu
	list []shownCandle
}

type shownCandle struct {
	candleKey
	settled int64 // the time up to which candles were confirmed, Unix seconds
}

func (s *shownCandles) add(c *swapcast.Candle, settled int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) < maxReconciled { // the reconciler counts those for which it has no room
		s.list = append(s.list, shownCandle{candleKey{c.Mint, c.Interval, c.Start}, settled})
	}
}

// newestCandle is the candle with which the following of a processed one begins:
// the confirmed one where that has gone as far. The processed market keeps what it
// made of a transaction as it came.
func (v *view) newestCandle(confirmed *view, mint solana.PublicKey, i swapcast.Interval) (swapcast.Candle, bool) {
	settled := confirmed.market.Time()
	candle, ok := v.market.Candle(mint, i)
	right, known := confirmed.market.Candle(mint, i)
	over := ok && candle.Start+i.Seconds() <= settled // whatever was in it is confirmed, there or elsewhere
	if over || known && (!ok || right.Start > candle.Start) {
		return right, known
	}
	if ok {
		v.shown.add(&candle, settled)
	}
	return candle, ok
}

// take has the candles compared that somebody was shown since it was called last.
func (r *reconciler) take(s *shownCandles) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.list {
		length := k.interval.Seconds()
		for back := range int64(maxFlatBack) {
			start := k.start - back*length
			if back > 0 && start+length <= k.settled {
				break
			}
			r.add(k.mint, k.interval, start, true)
		}
	}
	s.list = s.list[:0]
}

// note remembers the candles of a confirmed transaction that somebody listens
// to: the one that it belongs to, and the one that the processed market took it
// for. One that was compared already is not again, unless the transaction is late:
// then it has changed since.
func (r *reconciler) note(tx *ledger.Tx, at int64, late bool, s teller) {
	for i := range tx.Swaps {
		swap := &tx.Swaps[i]
		for _, mint := range [2]solana.PublicKey{swap.MintIn, swap.MintOut} {
			for interval := range s.CandlesWantedAt(mint, swapcast.Processed).All() {
				r.add(mint, interval, at, late)
				r.add(mint, interval, swap.BlockTime, late)
			}
		}
	}
}

// applied has candles compared again that a transaction has changed since, since
// the processed market took it for one of a second that had passed.
func (r *reconciler) applied(tx *ledger.Tx, s teller) {
	for i := range tx.Swaps {
		swap := &tx.Swaps[i]
		if swap.BlockTime >= r.settled {
			continue // what it belongs to is compared once it is over
		}
		for _, mint := range [2]solana.PublicKey{swap.MintIn, swap.MintOut} {
			for interval := range s.CandlesWantedAt(mint, swapcast.Processed).All() {
				r.add(mint, interval, swap.BlockTime, true)
			}
		}
	}
}

// corrected has candles compared again that a retraction has changed.
func (r *reconciler) corrected(candles []swapcast.Candle, s teller) {
	for i := range candles {
		c := &candles[i]
		for interval := range s.CandlesWantedAt(c.Mint, swapcast.Processed).All() {
			if interval == c.Interval {
				r.add(c.Mint, interval, c.Start, true)
			}
		}
	}
}

func (r *reconciler) add(mint solana.PublicKey, interval swapcast.Interval, at int64, again bool) {
	if at == 0 {
		return
	}
	k := candleKey{mint, interval, at - at%interval.Seconds()}
	if _, known := r.open[k]; known {
		return
	}
	if _, known := r.done[k]; known && !again {
		return
	}
	if len(r.open) >= maxReconciled {
		r.left.Inc()
		return
	}
	r.open[k] = struct{}{}
}

// run tells the candles whose interval both markets have closed, where they
// differ. Before the processed one has, its own last word is still to come.
func (r *reconciler) run(confirmed, processed *view) {
	r.take(&processed.shown)
	now := min(confirmed.clock, processed.clock)
	if len(r.open) == 0 || now == r.settled {
		return
	}
	r.settled = now
	for k := range r.done {
		if k.start+maxFlatBack*k.interval.Seconds() < now {
			delete(r.done, k)
		}
	}
	for k := range r.open {
		if k.start+k.interval.Seconds() > now {
			continue
		}
		delete(r.open, k)
		r.done[k] = struct{}{}
		told, known := processed.market.CandleAt(k.mint, k.interval, k.start)
		right, ok := confirmed.market.CandleAt(k.mint, k.interval, k.start)
		if !ok && known { // no trade belongs to it after all
			right, ok = flatCandle(confirmed, k)
		}
		if !ok || known && sameCandle(&right, &told) {
			continue
		}
		right.Commitment = swapcast.Processed
		processed.correct(&right)
	}
}

// flatCandle is the confirmed candle of an interval without a trade.
func flatCandle(confirmed *view, k candleKey) (swapcast.Candle, bool) {
	length := k.interval.Seconds()
	since := int((confirmed.clock - k.start) / length)
	if since > maxFlatBack {
		return swapcast.Candle{}, false
	}
	for _, c := range confirmed.market.Candles(k.mint, k.interval, since+1) {
		if c.Start == k.start {
			return c, c.Trades == 0
		}
	}
	// Nothing is known before it: as a retraction leaves such a candle.
	return swapcast.Candle{Mint: k.mint, Interval: k.interval, Start: k.start, Final: true}, true
}

// maxFlatBack is how many intervals may have passed since a candle that is
// corrected to one without a trade.
const maxFlatBack = 64

// restart forgets the candles of a timeline that has ended.
func (r *reconciler) restart() {
	clear(r.open)
	clear(r.done)
	r.settled = 0
}

func sameCandle(a, b *swapcast.Candle) bool {
	return a.Open == b.Open && a.High == b.High && a.Low == b.Low && a.Close == b.Close &&
		a.VolumeUSD == b.VolumeUSD && a.Trades == b.Trades
}
