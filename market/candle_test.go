package market_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// noon is a multiple of every interval but a day.
const noon = 1_764_000_000 - 1_764_000_000%86_400 + 43_200

// at gives a swap its time and passes it on.
func at(s *swapcast.Swap, second int64) *swapcast.Swap {
	s.BlockTime = second
	return s
}

func candle(t testing.TB, m *market.Market, k solana.PublicKey, i swapcast.Interval) swapcast.Candle {
	t.Helper()
	c, ok := m.Candle(k, i)
	if !ok {
		t.Fatalf("no %s candle of %s", i, k)
	}
	return c
}

func TestIntervals(t *testing.T) {
	for i := range swapcast.Intervals {
		back, ok := swapcast.ParseInterval(i.String())
		if !ok || back != i || i.Seconds() <= 0 {
			t.Errorf("%d: %q, %d s, reads back as %d %v", i, i, i.Seconds(), back, ok)
		}
		if i > 0 && i.Seconds()%(i-1).Seconds() != 0 {
			t.Errorf("%s is no multiple of %s", i, i-1)
		}
	}
	for _, name := range []string{"", "1S", "2m", "unknown", "1w"} {
		if i, ok := swapcast.ParseInterval(name); ok {
			t.Errorf("%q is %s", name, i)
		}
	}
	var set swapcast.IntervalSet
	set.Add(swapcast.Interval1d)
	set.Add(swapcast.Interval1s)
	var names []string
	for i := range set.All() {
		names = append(names, i.String())
	}
	if fmt.Sprint(names) != "[1s 1d]" {
		t.Error(names)
	}
}

// One pool, so that its price is the mint's: the candle is the path of it.
func TestCandle(t *testing.T) {
	m := newMarket(market.Options{})
	p := tokenPool(1, 1, swapcast.USDC(), 2, 100_000)
	var path []float64
	volume := 0.0
	for i, pay := range []float64{1_000, -3_000, 500} {
		s := at(p.pay(pay), noon+int64(i))
		u := apply(t, m, s)
		path = append(path, u.Prices[0].USD)
		volume += u.Trades[0].AmountUSD
	}
	c := candle(t, m, mint(1), swapcast.Interval5s)
	if c.Start != noon || c.Open != path[0] || c.High != path[0] || c.Low != path[1] || c.Close != path[2] ||
		c.VolumeUSD != volume || c.Trades != 3 || c.Final || c.Mint != mint(1) || c.Interval != swapcast.Interval5s {
		t.Errorf("%+v, prices %v", c, path)
	}
	if c := candle(t, m, mint(1), swapcast.Interval1s); c.Start != noon+2 || c.Trades != 1 || c.Open != path[2] {
		t.Errorf("1s: %+v", c)
	}
	if c := candle(t, m, mint(1), swapcast.Interval1d); c.Start != noon-43_200 || c.Trades != 3 {
		t.Errorf("1d: %+v", c)
	}
	if c := candle(t, m, swapcast.USDC(), swapcast.Interval1m); c.Close != 1 || c.Trades != 3 || c.VolumeUSD != volume {
		t.Errorf("the quote side: %+v", c)
	}
	m.Tick(noon + 4)
	if c := candle(t, m, mint(1), swapcast.Interval5s); c.Final {
		t.Error("final a second too early")
	}
	m.Tick(noon + 5)
	if c := candle(t, m, mint(1), swapcast.Interval5s); !c.Final || c.Close != path[2] {
		t.Errorf("not final at its end: %+v", c)
	}
	if got := m.Time(); got != noon+5 {
		t.Errorf("the time is %d", got)
	}
	m.Tick(noon)
	m.Tick(math.MaxInt64)
	if got := m.Time(); got != noon+5 {
		t.Errorf("the time was moved to %d", got)
	}
	if _, ok := m.Candle(mint(2), swapcast.Interval1m); ok {
		t.Error("a candle of a mint that never traded")
	}
	if _, ok := m.Candle(mint(1), swapcast.Intervals); ok {
		t.Error("a candle of no interval")
	}
}

// A trade far off in a thin pool moves the price of a deep one by nothing, and
// so paints no wick; it counts for volume.
func TestOutlierPaintsNoWick(t *testing.T) {
	m := newMarket(market.Options{})
	deep := tokenPool(1, 1, swapcast.USDC(), 2, 1_000_000)
	thin := tokenPool(1, 2, swapcast.USDC(), 2, 500)
	apply(t, m, at(deep.pay(10), noon))
	apply(t, m, at(thin.pay(10), noon))
	before := candle(t, m, mint(1), swapcast.Interval1m)
	u := apply(t, m, at(thin.pay(2_000), noon+1)) // pays five times the price
	if paid := u.Trades[1].USD; paid < 4 {
		t.Fatalf("paid %v: no outlier", paid)
	}
	after := candle(t, m, mint(1), swapcast.Interval1m)
	if after.High > before.High*1.001 || after.Low < before.Low*0.999 {
		t.Errorf("a wick from %v to %v", before, after)
	}
	if after.Trades != 3 || after.VolumeUSD < 2_000 {
		t.Errorf("not counted: %+v", after)
	}
}

// Dust and trades without a value count for nothing.
func TestDustMakesNoCandle(t *testing.T) {
	m := newMarket(market.Options{})
	p := tokenPool(1, 1, swapcast.USDC(), 2, 100_000)
	apply(t, m, at(p.pay(0.009), noon))
	if c, ok := m.Candle(mint(1), swapcast.Interval1m); ok {
		t.Errorf("of dust: %+v", c)
	}
	apply(t, m, at(p.pay(0.02), noon))
	if c := candle(t, m, mint(1), swapcast.Interval1m); c.Trades != 1 {
		t.Errorf("%+v", c)
	}
	inSOL := tokenPool(2, 2, swapcast.NativeMint(), 2, 100)
	apply(t, m, at(inSOL.pay(1), noon)) // SOL has no price yet
	if c, ok := m.Candle(mint(2), swapcast.Interval1m); ok {
		t.Errorf("without dollars: %+v", c)
	}
}

// What comes after its interval is over is left out of it, and taken by the
// longer ones that are not.
func TestLateTrade(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := newMarket(market.Options{Metrics: market.NewMetrics(reg)})
	p, other := tokenPool(1, 1, swapcast.USDC(), 2, 100_000), tokenPool(2, 2, swapcast.USDC(), 2, 100_000)
	apply(t, m, at(p.pay(10), noon))
	apply(t, m, at(other.pay(10), noon+7))
	apply(t, m, at(p.pay(10), noon+3)) // two intervals of 5 s are open by now, its own is over
	if c := candle(t, m, mint(1), swapcast.Interval5s); c.Trades != 1 || !c.Final {
		t.Errorf("5s: %+v", c)
	}
	if c := candle(t, m, mint(1), swapcast.Interval15s); c.Trades != 2 || c.Final {
		t.Errorf("15s: %+v", c)
	}
	if n := counter(t, reg, "swapcast_market_ignored_total", "reason", "candle_late"); n != 2 { // once a mint
		t.Errorf("%v counted as late", n)
	}
	apply(t, m, at(p.pay(10), noon+6)) // late by seconds, but its 5 s are not over
	if c := candle(t, m, mint(1), swapcast.Interval5s); c.Trades != 1 || c.Start != noon+5 || c.Final {
		t.Errorf("5s: %+v", c)
	}
}

func counter(t *testing.T, reg *prometheus.Registry, name, label, value string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, metric := range f.GetMetric() {
			for _, l := range metric.GetLabel() {
				if l.GetName() == label && l.GetValue() == value {
					return metric.GetCounter().GetValue()
				}
			}
		}
	}
	t.Fatalf("no %s{%s=%q}", name, label, value)
	return 0
}

func TestReceiptStandsInForBlockTime(t *testing.T) {
	m := newMarket(market.Options{})
	s := tokenPool(1, 1, swapcast.USDC(), 2, 100_000).pay(10)
	s.BlockTime, s.ReceivedAt = 0, noon*1e9+999_999_999
	apply(t, m, s)
	if c := candle(t, m, mint(1), swapcast.Interval1s); c.Start != noon || c.ReceivedAt != s.ReceivedAt {
		t.Errorf("%+v", c)
	}
	for _, senseless := range []int64{-5, math.MaxInt64, math.MaxUint32} {
		apply(t, m, at(tokenPool(3, 3, swapcast.USDC(), 2, 100_000).pay(10), senseless))
		if c, ok := m.Candle(mint(3), swapcast.Interval1s); ok {
			t.Errorf("block time %d: %+v", senseless, c)
		}
	}
}

func TestCandlesFillGaps(t *testing.T) {
	m := newMarket(market.Options{})
	p := tokenPool(1, 1, swapcast.USDC(), 2, 100_000)
	for _, second := range []int64{0, 1, 4} {
		apply(t, m, at(p.pay(100), noon+second))
	}
	m.Tick(noon + 6)
	show := func(limit int) string {
		text := ""
		last := 0.0
		for i, c := range m.Candles(mint(1), swapcast.Interval1s, limit) {
			text += fmt.Sprintf("%d:%d", c.Start-noon, c.Trades)
			if c.Trades == 0 && (c.Open != c.Close || c.High != c.Low || c.VolumeUSD != 0 || i > 0 && c.Close != last) {
				text += "!"
			}
			if !c.Final {
				text += "*"
			}
			text += " "
			last = c.Close
		}
		return text
	}
	for limit, want := range map[int]string{
		0: "", 1: "6:0* ", 2: "5:0 6:0* ", 4: "3:0 4:1 5:0 6:0* ", 6: "1:1 2:0 3:0 4:1 5:0 6:0* ",
		7: "0:1 1:1 2:0 3:0 4:1 5:0 6:0* ", 1_000: "0:1 1:1 2:0 3:0 4:1 5:0 6:0* ",
	} {
		if got := show(limit); got != want {
			t.Errorf("limit %d: %s, want %s", limit, got, want)
		}
	}
	if m.Candles(mint(2), swapcast.Interval1s, 5) != nil || m.Candles(mint(1), swapcast.Intervals, 5) != nil {
		t.Error("candles of nothing")
	}
}

func TestCandlesAreBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := newMarket(market.Options{CandlesPerInterval: 1, MaxCandles: 700, Metrics: market.NewMetrics(reg)})
	p := tokenPool(1, 1, swapcast.USDC(), 2, 100_000)
	for i := range int64(150) {
		apply(t, m, at(p.pay(1), noon+i))
	}
	got := m.Candles(mint(1), swapcast.Interval1s, 1_000)
	if len(got) != 100 || got[0].Start != noon+50 || got[99].Start != noon+149 {
		t.Errorf("%d candles, from %v", len(got), got[0])
	}
	// Each mint beside these has nine.
	for i := range uint64(100) {
		apply(t, m, at(tokenPool(10+i, 10+i, swapcast.USDC(), 2, 100_000).pay(1), noon+150))
		if n := m.Stats().Candles; n > 700 {
			t.Fatalf("%d candles", n)
		}
	}
	if m.Candles(mint(1), swapcast.Interval1s, 10) != nil {
		t.Error("the mint that has not traded for longest keeps its candles")
	}
	if m.Candles(mint(109), swapcast.Interval1s, 10) == nil || m.Candles(swapcast.USDC(), swapcast.Interval1s, 10) == nil {
		t.Error("those that trade lost theirs")
	}
	if n := counts(t, reg)["swapcast_market_evictions_total,candles,limit"]; n == 0 {
		t.Error("not counted")
	}
}

// A mint takes its candles with it.
func TestCandlesGoWithTheirMint(t *testing.T) {
	m := newMarket(market.Options{MaxMints: 8})
	for i := range uint64(50) {
		apply(t, m, at(tokenPool(i, i, swapcast.USDC(), 2, 100_000).pay(1), noon))
	}
	if _, ok := m.Candle(mint(0), swapcast.Interval1m); ok {
		t.Error("a forgotten mint has a candle")
	}
	if n := m.Stats().Candles; n != (8-2)*9 { // all but SOL and USDT, which did not trade
		t.Errorf("%d candles", n)
	}
}

// A replay that begins again begins its candles again; a straggler does not.
func TestCandlesAfterRestart(t *testing.T) {
	m := newMarket(market.Options{})
	p := tokenPool(1, 1, swapcast.USDC(), 2, 100_000)
	p.slot = 100_000
	apply(t, m, at(p.pay(10), noon+3_600))
	apply(t, m, at(p.pay(10), noon)) // a straggler
	if c := candle(t, m, mint(1), swapcast.Interval1s); c.Start != noon+3_600 || m.Time() != noon+3_600 {
		t.Errorf("%+v", c)
	}
	p.slot = 1_000
	for i := range int64(40) {
		apply(t, m, at(p.pay(10), noon+i))
	}
	if m.Time() != noon+39 {
		t.Errorf("the clock stands at %d", m.Time())
	}
	got := m.Candles(mint(1), swapcast.Interval1s, 100)
	if len(got) == 0 || len(got) > 40 || got[len(got)-1].Start != noon+39 {
		t.Errorf("%v", got)
	}
	if n := m.Stats().Candles; n > 2*(40+9) {
		t.Errorf("%d candles are counted", n)
	}
}

func TestDay(t *testing.T) {
	m := newMarket(market.Options{})
	if _, ok := m.Day(mint(1)); ok {
		t.Error("a day of nothing")
	}
	p := tokenPool(1, 1, swapcast.USDC(), 2, 1_000_000)
	const day = 86_400
	u := apply(t, m, at(p.pay(100), noon))
	first := u.Prices[0].USD
	d, ok := m.Day(mint(1))
	if !ok || d.Since != noon || d.Trades != 1 || d.ChangePct != 0 {
		t.Errorf("%+v", d)
	}
	u = apply(t, m, at(p.pay(50_000), noon+day/2))
	d, _ = m.Day(mint(1))
	near(t, "change", d.ChangePct, (u.Prices[0].USD/first-1)*100, 1e-9)
	near(t, "volume", d.VolumeUSD, 50_100, 1e-9)
	if d.Since != noon || d.Trades != 2 {
		t.Errorf("%+v", d)
	}
	// 24 hours on, the first quarter of an hour has left the day.
	m.Tick(noon + day)
	d, _ = m.Day(mint(1))
	near(t, "volume", d.VolumeUSD, 50_000, 1e-9)
	near(t, "change", d.ChangePct, (u.Prices[0].USD/first-1)*100, 1e-9)
	if d.Since != noon+900 {
		t.Errorf("since %d", d.Since)
	}
	m.Tick(noon + 3*day)
	if d, ok = m.Day(mint(1)); !ok || d.VolumeUSD != 0 || d.Trades != 0 || d.ChangePct != 0 {
		t.Errorf("after two days: %+v %v", d, ok)
	}
}

// TestCandlesAreWhatWasPublished holds all intervals against candles made
// plainly from everything that Apply gave out.
func TestCandlesAreWhatWasPublished(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := newMarket(market.Options{})
		sol := solUSDC(150)
		pools := []*cp{sol, tokenPool(1, 1, swapcast.USDC(), 2, 50_000), tokenPool(1, 2, swapcast.NativeMint(), 2.0/150, 300), tokenPool(2, 3, swapcast.USDC(), 5, 1_000)}
		model := map[solana.PublicKey]*[swapcast.Intervals][]swapcast.Candle{}
		prices := map[solana.PublicKey]float64{}
		clock, now := int64(0), int64(noon)
		for range 400 {
			if r.IntN(3) == 0 { // busy seconds and quiet ones
				now += int64(r.ExpFloat64() * 6)
			}
			p := pools[r.IntN(len(pools))]
			size := p.vaultQ * (r.Float64() - 0.5) / 50
			if r.IntN(10) == 0 {
				size = 1e-4
			}
			when := now
			if r.IntN(8) == 0 {
				when -= int64(r.IntN(20))
			}
			u := apply(t, m, at(p.pay(size), when))
			clock = max(clock, when)
			for _, pr := range u.Prices {
				if pr.Known {
					prices[pr.Mint] = pr.USD
				}
			}
			for _, tr := range u.Trades {
				usd, priced := prices[tr.Mint]
				if !tr.Known || tr.AmountUSD < 0.01 || !priced {
					continue
				}
				if model[tr.Mint] == nil {
					model[tr.Mint] = new([swapcast.Intervals][]swapcast.Candle)
				}
				for i := range swapcast.Intervals {
					list := &model[tr.Mint][i]
					start := when - when%i.Seconds()
					if start+i.Seconds() <= clock || len(*list) > 0 && (*list)[len(*list)-1].Start > start {
						continue
					}
					if len(*list) == 0 || (*list)[len(*list)-1].Start < start {
						*list = append(*list, swapcast.Candle{Start: start, Open: usd, High: usd, Low: usd})
					}
					c := &(*list)[len(*list)-1]
					c.High, c.Low, c.Close = max(c.High, usd), min(c.Low, usd), usd
					c.VolumeUSD += tr.AmountUSD
					c.Trades++
				}
			}
		}
		if len(model) < 4 {
			t.Fatalf("seed %d: %d mints traded", seed, len(model))
		}
		for k, intervals := range model {
			for i := range swapcast.Intervals {
				var got []swapcast.Candle
				for _, c := range m.Candles(k, i, math.MaxInt32) {
					if c.Final != (c.Start+i.Seconds() <= clock) {
						t.Fatalf("seed %d: %s %s at %d: final %v, clock %d", seed, k, i, c.Start, c.Final, clock)
					}
					if c.Trades > 0 {
						got = append(got, swapcast.Candle{Start: c.Start, Open: c.Open, High: c.High, Low: c.Low, Close: c.Close, VolumeUSD: c.VolumeUSD, Trades: c.Trades})
					}
				}
				want := intervals[i]
				for n := range got { // sums of the same numbers in another order
					if n < len(want) && math.Abs(got[n].VolumeUSD-want[n].VolumeUSD) < 1e-9*want[n].VolumeUSD {
						got[n].VolumeUSD = want[n].VolumeUSD
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("seed %d: %s %s:\n%v\nwant\n%v", seed, k, i, got, want)
				}
			}
		}
	}
}

// BenchmarkApplyNewSecond is a second with a trade of every mint, then the next: each
// trade begins a candle of some intervals.
func BenchmarkApplyNewSecond(b *testing.B) {
	m := newMarket(market.Options{})
	var swaps []*swapcast.Swap
	for i := range uint64(100) {
		swaps = append(swaps, tokenPool(i, i, swapcast.USDC(), 3, 10_000).pay(1))
	}
	var u market.Update
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s := swaps[i%len(swaps)]
		s.BlockTime = noon + int64(i/len(swaps))
		m.Apply(s, &u)
		i++
	}
}
