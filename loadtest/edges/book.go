package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/swapcast/swapcast/stream/client"
)

// watcher is a client and what it was told.
type watcher struct {
	name   string
	client *client.Client

	mu sync.Mutex
	// guarded by mu
	trades map[string]int // how often each was told
	gaps   []string       // as told
	logged int            // of gaps
	ended  int            // connections
	prices map[string]float64
	epochs map[string]struct{}

	strange map[string]int // how often judges met what the yardstick was not told; owned by the judge
}

// watch connects and subscribes to the trades and prices of mints at both
// commitments.
func watch(ctx context.Context, name, url string, mints []string, group *sync.WaitGroup) (*watcher, error) {
	w := &watcher{name: name, trades: make(map[string]int), prices: make(map[string]float64), epochs: make(map[string]struct{})}
	var err error
	w.client, err = client.New("ws"+strings.TrimPrefix(url, "http")+"/ws", client.Options{
		OnEvent: w.take, MinBackoff: 100 * time.Millisecond, MaxBackoff: 2 * time.Second, SilentAfter: 10 * time.Second, VUID: name,
	})
	if err != nil {
		return nil, err
	}
	group.Go(func() {
		if err := w.client.Run(ctx); err != nil && ctx.Err() == nil {
			w.mu.Lock()
			w.gaps = append(w.gaps, "the client ended: "+err.Error())
			w.mu.Unlock()
		}
	})
	for _, channel := range []string{client.ChannelTrades, client.Confirmed(client.ChannelTrades), client.ChannelPrices} {
		if err := w.client.Subscribe(ctx, channel, mints...); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, channel, err)
		}
	}
	return w, nil
}

// take notes an event.
func (w *watcher) take(ev client.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := ev.(type) {
	case *client.Trade:
		w.trades[fmt.Sprintf("%s %s %d %s %d", e.Commitment, e.AssetID, e.Slot, e.Signature, e.Index)]++
	case *client.Price:
		if e.Price != nil {
			w.prices[e.AssetID] = *e.Price
		}
	case *client.Retract:
		for _, s := range e.Signatures {
			w.trades[fmt.Sprintf("retract %s %s %d %s", e.Commitment, e.AssetID, e.Slot, s)]++
		}
	case *client.Gap:
		if e.Channel == client.ChannelTrades {
			w.gaps = append(w.gaps, fmt.Sprintf("%s %s %s %d-%d", e.Reason, e.Commitment, e.AssetID, e.FromSeq, e.ToSeq))
		}
	case *client.Disconnected:
		w.ended++
	case *client.Subscribed:
		w.epochs[e.Epoch] = struct{}{}
	}
}

// order is the yardstick: trades in the order in which the undisturbed client was
// told them, and when.
type order struct {
	mu sync.Mutex
	// guarded by mu
	keys []string
	at   []time.Time
}

// follow notes what is new in the yardstick's book, until ctx ends.
func (o *order) follow(ctx context.Context, w *watcher) {
	known := make(map[string]struct{})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			w.mu.Lock()
			o.mu.Lock()
			for key := range w.trades {
				if _, there := known[key]; !there {
					known[key] = struct{}{}
					o.keys, o.at = append(o.keys, key), append(o.at, now)
				}
			}
			o.mu.Unlock()
			w.mu.Unlock()
		}
	}
}

// between are the trades of a time.
func (o *order) between(from, to time.Time) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var keys []string
	for i := len(o.at) - 1; i >= 0 && o.at[i].After(from); i-- {
		if o.at[i].Before(to) {
			keys = append(keys, o.keys[i])
		}
	}
	return keys
}
