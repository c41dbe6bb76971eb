package market

import (
	"slices"

	"github.com/swapcast/swapcast"
)

// journal is what Retract needs to go back: for each swap, tick and token list,
// in the order in which they came, itself and what it changed, as that was
// before. Each kind of state has a log of its own whose records touch nothing
// that another log restores; an entry holds where each of them stood. A nil
// *journal keeps nothing.
//
// The logs are rings that grow by doubling and are used again, so that the steady
// state allocates nothing. A stale record may hold on to a mint or a pool until
// it is written over; those of comings are wiped.
type journal struct {
	bound   int // of swaps
	entries undoLog[entry]
	swaps   int            // entries that are swaps
	cut     swapcast.TxRef // transaction of the swap that was forgotten last

	mints    undoLog[mintImage]
	quotes   undoLog[quoteImage]
	pools    undoLog[poolImage]
	trades   undoLog[tradeImage]
	olds     undoLog[swapcast.Trade] // that others took the place of
	causes   undoLog[causeImage]
	books    undoLog[bookImage]
	openings undoLog[openImage]
	pushes   undoLog[pushImage]
	comings  undoLog[coming]

	// Scratch of Retract.
	swap    swapcast.Swap
	update  Update
	changes comparison
}

// undoLog is a ring of records with positions that never repeat: those in
// [from, to) are kept.
type undoLog[T any] struct {
	buf      []T // as long as a power of two
	from, to uint64
}

// push returns the place of the next record, whatever was in it.
func (l *undoLog[T]) push() *T {
	if l.to-l.from == uint64(len(l.buf)) {
		l.grow()
	}
	l.to++
	return l.at(l.to - 1)
}

func (l *undoLog[T]) grow() {
	old := *l
	l.buf = make([]T, max(16, 2*len(old.buf)))
	for i := l.from; i < l.to; i++ {
		*l.at(i) = *old.at(i)
	}
}

// at is the record at a position. One that was popped stays readable there until
// as many have been pushed again.
func (l *undoLog[T]) at(i uint64) *T { return &l.buf[i&uint64(len(l.buf)-1)] }

// pop takes the newest record off; it is good until the next push.
func (l *undoLog[T]) pop() *T {
	l.to--
	return l.at(l.to)
}

// entryKind says what came.
type entryKind uint8

const (
	entrySwap    entryKind = iota
	entryRefused           // a swap that says nothing, kept so that it is not taken for unknown
	entryTick
	entryTokens
)

// entry is one thing that came, with the state before it.
type entry struct {
	kind   entryKind
	dead   bool // being retracted
	swap   swapcast.Swap
	at     int64      // receipt of a swap, Unix ns; time of a tick, Unix seconds
	tokens *tokenList // of entryTokens
	facts  facts
	marks  marks
}

// tokenList is what AddTokens was called with, and what it replaced.
type tokenList struct {
	added  []swapcast.Token
	before []swapcast.Token // a mint that is added twice is the same here twice
	listed []bool           // which of before there were
}

// marks is where each log stood.
type marks struct {
	mints, causes, quotes, pools, trades, olds, books, openings, pushes, comings uint64
	mintUse, poolUse, tradeUse, candleUse                                        uint64
}

type mintImage struct {
	ms            *mintState
	decimals      uint8
	decimalsKnown bool
	state         mintFacts
}

type causeImage struct {
	ms    *mintState
	cause cause
}

type quoteImage struct {
	ms    *mintState
	quote secondQuote
}

type poolImage struct {
	p     *pool
	state poolState
}

// tradeImage is of a trade that was added to a mint's ring.
type tradeImage struct {
	ms   *mintState
	over bool // in the place of another, which is in the log of those
	full bool // the ring's, before
}

type bookImage struct {
	k *candleBook
	bookFacts
}

type openImage struct {
	k    *candleBook
	open [swapcast.Intervals]bar
}

// pushImage is of a bar that was added to a ring.
type pushImage struct {
	k        *candleBook
	interval swapcast.Interval
	over     bool // in the place of old
	old      bar
}

// coming is something that came or went as a whole.
type coming struct {
	what            comingKind
	ms              *mintState
	p, before       *pool // before: the one that it followed at its address, nil none
	atBase, atQuote int   // places in the mints' lists
	trades          ring
	candles         *candleBook
}

type comingKind uint8

const (
	mintCame comingKind = iota
	mintWent
	poolCame
	poolWent
	tradesWent
	candlesReplaced // by others, by none, or none by the first
)

// begin opens the entry of what comes now; nil where no journal is kept.
func (m *Market) begin(kind entryKind) *entry {
	j := m.journal
	if j == nil {
		return nil
	}
	if kind <= entryRefused {
		for j.swaps >= j.bound {
			m.forgetOldest()
			m.metrics.overflow()
		}
		j.swaps++
	}
	e := j.entries.push()
	e.kind, e.dead, e.tokens = kind, false, nil
	e.facts = m.facts
	e.marks = m.marks()
	return e
}

// recordSwap opens the entry of a swap.
func (m *Market) recordSwap(s *swapcast.Swap, at int64, kind entryKind) {
	if e := m.begin(kind); e != nil {
		e.swap, e.at = *s, at
	}
}

// recordTick opens the entry of a tick. Two in a row are the later one.
func (m *Market) recordTick(unix int64) {
	if j := m.journal; j != nil && j.entries.to > j.entries.from {
		if last := j.entries.at(j.entries.to - 1); last.kind == entryTick {
			last.at = max(last.at, unix)
			return
		}
	}
	if e := m.begin(entryTick); e != nil {
		e.at = unix
	}
}

// recordTokens opens the entry of a token list.
func (m *Market) recordTokens(tokens []swapcast.Token) {
	e := m.begin(entryTokens)
	if e == nil {
		return
	}
	e.tokens = &tokenList{added: slices.Clone(tokens)}
	for i := range tokens {
		before, listed := m.tokens[tokens[i].Mint]
		e.tokens.before = append(e.tokens.before, before)
		e.tokens.listed = append(e.tokens.listed, listed)
	}
}

// keepJournal begins a journal of so many swaps.
func (m *Market) keepJournal(bound int) {
	m.journal = &journal{bound: bound}
	m.mintUse.moves, m.poolUse.moves = &undoLog[lruMove[mintState]]{}, &undoLog[lruMove[pool]]{}
	m.tradeUse.moves, m.candleUse.moves = &undoLog[lruMove[mintState]]{}, &undoLog[lruMove[mintState]]{}
}

func (m *Market) marks() marks {
	j := m.journal
	return marks{
		mints: j.mints.to, causes: j.causes.to, quotes: j.quotes.to, pools: j.pools.to, trades: j.trades.to, olds: j.olds.to,
		books: j.books.to, openings: j.openings.to, pushes: j.pushes.to, comings: j.comings.to,
		mintUse: m.mintUse.moves.to, poolUse: m.poolUse.moves.to,
		tradeUse: m.tradeUse.moves.to, candleUse: m.candleUse.moves.to,
	}
}

// forgetOldest makes what came first final.
func (m *Market) forgetOldest() {
	j := m.journal
	if e := j.entries.at(j.entries.from); e.kind <= entryRefused {
		j.swaps--
		j.cut = refOf(&e.swap)
	}
	j.entries.from++
	to := m.marks()
	if j.entries.from < j.entries.to {
		to = j.entries.at(j.entries.from).marks
	}
	for i := j.comings.from; i < to.comings; i++ {
		*j.comings.at(i) = coming{}
	}
	j.causes.from, j.olds.from = to.causes, to.olds
	j.mints.from, j.quotes.from, j.pools.from, j.trades.from = to.mints, to.quotes, to.pools, to.trades
	j.books.from, j.openings.from, j.pushes.from, j.comings.from = to.books, to.openings, to.pushes, to.comings
	m.mintUse.moves.from, m.poolUse.moves.from = to.mintUse, to.poolUse
	m.tradeUse.moves.from, m.candleUse.moves.from = to.tradeUse, to.candleUse
}

func refOf(s *swapcast.Swap) swapcast.TxRef {
	return swapcast.TxRef{Slot: s.Slot, Signature: s.Signature}
}

// The methods below are called before the change that they record.

func (j *journal) mint(ms *mintState) {
	if j == nil {
		return
	}
	r := j.mints.push()
	r.ms, r.decimals, r.decimalsKnown = ms, ms.decimals, ms.decimalsKnown
	r.state = ms.state
}

func (j *journal) cause(ms *mintState) {
	if j == nil {
		return
	}
	r := j.causes.push()
	r.ms, r.cause = ms, ms.cause
}

func (j *journal) quote(ms *mintState) {
	if j != nil {
		*j.quotes.push() = quoteImage{ms, ms.quote}
	}
}

func (j *journal) pool(p *pool) {
	if j == nil {
		return
	}
	r := j.pools.push()
	r.p, r.state = p, p.state
}

func (j *journal) trade(ms *mintState, bound int) {
	if j == nil {
		return
	}
	t, r := &ms.trades, j.trades.push()
	r.ms, r.full = ms, t.full
	if r.over = t.full || len(t.buf) >= bound; r.over {
		*j.olds.push() = t.buf[t.next]
	}
}

func (j *journal) book(k *candleBook) {
	if j == nil {
		return
	}
	r := j.books.push()
	r.k, r.bookFacts = k, k.bookFacts
}

func (j *journal) opening(k *candleBook) {
	if j == nil {
		return
	}
	r := j.openings.push()
	r.k, r.open = k, k.open
}

func (j *journal) bar(k *candleBook, i swapcast.Interval, bound int) {
	if j == nil {
		return
	}
	past, r := &k.past[i], j.pushes.push()
	r.k, r.interval = k, i
	if r.over = len(past.bars) >= bound; r.over {
		r.old = past.bars[past.next]
	}
}

func (j *journal) came(c coming) {
	if j != nil {
		*j.comings.push() = c
	}
}
