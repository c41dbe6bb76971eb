package wallet_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/parser/parsertest"
	"github.com/swapcast/swapcast/wallet"
)

// held names what somebody holds.
type held struct {
	owner, mint solana.PublicKey
	native      bool
}

// account is a token account, while it belongs to somebody.
type account struct{ key, owner, mint solana.PublicKey }

// watchAll has a book watch everybody, and gives it transactions in any order, some
// of them twice.
func watchAll(t *testing.T, txs []*swapcast.Transaction) (*wallet.Book, map[solana.PublicKey]bool) {
	t.Helper()
	b := wallet.NewBook(wallet.Options{MaxWallets: 1 << 20})
	everybody := map[solana.PublicKey]bool{}
	all := func(solana.PublicKey) bool { return true }
	rows := make([][]swapcast.BalanceChange, len(txs))
	for i, tx := range txs {
		rows[i] = parser.AccountBalances(tx, all, nil)
		for _, c := range rows[i] {
			if !everybody[c.Owner] {
				everybody[c.Owner] = b.Watch(c.Owner)
			}
		}
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(txs))
	for n, i := range append(order, order[:len(order)/10]...) {
		tx := txs[i]
		b.Apply(swapcast.TxRef{Slot: tx.Slot, Signature: tx.Signature}, tx.Index, rows[i], nil)
		if n == len(txs)/2 {
			b.Settle(0)
		}
	}
	return b, everybody
}

// compareAll holds a book against what is true, to the unit.
func compareAll(t *testing.T, b *wallet.Book, everybody map[solana.PublicKey]bool, truth map[held]uint64) {
	t.Helper()
	compared, wrong := 0, 0
	for owner := range everybody {
		balances, _ := b.Balances(owner)
		for _, got := range balances {
			want, known := truth[held{owner, got.Mint, got.Native}]
			if !known && got.Amount != 0 || got.Amount != want {
				if wrong++; wrong < 5 {
					t.Errorf("%s holds %d of %s (native %t), want %d", owner, got.Amount, got.Mint, got.Native, want)
				}
			}
			compared++
			delete(truth, held{owner, got.Mint, got.Native})
		}
	}
	for h, amount := range truth {
		if amount != 0 {
			if wrong++; wrong < 5 {
				t.Errorf("%s holds %d of %s (native %t), and the book does not know", h.owner, amount, h.mint, h.native)
			}
		}
	}
	t.Logf("%d balances of %d wallets compared, %d differ", compared, len(everybody), wrong)
}

// TestMarketBalances: everybody's balances in the built-in market are those of its
// ground truth.
func TestMarketBalances(t *testing.T) {
	lamports, tokens := map[held]uint64{}, map[account]uint64{}
	m, err := sim.New(sim.Options{
		Seed: 11, TPS: 2000, Launches: 300,
		OnBalance: func(c *swapcast.BalanceChange) {
			if c.Native {
				lamports[held{c.Owner, c.Mint, true}] = c.Post
			}
		},
		OnHolding: func(h sim.Holding) {
			if h.Native {
				return
			}
			key, owner, mint, pre, post := h.Account, h.Owner, h.Mint, h.Before, h.Amount
			if pre != post { // a book knows of an account from its first change on
				tokens[account{key, owner, mint}] = post
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	decoder := geyser.NewDecoder()
	var txs []*swapcast.Transaction
	for len(txs) < 12_000 {
		u, err := m.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if x := u.GetTransaction(); x != nil {
			tx := &swapcast.Transaction{}
			if err := decoder.Transaction(x, tx); err != nil {
				t.Fatal(err)
			}
			txs = append(txs, tx)
		}
	}
	b, everybody := watchAll(t, txs)
	truth := lamports
	for a, amount := range tokens {
		truth[held{a.owner, a.mint, false}] += amount
	}
	compareAll(t, b, everybody, truth)
}

// TestCorpusBalances: everybody's balances in the corpus are what the newest
// transaction of each account left, added up by owner and mint.
func TestCorpusBalances(t *testing.T) {
	var txs []*swapcast.Transaction
	seen := map[solana.Signature]bool{}
	for _, c := range parsertest.Corpus(t) {
		if !seen[c.Tx.Signature] {
			seen[c.Tx.Signature] = true
			txs = append(txs, c.Tx)
		}
	}
	slices.SortStableFunc(txs, func(a, b *swapcast.Transaction) int {
		return cmp.Or(cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Index, b.Index))
	})
	// Several of one slot without an index have no order: one of each slot is taken.
	txs = slices.CompactFunc(txs, func(a, b *swapcast.Transaction) bool { return a.Slot == b.Slot && a.Index == b.Index })
	// What a transaction names and does not change says nothing: between two of the
	// corpus there are many that are not in it.
	tokens, truth := map[account]uint64{}, map[held]uint64{}
	for _, tx := range txs {
		before, after := holdings(tx, tx.PreTokens), holdings(tx, tx.PostTokens)
		for a, amount := range before {
			if after[a] != amount {
				tokens[a] = after[a] // 0 where it was closed, or given to somebody else
			}
		}
		for a, amount := range after {
			if before[a] != amount {
				tokens[a] = amount
			}
		}
		for i, key := range tx.Keys {
			if tx.PreBalances[i] != tx.PostBalances[i] {
				truth[held{key, swapcast.NativeMint(), true}] = tx.PostBalances[i]
			}
		}
	}
	for a, amount := range tokens {
		truth[held{a.owner, a.mint, false}] += amount
	}
	b, everybody := watchAll(t, txs)
	compareAll(t, b, everybody, truth)
}

// holdings are the rows of one of the two tables of a transaction.
func holdings(tx *swapcast.Transaction, rows []swapcast.TokenBalance) map[account]uint64 {
	out := map[account]uint64{}
	for i := range rows {
		r := &rows[i]
		a := account{tx.Keys[r.Account], r.Owner, r.Mint}
		if a.owner.IsZero() {
			a.owner = a.key
		}
		out[a] = r.Amount
	}
	return out
}
