package market_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// TestFork is a fork of one slot as clients see it: trades of a token in two pools,
// in three slots and three seconds, of which the chain drops the second.
func TestFork(t *testing.T) {
	t.Parallel()
	h := newHistory(market.Options{}, 100)
	big, small := tokenPool(1, 1, swapcast.USDC(), 2, 100_000), tokenPool(1, 2, swapcast.USDC(), 2, 80_000)
	var dead []swapcast.TxRef
	for i, c := range []*cp{small, big, big, small} {
		slot := []uint64{1_000, 1_000, 1_001, 1_002}[i]
		c.slot, c.tx = slot, uint64(i)
		s := c.pay([]float64{100, 100, 900, 100}[i])
		s.BlockTime += int64(slot - 1_000)
		h.do(step{swap: s})
		if slot == 1_001 {
			dead = append(dead, refOf(s))
		}
	}
	h.do(step{tick: 1_764_000_002})
	near(t, "price before", priceOf(t, h.m, mint(1)).USD, 2.0268, 1e-4)

	var r market.Retraction
	h.retract(t, dead, &r)
	h.check(t)

	var b strings.Builder
	name := func(k solana.PublicKey) string {
		if k == mint(1) {
			return "token"
		}
		return "USDC"
	}
	for _, p := range r.Prices {
		fmt.Fprintf(&b, "price %s %.4f slot %d corrects %d %s\n", name(p.Mint), p.USD, p.Slot, p.Corrects, p.Commitment)
	}
	for _, tr := range r.Trades {
		fmt.Fprintf(&b, "trade %s slot %d tx %d index %d\n", name(tr.Mint), tr.Slot, tr.Signature[0], tr.Index)
	}
	for _, k := range r.Candles {
		if k.Interval == swapcast.Interval1s || k.Interval == swapcast.Interval1m || k.Interval == swapcast.Interval1d {
			fmt.Fprintf(&b, "candle %s %s +%d o %.4f h %.4f l %.4f c %.4f vol %.0f trades %d final %v\n", name(k.Mint), k.Interval,
				k.Start-1_764_000_000, k.Open, k.High, k.Low, k.Close, k.VolumeUSD, k.Trades, k.Final)
		}
	}
	want := `price USDC 1.0000 slot 1002 corrects 1001 processed
price token 2.0067 slot 1002 corrects 1001 processed
trade token slot 1001 tx 3 index 0
trade USDC slot 1001 tx 3 index 0
candle token 1s +1 o 2.0044 h 2.0044 l 2.0044 c 2.0044 vol 0 trades 0 final true
candle token 1s +2 o 2.0067 h 2.0067 l 2.0067 c 2.0067 vol 100 trades 1 final false
candle token 1m +0 o 2.0050 h 2.0067 l 2.0044 c 2.0067 vol 300 trades 3 final false
candle token 1d +-57600 o 2.0050 h 2.0067 l 2.0044 c 2.0067 vol 300 trades 3 final false
candle USDC 1s +1 o 1.0000 h 1.0000 l 1.0000 c 1.0000 vol 0 trades 0 final true
candle USDC 1m +0 o 1.0000 h 1.0000 l 1.0000 c 1.0000 vol 300 trades 3 final false
candle USDC 1d +-57600 o 1.0000 h 1.0000 l 1.0000 c 1.0000 vol 300 trades 3 final false
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(r.Unknown) != 0 || r.Swaps != 1 || r.Replayed != 1 {
		t.Errorf("%+v", r)
	}
}

// TestRetractDecimals forgets decimals that only a dead swap showed.
func TestRetractDecimals(t *testing.T) {
	t.Parallel()
	h := newHistory(market.Options{}, 100)
	c := tokenPool(1, 1, swapcast.USDC(), 2, 1_000)
	for _, decimals := range []uint8{0, 6, 0} {
		s := c.pay(1)
		s.DecimalsOut = decimals
		h.do(step{swap: s})
	}
	priceOf(t, h.m, mint(1))
	var r market.Retraction
	h.retract(t, []swapcast.TxRef{refOf(h.steps[1].swap)}, &r)
	h.check(t)
	if p, ok := h.m.Price(mint(1)); !ok || p.Known {
		t.Errorf("%+v", p)
	}
	if len(r.Prices) == 0 || !slices.ContainsFunc(r.Prices, func(p swapcast.Price) bool { return p.Mint == mint(1) && !p.Known && p.Corrects == 1_000 }) {
		t.Errorf("told %+v", r.Prices)
	}
}

// TestRetractWithoutJournal says that it cannot.
func TestRetractWithoutJournal(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{})
	s := tokenPool(1, 1, swapcast.USDC(), 2, 1_000).pay(1)
	apply(t, m, s)
	was := m.Dump()
	var r market.Retraction
	if m.Retract([]swapcast.TxRef{refOf(s)}, &r) || len(r.Unknown) != 1 || r.Swaps != 0 {
		t.Errorf("%+v", r)
	}
	m.Settle(2_000)
	if !slices.Equal(was, m.Dump()) {
		t.Error("the state has changed")
	}
}

// TestJournalOverflow takes back what the journal still has, and tells the rest: a
// transaction half of which is out of reach too.
func TestJournalOverflow(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	h := newHistory(market.Options{Metrics: market.NewMetrics(reg)}, 5)
	c := tokenPool(1, 1, swapcast.USDC(), 2, 1_000)
	var dead []swapcast.TxRef
	for range 4 { // two swaps a transaction: the first of the second one is out
		for i := range 2 {
			s := c.pay(1)
			s.Signature[0], s.Index = byte(c.tx+1)/2, i
			h.do(step{swap: s})
			if i == 0 {
				dead = append(dead, refOf(s))
			}
		}
	}
	never := swapcast.TxRef{Slot: 1, Signature: solana.Signature{9}}
	var r market.Retraction
	h.retract(t, append(dead[:3:3], never, never), &r)
	h.check(t)
	if want := []swapcast.TxRef{dead[0], dead[1], never}; !slices.Equal(r.Unknown, want) || r.Swaps != 3 || r.Replayed != 2 {
		t.Errorf("%d swaps, %d replayed, unknown %v, want %v", r.Swaps, r.Replayed, r.Unknown, want)
	}
	got := counts(t, reg)
	for name, want := range map[string]float64{
		"swapcast_market_journal_overflow_total": 3,
		"swapcast_market_retracted_swaps_total":  3,
		"swapcast_market_replayed_swaps_total":   2,
		"swapcast_market_retract_unknown_total":  3,
		"swapcast_market_trades":                 10,
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
}

// TestSettle lets go of what is final, but not of what came after a swap that is
// not; what is of a timeline that has ended is final too.
func TestSettle(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	h := newHistory(market.Options{Metrics: market.NewMetrics(reg)}, 1_000)
	c := tokenPool(1, 1, swapcast.USDC(), 2, 1_000)
	at := func(slot uint64) *swapcast.Swap {
		c.slot = slot
		s := c.pay(1)
		h.do(step{swap: s})
		return s
	}
	for _, slot := range []uint64{1_000, 1_001, 1_003, 1_002, 1_004} {
		at(slot)
	}
	h.settle(1_002)
	if n, _ := h.m.JournalEntries(); n != 3 {
		t.Errorf("%d entries, want those from slot 1003 on", n)
	}
	if n := counts(t, reg)["swapcast_market_journal_swaps"]; n != 3 {
		t.Errorf("gauge says %v", n)
	}
	for range 32 {
		at(100)
	}
	h.settle(99)
	if n, _ := h.m.JournalEntries(); n != 32 {
		t.Errorf("%d entries, want those of the new timeline", n)
	}
	last := at(101)
	h.settle(100)
	var r market.Retraction
	h.retract(t, []swapcast.TxRef{refOf(last)}, &r)
	h.check(t)
	h.settle(101)
	if n, records := h.m.JournalEntries(); n != 0 || records != 0 {
		t.Errorf("%d entries, %d records", n, records)
	}
}

// TestRetractFullRings undoes bars and trades that took the place of others.
func TestRetractFullRings(t *testing.T) {
	t.Parallel()
	h := newHistory(market.Options{CandlesPerInterval: 100, TradesPerMint: 10}, 1_000)
	c := tokenPool(1, 1, swapcast.USDC(), 2, 100_000)
	var dead []swapcast.TxRef
	for i := range 250 {
		c.slot++
		s := c.pay(10)
		s.BlockTime += int64(i)
		h.do(step{swap: s})
		if i >= 130 && i%40 == 10 {
			dead = append(dead, refOf(s))
		}
	}
	var r market.Retraction
	h.retract(t, dead, &r)
	h.check(t)
	if r.Swaps != 3 || r.Replayed != 117 {
		t.Errorf("%d swaps, %d replayed", r.Swaps, r.Replayed)
	}
}

// TestRetractCountsOnce leaves the counters of what was ignored and forgotten as
// they were: what is applied again was counted when it came.
func TestRetractCountsOnce(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	o := smallBounds()
	o.Metrics = market.NewMetrics(reg)
	h := newHistory(o, 1_000)
	var first swapcast.TxRef
	for i := range uint64(40) {
		s := tokenPool(i, i, swapcast.USDC(), 2, 1_000).pay(1)
		s.Signature[0] = byte(i)
		if i == 20 {
			first = refOf(s)
		}
		h.do(step{swap: s})
	}
	was := counts(t, reg)
	var r market.Retraction
	h.retract(t, []swapcast.TxRef{first}, &r)
	h.o.Metrics = nil
	h.check(t)
	for name, v := range counts(t, reg) {
		if strings.Contains(name, "evictions") || strings.Contains(name, "ignored") {
			if v != was[name] {
				t.Errorf("%s = %v, was %v", name, v, was[name])
			}
		}
	}
	if was["swapcast_market_evictions_total,mint,limit"] == 0 {
		t.Error("nothing was forgotten")
	}
}

// TestCommitment is told with everything that the market says.
func TestCommitment(t *testing.T) {
	t.Parallel()
	m := newMarket(market.Options{Commitment: swapcast.Confirmed, JournalSwaps: 10})
	s := tokenPool(1, 1, swapcast.USDC(), 2, 1_000).pay(1)
	u := apply(t, m, s)
	price, _ := m.Price(mint(1))
	candle, _ := m.Candle(mint(1), swapcast.Interval1m)
	var r market.Retraction
	m.Retract([]swapcast.TxRef{refOf(s)}, &r)
	for what, got := range map[string]swapcast.Commitment{
		"published price": u.Prices[0].Commitment, "trade": u.Trades[0].Commitment, "price": price.Commitment,
		"candle": candle.Commitment, "corrected price": r.Prices[0].Commitment, "corrected candle": r.Candles[0].Commitment,
	} {
		if got != swapcast.Confirmed {
			t.Errorf("%s is %s", what, got)
		}
	}
}

// TestReadersMeanwhile is for the race detector: readers while swaps come and go.
// None may see a state between the two.
func TestReadersMeanwhile(t *testing.T) {
	t.Parallel()
	o := smallBounds()
	o.JournalSwaps, o.Metrics = 500, market.NewMetrics(nil)
	m := market.New(o)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := uint64(0); ; i++ {
				select {
				case <-done:
					return
				default:
				}
				k := mint(i % 12)
				if p, ok := m.Price(k); ok {
					checkPrice(t, &p)
				}
				m.Trades(k, 10)
				m.Pools(k)
				m.Candles(k, swapcast.Interval1s, 10)
				m.Day(k)
				if i%50 == 0 {
					m.AddTokens([]swapcast.Token{{Mint: k, Decimals: 6, Known: true}})
					m.Tick(1_764_000_000 + int64(i))
				}
				m.Top(5)
				if st := m.Stats(); st.Mints > o.MaxMints || st.Pools > o.MaxPools || st.Trades > o.MaxTrades {
					t.Errorf("out of bounds: %+v", st)
					return
				}
			}
		})
	}
	var u market.Update
	var r market.Retraction
	for i := range uint64(1_500) {
		c := tokenPool(i%12, i%20, swapcast.NativeMint(), 2, 1_000)
		c.slot += i
		s := c.pay(1)
		s.BlockTime += int64(i / 3)
		m.Apply(s, &u)
		switch {
		case i%40 == 39:
			m.Retract([]swapcast.TxRef{{Slot: s.Slot - 5, Signature: s.Signature}, refOf(s)}, &r)
		case i%100 == 99:
			m.Settle(s.Slot - 20)
		case i%10 == 0:
			m.Tick(s.BlockTime)
		}
	}
	close(done)
	wg.Wait()
}
