package main

import (
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/ledger"
)

// pipelineRig is a server's data path without anything that runs: the test is
// the pipeline's goroutine.
type pipelineRig struct {
	*server
	p   *pipeline
	now int64
}

func newPipelineRig(t *testing.T, args ...string) *pipelineRig {
	t.Helper()
	c := parseServe(t, args...)
	if err := c.validate(); err != nil {
		t.Fatal(err)
	}
	s, err := newServer(t.Context(), c, testEnviron(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.public.Close()
		_ = s.admin.Close()
	})
	return &pipelineRig{server: s, p: s.pipeline, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano()}
}

func rigSource(endpoint string, stream uint64) ledger.Source {
	return ledger.Source{Endpoint: endpoint, Stream: stream, Authority: 200}
}

// swapTx is a transaction in which SOL is sold for USDC.
func swapTx(slot uint64, number byte, index uint64, usdc uint64, blockTime int64) *ledger.Tx {
	ref := swapcast.TxRef{Slot: slot, Signature: solana.Signature{1, number}}
	return &ledger.Tx{TxRef: ref, Index: index, Swaps: []swapcast.Swap{{
		Signature: ref.Signature, Slot: slot, BlockTime: blockTime, TxIndex: index, DEX: "raydium-v4",
		Pool: solana.PublicKey{9}, Trader: solana.PublicKey{8},
		MintIn: swapcast.NativeMint(), MintOut: swapcast.USDC(), DecimalsIn: 9, DecimalsOut: 6,
		AmountIn: 1_000_000_000, AmountOut: usdc,
		ReservesKnown: true, ReserveIn: 1_000_000_000_000, ReserveOut: usdc * 1000,
	}}}
}

func (r *pipelineRig) tx(src ledger.Source, tx *ledger.Tx) {
	tx.ReceivedAt = r.now
	for i := range tx.Swaps {
		tx.Swaps[i].ReceivedAt = r.now
	}
	r.p.ledger.Tx(src, tx, &r.p.effects)
	r.p.carryOut()
}

func (r *pipelineRig) status(src ledger.Source, slot uint64, status swapcast.SlotStatus) {
	r.p.ledger.Slot(src, &swapcast.SlotUpdate{Slot: slot, Parent: slot - 1, Status: status}, r.now, &r.p.effects)
	r.p.carryOut()
}

// pass lets time pass.
func (r *pipelineRig) pass(d time.Duration) {
	r.now += int64(d)
	r.p.tick(r.now)
}

// TestRetractBesideConfirm has one call of the ledger confirm two slots, of which
// the second one lacks a transaction that counted: it must be taken back although
// the slot is settled by the time of the steps before it.
func TestRetractBesideConfirm(t *testing.T) {
	r := newPipelineRig(t)
	a, b := rigSource("a", 1), rigSource("b", 2)
	r.p.ledger.Began(a, 10, r.now)
	r.p.ledger.Began(b, 10, r.now)
	r.tx(a, swapTx(10, 1, 1, 150e6, 0))
	r.tx(a, swapTx(11, 2, 1, 151e6, 0))
	r.tx(b, swapTx(11, 3, 2, 300e6, 0)) // nobody confirms it
	if n := len(r.processed.market.Trades(swapcast.NativeMint(), 10)); n != 3 {
		t.Fatalf("%d trades before the slots were confirmed, want 3", n)
	}
	r.status(a, 10, swapcast.SlotConfirmed)
	r.status(a, 11, swapcast.SlotConfirmed)
	r.pass(time.Minute) // longer than any hold
	if got := r.p.ledger.Stats().Confirmed; got != 11 {
		t.Fatalf("confirmed up to %d, want 11", got)
	}
	for name, v := range map[string]*view{"processed": r.processed, "confirmed": r.confirmed} {
		if trades := v.market.Trades(swapcast.NativeMint(), 10); len(trades) != 2 {
			t.Errorf("%s: %d trades, want the 2 that were confirmed: %+v", name, len(trades), trades)
		}
	}
}

// rigWallet is watched from the start where its tests say so.
const rigWallet = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"

// TestNewTimelineKeepsWallets has the chain begin anew with lower slots: wallets
// are followed there, and what is said of them is not measured by the old slots.
func TestNewTimelineKeepsWallets(t *testing.T) {
	r := newPipelineRig(t, "--watch-wallet", rigWallet)
	owner := solana.MustPublicKeyFromBase58(rigWallet)
	change := func(slot uint64, number byte, post uint64) *ledger.Tx {
		tx := swapTx(slot, number, 1, 150e6, 0)
		tx.Changes = []swapcast.BalanceChange{{Owner: owner, Mint: swapcast.USDC(), Post: post, Decimals: 6}}
		return tx
	}
	src := rigSource("a", 1)
	r.p.start(90_000)
	r.p.ledger.Began(src, 90_001, r.now)
	r.p.streams[1] = running{src, 0, 1}
	r.feed.transaction(90_001, r.now)
	r.pass(time.Second)
	r.tx(src, change(90_001, 1, 5))
	r.status(src, 90_001, swapcast.SlotConfirmed)
	r.pass(time.Minute)
	r.p.corrects.add(swapcast.USDC(), swapcast.Interval1s, 1, false)
	if got := r.balances(owner, swapcast.Confirmed); len(got) != 1 || got[0].Amount != 5 {
		t.Fatalf("before: %+v", got)
	}
	for range timelineTransactions {
		r.p.newTimeline(100, r.now)
	}
	if r.p.checkpoint.Load() != 0 || len(r.p.corrects.open) != 0 {
		t.Errorf("checkpoint %d, %d candles wait", r.p.checkpoint.Load(), len(r.p.corrects.open))
	}
	r.pass(time.Second)
	span, followed := r.watch.wallets[owner]
	if !followed || span.from > 101 {
		t.Errorf("the wallet is followed (%t) from slot %d on, and the chain is at 101", followed, span.from)
	}
	r.tx(src, change(101, 2, 7))
	r.status(src, 101, swapcast.SlotConfirmed)
	r.pass(time.Minute)
	for _, c := range []swapcast.Commitment{swapcast.Processed, swapcast.Confirmed} {
		if got := r.balances(owner, c); len(got) != 1 || got[0].Amount != 7 {
			t.Errorf("%s after: %+v", c, got)
		}
	}
}

// TestManyWalletsAreAskedForTogether has thousands of clients subscribe to
// wallets at once. Asking for each alone took a minute of work.
func TestManyWalletsAreAskedForTogether(t *testing.T) {
	r := newPipelineRig(t)
	const many = 9_000
	started := time.Now()
	for i := range many {
		r.wallets.subscribe(solana.PublicKey{byte(i), byte(i >> 8), 1}, true)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("%d subscriptions took %v", many, took)
	}
	if n := len(r.watch.wake); n != 1 {
		t.Fatalf("%d requests wait, want 1 for all", n)
	}
	if n := len(r.filter().Wallets); n != many {
		t.Fatalf("%d wallets are asked for, want %d", n, many)
	}
	r.p.watch.update(500)
	if n := len(r.watch.wallets); n != many {
		t.Errorf("%d wallets are followed, want %d", n, many)
	}
	for i := range many {
		r.wallets.subscribe(solana.PublicKey{byte(i), byte(i >> 8), 1}, false)
	}
	r.wallets.lookOver(time.Now())
	if n := len(r.filter().Wallets); n != many {
		t.Fatalf("%d wallets are asked for just after their clients went, want %d", n, many)
	}
	r.wallets.lookOver(time.Now().Add(2 * walletIdle))
	r.p.watch.update(500)
	r.p.watch.update(500 + watchAfter + 1)
	if n := len(r.watch.wallets) + len(r.filter().Wallets); n != 0 {
		t.Errorf("%d wallets are left", n)
	}
}

// TestServeFolderOfTransactions plays single transactions of years: slots that
// lie millions apart are all of one recording.
func TestServeFolderOfTransactions(t *testing.T) {
	t.Parallel()
	s := serveForTest(t, "--source", "replay:"+corpusFile(t, "tx")+"?speed=0")
	var stats *ledger.Stats
	// The statistics are those of a moment: what was sent last may come after it.
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		stats = s.pipeline.stats.Load()
		if stats != nil && s.upstream.ended() && stats.Slot != 0 && stats.Checkpoint == stats.Slot && stats.Applied == s.feed.txs.Load() {
			break
		}
	}
	if stats == nil || stats.Checkpoint != stats.Slot || stats.Slot == 0 {
		t.Fatalf("not all was confirmed: %+v", stats)
	}
	if got := s.feed.txs.Load(); got < 100 || stats.Applied != got {
		t.Errorf("%d of %d transactions count", stats.Applied, got)
	}
	if len(stats.Refused) != 0 || stats.GapSlots != 0 || stats.Unproved != 0 {
		t.Errorf("a recording has nothing that is missing: %+v", stats)
	}
}

// TestFarSlotDoesNotPostponeWallets has an endpoint name a slot of the far future:
// wallets are followed from the present on all the same.
func TestFarSlotDoesNotPostponeWallets(t *testing.T) {
	r := newPipelineRig(t, "--source", "grpc://127.0.0.1:1")
	src := rigSource("a", 1)
	r.p.ledger.Began(src, 1_000, r.now)
	r.tx(src, swapTx(1_000, 1, 1, 100e6, 0))
	r.p.handle(&geyser.Event{
		Kind: geyser.KindSlot, Endpoint: "a", Stream: 1, ReceivedAt: r.now,
		Slot: swapcast.SlotUpdate{Slot: 1 << 50, Status: swapcast.SlotProcessed},
	})
	owner := solana.PublicKey{7}
	r.wallets.subscribe(owner, true)
	r.pass(time.Second)
	if s := r.watch.wallets[owner]; s.from != 1_001 {
		t.Errorf("followed from slot %d on, want 1001", s.from)
	}
}
