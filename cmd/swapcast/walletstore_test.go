package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/cache/cachetest"
	"github.com/swapcast/swapcast/wallet"
)

// storedTx is a transaction in which a wallet buys a token for a dollar.
func storedTx(owner solana.PublicKey, n byte) *wallet.Tx {
	const one = 1_000_000
	row := func(mint solana.PublicKey, pre, post uint64) swapcast.BalanceChange {
		return swapcast.BalanceChange{Owner: owner, Mint: mint, Account: mint, Pre: pre, Post: post, Decimals: 6}
	}
	token := solana.PublicKey{77}
	return &wallet.Tx{
		TxRef: swapcast.TxRef{Slot: uint64(n), Signature: solana.Signature{n}}, Index: 1, BlockTime: 5,
		Swaps: []swapcast.Swap{{
			Trader: owner, MintIn: swapcast.USDC(), UserAmountIn: one, DecimalsIn: 6,
			MintOut: token, UserAmountOut: uint64(n) * one, DecimalsOut: 6,
		}},
		Changes: []swapcast.BalanceChange{row(swapcast.USDC(), 500*one, 499*one), row(token, 0, uint64(n)*one)},
	}
}

// TestUnreadableWalletInRedis: what cannot be read is told apart from a Redis that does
// not answer, so that other wallets do not wait for it.
func TestUnreadableWalletInRedis(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true})
	defer client.Close()
	store, owner := redisWallets{client}, solana.PublicKey{5}
	for field, text := range map[string]string{
		fieldBase: `{"last":{"s":1},"accounts":{}}`, fieldPast: `[]`, fieldEvent + "x": `{"s":-1}`,
	} {
		if err := client.HSet(t.Context(), walletKey(owner), field, text).Err(); err != nil {
			t.Fatal(err)
		}
		if s, err := store.load(t.Context(), owner); s != nil || !errors.Is(err, errWalletUnreadable) {
			t.Errorf("%s %s: %+v, %v", field, text, s, err)
		}
		if aside, err := client.HGet(t.Context(), asideKey(owner), field).Result(); aside != text {
			t.Errorf("%s is not kept aside: %q, %v", field, aside, err)
		}
		if s, err := store.load(t.Context(), owner); s != nil || err != nil {
			t.Errorf("%s, when it is aside: %+v, %v", field, s, err)
		}
	}
	// Another instance was faster, and has stored the wallet anew.
	if err := store.save(t.Context(), owner, &wallet.Delta{Past: &wallet.Past{}}); err != nil {
		t.Fatal(err)
	}
	if err := store.setAside(t.Context(), owner, fieldPast, `[]`, io.ErrUnexpectedEOF); !errors.Is(err, errWalletUnreadable) {
		t.Errorf("the second one to set it aside: %v", err)
	}
	if s, err := store.load(t.Context(), owner); s == nil || err != nil {
		t.Errorf("stored anew: %+v, %v", s, err)
	}
	client.Close()
	if _, err := store.load(t.Context(), owner); err == nil || errors.Is(err, errWalletUnreadable) {
		t.Errorf("a Redis that is away: %v", err)
	}
}

// TestUnreadableWalletLeavesOthersAlone: a server that finds one of its wallets
// unreadable says so once, begins that one anew, and has the others as they were.
func TestUnreadableWalletLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	redisServer := cachetest.StartRedis(t)
	client := redisServer.Client(t)
	store := redisWallets{client}
	unpriced := func(solana.PublicKey) (float64, bool) { return 0, false }
	const readable = 8
	var owners []solana.PublicKey // in whose midst the unreadable one is looked for: the order is a map's
	args := []string{"--source", "grpc://127.0.0.1:1", "--redis-url", "redis://" + redisServer.Addr}
	for n := byte(1); n <= readable; n++ {
		owner := solana.PublicKey{5, n}
		p := wallet.NewPositions(wallet.PositionOptions{})
		p.Watch(owner)
		p.Apply(storedTx(owner, n), unpriced, nil)
		p.Settle(uint64(n))
		if err := store.save(t.Context(), owner, p.Unsaved(owner)); err != nil {
			t.Fatal(err)
		}
		owners = append(owners, owner)
		args = append(args, "--watch-wallet", owner.String())
	}
	bad := solana.PublicKey{6}
	if err := client.HSet(t.Context(), walletKey(bad), fieldPast, "[]").Err(); err != nil {
		t.Fatal(err)
	}
	var told atomic.Int64
	env := testEnviron(t)
	env.Log = newLogger(&lineWriter{line: func(line string) {
		if strings.Contains(line, "left aside") {
			told.Add(1)
		}
	}}, "text", "warn")
	c := parseServe(t, append(args, "--watch-wallet", bad.String())...)
	if err := c.validate(); err != nil {
		t.Fatal(err)
	}
	s, err := newServer(t.Context(), c, env)
	if err != nil {
		t.Fatal(err)
	}
	runForTest(t, s.run)
	eventually(t, "all are looked for", func() bool {
		return s.wallets.restored(bad) && !slices.ContainsFunc(owners, func(o solana.PublicKey) bool { return !s.wallets.restored(o) })
	})
	for _, owner := range owners {
		if r, ok := s.wallets.positions.Report(owner, unpriced); !ok || r.Transactions != 1 {
			t.Errorf("%s: %+v", owner, r)
		}
	}
	if r, ok := s.wallets.positions.Report(bad, unpriced); !ok || r.Transactions != 0 {
		t.Errorf("the unreadable one: %+v, %v", r, ok)
	}
	metrics := getBody(t, "http://"+s.admin.Addr().String()+"/metrics", http.StatusOK)
	for _, line := range []string{
		`swapcast_wallet_store_total{outcome="unreadable",what="load"} 1`,
		fmt.Sprintf(`swapcast_wallet_store_total{outcome="ok",what="load"} %d`, readable),
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics have no %s", line)
		}
	}
	if strings.Contains(metrics, `{outcome="failed",what="load"}`) {
		t.Error("the unreadable one counts as failed")
	}
	// What happens to it now is stored, and the next server can read it.
	s.wallets.positions.Apply(storedTx(bad, 3), unpriced, nil)
	s.wallets.positions.Settle(3)
	eventually(t, "it is stored", func() bool {
		saved, err := store.load(t.Context(), bad)
		return err == nil && saved != nil && len(saved.Events) == 1
	})
	if n := told.Load(); n != 1 {
		t.Errorf("it is told %d times", n)
	}
}

// TestWalletsInRedis: what one instance stores of a wallet, folded transactions and
// all, is what another one gets; an older base does not replace a newer one, and a
// chain that began anew replaces everything.
func TestWalletsInRedis(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true})
	defer client.Close()
	store := redisWallets{client}
	owner := solana.PublicKey{5}
	price := func(mint solana.PublicKey) (float64, bool) { return 100, mint == swapcast.NativeMint() }
	if s, err := store.load(t.Context(), owner); s != nil || err != nil {
		t.Fatalf("of a wallet that was never stored: %+v, %v", s, err)
	}
	p := wallet.NewPositions(wallet.PositionOptions{MaxEvents: 10})
	p.Watch(owner)
	var older *wallet.Delta
	for n := byte(1); n <= 60; n++ {
		p.Settle(uint64(n) - 1)
		p.Apply(storedTx(owner, n), price, nil)
		if n%7 != 0 {
			continue
		}
		if d := p.Unsaved(owner); d != nil {
			if err := store.save(t.Context(), owner, d); err != nil {
				t.Fatal(err)
			}
			p.Saved(owner, d)
			if d.Base != nil && older == nil {
				older = d
			}
		}
	}
	p.Settle(100)
	if d := p.Unsaved(owner); d != nil {
		if err := store.save(t.Context(), owner, d); err != nil {
			t.Fatal(err)
		}
	}
	if older == nil {
		t.Fatal("nothing was folded")
	}
	if err := store.save(t.Context(), owner, &wallet.Delta{Base: older.Base}); err != nil {
		t.Fatal(err)
	}
	restored := func() *wallet.Report {
		s, err := store.load(t.Context(), owner)
		if err != nil || s == nil {
			t.Fatalf("%+v, %v", s, err)
		}
		q := wallet.NewPositions(wallet.PositionOptions{MaxEvents: 10})
		q.Watch(owner)
		q.Restore(owner, s)
		r, _ := q.Report(owner, price)
		return r
	}
	want, _ := p.Report(owner, price)
	if got := restored(); !reflect.DeepEqual(got.Assets, want.Assets) || got.Transactions != 60 {
		t.Errorf("got  %d %+v\nwant %d %+v", got.Transactions, got.Assets, want.Transactions, want.Assets)
	}
	if n, err := client.HLen(t.Context(), walletKey(owner)).Result(); err != nil || n > 15 {
		t.Errorf("%d fields are stored, %v: folded transactions are to go", n, err)
	}
	p.Restart()
	p.Apply(storedTx(owner, 3), price, nil)
	p.Settle(3)
	if err := store.save(t.Context(), owner, p.Unsaved(owner)); err != nil {
		t.Fatal(err)
	}
	if got := restored(); got.Transactions != 1 {
		t.Errorf("after a new beginning %d transactions", got.Transactions)
	}
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), walletSaveTimeout)
	defer cancel()
	if err := store.save(ctx, owner, &wallet.Delta{Past: &wallet.Past{}}); err == nil {
		t.Error("saved without Redis")
	}
}

// TestWalletsSurviveARestart: a server that is started again has what the one before
// it knew of a wallet, with transactions that happened meanwhile, and reads the rest
// of the chain only.
func TestWalletsSurviveARestart(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	grpcAddress, rpcAddress := playWithRPC(t, "--source", "market:?seed=4&tps=150")
	args := []string{"--source", "grpc://" + grpcAddress, "--rpc-url", "http://" + rpcAddress, "--rpc-rate", "1000", "--redis-url", "redis://" + server.Addr}
	var before api.PnL
	var owner solana.PublicKey
	t.Run("first", func(t *testing.T) {
		s := serveForTest(t, args...)
		eventually(t, "trades", func() bool { return len(traders(s, 3)) == 3 })
		owner = traders(s, 1)[0]
		eventually(t, "the whole history", func() bool {
			walletJSON(t, s, "/v1/wallets/"+owner.String()+"/pnl", &before)
			return before.History.State == api.HistoryComplete && before.Swaps >= 5
		})
	})
	s := serveForTest(t, args...)
	var after api.PnL
	ask := func() { walletJSON(t, s, "/v1/wallets/"+owner.String()+"/pnl", &after) }
	eventually(t, "what was stored", func() bool {
		ask()
		metrics := getBody(t, "http://"+s.admin.Addr().String()+"/metrics", http.StatusOK)
		return strings.Contains(metrics, `swapcast_wallet_store_total{outcome="ok",what="load"} 1`)
	})
	loaded := time.Now().UnixMilli()
	eventually(t, "the whole history again", func() bool {
		ask()
		return after.History.State == api.HistoryComplete && after.TS > loaded // not what the one before left in Redis
	})
	if after.Swaps < before.Swaps || after.Transactions < before.Transactions || *after.History.OldestSlot != *before.History.OldestSlot {
		t.Errorf("before: %d swaps, %d transactions since slot %d; after: %d, %d since %d",
			before.Swaps, before.Transactions, *before.History.OldestSlot, after.Swaps, after.Transactions, *after.History.OldestSlot)
	}
}
