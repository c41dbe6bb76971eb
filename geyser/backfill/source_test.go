package backfill_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/backfill"
	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/parser/parsertest"
	"github.com/swapcast/swapcast/rpctest"
)

// views decodes the transactions that pass, as a Subscriber would have given
// them.
func views(t testing.TB, updates []*pb.SubscribeUpdate, pass func(*swapcast.Transaction) bool) []*swapcast.Transaction {
	t.Helper()
	decoder := geyser.NewDecoder()
	var out []*swapcast.Transaction
	for _, u := range updates {
		tx := u.GetTransaction()
		if tx == nil {
			continue
		}
		v := &swapcast.Transaction{}
		if err := decoder.Transaction(tx, v); err != nil {
			t.Fatal(err)
		}
		if pass(v) {
			out = append(out, v)
		}
	}
	return out
}

// same compares what came with what should have, times and banks apart, which
// RPC tells otherwise or not at all.
func same(t testing.TB, got []*geyser.Event, want []*swapcast.Transaction) {
	t.Helper()
	var txs []*swapcast.Transaction
	for _, e := range got {
		if e.Kind == geyser.KindTx {
			txs = append(txs, e.Tx)
		}
	}
	if len(txs) != len(want) {
		t.Fatalf("%d transactions, want %d", len(txs), len(want))
	}
	for i, tx := range txs {
		a, b := *tx, *want[i]
		for _, v := range []*swapcast.Transaction{&a, &b} {
			v.ReceivedAt, v.CreatedAt, v.BlockTime, v.Bank = 0, 0, 0, 0
		}
		if !reflect.DeepEqual(canonical(a), canonical(b)) {
			t.Fatalf("transaction %d:\n got %+v\nwant %+v", i, a, b)
		}
	}
}

// canonical makes empty slices nil: their difference means nothing.
func canonical(tx swapcast.Transaction) swapcast.Transaction {
	tx.Instructions = slices.Clone(tx.Instructions)
	for i := range tx.Instructions {
		ins := &tx.Instructions[i]
		ins.Accounts, ins.Data = bytes.Clone(ins.Accounts), bytes.Clone(ins.Data)
		if len(ins.Accounts) == 0 {
			ins.Accounts = nil
		}
		if len(ins.Data) == 0 {
			ins.Data = nil
		}
	}
	if len(tx.PreTokens) == 0 {
		tx.PreTokens = nil
	}
	if len(tx.PostTokens) == 0 {
		tx.PostTokens = nil
	}
	return tx
}

func names(tx *swapcast.Transaction, keys []solana.PublicKey) bool {
	return slices.ContainsFunc(tx.Keys, func(k solana.PublicKey) bool { return slices.Contains(keys, k) })
}

// TestRealBlocks: of whole mainnet blocks, the transactions of exchanges come
// out of RPC exactly as out of the stream.
func TestRealBlocks(t *testing.T) {
	dir := filepath.Join(parsertest.CorpusDir(t), "blocks")
	var programs []solana.PublicKey
	for _, p := range []string{
		"675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8", "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P", "pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA",
		"whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc", "LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo", "CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK",
	} {
		programs = append(programs, solana.MustPublicKeyFromBase58(p))
	}
	for file, slot := range map[string]uint64{"slot_361774429.getBlock.base64.json": 361774429, "slot_285000037.block.json.json": 285000037} {
		raw, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		var updates []*pb.SubscribeUpdate
		in := capture.Import(bytes.NewReader(raw))
		for {
			u, err := in.Next(t.Context())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if u.GetTransaction() != nil {
				u.GetTransaction().Slot = slot
			} else {
				u.GetBlockMeta().Slot = slot
			}
			updates = append(updates, u)
		}
		chain := rpctest.NewRecorder(rpctest.RecorderOptions{})
		chain.Add(updates...)
		chain.Add(statusUpdate(slot, pb.SlotStatus_SLOT_CONFIRMED))
		run(t, setup{chains: []*rpctest.Recorder{chain}, o: backfill.Options{Filter: geyser.Filter{Programs: programs}}}, func(r *rig) {
			r.Missing(slot, slot)
			got := r.wait(time.Minute)
			r.expect(verdicts(got), []string{fmt.Sprintf("filled %d", slot)})
			want := views(t, updates, func(tx *swapcast.Transaction) bool { return !tx.Vote && !tx.Failed && names(tx, programs) })
			if len(want) < 50 {
				t.Fatalf("only %d transactions of exchanges", len(want))
			}
			same(t, got, want)
			t.Logf("slot %d: %d transactions of exchanges", slot, len(want))
		})
		if len(updates) > 1_000 {
			continue // the other one is enough for the rest
		}
		run(t, setup{chains: []*rpctest.Recorder{chain}, o: backfill.Options{Filter: geyser.Filter{Firehose: true}}}, func(r *rig) {
			r.Missing(slot, slot)
			same(t, r.wait(time.Minute), views(t, updates, func(tx *swapcast.Transaction) bool { return !tx.Vote }))
		})
		run(t, setup{chains: []*rpctest.Recorder{chain}}, func(r *rig) {
			r.Missing(slot, slot)
			same(t, r.wait(time.Minute), views(t, updates, func(tx *swapcast.Transaction) bool { return !tx.Vote && !tx.Failed }))
		})
	}
}

// market plays slots of the built-in market into a chain.
func market(t testing.TB, slots uint64) (*rpctest.Recorder, []*pb.SubscribeUpdate) {
	t.Helper()
	m, err := sim.New(sim.Options{Seed: 3, TPS: 100, StartSlot: 1000})
	if err != nil {
		t.Fatal(err)
	}
	chain := rpctest.NewRecorder(rpctest.RecorderOptions{})
	src := chain.Tap(m)
	var updates []*pb.SubscribeUpdate
	for {
		u, err := src.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		updates = append(updates, u)
		if s := u.GetSlot(); s.GetStatus() == pb.SlotStatus_SLOT_FINALIZED && s.GetSlot() >= 1000+slots {
			return chain, updates
		}
	}
}

// TestWallets: watched wallets get the same from getTransactionsForAddress,
// page by page, as from whole blocks, and as the market told the stream.
func TestWallets(t *testing.T) {
	const slots = 15
	chain, updates := market(t, slots)
	paid := make(map[solana.PublicKey]int)
	all := views(t, updates, func(tx *swapcast.Transaction) bool { return tx.Slot >= 1000 && tx.Slot < 1000+slots })
	var wallets []solana.PublicKey
	for _, tx := range all {
		if paid[tx.Keys[0]]++; paid[tx.Keys[0]] == 3 && !tx.Vote {
			wallets = append(wallets, tx.Keys[0])
		}
	}
	// An owner of a pool's vaults, who signs nothing and is named rarely.
	wallets = append(wallets[:min(len(wallets), 5)], solana.MustPublicKeyFromBase58("5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1"))
	want := views(t, updates, func(tx *swapcast.Transaction) bool {
		if tx.Slot >= 1000+slots || tx.Vote {
			return false
		}
		if names(tx, wallets) {
			return true
		}
		amounts := make(map[uint8]uint64)
		for _, b := range tx.PreTokens {
			amounts[b.Account] = b.Amount
		}
		for _, b := range tx.PostTokens {
			if pre, had := amounts[b.Account]; slices.Contains(wallets, b.Owner) && (!had || pre != b.Amount) {
				return true
			}
		}
		return false
	})
	if len(want) < 20 {
		t.Fatalf("only %d transactions of %d wallets", len(want), len(wallets))
	}
	for _, offered := range []bool{true, false} {
		s := setup{chains: []*rpctest.Recorder{chain}, node: rpctest.Options{TransactionsForAddress: offered}}
		s.o.Filter = geyser.Filter{Wallets: wallets}
		run(t, s, func(r *rig) {
			r.Missing(1000, 1000+slots-1)
			got := r.wait(time.Minute)
			if n := len(verdicts(got)); n != slots || r.Status().Filled != slots {
				t.Errorf("%d verdicts, want %d", n, slots)
			}
			same(t, got, want)
			blocks := r.nodes[0].Requests("getBlock")
			if offered != (blocks == 0) {
				t.Errorf("offered %v: %d blocks were fetched", offered, blocks)
			}
			if !offered {
				r.Missing(1000, 1000)
				r.wait(time.Minute)
				if n := r.nodes[0].Requests("getTransactionsForAddress"); n != 1 {
					t.Errorf("a method that is not offered was asked for %d times", n)
				}
			}
			for _, e := range got {
				if e.Kind == geyser.KindTx && e.Tx.BlockTime == 0 {
					t.Fatal("no block time")
				}
			}
		})
	}
}

// TestSetFilter: what is fetched after a change is what the new filter selects.
func TestSetFilter(t *testing.T) {
	run(t, setup{chains: []*rpctest.Recorder{chainOf(9, 10, 11)}, o: backfill.Options{Filter: dexes()}}, func(r *rig) {
		r.Missing(10, 10)
		r.expect(words(r.wait(time.Second)), []string{"tx 10.0", "tx 10.2", "block 10", "filled 10"})
		r.SetFilter(geyser.Filter{Wallets: []solana.PublicKey{{0: 99, 1: 1}}, Programs: []solana.PublicKey{{9}}}) // who pays for the second
		r.Missing(11, 11)
		r.expect(words(r.wait(time.Second)), []string{"tx 11.1", "block 11", "filled 11"})
	})
}
