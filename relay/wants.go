package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast"
)

// wanted is what an edge's clients listen to that is not published always. An edge
// writes it under its own key, which ends by itself when the edge does.
type wanted struct {
	// Again grows when the edge may have missed something, and wants to be told the
	// state of everything anew.
	Again   uint64       `json:"again"`
	Candles []CandleWant `json:"candles,omitempty"`
	Wallets []WalletWant `json:"wallets,omitempty"`
}

// wantedFor is how long an edge's wishes hold after it wrote them last; it writes
// them a third as often, and when they change.
const wantedFor = 15 * time.Second

// candleOf is what candles are wanted of.
type candleOf struct {
	mint       solana.PublicKey
	commitment swapcast.Commitment
}

// wants is what all edges want, as an ingest knows it.
type wants struct {
	any atomic.Bool // something is wanted

	mu sync.Mutex
	// guarded by mu
	intervals map[candleOf]swapcast.IntervalSet
	wallets   map[solana.PublicKey]struct{}
	fresh     map[CandleWant]struct{}
	begun     map[WalletWant]struct{}
	gone      map[solana.PublicKey]struct{}

	// owned by read
	version string
	readAt  time.Time
	edges   map[string]*edgeWants
}

// edgeWants is what one edge wanted when it was looked at last.
type edgeWants struct {
	again   uint64
	candles map[CandleWant]struct{}
	wallets map[WalletWant]struct{}
}

func newWants() *wants {
	return &wants{
		intervals: make(map[candleOf]swapcast.IntervalSet), wallets: make(map[solana.PublicKey]struct{}),
		fresh: make(map[CandleWant]struct{}), begun: make(map[WalletWant]struct{}), gone: make(map[solana.PublicKey]struct{}),
		edges: make(map[string]*edgeWants),
	}
}

func (w *wants) candles(mint solana.PublicKey, c swapcast.Commitment) swapcast.IntervalSet {
	if !w.any.Load() {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.intervals[candleOf{mint, c}]
}

func (w *wants) wallet(owner solana.PublicKey) bool {
	if !w.any.Load() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.wallets[owner]
	return ok
}

func (w *wants) takeFresh() (candles []CandleWant, wallets []WalletWant, gone []solana.PublicKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	candles, wallets, gone = slices.Collect(maps.Keys(w.fresh)), slices.Collect(maps.Keys(w.begun)), slices.Collect(maps.Keys(w.gone))
	clear(w.fresh)
	clear(w.begun)
	clear(w.gone)
	return candles, wallets, gone
}

// read reads what edges want, where it has changed, and every few seconds. One
// goroutine calls it.
func (w *wants) read(ctx context.Context, r redis.UniversalClient, n names) error {
	version, err := r.Get(ctx, n.fleet("wants:version")).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("relay: wants: %w", err)
	}
	if version == w.version && time.Since(w.readAt) < wantedFor/3 {
		return nil
	}
	ids, err := r.SMembers(ctx, n.fleet("edges")).Result()
	if err != nil {
		return fmt.Errorf("relay: wants: %w", err)
	}
	now := make(map[string]*wanted, len(ids))
	var unreadable error // of an edge of another version: it does without, and no other
	for _, edge := range ids {
		text, err := r.Get(ctx, n.fleet("wants:"+edge)).Result()
		switch {
		case errors.Is(err, redis.Nil): // it has ended
			if err := r.SRem(ctx, n.fleet("edges"), edge).Err(); err != nil {
				return fmt.Errorf("relay: wants: %w", err)
			}
			continue
		case err != nil:
			return fmt.Errorf("relay: wants: %w", err)
		}
		x := new(wanted)
		if err := json.NewDecoder(strings.NewReader(text)).Decode(x); err != nil {
			unreadable = errors.Join(unreadable, fmt.Errorf("relay: wants of edge %s: %w", edge, err))
			continue
		}
		now[edge] = x
	}
	w.version, w.readAt = version, time.Now()
	w.take(now)
	return unreadable
}

// take takes over what all edges want now.
func (w *wants) take(now map[string]*wanted) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.wallets
	w.intervals, w.wallets = make(map[candleOf]swapcast.IntervalSet), make(map[solana.PublicKey]struct{})
	edges := make(map[string]*edgeWants, len(now))
	for edge, x := range now {
		old := w.edges[edge]
		if old == nil || old.again != x.Again {
			old = &edgeWants{}
		}
		e := &edgeWants{again: x.Again, candles: make(map[CandleWant]struct{}), wallets: make(map[WalletWant]struct{})}
		for _, c := range x.Candles {
			if c.Interval >= swapcast.Intervals || c.Commitment > swapcast.Confirmed {
				continue // of a newer edge
			}
			e.candles[c] = struct{}{}
			of := candleOf{c.Mint, c.Commitment}
			set := w.intervals[of]
			set.Add(c.Interval)
			w.intervals[of] = set
			if _, known := old.candles[c]; !known {
				w.fresh[c] = struct{}{}
			}
		}
		for _, o := range x.Wallets {
			e.wallets[o] = struct{}{}
			w.wallets[o.Owner] = struct{}{}
			delete(w.gone, o.Owner)
			if _, known := old.wallets[o]; !known {
				w.begun[o] = struct{}{}
			}
		}
		edges[edge] = e
	}
	w.edges = edges
	for owner := range before {
		if _, still := w.wallets[owner]; !still {
			w.gone[owner] = struct{}{}
			// Nobody is to begin with what is gone already.
			for c := range swapcast.Confirmed + 1 {
				delete(w.begun, WalletWant{owner, c})
			}
		}
	}
	w.any.Store(len(w.intervals)+len(w.wallets) > 0)
}
