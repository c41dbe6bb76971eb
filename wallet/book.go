package wallet

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Options configure a Book. The zero value works.
type Options struct {
	// Commitment is what the balances say of themselves.
	Commitment swapcast.Commitment
	// MaxWallets is how many may be watched at a time. Default 10,000.
	MaxWallets int
	// MaxHoldings is how many accounts are kept of one wallet; the changes of
	// further ones are left out and counted. Default 10,000.
	MaxHoldings int
	Metrics     *Metrics // nil counts nothing
}

// Book is the balances of the watched wallets.
type Book struct {
	opts Options // static after NewBook

	mu sync.RWMutex
	// guarded by mu
	wallets map[solana.PublicKey]*watched
	touched map[swapcast.TxRef][]*holding // of changes that are not settled
	settled uint64                        // changes up to this slot are
}

// watched is one wallet.
type watched struct {
	watchers int
	holdings map[place]*holding
	assets   map[asset][]*holding // the same, by what is held
	parts    [numParts]uint64     // the slot of the newest snapshot of each, 0 none
	needs    uint64               // snapshots before this slot do not make it complete
	sure     bool                 // needs was said
	partial  bool                 // something did not fit
}

// asset is what is held: lamports and wrapped SOL share a mint.
type asset struct {
	mint   solana.PublicKey
	native bool
}

// place is where it is held.
type place struct {
	asset
	account solana.PublicKey
}

// holding is one account's of one asset.
type holding struct {
	owner    solana.PublicKey
	place    place
	part     Part
	decimals uint8
	base     change   // what is settled or came with a snapshot, or was held before the first change that is known
	pending  []change // what is not settled, oldest first
}

// change is what one transaction left.
type change struct {
	ref   swapcast.TxRef
	index uint64 // of the transaction in its block
	post  uint64
}

func compare(a, b change) int {
	return cmp.Or(cmp.Compare(a.ref.Slot, b.ref.Slot), cmp.Compare(a.index, b.index))
}

// afterAll is the index of what a snapshot says: it has all of its slot.
const afterAll = math.MaxUint64

// NewBook makes an empty book.
func NewBook(o Options) *Book {
	if o.MaxWallets <= 0 {
		o.MaxWallets = 10_000
	}
	if o.MaxHoldings <= 0 {
		o.MaxHoldings = 10_000
	}
	return &Book{
		opts:    o,
		wallets: make(map[solana.PublicKey]*watched),
		touched: make(map[swapcast.TxRef][]*holding),
	}
}

// Watch begins to keep a wallet's balances, or counts one more watcher of it. It
// reports whether there was room.
func (b *Book) Watch(owner solana.PublicKey) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.wallets[owner]
	if w == nil {
		if len(b.wallets) >= b.opts.MaxWallets {
			b.opts.Metrics.drop(dropWallet)
			return false
		}
		w = &watched{holdings: make(map[place]*holding), assets: make(map[asset][]*holding)}
		b.wallets[owner] = w
		b.opts.Metrics.watching(len(b.wallets))
	}
	w.watchers++
	return true
}

// Unwatch takes one watcher away; with the last one the wallet is forgotten.
func (b *Book) Unwatch(owner solana.PublicKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.wallets[owner]
	if w == nil {
		return
	}
	if w.watchers--; w.watchers > 0 {
		return
	}
	for _, h := range w.holdings {
		for _, c := range h.pending {
			b.forget(c.ref, h)
		}
	}
	delete(b.wallets, owner)
	b.opts.Metrics.watching(len(b.wallets))
}

// Apply takes what one transaction did, which stands at index in its block, and
// appends to dst the balance that each watched wallet is left with, where the
// change is the newest of its account. A transaction that was applied before, or
// that a snapshot has already, changes nothing.
func (b *Book) Apply(ref swapcast.TxRef, index uint64, changes []swapcast.BalanceChange, dst []swapcast.Balance) []swapcast.Balance {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.wallets) == 0 {
		return dst
	}
	start := len(dst)
	for i := range changes {
		c := &changes[i]
		w := b.wallets[c.Owner]
		if w == nil || c.Pre == c.Post {
			continue
		}
		h := b.holding(w, c)
		if h == nil {
			continue
		}
		next := change{ref: ref, index: index, post: c.Post}
		if h.has(ref) || compare(next, h.base) < 0 {
			continue // it is there already, or what came after it is settled
		}
		at, _ := slices.BinarySearchFunc(h.pending, next, compare)
		h.pending = slices.Insert(h.pending, at, next)
		b.touched[ref] = append(b.touched[ref], h)
		if at == len(h.pending)-1 {
			dst = told(dst, start, b.balance(w, h.owner, h.place.asset))
		}
	}
	return dst
}

// told adds a balance to those from start on, in place of one of the same asset.
func told(dst []swapcast.Balance, start int, now swapcast.Balance) []swapcast.Balance {
	i := slices.IndexFunc(dst[start:], func(o swapcast.Balance) bool {
		return o.Owner == now.Owner && o.Mint == now.Mint && o.Native == now.Native
	})
	if i >= 0 {
		dst[start+i] = now // the last word
		return dst
	}
	return append(dst, now)
}

// holding finds or makes the one that a change is about; nil where the wallet
// has no room for another.
func (b *Book) holding(w *watched, c *swapcast.BalanceChange) *holding {
	at := place{asset{c.Mint, c.Native}, c.Account}
	if h := w.holdings[at]; h != nil {
		return h
	}
	h := &holding{owner: c.Owner, place: at, part: partOf(c), decimals: c.Decimals, base: change{post: c.Pre}}
	if s := w.parts[h.part]; s != 0 {
		// The snapshot had no such account, so it held nothing then.
		h.base = change{ref: swapcast.TxRef{Slot: s}, index: afterAll}
	}
	return b.add(w, h)
}

// add keeps a new holding where there is room.
func (b *Book) add(w *watched, h *holding) *holding {
	if len(w.holdings) >= b.opts.MaxHoldings {
		b.opts.Metrics.drop(dropHolding)
		w.partial = true
		return nil
	}
	w.holdings[h.place] = h
	w.assets[h.place.asset] = append(w.assets[h.place.asset], h)
	return h
}

// has tells whether a transaction's change is among those that are not settled.
func (h *holding) has(ref swapcast.TxRef) bool {
	return slices.ContainsFunc(h.pending, func(c change) bool { return c.ref == ref })
}

// Retract takes back what transactions did, and appends to dst the balances
// that hold now where they differ from those told before, with Corrects set.
// Transactions that are unknown or settled are passed over.
func (b *Book) Retract(dead []swapcast.TxRef, dst []swapcast.Balance) []swapcast.Balance {
	b.mu.Lock()
	defer b.mu.Unlock()
	start := len(dst)
	for _, ref := range dead {
		for _, h := range b.touched[ref] {
			newest := h.newest()
			h.pending = slices.DeleteFunc(h.pending, func(c change) bool { return c.ref == ref })
			if newest.ref != ref {
				continue // something newer hides it
			}
			now := b.balance(b.wallets[h.owner], h.owner, h.place.asset)
			now.Corrects = ref.Slot
			dst = told(dst, start, now)
		}
		delete(b.touched, ref)
	}
	return dst
}

// Settle says that nothing up to slot will be retracted.
func (b *Book) Settle(slot uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slot <= b.settled {
		return
	}
	b.settled = slot
	for ref, holdings := range b.touched {
		if ref.Slot > slot {
			continue
		}
		for _, h := range holdings {
			for len(h.pending) > 0 && h.pending[0].ref.Slot <= slot {
				h.base = h.pending[0]
				h.pending = slices.Delete(h.pending, 0, 1)
			}
		}
		delete(b.touched, ref)
	}
}

// Restart forgets what is held, and nothing else: the chain has begun anew, with
// lower slots.
func (b *Book) Restart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settled = 0
	clear(b.touched)
	for _, w := range b.wallets {
		clear(w.holdings)
		clear(w.assets)
		w.parts, w.needs, w.sure, w.partial = [numParts]uint64{}, 0, false, false
	}
}

// Balances are a wallet's, by mint and the token's before the lamports; false
// where it is not watched.
func (b *Book) Balances(owner solana.PublicKey) ([]swapcast.Balance, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	w := b.wallets[owner]
	if w == nil {
		return nil, false
	}
	balances := make([]swapcast.Balance, 0, len(w.assets))
	for a := range w.assets {
		balances = append(balances, b.balance(w, owner, a))
	}
	slices.SortFunc(balances, func(x, y swapcast.Balance) int {
		if c := slices.Compare(x.Mint[:], y.Mint[:]); c != 0 {
			return c
		}
		return cmp.Compare(btoi(x.Native), btoi(y.Native))
	})
	return balances, true
}

func btoi(v bool) int {
	if v {
		return 1
	}
	return 0
}

// Watched tells whether anybody watches a wallet.
func (b *Book) Watched(owner solana.PublicKey) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.wallets[owner] != nil
}

// newest is what the holding's amount comes from.
func (h *holding) newest() change {
	if n := len(h.pending); n > 0 {
		return h.pending[n-1]
	}
	return h.base
}

// balance adds up the accounts of an asset. Its slot and signature are those of
// the newest change among them; what a snapshot says has no signature. Called with
// mu held.
func (b *Book) balance(w *watched, owner solana.PublicKey, a asset) swapcast.Balance {
	sum := swapcast.Balance{Owner: owner, Mint: a.mint, Native: a.native, Commitment: b.opts.Commitment}
	var newest change
	for i, h := range w.assets[a] {
		c := h.newest()
		if i == 0 || compare(c, newest) > 0 {
			newest = c
		}
		sum.Decimals = h.decimals
		sum.Amount = addUpTo(sum.Amount, c.post)
	}
	sum.Slot, sum.Signature = newest.ref.Slot, newest.ref.Signature
	return sum
}

// addUpTo adds and stays at the largest number, which no mint's supply reaches.
func addUpTo(a, b uint64) uint64 {
	sum, over := bits.Add64(a, b, 0)
	if over != 0 {
		return math.MaxUint64
	}
	return sum
}

// forget takes a holding out of what a transaction touched. Called with mu held.
func (b *Book) forget(ref swapcast.TxRef, h *holding) {
	left := slices.DeleteFunc(b.touched[ref], func(o *holding) bool { return o == h })
	if len(left) == 0 {
		delete(b.touched, ref)
		return
	}
	b.touched[ref] = left
}
