package main

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
)

// watchList is the wallets whose balance changes go to the ledger. Every copy
// of a transaction must yield the same changes, or endpoints would seem to
// disagree: so a wallet is followed from the first slot on of which nothing has
// come yet when it is added, and for some slots after it was dropped.
type watchList struct {
	changed atomic.Bool
	wake    chan struct{} // one slot: there is something else to be asked for

	mu sync.Mutex
	// guarded by mu
	pending []watchChange
	on      map[solana.PublicKey]struct{} // what is to be asked for

	// owned by the pipeline's goroutine
	wallets map[solana.PublicKey]span
	slot    uint64                      // that changes looks at
	follows func(solana.PublicKey) bool // followed, made once
}

type watchChange struct {
	owner solana.PublicKey
	on    bool
}

// span is the slots in which a wallet is followed, both ends included; to 0
// means on and on.
type span struct{ from, to uint64 }

// watchAfter is for how many slots a dropped wallet is still followed: longer
// than any copy of a transaction takes to come from another endpoint.
const watchAfter = 512

func newWatchList() *watchList {
	w := &watchList{
		wake:    make(chan struct{}, 1),
		on:      make(map[solana.PublicKey]struct{}),
		wallets: make(map[solana.PublicKey]span),
	}
	w.follows = w.followed
	return w
}

// set says that a wallet is to be followed, or no more. Any goroutine.
func (w *watchList) set(owner solana.PublicKey, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if on {
		w.on[owner] = struct{}{}
	} else {
		delete(w.on, owner)
	}
	w.pending = append(w.pending, watchChange{owner, on})
	w.changed.Store(true)
	w.nudge()
}

// nudge says that there is something else to be asked for. Any goroutine.
func (w *watchList) nudge() {
	select {
	case w.wake <- struct{}{}:
	default: // whoever asks has not looked since the last one
	}
}

// list is the wallets to ask for.
func (w *watchList) list() []solana.PublicKey {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Keys(w.on), func(a, b solana.PublicKey) int { return slices.Compare(a[:], b[:]) })
}

// update takes what was set, tip being the newest slot of which anything came.
func (w *watchList) update(tip uint64) {
	if w.changed.Load() {
		w.mu.Lock()
		pending := w.pending
		w.pending = nil
		w.changed.Store(false)
		w.mu.Unlock()
		for _, c := range pending {
			s, known := w.wallets[c.owner]
			switch {
			case c.on && !known:
				w.wallets[c.owner] = span{from: tip + 1}
			case c.on:
				w.wallets[c.owner] = span{from: s.from}
			case known:
				w.wallets[c.owner] = span{from: s.from, to: tip + watchAfter}
			}
		}
	}
	for owner, s := range w.wallets {
		if s.to != 0 && s.to < tip {
			delete(w.wallets, owner)
		}
	}
}

// restart follows what is watched on a timeline that has just begun, whose slots
// are lower.
func (w *watchList) restart() {
	for owner, s := range w.wallets {
		if s.to != 0 {
			delete(w.wallets, owner)
		} else {
			w.wallets[owner] = span{from: 1}
		}
	}
}

// changes appends what a transaction did to the wallets that are followed: at the
// price of a look into a map for each owner that it names.
func (w *watchList) changes(tx *swapcast.Transaction, dst []swapcast.BalanceChange) []swapcast.BalanceChange {
	if len(w.wallets) == 0 {
		return dst
	}
	w.slot = tx.Slot
	return parser.AccountBalances(tx, w.follows, dst)
}

// followed tells whether a wallet is followed in the slot at hand.
func (w *watchList) followed(owner solana.PublicKey) bool {
	s, ok := w.wallets[owner]
	return ok && s.from <= w.slot && (s.to == 0 || w.slot <= s.to)
}
