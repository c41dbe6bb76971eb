package stream

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

func signature(n int) solana.Signature { return solana.Signature{9, byte(n >> 8), byte(n)} }

func retract(n, count int) *swapcast.Retract {
	r := &swapcast.Retract{Mint: mint(n), Slot: 7}
	for i := range count {
		r.Signatures = append(r.Signatures, signature(i))
	}
	return r
}

// brief is what matters of the messages that a client which resumes gets.
func (m message) brief() string {
	switch m.Type {
	case "subscribed":
		return fmt.Sprintf("subscribed recovered=%v seqs=%v", m.Recovered, m.Seqs)
	case "trade":
		return fmt.Sprintf("trade #%d %s", m.Seq, m.Amount)
	case "retract":
		return fmt.Sprintf("retract #%d slot %d of %d", m.Seq, m.Slot, len(m.Signatures))
	case "price":
		return fmt.Sprintf("price #%d snapshot=%v", m.Seq, m.Snapshot)
	case "candle":
		return "candle " + m.show()
	case "gap":
		text := fmt.Sprintf("gap %s %d-%d %s", m.Channel, m.FromSeq, m.ToSeq, m.Reason)
		if m.ToSlot > 0 {
			text += fmt.Sprintf(" slots %d-%d %s", m.FromSlot, m.ToSlot, m.Detail)
		}
		return text
	default:
		return m.raw
	}
}

func (c *client) expectBrief(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if m := c.next(); m.brief() != w {
			c.t.Fatalf("%s\nwant %s\n(%s)", m.brief(), w, m.raw)
		}
	}
}

// nothingMore makes sure that nothing waits for a client: an answer comes next.
func (c *client) nothingMore() {
	c.t.Helper()
	c.send(`{"action":"ping","id":"nothing more"}`)
	if m := c.next(); m.Type != "pong" {
		c.t.Fatalf("unexpected: %s", m.raw)
	}
}

func (c *client) resume(channel, more string, n int, epoch string, seq uint64) {
	c.t.Helper()
	c.send(`{"action":"subscribe","channel":%q,"assets":%q,"id":"1","since":{"epoch":%q,"seqs":{%q:%d}}%s}`, channel, mint(n), epoch, mint(n), seq, more)
}

func seqs(n int, seq uint64) string { return fmt.Sprint(map[string]uint64{mint(n).String(): seq}) }

func TestSince(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1764000000123)
	r := newRig(t, Options{Limits: Limits{HistoryTrades: 1}, Now: func() time.Time { return now }}) // two blocks
	for i := range 2*blockSize + 2 {
		r.PublishTrade(trade(1, uint64(i+1)))
		r.PublishPrice(price(1, 2))
	}
	r.PublishRetract(retract(1, 2)) // #19; the oldest kept is #9
	r.PublishTrade(trade(2, 1))
	r.PublishTrade(trade(2, 2))
	now = now.Add(time.Minute)
	var kept []string
	for seq := 9; seq <= 18; seq++ {
		kept = append(kept, fmt.Sprintf("trade #%d %d", seq, seq))
	}
	kept = append(kept, "retract #19 slot 7 of 2")

	for name, test := range map[string]struct {
		channel, epoch string
		mint           int
		seq            uint64
		want           []string
	}{
		"nothing missed":   {"trades", r.Epoch(), 1, 19, []string{"subscribed recovered=true seqs=" + seqs(1, 19)}},
		"all of it there":  {"trades", r.Epoch(), 1, 8, append([]string{"subscribed recovered=true seqs=" + seqs(1, 8)}, kept...)},
		"the last of it":   {"trades", r.Epoch(), 1, 17, append([]string{"subscribed recovered=true seqs=" + seqs(1, 17)}, kept[9:]...)},
		"partly forgotten": {"trades", r.Epoch(), 1, 3, append([]string{"subscribed recovered=false seqs=" + seqs(1, 8), "gap trades 4-8 no_history"}, kept...)},
		"another run":      {"trades", "other", 1, 2, append([]string{"subscribed recovered=false seqs=" + seqs(1, 8), "gap trades 1-8 new_epoch"}, kept...)},
		"another run, whole": {"trades", "other", 2, 2, []string{
			"subscribed recovered=false seqs=" + seqs(2, 0), "gap trades 0-0 new_epoch", "trade #1 1", "trade #2 2",
		}},
		"another run, none yet": {"trades", "other", 3, 7, []string{"subscribed recovered=false seqs=" + seqs(3, 0), "gap trades 0-0 new_epoch"}},
		"of the future":         {"trades", r.Epoch(), 1, 20, []string{"subscribed recovered=false seqs=" + seqs(1, 19), "gap trades 0-19 no_history"}},
		"prices":                {"prices", r.Epoch(), 1, 1, []string{"subscribed recovered=true seqs=map[]", "price #18 snapshot=true"}},
		"prices, long ago":      {"prices", "other", 1, 1, []string{"subscribed recovered=false seqs=map[]", "price #18 snapshot=true"}},
	} {
		c := r.dial("")
		c.resume(test.channel, "", test.mint, test.epoch, test.seq)
		var got []message
		for _, want := range test.want {
			m := c.next()
			if m.brief() != want {
				t.Errorf("%s: %s\nwant %s", name, m.brief(), want)
			}
			got = append(got, m)
		}
		if last := got[len(got)-1]; last.Type == "retract" && last.TS != 1764000000123 {
			t.Errorf("%s: replayed with a new time: %s", name, last.raw)
		}
		c.nothingMore()
	}

	// Who names no seq of an asset begins anew, and is not said to be whole.
	c := r.dial("")
	c.send(`{"action":"subscribe","channel":"trades","assets":[%q,%q],"id":"1","since":{"epoch":%q,"seqs":{%q:19}}}`, mint(1), mint(4), r.Epoch(), mint(1))
	if m := c.next(); m.Recovered || m.Seqs[mint(1).String()] != 19 || len(m.Seqs) != 2 {
		t.Errorf("%s", m.raw)
	}
	// It was seen by nobody and comes live.
	r.PublishTrade(trade(4, 1))
	c.expectBrief("trade #1 1")

	// Without an id there is no acknowledgement, but the rest all the same.
	c.send(`{"action":"subscribe","channel":"trades","assets":%q,"since":{"epoch":%q,"seqs":{%q:18}}}`, mint(1), r.Epoch(), mint(1))
	c.expectBrief("retract #19 slot 7 of 2")
}

// A retract has its place and its seq among the trades; one with many signatures
// is told in several messages.
func TestRetract(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Feed: swapcast.FeedSimulated})
	c := r.dial("")
	c.subscribe("trades", mint(1).String())
	r.PublishTrade(trade(1, 1))
	many := retract(1, wire.MaxRetracted+1)
	r.PublishRetract(many)
	clear(many.Signatures) // it is the caller's
	r.PublishTrade(trade(1, 2))
	c.expectBrief("trade #1 1")
	m := c.next()
	if m.brief() != fmt.Sprintf("retract #2 slot 7 of %d", wire.MaxRetracted) || m.Channel != "trades" || m.AssetID != mint(1).String() ||
		m.Signatures[5] != signature(5).String() || m.Feed != "simulated" || m.TS == 0 {
		t.Errorf("%s", m.raw)
	}
	c.expectBrief("retract #3 slot 7 of 1", "trade #4 2")
	d := r.dial("")
	d.resume("trades", "", 1, r.Epoch(), 2)
	d.expectBrief("subscribed recovered=true seqs="+seqs(1, 2), "retract #3 slot 7 of 1", "trade #4 2")
}

// Each commitment of an asset is numbered, subscribed to and kept by itself.
func TestCommitments(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	c := r.dial("")
	const confirmed = `,"commitment":"confirmed"`
	c.send(`{"action":"subscribe","assets":%q,"id":"1"%s}`, mint(1), confirmed)
	if m := c.next(); m.Commitment != "confirmed" {
		t.Errorf("%s", m.raw)
	}
	if m := c.next(); m.Commitment != "confirmed" || !m.Snapshot || m.Price != nil || m.AssetID != mint(1).String() {
		t.Errorf("%s", m.raw)
	}
	c.subscribe("prices", mint(1).String())
	c.subscribe("trades", mint(1).String())
	c.send(`{"action":"subscribe","channel":"trades","assets":%q,"id":"1"%s}`, mint(1), confirmed)
	c.next()
	c.send(`{"action":"subscribe","channel":"candles","interval":"1s","assets":%q,"id":"1"%s}`, mint(1), confirmed)
	c.next()

	p, tr, k := price(1, 1), trade(1, 1), candle(1, swapcast.Interval1s, 5, 1)
	for range 2 {
		r.PublishPrice(p)
		r.PublishTrade(tr)
		r.PublishCandle(k) // nobody listens to it
	}
	p.Commitment, tr.Commitment, k.Commitment = swapcast.Confirmed, swapcast.Confirmed, swapcast.Confirmed
	p.Corrects = 6
	r.PublishPrice(p)
	r.PublishTrade(tr)
	r.PublishRetract(&swapcast.Retract{Mint: mint(1), Slot: 9, Signatures: []solana.Signature{{1}}, Commitment: swapcast.Confirmed})
	r.PublishCandle(k)
	for _, want := range []string{
		"price 1 processed", "trade 1 ", "price 2 processed", "trade 2 ", "price 1 confirmed", "trade 1 confirmed", "retract 2 confirmed", "candle 1 confirmed",
	} {
		m := c.next()
		if got := fmt.Sprintf("%s %d %s", m.Type, m.Seq, m.Commitment); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if (m.Corrects == 6) != (want == "price 1 confirmed") {
			t.Errorf("%s", m.raw)
		}
	}
	if r.CandlesWantedAt(mint(1), swapcast.Confirmed) != 1<<swapcast.Interval1s || r.CandlesWanted(mint(1)) != 0 {
		t.Error("other candles are wanted than are subscribed to")
	}
	r.CloseCandlesAt(100, swapcast.Processed)
	r.CloseCandlesAt(6, swapcast.Confirmed)
	c.expect("1s 5:1 #2 final")

	// Ending the one is not ending the other.
	c.send(`{"action":"unsubscribe","channel":"trades","assets":%q,"id":"2"}`, mint(1))
	c.next()
	tr.Commitment = swapcast.Processed
	r.PublishTrade(tr)
	tr.Commitment = swapcast.Confirmed
	r.PublishTrade(tr)
	if m := c.next(); m.Commitment != "confirmed" || m.Seq != 3 {
		t.Errorf("%s", m.raw)
	}
	d := r.dial("")
	d.resume("trades", confirmed, 1, r.Epoch(), 1)
	d.expectBrief("subscribed recovered=true seqs="+seqs(1, 1), "retract #2 slot 9 of 1", "trade #3 1")
}

// A candle that was final comes again when the chain took a trade back, and does
// not stand in for the newest one.
func TestCandleCorrection(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1})
	c, windowed := r.dial(""), r.dial("window_ms=5000")
	c.candles("subscribe", "1s", 1)
	windowed.candles("subscribe", "1s", 1)
	r.PublishCandle(candle(1, swapcast.Interval1s, 10, 2))
	r.PublishCandle(candle(1, swapcast.Interval1s, 11, 3))
	r.PublishCandle(candle(1, swapcast.Interval1s, 10, 1)) // after its end
	c.expect("1s 10:2 #1", "1s 10:2 #2 final", "1s 11:3 #3", "1s 10:1 #4 final")
	windowed.expect("1s 10:2 #2 final", "1s 10:1 #4 final")
	d := r.dial("")
	d.candles("subscribe", "1s", 1)
	d.expect("1s 11:3 #4 snapshot") // as of the correction
	r.CloseCandles(12)
	c.expect("1s 11:3 #5 final")
	windowed.expect("1s 11:3 #5 final")
	r.PublishCandle(candle(1, swapcast.Interval1s, 11, 3)) // as it was told
	r.PublishCandle(candle(1, swapcast.Interval1s, 11, 0)) // all of it was taken back
	c.expect("1s 11:0 #6 final")
	d.expect("1s 11:3 #5 final", "1s 11:0 #6 final")
}

// Of candles the newest is enough for a client that comes back, unless one has
// ended meanwhile.
func TestSinceOfCandles(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	stays := r.dial("")
	stays.candles("subscribe", "1s", 1)
	r.PublishCandle(candle(1, swapcast.Interval1s, 10, 1))
	r.PublishCandle(candle(1, swapcast.Interval1s, 11, 1)) // #2 ends the first, #3 is the second
	r.PublishCandle(candle(1, swapcast.Interval1s, 11, 2))
	stays.expect("1s 10:1 #1", "1s 10:1 #2 final", "1s 11:1 #3", "1s 11:2 #4")
	for seq, want := range map[uint64][]string{
		2: {"subscribed recovered=true seqs=" + seqs(1, 4), "candle 1s 11:2 #4 snapshot"},
		4: {"subscribed recovered=true seqs=" + seqs(1, 4), "candle 1s 11:2 #4 snapshot"},
		1: {"subscribed recovered=false seqs=" + seqs(1, 4), "gap candles 2-2 no_history", "candle 1s 11:2 #4 snapshot"},
	} {
		c := r.dial("")
		c.resume("candles", `,"interval":"1s"`, 1, r.Epoch(), seq)
		c.expectBrief(want...)
		c.nothingMore()
		c.CloseNow()
	}
	// While nobody listens nothing is counted: who comes back may have missed some.
	stays.CloseNow()
	r.await("all to go", func() bool { return r.registry.candleTopics[swapcast.Processed].Load() == 0 })
	c := r.dial("")
	c.resume("candles", `,"interval":"1s"`, 1, r.Epoch(), 4)
	c.expectBrief("subscribed recovered=false seqs="+seqs(1, 5), "gap candles 5-5 no_history")
	c.nothingMore()
}

// cutClient is a client that is cut at random and resumes, and keeps account of
// what it got.
type cutClient struct {
	t     testing.TB
	r     *rig
	epoch string
	last  map[string]uint64
	got   map[string]map[uint64]message
	gaps  map[string][]seqRange
}

// visit connects, resumes, and reads until enough says so.
func (c *cutClient) visit(enough func(read int) bool) {
	c.t.Helper()
	ws := c.r.dial("")
	defer ws.CloseNow()
	request := map[string]any{"action": "subscribe", "channel": "trades", "assets": []string{mint(1).String(), mint(2).String(), mint(3).String()}, "id": 1}
	if c.epoch != "" {
		request["since"] = map[string]any{"epoch": c.epoch, "seqs": c.last}
	}
	text, err := json.Marshal(request)
	if err != nil {
		c.t.Fatal(err)
	}
	ws.send("%s", text)
	ack := ws.next()
	if ack.Type != "subscribed" || (c.epoch != "" && ack.Epoch != c.epoch) {
		c.t.Fatalf("%s", ack.raw)
	}
	if c.epoch == "" {
		c.epoch, c.last = ack.Epoch, ack.Seqs
	}
	recovered := true
	before := map[string]uint64{}
	for asset, seq := range c.last {
		before[asset] = seq
	}
	for read := 0; !enough(read); read++ {
		m := ws.next()
		switch m.Type {
		case "gap":
			recovered = false
			if m.FromSeq != c.last[m.AssetID]+1 || m.ToSeq < m.FromSeq {
				c.t.Fatalf("gap after %d: %s", c.last[m.AssetID], m.raw)
			}
			c.gaps[m.AssetID] = append(c.gaps[m.AssetID], seqRange{m.FromSeq, m.ToSeq})
			c.last[m.AssetID] = m.ToSeq
		case "trade", "retract":
			if m.Seq != c.last[m.AssetID]+1 {
				c.t.Fatalf("after %d: %s", c.last[m.AssetID], m.raw)
			}
			c.got[m.AssetID][m.Seq] = m
			c.last[m.AssetID] = m.Seq
		default:
			c.t.Fatalf("%s", m.raw)
		}
	}
	if ack.Recovered && !recovered && c.r.history.perAsset > 100 {
		c.t.Fatalf("a gap although all was said to be there, after %v: %s", before, ack.raw)
	}
}

// A client that is cut at random places and resumes gets every trade and every
// retract once, in order, or is told which ones it does not get.
func TestResumeProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		perAsset := rapid.SampledFrom([]int{1, 40, 5000}).Draw(rt, "history")
		r := newRig(t, Options{Shards: rapid.IntRange(1, 3).Draw(rt, "shards"), Limits: Limits{HistoryTrades: perAsset}})
		defer r.http.Close()
		defer r.stop()
		plan := rapid.SliceOfN(rapid.IntRange(0, 8), 20, 400).Draw(rt, "updates")
		visits := rapid.SliceOfN(rapid.IntRange(0, 60), 1, 8).Draw(rt, "visits")
		c := &cutClient{t: t, r: r, got: map[string]map[uint64]message{}, gaps: map[string][]seqRange{}}
		for n := 1; n <= 3; n++ {
			c.got[mint(n).String()] = map[uint64]message{}
		}
		for i, what := range plan[:10] { // before it comes for the first time
			r.PublishTrade(trade(1+what%3, uint64(i)))
		}
		c.visit(func(int) bool { return true })
		from := map[string]uint64{}
		for asset, seq := range c.last {
			from[asset] = seq
		}
		want := map[string][]string{} // by asset, what the seqs after from hold
		var publishing sync.WaitGroup
		publishing.Go(func() {
			for i, what := range plan[10:] {
				asset := mint(1 + what%3).String()
				if what == 8 {
					r.PublishRetract(retract(1+what%3, 1+i%3))
					want[asset] = append(want[asset], fmt.Sprintf("retract %d", 1+i%3))
				} else {
					r.PublishTrade(trade(1+what%3, uint64(i)))
					want[asset] = append(want[asset], fmt.Sprintf("trade %d", i))
				}
				if i%16 == 0 {
					time.Sleep(time.Millisecond) // so that visits fall among them
				}
			}
		})
		for _, most := range visits {
			total := func() (n uint64) {
				for _, seq := range c.last {
					n += seq
				}
				return n
			}
			published := r.history.now() - 1 // it reads no more than there is
			c.visit(func(read int) bool { return read >= most || total() >= published })
		}
		publishing.Wait()
		complete := func() bool {
			for n := 1; n <= 3; n++ {
				asset := mint(n).String()
				if c.last[asset] < from[asset]+uint64(len(want[asset])) {
					return false
				}
			}
			return true
		}
		c.visit(func(int) bool { return complete() })
		for n := 1; n <= 3; n++ {
			asset := mint(n).String()
			missing := map[uint64]bool{}
			for _, g := range c.gaps[asset] {
				for seq := g.from; seq <= g.to; seq++ {
					missing[seq] = true
				}
			}
			if perAsset == 5000 && len(missing) > 0 {
				rt.Errorf("%s: %d are missing though all were kept", asset, len(missing))
			}
			for i, w := range want[asset] {
				seq := from[asset] + uint64(i) + 1
				m, ok := c.got[asset][seq]
				if ok == missing[seq] {
					rt.Errorf("%s #%d: got %v and told missing %v", asset, seq, ok, missing[seq])
					continue
				}
				got := "trade " + m.Amount
				if m.Type == "retract" {
					got = fmt.Sprintf("retract %d", len(m.Signatures))
				}
				if ok && got != w {
					rt.Errorf("%s #%d: %s, want %s", asset, seq, got, w)
				}
			}
		}
	})
}
