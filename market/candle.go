package market

import (
	"math"
	"sort"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

const (
	// dustUSD is the value below which a trade is left out of candles: it costs
	// nothing to make any number of them.
	dustUSD = 0.01
	// daySeconds is what Day looks back over, in steps of dayStep.
	daySeconds = 24 * 60 * 60
	dayStep    = swapcast.Interval15m
	// minCandles is the least that Options.CandlesPerInterval may be: a day of
	// dayStep, which Day needs.
	minCandles = 100
)

// seconds are the intervals' lengths, where Apply needs no conversion.
//
//nolint:gochecknoglobals // a constant in var form
var seconds = [swapcast.Intervals]uint32{1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400}

// bar is one candle as it is kept: a plain value, so that an earlier one can be
// put back. Seconds since 1970 in 32 bits reach to the year 2106.
type bar struct {
	start  uint32 // 0: none
	trades uint32
	open   float64
	high   float64
	low    float64
	close  float64
	volume float64
}

// contribution is all that one trade adds to a mint's candles.
type contribution struct {
	at     uint32 // Unix seconds
	price  float64
	volume float64
}

// add takes a trade into the bar; the first one begins it.
func (b *bar) add(c *contribution) {
	if b.trades == 0 {
		b.open, b.high, b.low, b.volume = c.price, c.price, c.price, 0
	}
	if c.price > b.high {
		b.high = c.price
	}
	if c.price < b.low {
		b.low = c.price
	}
	b.close = c.price
	b.volume += c.volume
	if b.trades < math.MaxUint32 {
		b.trades++
	}
}

// join takes a bar that follows into one of the same interval or a longer one.
func (b *bar) join(later *bar) {
	if later.trades == 0 {
		return
	}
	b.high, b.low, b.close = max(b.high, later.high), min(b.low, later.low), later.close
	b.volume += later.volume
	b.trades = uint32(min(uint64(b.trades)+uint64(later.trades), math.MaxUint32)) //nolint:gosec // bounded
}

// barRing keeps the last bars of one interval that the mint has left behind.
type barRing struct {
	bars []bar
	next int // place of the next bar once the ring is full
}

// push keeps b and returns by how many the count of kept bars grew.
func (r *barRing) push(b *bar, bound int) int {
	if len(r.bars) < bound {
		r.bars = append(r.bars, *b)
		return 1
	}
	r.bars[r.next] = *b
	if r.next++; r.next == len(r.bars) {
		r.next = 0
	}
	return 0
}

// back returns the nth newest bar, from 0; nil where there is none.
func (r *barRing) back(n int) *bar {
	if n >= len(r.bars) {
		return nil
	}
	i := r.next - 1 - n
	if i < 0 {
		i += len(r.bars)
	}
	return &r.bars[i]
}

// candleBook is one mint's candles. Intervals without a trade have none.
//
// The first trade of a second goes into all nine open bars. Those that follow
// within that second, most of a busy mint's, are gathered in pending and join
// the bars when it is over; readers join them by themselves.
type candleBook struct {
	bookFacts
	open [swapcast.Intervals]bar // the newest of each interval
	past [swapcast.Intervals]barRing
}

// bookFacts is what every trade changes in the candles.
type bookFacts struct {
	epoch      uint32
	receivedAt int64
	pending    bar // of the second in which all open bars are
}

// newest returns the nth newest bar of an interval, the open one included; one
// with a start of 0 where there is none.
func (k *candleBook) newest(i swapcast.Interval, n int) bar {
	if n > 0 {
		if b := k.past[i].back(n - 1); b != nil {
			return *b
		}
		return bar{}
	}
	b := k.open[i]
	b.join(&k.pending)
	return b
}

// find returns the bar of an interval that begins at a time, and the close of the
// one before it; both 0 where there is none. A nil book has none.
func (k *candleBook) find(i swapcast.Interval, start uint32) (b bar, before float64) {
	if k == nil {
		return bar{}, 0
	}
	n := 0 // how many begin later
	if k.open[i].start > start {
		kept := len(k.past[i].bars)
		n = 1 + sort.Search(kept, func(back int) bool { return k.past[i].back(back).start <= start })
	}
	b = k.newest(i, n)
	if b.start == start {
		return b, k.newest(i, n+1).close
	}
	return bar{}, b.close
}

// settle has the pending trades join the open bars.
func (k *candleBook) settle() {
	if k.pending.trades > 0 {
		for i := range k.open {
			k.open[i].join(&k.pending)
		}
	}
	k.pending = bar{}
}

// count is how many bars are kept.
func (k *candleBook) count() int {
	n := 0
	for i := range k.past {
		n += len(k.past[i].bars)
		if k.open[i].start != 0 {
			n++
		}
	}
	return n
}

// candle takes a trade of a mint into its candles.
func (m *Market) candle(ms *mintState, c *contribution, receivedAt int64) {
	if c.at == 0 || c.volume < dustUSD || !ms.state.priced {
		return
	}
	k := ms.candles
	if k != nil && c.at == k.pending.start && c.at == m.clock.now && k.epoch == m.clock.epoch {
		m.journal.book(k)
		k.pending.add(c)
		k.receivedAt = receivedAt
		return
	}
	switch {
	case k == nil:
		k = m.newCandles(ms)
		m.candleUse.pushFront(ms)
	case k.epoch != m.clock.epoch && c.at < k.open[0].start:
		m.nCandles -= k.count()
		k = m.newCandles(ms)
	}
	m.journal.book(k)
	m.journal.opening(k)
	k.settle()
	k.epoch, k.receivedAt = m.clock.epoch, receivedAt
	if m.spread(k, c) {
		m.metrics.ignore(refuseCandleLate)
	} else if c.at == m.clock.now {
		k.pending.start = c.at
		m.candleUse.touch(ms)
	}
}

// spread takes a trade into the bar of each interval, and begins those that it
// is the first of. It reports whether it came too late for one.
func (m *Market) spread(k *candleBook, c *contribution) (late bool) {
	for i := range k.open {
		b := &k.open[i]
		start := c.at - c.at%seconds[i]
		if start < b.start || m.clock.over(c.at, seconds[i]) {
			late = true
			continue
		}
		if start > b.start {
			if b.start != 0 {
				m.journal.bar(k, swapcast.Interval(i), m.opts.CandlesPerInterval-1) //nolint:gosec // nine of them
				m.nCandles += k.past[i].push(b, m.opts.CandlesPerInterval-1)
			} else {
				m.nCandles++
			}
			*b = bar{start: start}
		}
		b.add(c)
	}
	return late
}

// newCandles begins a mint's candles anew.
func (m *Market) newCandles(ms *mintState) *candleBook {
	m.journal.came(coming{what: candlesReplaced, ms: ms, candles: ms.candles})
	ms.candles = &candleBook{}
	return ms.candles
}

func (m *Market) clearCandles(ms *mintState) {
	if ms.candles == nil {
		return
	}
	m.nCandles -= ms.candles.count()
	m.candleUse.remove(ms)
	m.journal.came(coming{what: candlesReplaced, ms: ms, candles: ms.candles})
	ms.candles = nil
}

// Candle returns a mint's newest candle of an interval: the present one, or the
// last one that had a trade (Final then). False where there is none.
func (m *Market) Candle(mint solana.PublicKey, interval swapcast.Interval) (swapcast.Candle, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ms := m.mints[mint]
	if ms == nil || ms.candles == nil || interval >= swapcast.Intervals || ms.candles.open[interval].start == 0 {
		return swapcast.Candle{Mint: mint, Interval: interval}, false
	}
	b := ms.candles.newest(interval, 0)
	c := m.candleOf(ms.mint, interval, &b)
	c.ReceivedAt = ms.candles.receivedAt
	return c, true
}

func (m *Market) candleOf(mint solana.PublicKey, i swapcast.Interval, b *bar) swapcast.Candle {
	return swapcast.Candle{
		Mint: mint, Interval: i, Start: int64(b.start),
		Open: b.open, High: b.high, Low: b.low, Close: b.close,
		VolumeUSD: b.volume, Trades: uint64(b.trades),
		Final: m.clock.over(b.start, seconds[i]), Commitment: m.opts.Commitment,
	}
}

// Candles returns a mint's candles of an interval, oldest first: the limit
// newest intervals up to the chain's present one, as far back as candles are
// kept. An interval without a trade is a flat candle at the last close, without
// volume and trades.
func (m *Market) Candles(mint solana.PublicKey, interval swapcast.Interval, limit int) []swapcast.Candle {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ms := m.mints[mint]
	if ms == nil || ms.candles == nil || interval >= swapcast.Intervals || limit <= 0 {
		return nil
	}
	k, length := ms.candles, seconds[interval]
	newest := k.open[interval].start
	if newest == 0 {
		return nil
	}
	end := max(newest, m.clock.now-m.clock.now%length)
	first := uint32(0)
	if back := uint64(limit-1) * uint64(length); back < uint64(end) {
		first = end - uint32(back) //nolint:gosec // less than end
	}
	// n is the place of the oldest bar that shows: within the window, or before
	// it and carried in.
	n := 0
	for k.newest(interval, n).start > first && k.newest(interval, n+1).start != 0 {
		n++
	}
	at := max(first, k.newest(interval, n).start)
	candles := make([]swapcast.Candle, 0, (end-at)/length+1)
	for ; at <= end; at += length {
		for n > 0 && k.newest(interval, n-1).start <= at {
			n--
		}
		b := k.newest(interval, n)
		if b.start < at {
			b = bar{start: at, open: b.close, high: b.close, low: b.close, close: b.close}
		}
		candles = append(candles, m.candleOf(ms.mint, interval, &b))
	}
	return candles
}

// Day is what a mint did within the last 24 hours, in steps of a quarter of an
// hour: the present one and the 95 before it.
type Day struct {
	VolumeUSD float64
	Trades    uint64
	// ChangePct is by how many percent the price has risen since Since.
	ChangePct float64
	// Since is from when on trades are counted, Unix seconds: 24 hours ago, or
	// the first trade that is known where that is less long ago.
	Since int64
}

// Day returns a mint's last 24 hours, false where no trade of it is known.
func (m *Market) Day(mint solana.PublicKey) (Day, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ms := m.mints[mint]
	if ms == nil || ms.candles == nil || ms.candles.open[dayStep].start == 0 {
		return Day{}, false
	}
	length := seconds[dayStep]
	from := int64(m.clock.now-m.clock.now%length) - daySeconds + int64(length)
	var d Day
	var before float64 // the price at Since
	for n := 0; ; n++ {
		b := ms.candles.newest(dayStep, n)
		if b.start == 0 {
			break
		}
		if int64(b.start) < from {
			before, d.Since = b.close, from
			break
		}
		d.VolumeUSD += b.volume
		d.Trades += uint64(b.trades)
		before, d.Since = b.open, int64(b.start)
	}
	d.ChangePct = (ms.candles.newest(dayStep, 0).close/before - 1) * 100
	return d, true
}

// CandleAt returns a mint's candle of an interval that begins at start, in Unix
// seconds; false where it had no trade or is kept no more.
func (m *Market) CandleAt(mint solana.PublicKey, interval swapcast.Interval, start int64) (swapcast.Candle, bool) {
	if interval >= swapcast.Intervals || start <= 0 || start > math.MaxUint32 {
		return swapcast.Candle{Mint: mint, Interval: interval}, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	ms := m.mints[mint]
	if ms == nil {
		return swapcast.Candle{Mint: mint, Interval: interval}, false
	}
	b, _ := ms.candles.find(interval, uint32(start))
	return m.candleOf(mint, interval, &b), b.trades > 0
}
