package wallet_test

import (
	"testing"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/wallet"
)

func ref(slot uint64, n byte) swapcast.TxRef {
	return swapcast.TxRef{Slot: slot, Signature: solana.Signature{1, n}}
}

func key(n byte) solana.PublicKey { return solana.PublicKey{7, n} }

func moved(owner, mint byte, pre, post uint64) []swapcast.BalanceChange {
	return []swapcast.BalanceChange{{Owner: key(owner), Mint: key(mint), Pre: pre, Post: post, Decimals: 6}}
}

func amounts(t *testing.T, b *wallet.Book, owner byte) []uint64 {
	t.Helper()
	balances, ok := b.Balances(key(owner))
	if !ok {
		t.Fatalf("wallet %d is not watched", owner)
	}
	var list []uint64
	for _, x := range balances {
		list = append(list, x.Amount)
	}
	return list
}

func TestBookFollowsWatchedWalletsOnly(t *testing.T) {
	b := wallet.NewBook(wallet.Options{Commitment: swapcast.Confirmed})
	if got := b.Apply(ref(5, 1), 0, moved(1, 9, 0, 100), nil); len(got) != 0 {
		t.Fatalf("a wallet that nobody watches was told of: %v", got)
	}
	b.Watch(key(1))
	got := b.Apply(ref(6, 2), 3, moved(1, 9, 100, 70), nil)
	want := swapcast.Balance{Owner: key(1), Mint: key(9), Amount: 70, Decimals: 6, Slot: 6, Signature: ref(6, 2).Signature, Commitment: swapcast.Confirmed}
	if len(got) != 1 || got[0] != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if again := b.Apply(ref(6, 2), 3, moved(1, 9, 100, 70), nil); len(again) != 0 {
		t.Fatalf("one transaction counted twice: %v", again)
	}
	b.Unwatch(key(1))
	if _, ok := b.Balances(key(1)); ok || b.Watched(key(1)) {
		t.Fatal("a wallet is kept that nobody watches any more")
	}
}

func TestNewerChangeIsNotHiddenByALateOne(t *testing.T) {
	b := wallet.NewBook(wallet.Options{})
	b.Watch(key(1))
	b.Apply(ref(8, 1), 0, moved(1, 9, 50, 40), nil)
	if got := b.Apply(ref(7, 2), 9, moved(1, 9, 60, 50), nil); len(got) != 0 {
		t.Fatalf("a late change was told as the newest: %v", got)
	}
	if got := amounts(t, b, 1); len(got) != 1 || got[0] != 40 {
		t.Fatalf("got %v", got)
	}
	// The newer one dies: what is left is the late one's.
	got := b.Retract([]swapcast.TxRef{ref(8, 1)}, nil)
	if len(got) != 1 || got[0].Amount != 50 || got[0].Corrects != 8 || got[0].Slot != 7 {
		t.Fatalf("got %+v", got)
	}
	// And that too: what was held before.
	got = b.Retract([]swapcast.TxRef{ref(7, 2)}, nil)
	if len(got) != 1 || got[0].Amount != 50 {
		t.Fatalf("got %+v", got)
	}
}

func TestSettledChangesStay(t *testing.T) {
	b := wallet.NewBook(wallet.Options{})
	b.Watch(key(1))
	b.Apply(ref(5, 1), 0, moved(1, 9, 0, 10), nil)
	b.Apply(ref(6, 2), 0, moved(1, 9, 10, 20), nil)
	b.Settle(5)
	if got := b.Retract([]swapcast.TxRef{ref(5, 1)}, nil); len(got) != 0 {
		t.Fatalf("a settled change was taken back: %v", got)
	}
	b.Retract([]swapcast.TxRef{ref(6, 2)}, nil)
	if got := amounts(t, b, 1); got[0] != 10 {
		t.Fatalf("got %v", got)
	}
	if got := b.Apply(ref(4, 3), 0, moved(1, 9, 0, 3), nil); len(got) != 0 || amounts(t, b, 1)[0] != 10 {
		t.Fatalf("a change older than what is settled counts: %v", got)
	}
}

func TestBounds(t *testing.T) {
	registry := prometheus.NewRegistry()
	b := wallet.NewBook(wallet.Options{MaxWallets: 1, MaxHoldings: 1, Metrics: wallet.NewMetrics(registry)})
	if !b.Watch(key(1)) || b.Watch(key(2)) || !b.Watch(key(1)) {
		t.Fatal("the bound of wallets does not hold")
	}
	b.Apply(ref(1, 1), 0, moved(1, 8, 0, 1), nil)
	b.Apply(ref(1, 2), 1, moved(1, 9, 0, 1), nil)
	if got := amounts(t, b, 1); len(got) != 1 {
		t.Fatalf("got %v", got)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, f := range families {
		if f.GetName() != "swapcast_wallets_dropped_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetCounter().GetValue() == 1 {
				counted++
			}
		}
	}
	if counted != 2 {
		t.Fatalf("%d reasons counted once, want one wallet and one holding", counted)
	}
}

// TestRetractedIsAsIfNeverSeen compares with a book that saw only what lived.
func TestRetractedIsAsIfNeverSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type tx struct {
			ref     swapcast.TxRef
			index   uint64
			changes []swapcast.BalanceChange
		}
		// The base of a holding is what its first change found; it is the same for
		// both books where the first change lives.
		var txs []tx
		for o := byte(1); o <= 3; o++ {
			txs = append(txs, tx{ref(1, o), uint64(o), moved(o, 9, 0, uint64(o))})
		}
		n := rapid.IntRange(1, 40).Draw(t, "n")
		for i := range n {
			slot := rapid.Uint64Range(2, 6).Draw(t, "slot")
			owner := byte(rapid.IntRange(1, 3).Draw(t, "owner"))
			txs = append(txs, tx{ref(slot, byte(10+i)), uint64(i), moved(owner, 9, 0, rapid.Uint64Range(0, 99).Draw(t, "post"))})
		}
		dead := map[swapcast.TxRef]bool{}
		var list []swapcast.TxRef
		for _, x := range txs[3:] {
			if rapid.Bool().Draw(t, "dead") {
				dead[x.ref] = true
				list = append(list, x.ref)
			}
		}
		all, living := wallet.NewBook(wallet.Options{}), wallet.NewBook(wallet.Options{})
		for o := byte(1); o <= 3; o++ {
			all.Watch(key(o))
			living.Watch(key(o))
		}
		for _, x := range txs {
			all.Apply(x.ref, x.index, x.changes, nil)
			if !dead[x.ref] {
				living.Apply(x.ref, x.index, x.changes, nil)
			}
		}
		all.Retract(list, nil)
		settle := rapid.Uint64Range(0, 7).Draw(t, "settle")
		all.Settle(settle)
		living.Settle(settle)
		for o := byte(1); o <= 3; o++ {
			got, _ := all.Balances(key(o))
			want, _ := living.Balances(key(o))
			if len(got) != 1 || len(want) != 1 || got[0] != want[0] {
				t.Fatalf("wallet %d: got %+v, want %+v", o, got, want)
			}
		}
	})
}

func TestRestartBeginsAnew(t *testing.T) {
	b := wallet.NewBook(wallet.Options{})
	b.Watch(key(1))
	b.Apply(ref(800, 1), 0, moved(1, 9, 50, 40), nil)
	b.Settle(800)
	b.Apply(ref(801, 2), 0, moved(1, 9, 40, 30), nil)
	b.Restart()
	if got := amounts(t, b, 1); len(got) != 0 {
		t.Fatalf("holdings of the old chain: %v", got)
	}
	if got := b.Apply(ref(7, 3), 0, moved(1, 9, 5, 6), nil); len(got) != 1 || got[0].Amount != 6 {
		t.Fatalf("a change of the new chain: %+v", got)
	}
	b.Settle(7)
	if got := b.Retract([]swapcast.TxRef{ref(7, 3)}, nil); len(got) != 0 {
		t.Fatalf("a settled change was retracted: %+v", got)
	}
}
