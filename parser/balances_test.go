package parser_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	. "github.com/swapcast/swapcast/parser/parsertest"
)

// change is what a test expects of one row.
type change struct {
	owner, mint solana.PublicKey
	native      bool
	pre, post   uint64
}

func wantBalances(t *testing.T, tx *swapcast.Transaction, want ...change) {
	t.Helper()
	got := parser.Balances(tx, nil)
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d: %+v", len(got), len(want), got)
	}
	for i, g := range got {
		w := want[i]
		if (change{g.Owner, g.Mint, g.Native, g.Pre, g.Post}) != w || g.Index != i || g.Signature != tx.Signature || g.Slot != tx.Slot {
			t.Errorf("row %d: %+v, want %+v", i, g, w)
		}
	}
}

func TestBalances(t *testing.T) {
	other := Key("other")
	b := NewBuilder("balances", user)
	taxed := Mint{Key: Key("taxed"), Decimals: 2, Program: solana.Token2022ProgramID, FeeBps: 100}
	one, two := b.Account("one", user, assetA, 700), b.Account("two", user, assetA, 300)
	idle := b.Account("idle", user, assetB, 9)
	made, gone := b.Born(b.Account("made", other, assetA, 0)), b.Account("gone", user, assetC, 40)
	t1, t2 := b.Account("t1", user, taxed, 1_000), b.Account("t2", other, taxed, 0)
	b.Begin(Key("mover"), nil)
	b.Transfer(one, made, user, 200)
	b.Transfer(two, one, user, 300) // between two accounts of one owner
	b.Transfer(t1, t2, user, 500)
	b.Pay(user, other, 1_000)
	b.End()
	b.Close(gone)
	_ = idle
	wantBalances(
		t, b.Tx(),
		change{user, assetA.Key, false, 1_000, 800},
		change{user, assetC.Key, false, 40, 0},
		change{user, taxed.Key, false, 1_000, 500},
		change{other, assetA.Key, false, 0, 200},
		change{other, taxed.Key, false, 0, 495},
		change{user, swapcast.NativeMint(), true, 100_000_000_000, 99_999_994_000},
		change{other, swapcast.NativeMint(), true, 0, 1_000},
	)
}

// TestBalancesOwner: an account that changes hands is taken from one owner and
// given to the other.
func TestBalancesOwner(t *testing.T) {
	tx := &swapcast.Transaction{
		Keys:       []solana.PublicKey{user, Key("account")},
		PreTokens:  []swapcast.TokenBalance{{Account: 1, Amount: 50, Mint: assetA.Key, Owner: user}},
		PostTokens: []swapcast.TokenBalance{{Account: 1, Amount: 50, Mint: assetA.Key, Owner: Key("new")}},
	}
	wantBalances(t, tx, change{user, assetA.Key, false, 50, 0}, change{Key("new"), assetA.Key, false, 0, 50})

	// Without owners the account stands for them.
	tx.PreTokens[0].Owner, tx.PostTokens[0].Owner = solana.PublicKey{}, solana.PublicKey{}
	tx.PostTokens[0].Amount = 60
	wantBalances(t, tx, change{Key("account"), assetA.Key, false, 50, 60})

	// A sum that no supply allows stays at the largest number.
	tx.PostTokens = append(tx.PostTokens, tx.PostTokens[0])
	tx.PostTokens[1].Amount = math.MaxUint64
	wantBalances(t, tx, change{Key("account"), assetA.Key, false, 50, math.MaxUint64})
}

// TestBalancesAppend: rows of before stay.
func TestBalancesAppend(t *testing.T) {
	f := Fixtures()[0]
	one := parser.Balances(f.Tx, nil)
	two := parser.Balances(f.Tx, one)
	if len(one) == 0 || len(two) != 2*len(one) || two[len(one)].Index != 0 {
		t.Fatalf("%d, then %d", len(one), len(two))
	}
}

// TestCorpusBalances: over the corpus, lamports of all accounts add up to minus
// the fee, whatever else happens (rewards and rent are collected elsewhere), and
// token rows are those of the raw tables.
func TestCorpusBalances(t *testing.T) {
	for _, c := range Corpus(t) {
		var lamports int64
		token := map[change]int64{}
		for _, r := range c.Tx.PostTokens {
			token[change{owner: r.Owner, mint: r.Mint}] += int64(r.Amount)
		}
		for _, r := range c.Tx.PreTokens {
			token[change{owner: r.Owner, mint: r.Mint}] -= int64(r.Amount)
		}
		for _, b := range parser.Balances(c.Tx, nil) {
			if b.Native {
				lamports += int64(b.Post - b.Pre)
				continue
			}
			token[change{owner: b.Owner, mint: b.Mint}] -= int64(b.Post - b.Pre)
		}
		if lamports != -int64(c.Tx.Fee) {
			t.Errorf("%s: lamports %+d, fee %d", c.Tx.Signature, lamports, c.Tx.Fee)
		}
		for k, left := range token {
			if left != 0 && !k.owner.IsZero() {
				t.Errorf("%s: %s of %s: %+d not reported", c.Tx.Signature, k.mint, k.owner, left)
			}
		}
	}
}

// TestAccountBalances: the accounts of one owner, each by itself, and nobody
// else's.
func TestAccountBalances(t *testing.T) {
	other := Key("other")
	b := NewBuilder("accounts", user)
	one, two := b.Account("one", user, assetA, 700), b.Account("two", user, assetA, 300)
	made, gone := b.Born(b.Account("made", other, assetA, 0)), b.Account("gone", user, assetC, 40)
	b.Begin(Key("mover"), nil)
	b.Transfer(one, made, user, 200)
	b.Transfer(two, one, user, 300)
	b.End()
	b.Close(gone)
	tx := b.Tx()
	type row struct {
		account        solana.PublicKey
		native         bool
		pre, post, fee uint64
	}
	var got []row
	for i, c := range parser.AccountBalances(tx, func(o solana.PublicKey) bool { return o == user }, nil) {
		if c.Owner != user || c.Index != i || c.Signature != tx.Signature || !c.Native && c.Program.IsZero() {
			t.Errorf("row %d: %+v", i, c)
		}
		got = append(got, row{c.Account, c.Native, c.Pre, c.Post, c.Fee})
	}
	lamports := tx.PreBalances[0]
	want := []row{
		{Key("one"), false, 700, 800, 0},
		{Key("two"), false, 300, 0, 0},
		{Key("gone"), false, 40, 0, 0},
		{user, true, lamports, lamports - tx.Fee, tx.Fee},
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}

	// An account that changes hands leaves one owner, and comes to the other.
	tx = &swapcast.Transaction{
		Keys:       []solana.PublicKey{user, Key("account")},
		PreTokens:  []swapcast.TokenBalance{{Account: 1, Amount: 50, Mint: assetA.Key, Owner: user}},
		PostTokens: []swapcast.TokenBalance{{Account: 1, Amount: 50, Mint: assetA.Key, Owner: other}},
	}
	all := parser.AccountBalances(tx, func(solana.PublicKey) bool { return true }, nil)
	if len(all) != 2 || all[0].Owner != user || all[0].Post != 0 || all[1].Owner != other || all[1].Pre != 0 || all[1].Post != 50 {
		t.Fatalf("got %+v", all)
	}
}

// TestCorpusAccountBalances: over the corpus, the rows by account add up to those
// by owner, and lamports are told for each owner alone.
func TestCorpusAccountBalances(t *testing.T) {
	for _, c := range Corpus(t) {
		left := map[change]int64{}
		for _, b := range parser.Balances(c.Tx, nil) {
			left[change{owner: b.Owner, mint: b.Mint, native: b.Native}] += int64(b.Post - b.Pre)
		}
		for _, b := range parser.AccountBalances(c.Tx, func(solana.PublicKey) bool { return true }, nil) {
			left[change{owner: b.Owner, mint: b.Mint, native: b.Native}] -= int64(b.Post - b.Pre)
		}
		for k, n := range left {
			if n != 0 {
				t.Errorf("%s: %+v: %+d", c.Tx.Signature, k, n)
			}
		}
	}
}

// BenchmarkAccountBalances is what each transaction of a block costs while one
// wallet is followed that is in none of them.
func BenchmarkAccountBalances(b *testing.B) {
	txs := block(b, hasSwaps)
	wallets := map[solana.PublicKey]struct{}{Key("nobody"): {}}
	follows := func(owner solana.PublicKey) bool { _, ok := wallets[owner]; return ok }
	var dst []swapcast.BalanceChange
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		dst = parser.AccountBalances(txs[n%len(txs)], follows, dst[:0])
		n++
	}
}
