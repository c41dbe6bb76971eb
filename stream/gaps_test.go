package stream

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// A gap of the server's own is told to each subscription that it may concern, of
// whichever commitment, and to nobody else.
func TestUpstreamGap(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	c := r.dial("")
	c.subscribe("trades", mint(1).String())
	c.candles("subscribe", "1s", 2)
	c.send(`{"action":"subscribe","channel":"balances","wallets":%q,"id":"1"}`, mint(3))
	c.next()
	c.send(`{"action":"subscribe","channel":"trades","assets":%q,"commitment":"confirmed","id":"1"}`, mint(4))
	c.next()
	others := r.dial("")
	others.subscribe("prices", mint(1).String())
	r.PublishGap(&swapcast.Gap{FromSlot: 7, ToSlot: 9, Reason: "out_of_range"})
	got := map[string]message{}
	for range 4 {
		m := c.next()
		got[m.Channel+m.Interval+m.Commitment] = m
		if m.Type != "gap" || m.FromSeq != 0 || m.ToSeq != 0 || m.Reason != "upstream" || m.FromSlot != 7 || m.ToSlot != 9 || m.Detail != "out_of_range" {
			t.Errorf("%s", m.raw)
		}
	}
	if got["trades"].AssetID != mint(1).String() || got["candles1s"].AssetID != mint(2).String() || got["tradesconfirmed"].AssetID != mint(4).String() ||
		got["balances"].Wallet != mint(3).String() || got["balances"].AssetID != "" {
		t.Errorf("%+v", got)
	}
	c.nothingMore()
	others.nothingMore()
}

// Who was away when it was told hears of it when it resumes; who heard of it, and
// has seen a trade since, does not.
func TestUpstreamGapWhileAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	r.PublishTrade(trade(1, 1))
	r.PublishGap(&swapcast.Gap{FromSlot: 7, ToSlot: 9})
	r.PublishTrade(trade(1, 2))
	c := r.dial("")
	c.resume("trades", "", 1, r.Epoch(), 1)
	c.expectBrief("subscribed recovered=false seqs="+seqs(1, 1), "gap trades 0-0 upstream slots 7-9 ", "trade #2 2")
	d := r.dial("")
	d.resume("trades", "", 1, r.Epoch(), 2)
	d.expectBrief("subscribed recovered=true seqs=" + seqs(1, 2))
	d.nothingMore()

	// Of very many, the oldest become one that spans them.
	for i := range 2 * maxRecordedGaps {
		r.PublishGap(&swapcast.Gap{FromSlot: 100 + uint64(i), ToSlot: 100 + uint64(i), Reason: "x"})
	}
	e := r.dial("")
	e.resume("trades", "", 1, r.Epoch(), 2)
	if m := e.next(); m.Recovered {
		t.Errorf("%s", m.raw)
	}
	next := uint64(100)
	for n := range maxRecordedGaps {
		m := e.next()
		first := n == 0
		if first && m.FromSlot == 7 {
			m.FromSlot = 100 // the gap that it has been told of has become a part of the span
		}
		if m.FromSlot != next || (m.ToSlot != m.FromSlot) != first {
			t.Fatalf("%d: %s", n, m.raw)
		}
		next = m.ToSlot + 1
	}
	if next != 100+2*maxRecordedGaps {
		t.Errorf("told up to %d", next-1)
	}
	e.nothingMore()
}

// However many gaps there are, a client that does not read has at most one for
// each subscription waiting, and another that spans what came after.
func TestUpstreamGapsOfSlowReader(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Timing: Timing{SendBuffer: 4096}})
	c := r.dialRaw("", 4096)
	const assets = 300
	list := ""
	for n := range assets {
		list += fmt.Sprintf(",%q", mint(n))
	}
	c.sendText(`{"action":"subscribe","channel":"trades","assets":[%s],"id":"1"}`, list[1:])
	c.expect(1)
	const gaps = 200
	for i := range gaps {
		r.PublishGap(&swapcast.Gap{FromSlot: uint64(10 * (i + 1)), ToSlot: uint64(10*(i+1) + 5)})
		if i%50 == 0 {
			waiting := make(chan int)
			r.inShard(0, func(s *shard) {
				for c := range s.conns {
					waiting <- c.box.len()
				}
			})
			if n := <-waiting; n > assets {
				t.Errorf("%d messages wait", n)
			}
		}
	}
	reached, messages := map[string]uint64{}, 0
	whole := func() bool {
		if len(reached) < assets {
			return false
		}
		for _, slot := range reached {
			if slot < 10*gaps+5 {
				return false
			}
		}
		return true
	}
	for !whole() {
		m := c.expect(1).message(t)
		if m.Type != "gap" || m.FromSlot > reached[m.AssetID]+10 {
			t.Fatalf("after %d: %s", reached[m.AssetID], m.raw)
		}
		reached[m.AssetID] = max(reached[m.AssetID], m.ToSlot)
		messages++
	}
	if messages > gaps*assets/2 {
		t.Errorf("%d messages", messages)
	}
}

// Ten thousand subscriptions are told in little time, each frame made once.
func TestUpstreamGapForTenThousand(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 2})
	const connections, assets = 20, 500
	var clients []*rawClient
	for range connections {
		c := r.dialRaw("", 0)
		list := ""
		for n := range assets {
			list += fmt.Sprintf(",%q", mint(n))
		}
		c.sendText(`{"action":"subscribe","channel":"trades","assets":[%s],"id":"1"}`, list[1:])
		c.expect(1)
		clients = append(clients, c)
	}
	if n := r.Stats().Subscriptions["trades"]; n != connections*assets {
		t.Fatalf("%d subscriptions", n)
	}
	r.await("the answers to be counted", func() bool { return r.Stats().Sent == connections })
	before := r.Stats().Sent
	started := time.Now()
	r.PublishGap(&swapcast.Gap{FromSlot: 7, ToSlot: 9})
	published := time.Since(started)
	for _, c := range clients {
		told := map[string]bool{}
		for range assets {
			m := c.expect(1).message(t)
			if m.Type != "gap" || m.FromSlot != 7 || told[m.AssetID] {
				t.Fatalf("%s", m.raw)
			}
			told[m.AssetID] = true
		}
	}
	r.await("the shards to tell", func() bool { return r.Stats().Sent-before == connections*assets })
	t.Logf("published in %v, read by %d clients after %v", published, connections, time.Since(started))
	if published > time.Second {
		t.Errorf("publishing took %v", published)
	}
}

// status is a status message in short.
func (m message) status() string {
	lag := "?"
	if m.LagMS != nil {
		lag = fmt.Sprint(*m.LagMS)
	}
	return fmt.Sprintf("%s %s slot %d lag %s degraded=%v %q snapshot=%v", m.Type, m.Feed, m.Slot, lag, m.Degraded, m.Message, m.Snapshot)
}

func TestStatusChannel(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{StatusEvery: time.Hour})
	c, d := r.dial(""), r.dial("")
	c.send(`{"action":"subscribe","channel":"status","id":"1"}`)
	if m := c.next(); m.Type != "subscribed" || m.Channel != "status" || len(m.Assets) != 0 || m.Seqs != nil {
		t.Errorf("%s", m.raw)
	}
	d.subscribe("prices", mint(1).String())
	expect := func(c *client, want ...string) {
		t.Helper()
		for _, w := range want {
			m := c.next()
			if m.status() != w || m.TS == 0 {
				t.Errorf("%s\nwant %s (%s)", m.status(), w, m.raw)
			}
		}
	}
	expect(c, `status disconnected slot 0 lag ? degraded=true "the server has just started" snapshot=true`)
	st := wire.Status{Feed: wire.FeedHealthy, Slot: 7, LagMS: 84, LagKnown: true}
	r.PublishStatus(&st)
	expect(c, `status healthy slot 7 lag 84 degraded=false "" snapshot=false`)
	for range 10 { // nothing but slot and lag
		st.Slot++
		st.LagMS++
		r.PublishStatus(&st)
	}
	st.Degraded, st.Message = true, "one source is late"
	r.PublishStatus(&st)
	expect(c, `status healthy slot 17 lag 94 degraded=true "one source is late" snapshot=false`)
	st.Slot++
	r.PublishStatus(&st)
	e := r.dial("")
	e.send(`{"action":"subscribe","channel":"status"}`)
	if m := e.next(); m.Type != "status" || !m.Snapshot || m.Slot < 17 {
		t.Errorf("%s", m.raw)
	}
	if n := r.Stats().Subscriptions["status"]; n != 2 {
		t.Errorf("%d subscriptions", n)
	}
	c.send(`{"action":"unsubscribe","channel":"status","id":"2"}`)
	c.next()
	st.Feed = wire.FeedStale
	r.PublishStatus(&st)
	if m := e.next(); m.Feed != "stale" {
		t.Errorf("%s", m.raw)
	}
	c.nothingMore()
	d.nothingMore()
}

// A status that stays the same is told again every now and then.
func TestStatusIsRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{StatusEvery: 20 * time.Millisecond})
	c := r.dial("")
	c.send(`{"action":"subscribe","channel":"status"}`)
	c.next()
	st := wire.Status{Feed: wire.FeedHealthy}
	stop := make(chan struct{})
	done := make(chan struct{})
	started := time.Now()
	go func() {
		defer close(done)
		for slot := uint64(1); ; slot++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				now := st
				now.Slot = slot
				r.PublishStatus(&now)
			}
		}
	}()
	var slots []uint64
	for range 4 {
		slots = append(slots, c.next().Slot)
	}
	took := time.Since(started)
	close(stop)
	<-done
	if took < 3*20*time.Millisecond || !slices.IsSorted(slots) {
		t.Errorf("%v within %v", slots, took)
	}
}
