package market_test

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// failer is any kind of test.
type failer interface{ Fatalf(string, ...any) }

// step is one call that a market gets.
type step struct {
	swap   *swapcast.Swap // or
	tick   int64          // or
	tokens []swapcast.Token
	now    time.Time // what the clock says meanwhile
}

// history feeds a market with a journal, and remembers what another one that
// never saw the retracted swaps would have got.
type history struct {
	m     *market.Market
	o     market.Options
	now   time.Time
	steps []step
	base  int // steps before it are out of the journal's reach
	bound int
	cut   swapcast.TxRef
	told  map[solana.PublicKey]swapcast.Price // as last published
	u     market.Update
}

func newHistory(o market.Options, bound int) *history {
	h := &history{o: o, bound: bound, now: fixedNow(), told: map[solana.PublicKey]swapcast.Price{}}
	o.Now = func() time.Time { return h.now }
	o.JournalSwaps = bound
	h.m = market.New(o)
	return h
}

func (h *history) do(s step) {
	s.now = h.now
	if s.swap != nil {
		for h.swaps() >= h.bound {
			h.forget()
		}
	}
	h.steps = append(h.steps, s)
	run(h.m, s, &h.u)
	for _, p := range h.u.Prices {
		h.told[p.Mint] = p
	}
}

func run(m *market.Market, s step, u *market.Update) {
	u.Prices = u.Prices[:0]
	switch {
	case s.swap != nil:
		m.Apply(s.swap, u)
	case s.tokens != nil:
		m.AddTokens(s.tokens)
	default:
		m.Tick(s.tick)
	}
}

// swaps is how many are in the journal.
func (h *history) swaps() int {
	n := 0
	for _, s := range h.steps[h.base:] {
		if s.swap != nil {
			n++
		}
	}
	return n
}

func (h *history) forget() {
	if s := h.steps[h.base].swap; s != nil {
		h.cut = refOf(s)
	}
	h.base++
}

// settle forgets what Settle says that it does.
func (h *history) settle(slot uint64) {
	present := h.m.Stats().Slot
	for h.base < len(h.steps) {
		if s := h.steps[h.base].swap; s != nil && s.Slot > slot && s.Slot <= present {
			break
		}
		h.forget()
	}
	h.m.Settle(slot)
}

func refOf(s *swapcast.Swap) swapcast.TxRef {
	return swapcast.TxRef{Slot: s.Slot, Signature: s.Signature}
}

// retract takes transactions back, in the market and in the history.
func (h *history) retract(t failer, dead []swapcast.TxRef, r *market.Retraction) {
	var unknown []swapcast.TxRef
	for _, ref := range dead {
		there := slices.ContainsFunc(h.steps[h.base:], func(s step) bool { return s.swap != nil && refOf(s.swap) == ref })
		if (!there || ref == h.cut) && !slices.Contains(unknown, ref) {
			unknown = append(unknown, ref)
		}
	}
	kept := h.steps[:h.base:h.base]
	for _, s := range h.steps[h.base:] {
		if s.swap == nil || !slices.Contains(dead, refOf(s.swap)) {
			kept = append(kept, s)
		}
	}
	h.steps = kept
	was := h.now
	h.now = time.Unix(1, 0) // a swap's time is that of its receipt, not the present
	if !h.m.Retract(dead, r) {
		t.Fatalf("no journal")
	}
	h.now = was
	if !slices.Equal(r.Unknown, unknown) {
		t.Fatalf("unknown %v, want %v", r.Unknown, unknown)
	}
}

// fresh is a market that got what is left of the history, and the prices that it
// published last.
func (h *history) fresh() (*market.Market, map[solana.PublicKey]swapcast.Price) {
	o, now, told := h.o, time.Time{}, map[solana.PublicKey]swapcast.Price{}
	o.Now = func() time.Time { return now }
	m := market.New(o)
	var u market.Update
	for _, s := range h.steps {
		now = s.now
		run(m, s, &u)
		for _, p := range u.Prices {
			told[p.Mint] = p
		}
	}
	return m, told
}

func (h *history) check(t failer) map[solana.PublicKey]swapcast.Price {
	m, told := h.fresh()
	got, want := h.m.Dump(), m.Dump()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("missing: %s", want[i])
		case i >= len(want):
			t.Fatalf("too much: %s", got[i])
		case got[i] != want[i]:
			t.Fatalf("line %d of the state:\n got %s\nwant %s", i, got[i], want[i])
		}
	}
	return told
}

// chain generates what comes: several swaps of several transactions of rising
// slots, some of them odd.
type chain struct {
	t           *rapid.T
	slot, block uint64
	tx          byte
	mints       []solana.PublicKey
	odd         bool
	untimed     int // transactions before the first that has a block time
}

var jitoSOL = solana.MustPublicKeyFromBase58("J1toso1uCk3RLmjorhTtrVwY9HJ7X8V9yYac6Y7kGCPn")

func newChain(t *rapid.T, odd bool) *chain {
	c := &chain{t: t, slot: 5_000, block: 1_764_000_000, odd: odd}
	c.mints = []solana.PublicKey{swapcast.NativeMint(), swapcast.USDC(), swapcast.USDT(), jitoSOL}
	for i := range uint64(7) {
		c.mints = append(c.mints, mint(i))
	}
	return c
}

// transaction returns one to three swaps.
func (c *chain) transaction() []*swapcast.Swap {
	c.tx++
	slot, block := c.slot-uint64(rapid.IntRange(0, 2).Draw(c.t, "behind")), int64(c.block)
	if c.untimed > 0 || c.odd && rapid.IntRange(0, 9).Draw(c.t, "untimed") == 0 {
		block = 0
		c.untimed--
	}
	var swaps []*swapcast.Swap
	for i := range rapid.IntRange(1, 3).Draw(c.t, "swaps") {
		s := c.swap()
		s.Slot, s.TxIndex, s.Index, s.BlockTime = slot, uint64(c.tx), i, block
		s.Signature[0] = c.tx
		swaps = append(swaps, s)
	}
	return swaps
}

func (c *chain) swap() *swapcast.Swap {
	t := c.t
	amount := rapid.Uint64Range(1e6, 1e10)
	in := rapid.IntRange(0, len(c.mints)-1).Draw(t, "in")
	out := (in + rapid.IntRange(1, len(c.mints)-1).Draw(t, "out")) % len(c.mints)
	s := &swapcast.Swap{
		DEX:    rapid.SampledFrom([]string{"raydium-v4", "pumpfun", "meteora-dlmm"}).Draw(t, "dex"),
		MintIn: c.mints[in], MintOut: c.mints[out],
		AmountIn: amount.Draw(t, "amount in"), AmountOut: amount.Draw(t, "amount out"),
		DecimalsIn: chainDecimals(in), DecimalsOut: chainDecimals(out), Trader: key('t', uint64(rapid.IntRange(0, 2).Draw(t, "trader"))),
		FeeBps: 25, ReceivedAt: fixedNow().UnixNano() + int64(c.tx)*3e8,
	}
	// One pool a pair and DEX, now and then another pair's.
	lo, hi := min(in, out), max(in, out)
	s.Pool = pool(uint64(lo*100+hi) + uint64(s.DEX[0])*10_000)
	if s.ReservesKnown = rapid.IntRange(0, 3).Draw(t, "reserves") > 0; s.ReservesKnown {
		s.ReserveIn, s.ReserveOut = amount.Draw(t, "reserve in")*100, amount.Draw(t, "reserve out")*100
	}
	if !c.odd {
		return s
	}
	switch rapid.IntRange(0, 18).Draw(t, "oddity") {
	case 0:
		s.AmountIn = 0
	case 1:
		s.Pool = pool(rapid.Uint64Range(0, 3).Draw(t, "pool"))
	case 2:
		s.ReceivedAt = 0
	case 3:
		s.DecimalsIn = rapid.Uint8Range(0, 9).Draw(t, "decimals")
	case 4:
		s.VirtualKnown, s.VirtualIn, s.VirtualOut = true, amount.Draw(t, "virtual in"), amount.Draw(t, "virtual out")
	case 5:
		s.SpotKnown, s.Spot = true, rapid.Float64Range(0, 100).Draw(t, "spot")
	case 6:
		s.Interim = true
	case 7:
		s.AmountIn = math.MaxUint64
	case 8:
		s.ReserveIn = 0
	case 9, 10, 11: // the source does not tell them
		s.DecimalsIn, s.DecimalsOut = 0, 0
	}
	return s
}

func chainDecimals(mint int) uint8 {
	if mint == 0 || mint == 3 {
		return 9
	}
	return 6
}

// advance moves the chain on, and sometimes the market's clock.
func (c *chain) advance(h *history) {
	c.slot += uint64(rapid.IntRange(0, 2).Draw(c.t, "slots"))
	c.block += uint64(rapid.IntRange(0, 2).Draw(c.t, "seconds"))
	h.now = h.now.Add(time.Duration(rapid.IntRange(0, 900).Draw(c.t, "ms")) * time.Millisecond)
}

// recent draws transactions, the newer ones the likelier, and some that are none.
func (h *history) recent(t *rapid.T) []swapcast.TxRef {
	var dead []swapcast.TxRef
	for range rapid.IntRange(1, 6).Draw(t, "dead") {
		back := rapid.IntRange(0, min(40, len(h.steps))).Draw(t, "back")
		if back == 0 {
			dead = append(dead, swapcast.TxRef{Slot: 4_999, Signature: solana.Signature{255}})
			continue
		}
		if s := h.steps[len(h.steps)-back].swap; s != nil {
			dead = append(dead, refOf(s))
		}
	}
	return dead
}

// TestRetractIsExact holds a market that takes transactions back, again and again,
// against one that never saw them: bounds so tight that it forgets all the time,
// decimals learned and listed, clocks and timelines set back, ticks between.
func TestRetractIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := smallBounds()
		o.MaxCandles, o.IdleSlots = rapid.IntRange(20, 90).Draw(t, "candles"), 30
		o.BlockTimeWithin = time.Duration(rapid.IntRange(0, 3).Draw(t, "wait")) * time.Second
		bound := rapid.SampledFrom([]int{1_000, 1_000, 12}).Draw(t, "journal")
		h, c := newHistory(o, bound), newChain(t, true)
		// The chain runs behind or ahead, and its time is known from the start or later.
		c.block -= uint64(rapid.IntRange(0, 110).Draw(t, "lag"))
		c.untimed = rapid.IntRange(0, 20).Draw(t, "first untimed")
		var r market.Retraction
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			switch rapid.IntRange(0, 19).Draw(t, "step") {
			default:
				for _, s := range c.transaction() {
					h.do(step{swap: s})
				}
			case 0, 1:
				h.do(step{tick: int64(c.block) + int64(rapid.IntRange(-3, 70).Draw(t, "tick"))})
			case 2:
				var list []swapcast.Token // few mints, so that many are listed before, or twice at once
				for range rapid.IntRange(1, 3).Draw(t, "tokens") {
					list = append(list, swapcast.Token{
						Mint: mint(rapid.Uint64Range(0, 3).Draw(t, "listed")), Known: rapid.Bool().Draw(t, "known"),
						Decimals: rapid.Uint8Range(5, 7).Draw(t, "decimals"), Symbol: rapid.StringMatching(`[A-C]`).Draw(t, "symbol"),
					})
				}
				h.do(step{tokens: list})
			case 3: // a replay that begins again
				c.slot -= 1_000
				for range 34 {
					for _, s := range c.transaction()[:1] {
						h.do(step{swap: s})
					}
				}
			case 4: // a clock that is set back
				c.block -= 200
				for range 34 {
					for _, s := range c.transaction()[:1] {
						h.do(step{swap: s})
					}
				}
			case 5:
				h.settle(c.slot - uint64(rapid.IntRange(0, 12).Draw(t, "settled")))
			case 6, 7, 8:
				h.retract(t, h.recent(t), &r)
				h.check(t)
			case 9:
				c.slot += 40 // mints are idle
			}
			c.advance(h)
		}
		h.retract(t, h.recent(t), &r)
		h.check(t)
	})
}

// TestRetractAll takes everything back: an empty market is left.
func TestRetractAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h, c := newHistory(smallBounds(), 1_000), newChain(t, true)
		var dead []swapcast.TxRef
		for range rapid.IntRange(1, 30).Draw(t, "transactions") {
			for _, s := range c.transaction() {
				h.do(step{swap: s})
				dead = append(dead, refOf(s))
			}
			c.advance(h)
		}
		var r market.Retraction
		h.retract(t, dead, &r)
		h.check(t)
		for _, p := range r.Prices {
			if p.Known && p.Mint != swapcast.USDC() && p.Mint != swapcast.USDT() {
				t.Fatalf("a price is left: %+v", p)
			}
		}
		for _, k := range r.Candles {
			if k.Trades != 0 || k.Open != 0 {
				t.Fatalf("a candle is left: %+v", k)
			}
		}
		if entries, records := h.m.JournalEntries(); entries != 0 || records != 0 {
			t.Fatalf("%d entries, %d records", entries, records)
		}
	})
}

// TestRetractionTellsAll follows a market as its clients do: what they were told,
// corrected by what Retract says, is what a market tells that never saw the dead.
func TestRetractionTellsAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h, c := newHistory(market.Options{Now: fixedNow}, 1_000), newChain(t, false)
		var r market.Retraction
		for range rapid.IntRange(1, 5).Draw(t, "forks") {
			for range rapid.IntRange(1, 15).Draw(t, "transactions") {
				for _, s := range c.transaction() {
					h.do(step{swap: s})
				}
				c.advance(h)
			}
			shown := candlesOf(h.m, c.mints)
			dead := h.recent(t)
			trades := map[swapcast.RetractedTrade]bool{}
			highest := uint64(0)
			for _, s := range h.steps {
				if slices.Contains(dead, refOf(s.swap)) {
					highest = max(highest, s.swap.Slot)
					for _, k := range []solana.PublicKey{s.swap.MintIn, s.swap.MintOut} {
						trades[swapcast.RetractedTrade{Mint: k, Slot: s.swap.Slot, Signature: s.swap.Signature, Index: s.swap.Index}] = true
					}
				}
			}
			h.retract(t, dead, &r)
			want := h.check(t)

			checkTrades(t, trades, r.Trades)
			for _, p := range r.Prices {
				if p.Corrects != highest {
					t.Fatalf("corrects %d, want %d", p.Corrects, highest)
				}
				h.now = fixedNow() // not stale
				now, _ := h.m.Price(p.Mint)
				if p.Corrects = 0; p != now {
					t.Fatalf("told %+v, reads %+v", p, now)
				}
				h.told[p.Mint] = want[p.Mint]
			}
			for k, p := range h.told {
				if w := want[k]; p.USD != w.USD || p.Known != w.Known || p.Signature != w.Signature || p.LiquidityUSD != w.LiquidityUSD {
					t.Fatalf("clients were left with %+v, should have %+v", p, w)
				}
			}
			for _, k := range r.Candles {
				at := candleKey{k.Mint, k.Interval, k.Start}
				if shown[at] == k {
					t.Fatalf("told without a change: %+v", k)
				}
				if shown[at] = k; k.Trades == 0 {
					if k.Open != k.Close || k.High != k.Low || k.Open != k.High || k.VolumeUSD != 0 {
						t.Fatalf("not flat: %+v", k)
					}
					delete(shown, at)
				}
			}
			for at, k := range candlesOf(h.m, c.mints) {
				// Whether a candle is over is for the clock to say: one whose trades stand
				// is not told again where that went back.
				if s := shown[at]; s.Start == 0 || !sameBar(s, k) {
					t.Fatalf("clients show %+v, should show %+v", shown[at], k)
				}
				delete(shown, at)
			}
			if len(shown) > 0 {
				t.Fatalf("clients show what is no more: %+v", shown)
			}
		}
	})
}

type candleKey struct {
	mint     solana.PublicKey
	interval swapcast.Interval
	start    int64
}

// candlesOf is every candle that has trades.
func candlesOf(m *market.Market, mints []solana.PublicKey) map[candleKey]swapcast.Candle {
	all := map[candleKey]swapcast.Candle{}
	for _, k := range mints {
		for i := range swapcast.Intervals {
			for _, c := range m.Candles(k, i, 1_000) {
				if c.Trades > 0 {
					all[candleKey{k, i, c.Start}] = c
				}
			}
		}
	}
	return all
}

func sameBar(a, b swapcast.Candle) bool {
	a.Final, b.Final = false, false
	return a == b
}

func checkTrades(t *rapid.T, want map[swapcast.RetractedTrade]bool, got []swapcast.RetractedTrade) {
	if len(got) != len(want) {
		t.Fatalf("%d trades, want %d", len(got), len(want))
	}
	for i, tr := range got {
		if !want[tr] {
			t.Fatalf("not dead: %+v", tr)
		}
		if i > 0 && cmp.Or(cmp.Compare(got[i-1].Slot, tr.Slot), slices.Compare(got[i-1].Mint[:], tr.Mint[:])) > 0 {
			t.Fatalf("not grouped: %+v", got)
		}
	}
}
