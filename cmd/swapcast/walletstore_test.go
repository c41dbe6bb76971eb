package main

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

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
		client.Del(t.Context(), walletKey(owner))
	}
	client.Close()
	if _, err := store.load(t.Context(), owner); err == nil || errors.Is(err, errWalletUnreadable) {
		t.Errorf("a Redis that is away: %v", err)
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
	eventually(t, "the whole history again", func() bool {
		walletJSON(t, s, "/v1/wallets/"+owner.String()+"/pnl", &after)
		return after.History.State == api.HistoryComplete
	})
	if after.Swaps < before.Swaps || after.Transactions < before.Transactions || *after.History.OldestSlot != *before.History.OldestSlot {
		t.Errorf("before: %d swaps, %d transactions since slot %d; after: %d, %d since %d",
			before.Swaps, before.Transactions, *before.History.OldestSlot, after.Swaps, after.Transactions, *after.History.OldestSlot)
	}
	metrics := getBody(t, "http://"+s.admin.Addr().String()+"/metrics", http.StatusOK)
	if !strings.Contains(metrics, `swapcast_wallet_transactions_total{from="store"}`) || !strings.Contains(metrics, `swapcast_wallet_store_total{outcome="ok",what="load"} 1`) {
		t.Error("nothing came from the store")
	}
}
