package main

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/swapcast/swapcast/cache/cachetest"
	"github.com/swapcast/swapcast/stream/client"
)

// TestFleetBalances: wallets that an edge's clients listen to are followed by the
// ingests, whichever leads.
func TestFleetBalances(t *testing.T) {
	redis := cachetest.StartRedis(t)
	source := "grpc://" + geyserForTest(t, 1, "--listen", "127.0.0.1:0", "--source", "market:?seed=12&tps=100")[0]
	fleet := func(role string, more ...string) []string {
		return append([]string{"--role", role, "--redis-url", "redis://" + redis.Addr, "--relay-lease", "1s"}, more...)
	}
	first, endFirst := stoppable(t, fleet("ingest", "--source", source)...)
	within(t, "the first ingest leads", first.relay.Leads)
	second := serveForTest(t, fleet("ingest", "--source", source)...)
	edge := serveForTest(t, fleet("edge")...)

	var trader atomic.Pointer[string]
	var balances atomic.Int64
	c, err := client.Dial(t.Context(), "ws://"+edge.public.Addr().String()+"/ws", client.Options{OnEvent: func(ev client.Event) {
		switch e := ev.(type) {
		case *client.Trade:
			trader.Store(&e.Trader)
		case *client.Balance:
			balances.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Subscribe(t.Context(), client.ChannelTrades, sdkMints()...); err != nil {
		t.Fatal(err)
	}
	within(t, "a trade", func() bool { return trader.Load() != nil })
	// Whoever trades now may trade seldom: wallets are asked for until one moves.
	moves := func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if err := c.Subscribe(ctx, client.ChannelBalances, *trader.Load()); err != nil {
			t.Log(err)
		}
		return balances.Load() > 0
	}
	within(t, "a balance", moves)
	endFirst()
	within(t, "the second ingest leads", second.relay.Leads)
	n := balances.Load()
	within(t, "a balance by the second ingest", func() bool { moves(); return balances.Load() > n })
}
