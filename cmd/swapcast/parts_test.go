package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/ledger"
)

// fewKeys is a provider's limits: a stream that asks for more keys in one filter,
// or for more than one filter, ends as the plugin ends it.
type fewKeys struct {
	grpc.ServerStream

	most    int
	refusal atomic.Pointer[status.Status]
}

func (s *fewKeys) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	r, ok := m.(*pb.SubscribeRequest)
	if !ok {
		return nil
	}
	if len(r.Transactions) > 1 {
		return s.refuse("Max amount of filters/data_slices reached, only 1 allowed")
	}
	for _, f := range r.Transactions {
		if len(f.AccountInclude) > s.most {
			return s.refuse(fmt.Sprintf("Max amount of Pubkeys reached, only %d allowed", s.most))
		}
	}
	return nil
}

func (s *fewKeys) refuse(text string) error {
	st := status.New(codes.InvalidArgument, "failed to create filter: "+text)
	s.refusal.Store(st)
	return st.Err()
}

// fewKeysMarket serves the built-in market with the limits of a small plan: so
// many keys in one filter, one filter in one request. It returns the address.
func fewKeysMarket(t *testing.T, source string, most int) string {
	t.Helper()
	play, err := openPlaySource(source)
	if err != nil {
		t.Fatal(err)
	}
	server, err := replay.New(replay.Options{
		Source: play.Source, Speed: play.Speed, Simulated: true, WaitForClient: true, Logger: newLogger(t.Output(), "text", "warn"),
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := listenOn(t.Context(), "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limit := grpc.StreamInterceptor(func(srv any, inner grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		s := &fewKeys{ServerStream: inner, most: most}
		err := handle(srv, s)
		if st := s.refusal.Load(); st != nil {
			return st.Err()
		}
		return err
	})
	runForTest(t, func(ctx context.Context) error { return server.Serve(ctx, listener, limit) })
	return listener.Addr().String()
}

// TestServeInParts follows an endpoint that allows so few keys that they take
// several streams: the refusal is learned from, and what all streams together
// bring is proved: confirmed prices flow, and the checkpoint goes on.
func TestServeInParts(t *testing.T) {
	const most, parts = 3, 3
	address := fewKeysMarket(t, "market:?seed=9&tps=200&speed=4", most)
	c := parseServe(t, "--source", "grpc://"+address, "--hold-for", "30s")
	s, err := newServer(t.Context(), c, testEnviron(t))
	if err != nil {
		t.Fatal(err)
	}
	// The DEXes that the market has: each part brings something all the time.
	s.upstream.follow(geyser.Filter{Programs: dexPrograms()[:8]})
	runForTest(t, s.run)

	// What the first part brought before the last one began was told without it:
	// the first slots may be late or unproved, and none after them.
	const settling = 10
	var early *ledger.Stats
	begun, up := uint64(0), false
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		at := s.pipeline.checkpoint.Load()
		if begun == 0 {
			begun = at
		}
		up = up || s.upstream.statuses()[0].Streams == parts
		if early == nil && begun > 0 && at > begun+settling {
			early = s.pipeline.stats.Load()
		}
		if begun > 0 && at > begun+40 && up {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("checkpoint %d, begun at %d: %+v, endpoint %+v", at, begun, s.pipeline.stats.Load(), s.upstream.statuses())
		}
	}
	stats := s.pipeline.stats.Load()
	if stats.Unproved != early.Unproved || stats.GapSlots != 0 || stats.Late != early.Late || early.Unproved > settling {
		t.Errorf("not all was proved: %+v, of which at the beginning %+v", stats, early)
	}
	if e := stats.Endpoints[0]; e.Disagreements != 0 || stats.Disputed != 0 {
		t.Errorf("the parts of one endpoint argue: %+v", stats)
	}
	trades := s.confirmed.market.Trades(swapcast.NativeMint(), 100)
	var dexes []string
	for i := range trades {
		if !slices.Contains(dexes, trades[i].DEX) {
			dexes = append(dexes, trades[i].DEX)
		}
	}
	if len(trades) < 20 || len(dexes) < 2 {
		t.Errorf("%d confirmed trades, of %v", len(trades), dexes)
	}
	if p, ok := s.confirmed.market.Price(swapcast.NativeMint()); !ok || p.USD <= 0 {
		t.Errorf("confirmed price %+v", p)
	}
}
