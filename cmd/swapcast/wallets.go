package main

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/cache"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/wallet"
	"github.com/swapcast/swapcast/wallet/onchain"
)

// wallets decides which wallets are followed, and has what is missing of them read.
type wallets struct {
	// static after construction
	log       *slog.Logger
	books     [2]*wallet.Book // processed, confirmed
	positions *wallet.Positions
	watch     *watchList
	slot      func() uint64 // the newest of which anything has come
	idle      time.Duration // walletIdle
	waits     time.Duration // walletWaits
	settles   time.Duration // walletSettles
	cache     *cache.Cache
	metrics   walletMetrics
	loads     chan walletLoad // to the pipeline
	wake      chan struct{}   // one slot: something is in dirty
	keeper    *onchain.Keeper // nil without --rpc-url
	store     walletStore     // nil: nothing is kept for the next run
	restore   chan struct{}   // one slot: something is to be brought from the store

	mu sync.Mutex
	// guarded by mu
	followed map[solana.PublicKey]*followed
	spare    list.List                     // of owners whom only HTTP requests keep, the longest unasked first
	dirty    map[solana.PublicKey]struct{} // what is cached of them is old
	leaving  []leaving                     // what the store lacks of wallets that were dropped
}

// leaving is what is still to be stored of a wallet that is followed no more.
type leaving struct {
	owner solana.PublicKey
	delta *wallet.Delta
}

// maxLeaving bounds what waits for Redis of dropped wallets: beyond it nothing of
// them is stored, and it is read from the chain again.
const maxLeaving = 10_000

// followed is a wallet that is followed, and why.
type followed struct {
	pinned     bool          // by a flag
	subscribed bool          // by clients of the stream
	until      time.Time     // of one in spare
	spare      *list.Element // its place there; nil: it is pinned or subscribed
	since      time.Time     // from when on it is asked for
	sure       bool          // everything from some slot on is known to come
	settled    bool          // the first snapshot alone does not count any more: see holdingsHead
	snapped    chan struct{} // closed once a snapshot of all that it holds is in
	restored   bool          // what was stored of it is in
	reading    bool          // its whole history is asked for
}

// walletLoad is a snapshot on its way to the books.
type walletLoad struct {
	snapshot *wallet.Snapshot
	done     chan struct{}
}

const (
	// maxFollowed is how many wallets are followed at a time: as many as clients
	// may subscribe to, and as many again for who asks over HTTP.
	maxFollowed = 20_000
	// walletIdle is for how long a wallet is followed that nobody asks about.
	walletIdle = 10 * time.Minute
	// walletSettles is how long after a wallet was asked for everything that
	// happens to it comes: servers do not say from when on a new filter counts.
	walletSettles = 3 * time.Second
	// walletProves is how long after a wallet was asked for its first snapshot counts as
	// all that it holds: a second one is to have shown by then that nothing was missed.
	walletProves = 10 * time.Second
	// walletWaits is how long after a wallet was asked for an answer waits for what it
	// holds.
	walletWaits = 1500 * time.Millisecond
	// walletTick is how often wallets are looked over.
	walletTick = 500 * time.Millisecond
)

var errTooManyWallets = errors.New("as many wallets are followed as may be; try again later")

// walletMetrics count why wallets come and go.
type walletMetrics struct {
	dropped       *prometheus.CounterVec
	invalidations prometheus.Counter
	stored        *prometheus.CounterVec
}

func newWalletMetrics(r prometheus.Registerer) walletMetrics {
	m := walletMetrics{
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_wallet_ended_total",
			Help: "Wallets that are not followed any more: idle (nobody asked for a while), room (one was needed for a subscriber), refused (not followed at all, for want of room).",
		}, []string{"reason"}),
		invalidations: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_wallet_invalidations_total",
			Help: "Changes of wallets after which what is cached of them was invalidated; several at once count once.",
		}),
		stored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "swapcast_wallet_store_total",
			Help: "Reads and writes of wallets in Redis, by outcome.",
		}, []string{"what", "outcome"}),
	}
	r.MustRegister(m.dropped, m.invalidations, m.stored)
	for _, reason := range []string{"idle", "room", "refused"} {
		m.dropped.WithLabelValues(reason)
	}
	return m
}

// openWallets makes the books, positions and what decides about them.
func (s *server) openWallets() {
	metrics := wallet.NewMetrics(s.registry)
	most := maxFollowed + len(s.config.wallets)
	s.wallets = &wallets{
		log: s.log.With("component", "wallets"),
		books: [2]*wallet.Book{
			wallet.NewBook(wallet.Options{Commitment: swapcast.Processed, MaxWallets: most, Metrics: metrics}),
			wallet.NewBook(wallet.Options{Commitment: swapcast.Confirmed, MaxWallets: most}),
		},
		positions: wallet.NewPositions(wallet.PositionOptions{Metrics: metrics}),
		watch:     s.watch,
		slot: func() uint64 {
			if stats := s.pipeline.stats.Load(); stats != nil {
				return stats.Slot
			}
			return 0
		},
		idle:     walletIdle,
		waits:    walletWaits,
		settles:  walletSettles,
		metrics:  newWalletMetrics(s.registry),
		loads:    make(chan walletLoad),
		wake:     make(chan struct{}, 1),
		restore:  make(chan struct{}, 1),
		followed: make(map[solana.PublicKey]*followed),
		dirty:    make(map[solana.PublicKey]struct{}),
	}
	for _, owner := range s.config.wallets {
		s.watch.set(owner, true) // asked for from the first moment on; see openKeeper
	}
}

// openKeeper has snapshots and history read over RPC, where the chain that is
// followed is the one that RPC knows, and begins with the wallets of the flags.
func (s *server) openKeeper(context.Context) error {
	w := s.wallets
	w.cache = s.cache
	if s.redis != nil && s.upstream.player == nil { // what is played here begins anew with each run
		w.store = redisWallets{s.redis}
	}
	defer func() {
		for _, owner := range s.config.wallets {
			w.pin(owner)
		}
	}()
	if s.rpc == nil || s.upstream.player != nil {
		return nil
	}
	var err error
	w.keeper, err = onchain.New(onchain.Options{
		RPC: s.rpc, Book: w.books[0], Positions: w.positions,
		Load:    w.load,
		Changed: w.changed,
		Decimals: func(mint solana.PublicKey) (uint8, bool) {
			token, ok := s.processed.market.Token(mint)
			return token.Decimals, ok && token.Known
		},
		Price:   s.priceAt,
		Logger:  w.log,
		Metrics: onchain.NewMetrics(s.registry),
	})
	return err
}

// priceAt is what a mint was worth at a time, by the shortest candle that is kept
// of then.
func (s *server) priceAt(mint solana.PublicKey, at int64) (usd float64, ok bool) {
	for i := range swapcast.Intervals {
		for _, v := range []*view{s.confirmed, s.processed} {
			if c, ok := v.market.CandleAt(mint, i, at-at%i.Seconds()); ok && c.Close > 0 {
				return c.Close, true
			}
		}
	}
	return 0, false
}

// load hands a snapshot to the pipeline's goroutine and waits until it is in.
func (w *wallets) load(ctx context.Context, s *wallet.Snapshot) bool {
	l := walletLoad{s, make(chan struct{})}
	select {
	case w.loads <- l:
	case <-ctx.Done():
		return false
	}
	select {
	case <-l.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// pin follows a wallet for good.
func (w *wallets) pin(owner solana.PublicKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.follow(owner); f != nil {
		f.pinned = true
		w.asked(owner, f)
	}
}

// subscribe says that clients of the stream listen to a wallet, or none any more.
func (w *wallets) subscribe(owner solana.PublicKey, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.followed[owner]
	if on {
		f = w.follow(owner)
	}
	if f == nil {
		return // refused, which is counted; there is room for all that may subscribe
	}
	f.subscribed = on
	w.asked(owner, f)
}

// touch says that somebody asks about a wallet. The error is errTooManyWallets.
func (w *wallets) touch(owner solana.PublicKey) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.follow(owner)
	if f == nil {
		return errTooManyWallets
	}
	w.asked(owner, f)
	return nil
}

// asked notes that somebody wants a wallet now: those that nobody holds go in the
// order in which this was last so. Called with mu held.
func (w *wallets) asked(owner solana.PublicKey, f *followed) {
	f.until = time.Now().Add(w.idle)
	switch held := f.pinned || f.subscribed; {
	case held && f.spare != nil:
		w.spare.Remove(f.spare)
		f.spare = nil
	case !held && f.spare == nil:
		f.spare = w.spare.PushBack(owner)
	case !held:
		w.spare.MoveToBack(f.spare)
	}
}

// follow finds a wallet or begins to follow it; nil where there is no room. Where
// there is none, the one that nobody has asked about for longest goes. Called with
// mu held.
func (w *wallets) follow(owner solana.PublicKey) *followed {
	if f := w.followed[owner]; f != nil {
		return f
	}
	if len(w.followed) >= maxFollowed && !w.makeRoom() ||
		!w.books[0].Watch(owner) {
		w.metrics.dropped.WithLabelValues("refused").Inc()
		return nil
	}
	w.books[1].Watch(owner)
	w.positions.Watch(owner)
	f := &followed{since: time.Now(), snapped: make(chan struct{})}
	w.followed[owner] = f
	w.watch.set(owner, true)
	if w.store == nil {
		f.restored, f.reading = true, true
		if w.keeper != nil {
			w.positions.Missed(owner, 0, 0)
		}
	} else {
		select {
		case w.restore <- struct{}{}:
		default: // whoever restores has not looked since the last one
		}
	}
	if w.keeper != nil {
		w.keeper.Want(owner)
	}
	w.nudge()
	return f
}

// makeRoom drops the wallet that nobody has asked about for longest.
func (w *wallets) makeRoom() bool {
	oldest := w.spare.Front()
	if oldest == nil {
		return false
	}
	w.drop(oldest.Value.(solana.PublicKey), "room")
	return true
}

// drop ends to follow a wallet. Called with mu held.
func (w *wallets) drop(owner solana.PublicKey, reason string) {
	if f := w.followed[owner]; f.spare != nil {
		w.spare.Remove(f.spare)
	}
	if w.store != nil {
		switch d := w.positions.Unsaved(owner); {
		case d == nil:
		case len(w.leaving) < maxLeaving:
			w.leaving = append(w.leaving, leaving{owner, d})
		default:
			w.metrics.stored.WithLabelValues("save", "dropped").Inc()
		}
	}
	delete(w.followed, owner)
	w.books[0].Unwatch(owner)
	w.books[1].Unwatch(owner)
	w.positions.Unwatch(owner)
	w.watch.set(owner, false)
	if w.keeper != nil {
		w.keeper.Forget(owner)
	}
	w.metrics.dropped.WithLabelValues(reason).Inc()
}

// restored tells whether what was stored of a wallet is in.
func (w *wallets) restored(owner solana.PublicKey) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.followed[owner]
	return f != nil && f.restored
}

// changed says that what is cached of a wallet is old. It never blocks.
func (w *wallets) changed(owner solana.PublicKey) {
	w.mu.Lock()
	w.dirty[owner] = struct{}{}
	w.mu.Unlock()
	w.nudge()
}

func (w *wallets) nudge() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake, or about to be
	}
}

// gap says that slots are lost for good: what wallets did in them is to be had over
// RPC alone.
func (w *wallets) gap(from, to uint64) {
	for _, b := range w.books {
		b.Needs(solana.PublicKey{}, to+1)
	}
	if w.keeper == nil {
		return
	}
	w.positions.Missed(solana.PublicKey{}, from, to)
	w.mu.Lock()
	defer w.mu.Unlock()
	for owner := range w.followed {
		w.keeper.Want(owner)
	}
}

// restart begins anew on a chain with lower slots.
func (w *wallets) restart() {
	for _, b := range w.books {
		b.Restart()
	}
	w.positions.Restart()
	w.mu.Lock()
	defer w.mu.Unlock()
	for owner, f := range w.followed {
		f.sure, f.settled, f.since, f.restored = false, false, time.Now(), true
		if w.keeper != nil {
			w.positions.Missed(owner, 0, 0)
			w.keeper.Want(owner)
		}
		w.dirty[owner] = struct{}{}
	}
	w.nudge()
}

// startWallets starts what follows wallets.
func (s *server) startWallets(group *errgroup.Group, upstream context.Context) { //nolint:revive // as start
	s.start(group, upstream, "filter", s.askForWallets)
	s.start(group, upstream, "wallets", s.wallets.run)
	if s.wallets.keeper != nil {
		s.start(group, upstream, "wallets over RPC", s.wallets.keeper.Run)
	}
	if s.wallets.store != nil {
		s.start(group, upstream, "wallets in Redis", s.wallets.keepStored)
	}
}

// balances are what is known of a wallet, with which a subscription begins.
func (s *server) balances(owner solana.PublicKey, c swapcast.Commitment) []swapcast.Balance {
	list, _ := s.wallets.books[min(c, swapcast.Confirmed)].Balances(owner)
	return list
}

// askForWallets has the sources and the filler asked for the wallets that are
// followed, whenever those change, until ctx ends. Clients come and go by the
// thousands: what changes while one request is made, and for a while after it, is
// in the next one.
func (s *server) askForWallets(ctx context.Context) error {
	pause := time.NewTicker(walletPause)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.watch.wake:
		}
		filter := s.filter()
		if s.fill != nil {
			s.fill.SetFilter(filter) // first: what is fetched meanwhile must have the new wallet too
		}
		s.upstream.follow(filter)
		pause.Reset(walletPause)
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

// walletPause is the shortest time between two changes of what is asked for.
const walletPause = 100 * time.Millisecond

// filter is what is asked for of the chain.
func (s *server) filter() geyser.Filter {
	return geyser.Filter{
		Programs: dexPrograms(),
		Wallets:  append(s.watch.list(), s.swaps.sent.Payers()...),
		Firehose: s.config.Firehose,
	}
}
