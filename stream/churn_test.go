package stream

import (
	"encoding/json"
	"testing"

	"github.com/swapcast/swapcast/stream/wire"
)

// mints is a JSON list of n mints from the given one on.
func mints(t testing.TB, from, n int) string {
	t.Helper()
	list := make([]string, n)
	for i := range list {
		list[i] = mint(from + i).String()
	}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// only returns a view of the one connection of shard 0, taken on the shard.
func only[T any](r *rig, look func(s *shard, c *conn) T) T {
	r.t.Helper()
	got := make(chan T, 1)
	r.inShard(0, func(s *shard) {
		for c := range s.conns {
			got <- look(s, c)
			return
		}
		close(got)
	})
	v, ok := <-got
	if !ok {
		r.t.Fatal("no connection")
	}
	return v
}

// A client that reads nothing and subscribes and unsubscribes over and over
// makes the server hold no more for it than one that subscribes once: each
// subscription's snapshot goes when the subscription does.
func TestSubscribingAnewIsBounded(t *testing.T) {
	t.Parallel()
	const assets = 200
	r := newRig(t, Options{Shards: 1, Limits: Limits{QueuedPrices: 8, MessagesPerSecond: -1}, Timing: Timing{SendBuffer: 4096}})
	c := r.dialRaw("", 4096)
	all := mints(t, 0, assets)
	for range 100 {
		c.sendText(`{"action":"subscribe","assets":%s}`, all)
		c.sendText(`{"action":"unsubscribe","assets":%s}`, all)
	}
	c.sendText(`{"action":"subscribe","assets":%s}`, all)
	c.sendText(`{"action":"subscribe","channel":"trades","assets":%q}`, mint(0))
	r.await("the requests to be served", func() bool { return r.Stats().Subscriptions[wire.ChannelTrades] == 1 })
	if n := only(r, func(_ *shard, c *conn) int { return c.box.len() }); n > assets {
		t.Errorf("%d messages wait for a client with %d subscriptions", n, assets)
	}

	// It reads again: of each asset the newest is there, and nothing is lost.
	r.PublishPrice(price(7, 7))
	for {
		if m := c.expect(1).message(t); m.AssetID == mint(7).String() && m.Seq == 1 {
			break
		}
	}
	c.sendText(`{"action":"unsubscribe","assets":%s}`, all)
	c.sendText(`{"action":"ping","id":"end"}`)
	for c.expect(1).message(t).ID != "end" {
	}
	r.PublishPrice(price(7, 8))
	c.sendText(`{"action":"ping","id":"end"}`)
	if m := c.expect(1).message(t); m.ID != "end" {
		t.Errorf("after it unsubscribed: %+v", m)
	}
}

// A client that reads gets what was due before it unsubscribed.
func TestUnsubscribingLosesNothingDue(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1})
	c := r.dialRaw("", 0)
	r.PublishPrice(price(1, 1))
	r.hold(0, func() {
		c.sendText(`{"action":"subscribe","assets":%q}`, mint(1))
		c.sendText(`{"action":"unsubscribe","assets":%q,"id":"u"}`, mint(1))
		r.await("both requests", func() bool { return r.queued(0, itemRequest) == 2 })
	})
	if m := c.expect(1).message(t); !m.Snapshot || m.Seq != 1 {
		t.Errorf("no snapshot: %+v", m)
	}
	if m := c.expect(1).message(t); m.Type != "unsubscribed" {
		t.Errorf("%+v", m)
	}
}

// queued is how many items of a kind wait for a shard.
func (r *rig) queued(index int, what itemKind) int {
	s := r.shards[index]
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for i := range s.queue {
		if s.queue[i].what == what {
			n++
		}
	}
	return n
}

// What a window holds is one price a subscription, however often the client
// subscribes in it, and the connection waits for one end of a window only.
func TestSubscribingAnewInAWindowIsBounded(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"unsubscribed between": `{"action":"unsubscribe","assets":%q,"id":"x"}`,
		"subscribed twice":     `{"action":"subscribe","assets":%q,"id":"x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, Options{Shards: 1})
			c := r.dialRaw("window_ms=5000", 0)
			for range 50 {
				c.sendText(`{"action":"subscribe","assets":%q,"id":"s"}`, mint(1))
				for !c.expect(1).message(t).Snapshot {
				}
				r.PublishPrice(price(1, 1))
				c.sendText(request, mint(1))
				for c.expect(1).message(t).ID != "x" {
				}
			}
			n := only(r, func(s *shard, c *conn) [2]int { return [2]int{len(c.held), s.ticks.count} })
			if n[0] > 1 || n[1] > 1 {
				t.Errorf("%d prices are held, %d ends of a window awaited", n[0], n[1])
			}
		})
	}
}
