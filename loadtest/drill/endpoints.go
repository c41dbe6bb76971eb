package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/geyser/replay/faults"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/rpctest"
)

// upstream is what the server under test is connected to: the endpoints of one
// chain, and JSON-RPC nodes of it.
type upstream struct {
	servers   []*replay.Server
	listeners []net.Listener
	rpc       []*rpctest.Server
	rpcAt     []net.Listener
	market    *market
	begin     chan struct{} // closed: the chain begins

	mu sync.Mutex
	// guarded by mu
	chainFaults map[faults.Kind]uint64
}

// upstreamOptions say what the chain is and what goes wrong.
type upstreamOptions struct {
	sim       sim.Options
	speed     float64
	swaps     uint64
	script    *faults.Script
	endpoints int
	nodes     int // JSON-RPC
	stored    int // slots that endpoints and nodes keep, 0 storedSlots
	onFault   func(endpoint int, e faults.Event)
	log       *slog.Logger
}

// storedSlots are more than pass while an endpoint is away and RPC fills. Not all
// of the chain: a million swaps in three places take more memory than machines have.
const storedSlots = 500

func openUpstream(o upstreamOptions, t *truth) (*upstream, error) {
	u := &upstream{begin: make(chan struct{}), chainFaults: make(map[faults.Kind]uint64)}
	if o.onFault == nil {
		o.onFault = func(int, faults.Event) {}
	}
	if o.stored == 0 {
		o.stored = storedSlots
	}
	var err error
	if u.market, err = newMarket(o.sim, t, o.swaps); err != nil {
		return nil, err
	}
	chain := o.script.Chain(u.market, faults.ChainOptions{OnTruth: t.tell, OnFault: func(e faults.Event) {
		u.struck(e)
		o.onFault(-1, e)
	}})
	recorder := rpctest.NewRecorder(rpctest.RecorderOptions{MaxBlocks: o.stored, MaxBytes: 512 << 20})
	sources := replay.Tee(recorder.Tap(&tap{src: chain, truth: t, begin: u.begin}), o.endpoints)
	for i, src := range sources {
		server, err := replay.New(replay.Options{
			Source: src, Speed: o.speed, Simulated: true, Faults: o.script.Endpoint(i),
			PingInterval: 5 * time.Second, QueueSize: 1 << 18, Logger: o.log.With("endpoint", i),
			StoredSlots: o.stored, StoredBytes: 2 << 30, // by slots alone
			OnFault: func(e faults.Event) {
				t.lie(e)
				o.onFault(i, e)
			},
		})
		if err != nil {
			return nil, err
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a loopback port
		if err != nil {
			return nil, err
		}
		u.servers, u.listeners = append(u.servers, server), append(u.listeners, listener)
	}
	for i := range o.nodes {
		node, err := rpctest.New(rpctest.Options{Store: recorder, Lag: uint64(i)}) //nolint:gosec // few
		if err != nil {
			return nil, err
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a loopback port
		if err != nil {
			return nil, err
		}
		u.rpc, u.rpcAt = append(u.rpc, node), append(u.rpcAt, listener)
	}
	return u, nil
}

func (u *upstream) struck(e faults.Event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.chainFaults[e.Kind]++
}

// serve runs everything until ctx ends.
func (u *upstream) serve(ctx context.Context, rpcFaults bool, seed uint64) error {
	var all sync.WaitGroup
	failed := make(chan error, len(u.servers)+len(u.rpc))
	for i, s := range u.servers {
		all.Go(func() {
			if err := s.Serve(ctx, u.listeners[i]); err != nil {
				failed <- fmt.Errorf("endpoint %d: %w", i, err)
			}
		})
	}
	for i, node := range u.rpc {
		server := &http.Server{Handler: node, ReadHeaderTimeout: 10 * time.Second}
		all.Go(func() {
			if err := server.Serve(u.rpcAt[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("JSON-RPC node %d: %w", i, err)
			}
		})
		stop := context.AfterFunc(ctx, func() { _ = server.Close() })
		defer stop()
	}
	if rpcFaults {
		all.Go(func() { troubleNodes(ctx, u.rpc, seed) })
	}
	all.Wait()
	close(failed)
	var err error
	for e := range failed {
		err = errors.Join(err, e)
	}
	return err
}

// troubleNodes has JSON-RPC nodes do now and then what such nodes do: all of them
// lag, and for ten seconds each one, then the next, fails every other request or
// so. Never do all fail at once: without RPC's word the endpoint that is named
// first is believed, and it lies too.
func troubleNodes(ctx context.Context, nodes []*rpctest.Server, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // what is wanted is the same faults again
	list := []rpctest.Fault{
		{Status: http.StatusTooManyRequests, RetryAfter: "1", Body: `{"jsonrpc":"2.0","error":{"code":429,"message":"Too many requests"},"id":1}`},
		{Status: http.StatusServiceUnavailable, Body: "upstream connect error"},
		{Status: http.StatusBadGateway, Body: "<html>502 Bad Gateway</html>"},
		{Stall: 2 * time.Second},
		{Abort: true},
		{Code: -32005, Message: "Node is behind by 42 slots"},
		{Method: "getBlock", Code: -32004, Message: "Block not available for slot"},
		{Method: "getBlock", Null: true},
		{ContentType: "application/json", Body: `{"jsonrpc":"2.0","result":{"blockTime":17`},
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for second := 0; ; second++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for i, node := range nodes {
			node.ClearScript()                  // what nobody met
			node.SetLag(uint64(random.IntN(5))) //nolint:gosec // not below 0
			if i == second/10%len(nodes) {
				node.Script(list[random.IntN(len(list))])
			}
		}
	}
}

// readScript reads a file of faults.
func readScript(path string) (*faults.Script, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := faults.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
