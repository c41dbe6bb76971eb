package stream

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/swapcast/swapcast/stream/wire"
)

// The history against a model that is a plain list.
func TestHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := Limits{HistoryTrades: rapid.IntRange(1, 40).Draw(t, "per asset"), HistoryTotal: rapid.IntRange(1, 200).Draw(t, "total")}
		h := newHistory(&l)
		topics := make([]*topic, 5)
		for i := range topics {
			topics[i] = &topic{}
		}
		all := map[*topic][]uint64{} // positions by seq, from 1
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(topics)-1), 1, 400).Draw(t, "trades") {
			tp := topics[i]
			seq := uint64(len(all[tp])) + 1
			h.publish(nil, item{topic: tp}, &pastEntry{seq: seq})
			all[tp] = append(all[tp], h.position)
		}
		blocks := 0
		for _, tp := range topics {
			n := uint64(len(all[tp]))
			count := uint64(tp.past.count())
			blocks += len(tp.past.blocks)
			if tp.past.lastSeq != n || count > uint64(l.HistoryTrades)+2*blockSize {
				t.Fatalf("%d of %d are kept, the last %d of %d", count, l.HistoryTrades, tp.past.lastSeq, n)
			}
			if h.blocks < h.total && count < min(n, uint64(l.HistoryTrades)) {
				t.Fatalf("%d of %d are kept though there is room", count, n)
			}
			oldest, ok := tp.past.oldest()
			if ok != (count > 0) || ok && oldest != n-count+1 {
				t.Fatalf("oldest %d, %v of %d", oldest, ok, n)
			}
			for seq := uint64(0); seq <= n+1; seq++ {
				e := tp.past.find(seq)
				if (e != nil) != (ok && seq >= oldest && seq <= n) || e != nil && (e.seq != seq || e.position != all[tp][seq-1]) {
					t.Fatalf("seq %d: %+v", seq, e)
				}
			}
			for position := uint64(0); position <= h.position; position++ {
				want := uint64(0)
				for _, p := range all[tp] {
					if p <= position {
						want++
					}
				}
				switch seq, whole := h.lastBefore(tp, position); {
				case whole && seq != want:
					t.Fatalf("at %d it goes on after %d, want %d", position, seq, want)
				case !whole && (seq <= want || ok && seq != oldest-1):
					t.Fatalf("at %d it goes on after %d, not whole, want %d", position, seq, want)
				}
			}
		}
		if blocks != h.blocks || blocks > h.total {
			t.Fatalf("%d blocks, counted %d of %d", blocks, h.blocks, h.total)
		}
		for _, tp := range topics {
			h.forget(tp)
		}
		if h.blocks != 0 || h.order.next != &h.order || h.order.prev != &h.order {
			t.Fatalf("%d blocks are left", h.blocks)
		}
	})
}

// An asset that is forgotten takes its history along.
func TestHistoryOfForgottenAsset(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Limits: Limits{RetainedAssets: 2}})
	for n := range 5 {
		for range 3 {
			r.PublishTrade(trade(n, 1))
		}
	}
	if r.history.blocks > 2 {
		t.Errorf("%d blocks", r.history.blocks)
	}
	c := r.dial("")
	c.resume("trades", "", 0, r.Epoch(), 1)
	c.expectBrief("subscribed recovered=false seqs="+seqs(0, 3), "gap trades 2-3 no_history")
	c.nothingMore()
}

// A client that resumes with far more than its mailbox holds, and reads slowly,
// is given all of it piece by piece, and the live ones after it.
func TestResumeOfMuchBySlowReader(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Limits: Limits{QueuedTrades: 200, HistoryTrades: 4000}, Timing: Timing{SendBuffer: 4096}})
	const kept = 3000
	for i := range kept {
		r.PublishTrade(trade(1, uint64(i)))
	}
	c := r.dialRaw("", 4096)
	c.sendText(`{"action":"subscribe","channel":"trades","assets":%q,"id":"1","since":{"epoch":%q,"seqs":{%q:0}}}`, mint(1), r.Epoch(), mint(1))
	if m := c.expect(1).message(t); !m.Recovered {
		t.Fatalf("%s", m.raw)
	}
	full := func() bool {
		got := make(chan bool)
		r.inShard(0, func(s *shard) {
			is := false
			for c := range s.conns {
				is = is || c.full
			}
			got <- is
		})
		return <-got
	}
	r.await("the socket to be full", full)
	for i := range 500 { // while it is behind: more than its mailbox holds
		r.PublishTrade(trade(1, kept+uint64(i)))
	}
	for i := range kept + 500 {
		if m := c.expect(1).message(t); m.Seq != uint64(i)+1 || m.Amount != fmt.Sprint(i) {
			t.Fatalf("%d: %s", i, m.raw)
		}
	}
	r.PublishTrade(trade(1, 7))
	if m := c.expect(1).message(t); m.Seq != kept+501 {
		t.Errorf("%s", m.raw)
	}
}

// What is overwritten while a client that resumes does not read is told as a gap.
func TestResumeOverwritten(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Limits: Limits{HistoryTrades: 500}, Timing: Timing{SendBuffer: 4096}})
	for i := range 500 {
		r.PublishTrade(trade(1, uint64(i)))
	}
	c := r.dialRaw("", 4096)
	c.sendText(`{"action":"subscribe","channel":"trades","assets":%q,"id":"1","since":{"epoch":%q,"seqs":{%q:0}}}`, mint(1), r.Epoch(), mint(1))
	if m := c.expect(1).message(t); !m.Recovered {
		t.Fatalf("%s", m.raw)
	}
	r.await("the socket to be full", func() bool {
		got := make(chan bool)
		r.inShard(0, func(s *shard) {
			is := false
			for c := range s.conns {
				is = is || c.full
			}
			got <- is
		})
		return <-got
	})
	for i := range 700 {
		r.PublishTrade(trade(1, 500+uint64(i)))
	}
	next, gaps := uint64(1), 0
	for next <= 1200 {
		m := c.expect(1).message(t)
		switch {
		case m.Type == "gap" && m.FromSeq == next && m.ToSeq <= 700 && m.ToSeq > 650 && m.Reason == wire.GapNoHistory:
			next = m.ToSeq + 1
			gaps++
		case m.Type == "trade" && m.Seq == next:
			next++
		default:
			t.Fatalf("after %d: %s", next-1, m.raw)
		}
	}
	if gaps != 1 {
		t.Errorf("%d gaps", gaps)
	}
}

// An asset that is seldom traded keeps its newest trade, however long ago the one
// before it was: what goes is what came longest ago.
func TestHistoryOfASeldomTradedAsset(t *testing.T) {
	t.Parallel()
	h := newHistory(&Limits{HistoryTrades: 1000, HistoryTotal: 20 * blockSize})
	seldom, busy := &topic{}, &topic{}
	for seq := range uint64(4) {
		h.publish(nil, item{topic: seldom}, &pastEntry{seq: seq + 1})
		for range 15 * blockSize {
			h.publish(nil, item{topic: busy}, &pastEntry{seq: busy.past.lastSeq + 1})
		}
		if h.look(seldom, seq).oldest > seq+1 {
			t.Fatalf("its trade %d is forgotten after %d others", seq+1, 15*blockSize)
		}
	}
}
