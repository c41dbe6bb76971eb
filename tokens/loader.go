package tokens

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/rpcpool"
)

// Options configure a Loader. The zero value of each field but RPC works.
type Options struct {
	// RPC is asked; share it with everybody who asks the same endpoints.
	RPC *rpcpool.Pool

	Queue   int // mints that may wait; default 4,096
	Results int // facts that may wait in Found; default 1,024
	Known   int // mints that are remembered; default 100,000
	// Gather is how long the first of several wishes waits for others to share
	// its request. Default 200 ms.
	Gather time.Duration
	// RefreshAfter is the age at which facts are asked again, when somebody
	// wishes them. Default 10 minutes.
	RefreshAfter time.Duration
	// MissingTTL is the same for an account that is no mint, and RetryAfter for a
	// mint that no endpoint would tell of. Defaults 10 minutes and 30 s.
	MissingTTL time.Duration
	RetryAfter time.Duration
	// YoungRetry is the same for a mint that does not exist, the first time; each
	// time after that it is twice as long, up to MissingTTL. A mint that is wished
	// because it trades exists: endpoints answer from the confirmed chain, which a
	// token that has just been launched is ahead of. Default 2 s.
	YoungRetry time.Duration

	Logger  *slog.Logger // nil logs nothing
	Metrics *Metrics     // nil counts nothing
}

// Defaults of Options.
const (
	DefaultQueue        = 4_096
	DefaultResults      = 1_024
	DefaultKnown        = 100_000
	DefaultGather       = 200 * time.Millisecond
	DefaultRefreshAfter = 10 * time.Minute
	DefaultMissingTTL   = 10 * time.Minute
	DefaultRetryAfter   = 30 * time.Second
	DefaultYoungRetry   = 2 * time.Second
)

// Loader finds facts of mints. See the package comment.
type Loader struct {
	// static after construction
	o     Options
	queue chan solana.PublicKey
	found chan swapcast.Token

	// guarded by mu
	mu    sync.Mutex
	known map[solana.PublicKey]*list.Element // of *entry
	order list.List                          // least recently wished first
}

// entry is what is remembered of a mint.
type entry struct {
	mint    solana.PublicKey
	waiting bool          // in the queue, or being asked
	until   time.Time     // not to be asked before
	missed  time.Duration // how long it was left alone the last time that it did not exist; 0 never
}

// New makes a Loader.
func New(o Options) (*Loader, error) {
	if o.RPC == nil {
		return nil, errors.New("tokens: no RPC endpoints")
	}
	for _, n := range []struct {
		v   *int
		def int
	}{{&o.Queue, DefaultQueue}, {&o.Results, DefaultResults}, {&o.Known, DefaultKnown}} {
		if *n.v < 0 {
			return nil, errors.New("tokens: a size is below 0")
		}
		if *n.v == 0 {
			*n.v = n.def
		}
	}
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&o.Gather, DefaultGather},
		{&o.RefreshAfter, DefaultRefreshAfter},
		{&o.MissingTTL, DefaultMissingTTL},
		{&o.RetryAfter, DefaultRetryAfter},
		{&o.YoungRetry, DefaultYoungRetry},
	} {
		if *d.v < 0 {
			return nil, errors.New("tokens: a time is below 0")
		}
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Loader{
		o:     o,
		queue: make(chan solana.PublicKey, o.Queue),
		found: make(chan swapcast.Token, o.Results),
		known: make(map[solana.PublicKey]*list.Element),
	}, nil
}

// Found yields facts as they are found, and again when they are refreshed. It is
// never closed. Symbol and Name are empty where the mint has no metadata: a
// reader that knows better keeps its own.
func (l *Loader) Found() <-chan swapcast.Token { return l.found }

// Want wishes the facts of a mint, at the price of a look into a map where they
// are known or on their way. It never blocks; false says that the queue was
// full.
func (l *Loader) Want(mint solana.PublicKey) bool {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.known[mint]
	if ok {
		l.order.MoveToBack(at)
		e := at.Value.(*entry)
		if e.waiting || now.Before(e.until) {
			return true
		}
	}
	select {
	case l.queue <- mint:
	default:
		l.o.Metrics.drop()
		return false
	}
	if ok {
		at.Value.(*entry).waiting = true
	} else {
		l.known[mint] = l.order.PushBack(&entry{mint: mint, waiting: true})
		if l.order.Len() > l.o.Known {
			oldest := l.order.Front()
			delete(l.known, oldest.Value.(*entry).mint)
			l.order.Remove(oldest)
		}
	}
	l.o.Metrics.size(len(l.queue), l.order.Len())
	return true
}

// settle remembers a mint that was asked for, and when it may be asked again.
func (l *Loader) settle(mint solana.PublicKey, o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.known[mint]; ok { // else it has been forgotten meanwhile
		e := at.Value.(*entry)
		e.waiting, e.until = false, time.Now().Add(l.leave(e, o))
	}
	l.o.Metrics.size(len(l.queue), l.order.Len())
}

// leave is how long a mint is not asked for again after an outcome. The caller
// holds mu.
func (l *Loader) leave(e *entry, o outcome) time.Duration {
	switch o {
	case missing:
		e.missed = min(max(2*e.missed, l.o.YoungRetry), l.o.MissingTTL)
		return e.missed
	case notMint:
		return l.o.MissingTTL
	case failed:
		return l.o.RetryAfter
	default:
		e.missed = 0
		return l.o.RefreshAfter
	}
}

// outcome is how the look-up of one mint ended: a metric's label.
type outcome string

const (
	found   outcome = "found"
	unnamed outcome = "unnamed"
	notMint outcome = "not_mint"
	missing outcome = "missing"
	failed  outcome = "failed"
)

// Run finds what is wished until ctx ends, which is no error.
func (l *Loader) Run(ctx context.Context) error {
	for {
		batch, err := l.gather(ctx)
		if err != nil {
			return nil //nolint:nilerr // ctx has ended, which is how Run is told to
		}
		results, err := l.lookUp(ctx, batch)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			l.o.Logger.Warn("token facts could not be had; they will be asked for again when wished", "mints", len(batch), "error", err)
		}
		for i := range results {
			if !l.deliver(ctx, &results[i]) {
				return nil
			}
		}
	}
}

// gather waits for a wish, and then a little for others.
func (l *Loader) gather(ctx context.Context) ([]solana.PublicKey, error) {
	var batch []solana.PublicKey
	var enough <-chan time.Time
	for len(batch) < maxBatch {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("token facts: %w", ctx.Err())
		case mint := <-l.queue:
			batch = append(batch, mint)
			if enough == nil {
				timer := time.NewTimer(l.o.Gather)
				defer timer.Stop()
				enough = timer.C
			}
		case <-enough:
			return batch, nil
		}
	}
	return batch, nil
}

// deliver hands one result on. False: ctx has ended.
func (l *Loader) deliver(ctx context.Context, r *result) bool {
	l.o.Metrics.lookup(r.outcome)
	if r.outcome == found || r.outcome == unnamed {
		select {
		case l.found <- r.token:
		case <-ctx.Done():
			return false
		}
	}
	l.settle(r.token.Mint, r.outcome)
	return true
}
