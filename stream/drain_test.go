package stream

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Timing: Timing{ReconnectMin: 100 * time.Millisecond, ReconnectMax: 900 * time.Millisecond}})
	clients := make([]*client, 20)
	for i := range clients {
		clients[i] = r.dial("")
		clients[i].subscribe("trades", mint(1).String())
	}
	for i := range 50 {
		r.PublishTrade(trade(1, uint64(i)))
	}
	var mu sync.Mutex
	hints := map[int64]bool{}
	var readers sync.WaitGroup
	for _, c := range clients {
		readers.Go(func() {
			n := 0
			for {
				_, err := c.read()
				if err == nil {
					n++
					continue
				}
				var ce websocket.CloseError
				var hint struct{ ReconnectMs int64 }
				if !errors.As(err, &ce) || ce.Code != 1001 || json.Unmarshal([]byte(ce.Reason), &hint) != nil || hint.ReconnectMs < 100 || hint.ReconnectMs > 900 {
					t.Errorf("%v", err)
				}
				if n != 50 {
					t.Errorf("%d of 50 trades before the close frame", n)
				}
				mu.Lock()
				defer mu.Unlock()
				hints[hint.ReconnectMs] = true
				return
			}
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	if err := r.Drain(ctx); err != nil {
		t.Error(err)
	}
	readers.Wait()
	if len(hints) < 3 {
		t.Errorf("the hints are no lottery: %v", hints)
	}
	if status, p := r.refused(""); status != 503 || p["code"] != "draining" {
		t.Errorf("after the drain: %d %v", status, p)
	}
	if s := r.Stats(); s.Connections != 0 || !s.Draining {
		t.Errorf("%+v", s)
	}
	if err := r.Drain(ctx); err != nil { // again: nothing to do
		t.Error(err)
	}
}

// A client that does not go is cut when the time is over.
func TestDrainCutsWhoStays(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Timing: Timing{SendBuffer: 4096, CloseTimeout: time.Minute}})
	c := r.dialRaw("", 4096)
	c.sendText(`{"action":"subscribe","channel":"trades","assets":%q,"id":"1"}`, mint(1))
	c.expect(1)
	for i := range 500 {
		r.PublishTrade(trade(1, uint64(i)))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := r.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if n := r.Stats().Connections; n != 0 {
		t.Errorf("%d connections", n)
	}
}

// The end of Run's context alone ends everything, too, close frames included.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	c := r.dial("")
	c.subscribe("prices", mint(1).String())
	raw := r.dialRaw("", 0)
	raw.sendText(`{"action":"ping"}`)
	raw.expect(1)
	r.stop()
	if ce := c.expectClose(); ce.Code != 1001 {
		t.Errorf("%v", ce)
	}
	raw.expect(8)
	r.PublishPrice(price(1, 1)) // harmless
	if s := r.Stats(); s.Connections != 0 || s.Subscriptions["prices"] != 0 {
		t.Errorf("%+v", s)
	}
}

// A connection that was let in before the end and reaches its shard after all
// others were cut is cut, too: Run and Drain wait for it.
func TestJoinAfterTheCut(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(r *rig){
		"Run": func(r *rig) { r.cancel() },
		"Drain": func(r *rig) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			go r.Drain(ctx) // its error is another test's
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hook, waits, enter := gated()
			r := newRig(t, Options{Shards: 1, OnConn: hook, Timing: Timing{CloseTimeout: time.Hour, DeadAfter: time.Hour}})
			first := r.dialRaw("", 0)
			<-waits
			enter <- struct{}{}
			first.sendText(`{"action":"ping"}`)
			first.expect(1)
			late := r.dialRaw("", 0)
			<-waits
			end(r)
			first.expect(8)
			first.expectEnd()
			first.Close()
			r.await("the first to go", func() bool { return r.Stats().Connections == 1 })
			r.hold(0, func() {}) // the cut is over
			close(enter)
			r.await("the late one to be cut", func() bool { return r.Stats().Connections == 0 })
			late.expect(8)
		})
	}
}

// Connections that come and go leave nothing behind.
func TestChurnLeavesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	var crowd sync.WaitGroup
	stop := make(chan struct{})
	crowd.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				r.PublishPrice(price(i%5, 1))
				r.PublishTrade(trade(i%5, 1))
				time.Sleep(50 * time.Microsecond)
			}
		}
	})
	var clients sync.WaitGroup
	for w := range 4 {
		clients.Go(func() {
			for i := range 15 {
				c, err := dialRaw(r.http.URL, "batch=1", 0)
				if err != nil {
					t.Error(err)
					return
				}
				c.t = t
				c.sendText(`{"action":"subscribe","assets":[%q,%q]}`, mint(i%5), mint((i+1)%5))
				c.sendText(`{"action":"subscribe","channel":"trades","assets":[%q]}`, mint(i%5))
				for range 5 {
					if _, err := c.frame(); err != nil {
						t.Error(err)
					}
				}
				switch (i + w) % 3 {
				case 0: // as it should be
					c.sendFrame(8, []byte{3, 0xe8})
					c.expect(8)
				case 1: // in the middle of it all
					c.sendText(`{"action":"unsubscribe","assets":[%q]}`, mint(i%5))
				}
				c.Close()
			}
		})
	}
	clients.Wait()
	close(stop)
	crowd.Wait()
	r.await("everybody to go", func() bool {
		s := r.Stats()
		return s.Connections == 0 && s.Subscriptions["prices"] == 0 && s.Subscriptions["trades"] == 0
	})
	r.registry.mu.Lock()
	for _, topic := range r.registry.assets[0] {
		if topic.refs != 0 || topic.wanted != [lanes]uint64{} {
			t.Errorf("%s: %d holds, wanted %v", topic.id, topic.refs, topic.wanted)
		}
	}
	r.registry.mu.Unlock()
	r.door.mu.Lock()
	defer r.door.mu.Unlock()
	if len(r.door.byAddr) != 0 || len(r.door.byKey) != 0 {
		t.Errorf("%v %v", r.door.byAddr, r.door.byKey)
	}
}
