package main

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/cache"
	"github.com/swapcast/swapcast/cache/cachetest"
)

// TestTradeReachesOtherInstances: a trade of a wallet makes what is cached of it
// fresh on every instance that has the same Redis, whether the instance has seen the
// trade or not. What is asked for is good for an hour, so nothing else makes it fresh.
func TestTradeReachesOtherInstances(t *testing.T) {
	t.Parallel()
	redis := cachetest.StartRedis(t)
	source := "grpc://" + geyserForTest(t, 1, "--listen", "127.0.0.1:0", "--source", "market:?seed=31&tps=100")[0]
	args := []string{"--redis-url", "redis://" + redis.Addr}
	a := serveForTest(t, append(args, "--source", source)...)
	b := serveForTest(t, append(args, "--source", source)...)
	other := serveForTest(t, append(args, "--source", "market:?seed=32&tps=20")...) // another chain with other wallets
	for _, s := range []*server{a, b, other} {
		waitUntil(t, "all to see each other on the bus", func() bool {
			return metric(t, s, `swapcast_cache_instances{state="known"}`) == 2 && metric(t, s, "swapcast_cache_bus_lost") == 0
		})
	}
	eventually(t, "trades", func() bool { return len(traders(a, 1)) == 1 && a.feed.txs.Load() > 300 })
	owner := traders(a, 1)[0]

	t.Run("one that does not see the trade", func(t *testing.T) {
		seen := keptLong(t, other, "unseen")
		if err := a.wallets.touch(owner); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			eventually(t, "an answer from the cache", func() bool { return seen.again(owner) })
			before, trades := seen.computes.Load(), metric(t, a, "swapcast_wallet_invalidations_total")
			eventually(t, "a new answer", func() bool { return !seen.again(owner) })
			if seen.computes.Load() == before || metric(t, a, "swapcast_wallet_invalidations_total") == trades {
				t.Errorf("a new answer after %d computations and %v trades, as before", before, trades)
			}
		}
		computes := float64(seen.computes.Load())
		heard := metric(t, other, `swapcast_cache_invalidations_total{origin="bus"}`)
		// In doubt, on a machine that is very busy, nothing older than the L1 TTL is served.
		doubts := metric(t, other, `swapcast_cache_requests_total{layer="l2",outcome="doubt"}`)
		if computes > 1+heard+doubts {
			t.Errorf("%v computations after %v invalidations of others and %v doubts: it was not cached", computes, heard, doubts)
		}
		if n := metric(t, other, "swapcast_wallet_invalidations_total"); n != 0 {
			t.Errorf("it saw %v changes of the wallet itself: this test shows nothing", n)
		}
	})
	t.Run("one that sees it too", func(t *testing.T) {
		for _, s := range []*server{a, b} {
			if err := s.wallets.touch(owner); err != nil {
				t.Fatal(err)
			}
		}
		kept := keptLong(t, b, "seen")
		for range 3 {
			eventually(t, "an answer from the cache", func() bool { return kept.again(owner) })
			was := newestOf(kept.ask(owner))
			var trade uint64
			eventually(t, "a trade on the first instance", func() bool {
				answer, err := a.walletBalances(t.Context(), owner)
				trade = newestOf(answer)
				return err == nil && trade > was
			})
			eventually(t, "an answer on the second one that shows it", func() bool { return newestOf(kept.ask(owner)) >= trade })
		}
	})
}

// metric reads one of a server's metrics, 0 where it has none of that name.
func metric(t *testing.T, s *server, name string) float64 {
	t.Helper()
	body := getBody(t, "http://"+s.admin.Addr().String()+"/metrics", http.StatusOK)
	m := regexp.MustCompile("(?m)^" + regexp.QuoteMeta(name) + " (.*)$").FindStringSubmatch(body)
	if m == nil {
		return 0
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(m[1]), 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// longLived is the balances of wallets as a server has them, cached as the API's
// answers are, but for an hour.
type longLived struct {
	t        *testing.T
	cached   func(context.Context, solana.PublicKey) (api.WalletBalances, error)
	computes atomic.Int64
}

func keptLong(t *testing.T, s *server, name string) *longLived {
	l := &longLived{t: t}
	l.cached = cache.Func(s.cache, cache.Spec{
		Name: name + ":{0}", Tags: []string{"portfolio:{0}"}, Options: []cache.Option{cache.TTL(time.Hour, time.Hour)},
	}, func(ctx context.Context, owner solana.PublicKey) (api.WalletBalances, error) {
		l.computes.Add(1)
		return s.walletBalances(ctx, owner)
	})
	return l
}

func (l *longLived) ask(owner solana.PublicKey) api.WalletBalances {
	l.t.Helper()
	answer, err := l.cached(l.t.Context(), owner)
	if err != nil {
		l.t.Fatal(err)
	}
	return answer
}

// again asks and tells whether the answer came from the cache.
func (l *longLived) again(owner solana.PublicKey) bool {
	before := l.computes.Load()
	l.ask(owner)
	return l.computes.Load() == before
}

// newestOf is the slot of the newest change that an answer shows.
func newestOf(answer api.WalletBalances) uint64 {
	var slot uint64
	for _, b := range answer.Balances {
		slot = max(slot, b.Slot)
	}
	return slot
}
