package stream

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
)

func TestEventsGoOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Limits: Limits{HistoryTrades: 1}})
	query := "channel=trades&assets=" + mint(1).String() + "," + mint(2).String()
	es := r.events(query)
	es.next()
	r.PublishTrade(trade(3, 1)) // another's
	begun := es.lastID
	for i := range 4 {
		r.PublishTrade(trade(1+i%2, uint64(i)))
	}
	es.expectBrief("trade #1 0", "trade #1 1", "trade #2 2", "trade #2 3")
	r.PublishRetract(retract(1, 1))
	es.expectBrief("retract #3 slot 7 of 1")
	end := es.lastID

	again := r.events(query, "Last-Event-ID", begun)
	if m := again.next(); !m.Recovered || again.lastID != begun {
		t.Errorf("%s %s", again.lastID, m.raw)
	}
	again.expectBrief("trade #1 0", "trade #1 1", "trade #2 2", "trade #2 3", "retract #3 slot 7 of 1")
	r.PublishGap(&swapcast.Gap{FromSlot: 5, ToSlot: 6})
	again.expectBrief("gap trades 0-0 upstream slots 5-6 ", "gap trades 0-0 upstream slots 5-6 ")

	again = r.events(query, "Last-Event-ID", end)
	if m := again.next(); m.Recovered {
		t.Errorf("%s", m.raw)
	}
	again.expectBrief("gap trades 0-0 upstream slots 5-6 ", "gap trades 0-0 upstream slots 5-6 ")
	for i := range 30 {
		r.PublishTrade(trade(1, uint64(i)))
	}
	forgotten := r.events(query, "Last-Event-ID", end)
	if m := forgotten.next(); m.Recovered || m.Seqs[mint(2).String()] != 2 || m.Seqs[mint(1).String()] < 10 {
		t.Errorf("%s", m.raw)
	}
	for _, id := range []string{"other.1", "nonsense", r.Epoch() + ".!"} {
		other := r.events(query, "Last-Event-ID", id)
		if m := other.next(); m.Recovered || m.Epoch != r.Epoch() {
			t.Errorf("%s: %s", id, m.raw)
		}
		// All that is kept of this run, behind a gap that names what is not.
		at, last := map[string]uint64{}, map[string]uint64{mint(1).String(): 33, mint(2).String(): 2}
		for at[mint(1).String()] != 33 || at[mint(2).String()] != 2 {
			switch m := other.next(); {
			case m.Reason == "new_epoch":
				at[m.AssetID] = m.ToSeq
			case m.Type == "gap":
			case m.Seq != at[m.AssetID]+1 || m.Seq > last[m.AssetID]:
				t.Fatalf("%s: after #%d %s", id, at[m.AssetID], m.raw)
			default:
				at[m.AssetID] = m.Seq
			}
		}
		if on := r.events(query, "Last-Event-ID", other.lastID); !strings.HasPrefix(other.lastID, r.Epoch()+".") || !on.next().Recovered {
			t.Errorf("%s: then %s", id, other.lastID)
		}
		other.close()
	}
	// Of prices the newest is enough.
	p := r.events("assets="+mint(1).String(), "Last-Event-ID", end)
	p.expectBrief("subscribed recovered=true seqs=map[]", "price #0 snapshot=true")

	// Of candles it is, unless one has ended.
	stays := r.events("channel=candles&interval=1s&assets=" + mint(1).String())
	stays.next()
	r.PublishCandle(candle(1, swapcast.Interval1s, 10, 1))
	r.PublishCandle(candle(1, swapcast.Interval1s, 11, 1))
	stays.expectBrief("candle 1s 10:1 #1", "candle 1s 10:1 #2 final", "candle 1s 11:1 #3")
	r.PublishCandle(candle(1, swapcast.Interval1s, 11, 2))
	c := r.events("channel=candles&interval=1s&assets="+mint(1).String(), "Last-Event-ID", stays.lastID)
	c.expectBrief("subscribed recovered=true seqs="+seqs(1, 4), "candle 1s 11:2 #4 snapshot")
	r.CloseCandles(12)
	c.expectBrief("candle 1s 11:2 #5 final")
	c = r.events("channel=candles&interval=1s&assets="+mint(1).String(), "Last-Event-ID", stays.lastID)
	c.expectBrief("subscribed recovered=false seqs="+seqs(1, 5), "gap candles 1-5 no_history")
}

// A reader of several assets that is cut at random, within events too, and comes
// back with the last id that it has seen, gets each trade once or is told what it
// does not get, as with since.
func TestEventsGoOnProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		perAsset := rapid.SampledFrom([]int{1, 5000}).Draw(rt, "history")
		r := newRig(t, Options{
			Shards: rapid.IntRange(1, 3).Draw(rt, "shards"), Limits: Limits{HistoryTrades: perAsset}, Timing: Timing{PingInterval: 20 * time.Millisecond},
		})
		defer r.http.Close()
		defer r.stop()
		plan := rapid.SliceOfN(rapid.IntRange(0, 2), 50, 600).Draw(rt, "updates")
		visits := rapid.SliceOfN(rapid.IntRange(0, 40_000), 1, 6).Draw(rt, "bytes read")
		query := fmt.Sprintf("channel=trades&assets=%s,%s,%s", mint(0), mint(1), mint(2))
		var publishers sync.WaitGroup
		for p := range 2 { // positions are in order whoever publishes
			publishers.Go(func() {
				for i, n := range plan {
					if n%2 == p {
						r.PublishTrade(trade(n, uint64(i)))
						if i%32 == 0 {
							time.Sleep(time.Millisecond)
						}
					}
				}
			})
		}
		want := map[string]uint64{}
		for _, n := range plan {
			want[mint(n).String()]++
		}
		from, seen, missing := map[string]uint64(nil), map[string]uint64{}, 0
		lastID := ""
		visit := func(most int, all bool) {
			resp, err := r.get(query, "Last-Event-ID", lastID)
			if err != nil {
				rt.Fatal(err)
			}
			defer resp.Body.Close()
			body := io.Reader(resp.Body)
			if !all {
				body = io.LimitReader(body, int64(most))
			}
			es := &eventSource{t: t, lines: bufio.NewReader(body), lastID: lastID}
			complete := func() bool {
				for asset, n := range want {
					if seen[asset] < n {
						return false
					}
				}
				return true
			}
			for !all || from == nil || !complete() {
				e, err := es.read()
				if err != nil {
					break // cut
				}
				if e.data == "" {
					if !all {
						break // nothing more is on its way
					}
					continue
				}
				var m message
				if err := json.Unmarshal([]byte(e.data), &m); err != nil {
					rt.Fatalf("%+v: %v", e, err)
				}
				switch {
				case m.Type == "subscribed" && from == nil:
					from = m.Seqs
					for asset, seq := range m.Seqs {
						seen[asset] = seq
					}
				case m.Type == "subscribed":
				case m.Type == "gap" && m.FromSeq <= seen[m.AssetID]+1 && m.ToSeq >= seen[m.AssetID]: // it has no id: told again if the next message was not read
					missing++
					seen[m.AssetID] = m.ToSeq
				case m.Type == "trade" && m.Seq == seen[m.AssetID]+1:
					seen[m.AssetID]++
				default:
					rt.Fatalf("after %v: %s", seen, e.data)
				}
			}
			lastID = es.lastID
		}
		for _, most := range visits {
			visit(most, false)
		}
		publishers.Wait()
		visit(0, true)
		if perAsset == 5000 && missing > 0 {
			rt.Errorf("%d gaps though all was kept", missing)
		}
		for asset, n := range want {
			if seen[asset] != n {
				rt.Errorf("%s: %d of %d", asset, seen[asset], n)
			}
		}
	})
}

// Of two assets the shard knows one further than the other: it has listened to the
// first one before, whose newest trade waits in its queue, and learns of the second
// one only now. What a stream resumes with is in the order of positions all the
// same; else who is cut in between would never get the first one's.
func TestEventsGoOnInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1})
	listens := r.dial("")
	listens.send(`{"action":"subscribe","channel":"trades","assets":%q,"id":"1"}`, mint(1))
	listens.next()
	query := "channel=trades&assets=" + mint(1).String() + "," + mint(2).String()
	es := r.events(query)
	es.next()
	id := es.lastID
	es.close()
	r.await("it to go", func() bool { return r.Stats().Connections == 1 })

	only := r.shards[0]
	pause := func() (chan struct{}, chan struct{}) {
		paused, resume := make(chan struct{}), make(chan struct{})
		only.do(item{what: itemCall, call: func(*shard) { close(paused); <-resume }})
		return paused, resume
	}
	paused, resume := pause()
	<-paused
	again, goOn := pause() // in the shard's next turn, before what comes now
	opened := make(chan *eventSource)
	go func() { opened <- r.events(query, "Last-Event-ID", id) }()
	r.await("the request", func() bool {
		only.mu.Lock()
		defer only.mu.Unlock()
		return slices.ContainsFunc(only.queue, func(it item) bool { return it.what == itemRequest })
	})
	close(resume)
	<-again
	r.PublishTrade(trade(1, 1)) // for the turn after
	r.PublishTrade(trade(2, 2))
	close(goOn)
	back := <-opened
	if m := back.next(); !m.Recovered {
		t.Errorf("%s", m.raw)
	}
	for _, want := range []string{mint(1).String(), mint(2).String()} {
		if m := back.next(); m.AssetID != want || m.Seq != 1 {
			t.Errorf("%s, want the trade of %s", m.raw, want)
		}
	}
	r.PublishTrade(trade(1, 3))
	back.expectBrief("trade #2 3")
}
