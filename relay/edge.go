package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/wire"
)

// Edge is an edge's side: it follows what its clients listen to, and hands it to
// their stream.Server. All methods are safe for concurrent use.
type Edge struct {
	// static after construction
	opts  Options
	names names
	id    string
	began time.Time // of the epoch
	parts [Buckets]*part
	fleet *fleetPart

	leading atomic.Pointer[Leader] // nil: nobody leads, or it is not known
	heard   atomic.Int64           // Unix nanoseconds when Redis answered last

	mu sync.Mutex
	// guarded by mu
	candles map[CandleWant]struct{}
	wallets map[WalletWant]struct{}
	again   uint64
	changed bool // since they were written
}

// NewEdge returns an edge's side. It starts nothing: that is Run's.
func NewEdge(o Options) (*Edge, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Stream == nil {
		return nil, errors.New("relay: an edge needs a Stream")
	}
	began, err := epochBegan(o.Epoch)
	if err != nil {
		return nil, err
	}
	e := &Edge{
		opts: o, began: began, names: names{o.Prefix}, id: strconv.FormatUint(rand.Uint64(), 36),
		candles: make(map[CandleWant]struct{}), wallets: make(map[WalletWant]struct{}),
	}
	for b := range e.parts {
		e.parts[b] = newPart(e, b)
	}
	e.fleet = newFleetPart(e)
	o.Metrics.is("edge")
	return e, nil
}

// Leader is the ingest that publishes; false where there is none.
func (e *Edge) Leader() (Leader, bool) {
	l := e.leading.Load()
	if l == nil {
		return Leader{}, false
	}
	return *l, true
}

// Ready is nil while Redis answers, an ingest leads and its feed is healthy, else
// the reason why not.
func (e *Edge) Ready() error {
	if ago := e.opts.Now().Sub(time.Unix(0, e.heard.Load())); ago > silentAfter {
		return errors.New("no answer from Redis")
	}
	l := e.leading.Load()
	if l == nil {
		return errors.New("no ingest leads")
	}
	if l.Status.Feed != wire.FeedHealthy {
		return fmt.Errorf("the ingest's feed is %s: %s", l.Status.Feed, l.Status.Message)
	}
	return nil
}

// silentAfter is for how long Redis may not answer.
const silentAfter = 5 * time.Second

// Follow has the Stream given the last state of subjects, and all that comes after.
// It returns once that is so, or ctx ends. It is a stream.Server's Options.Follow.
func (e *Edge) Follow(ctx context.Context, subjects []stream.Subject) error {
	waits := make([]<-chan struct{}, 0, len(subjects))
	for _, s := range subjects {
		e.want(s)
		done, err := e.parts[bucket(s.Key)].ask(ctx, s)
		if err != nil {
			return err
		}
		if done != nil {
			waits = append(waits, done)
		}
	}
	for _, done := range waits {
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("relay: follow: %w", ctx.Err())
		}
	}
	return nil
}

// want notes what ingests do not publish unless somebody wants it.
func (e *Edge) want(s stream.Subject) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch s.Channel {
	case wire.ChannelCandles:
		x := CandleWant{s.Key, s.Interval, served(s.Commitment)}
		if _, known := e.candles[x]; !known {
			e.candles[x], e.changed = struct{}{}, true
		}
	case wire.ChannelBalances:
		x := WalletWant{s.Key, served(s.Commitment)}
		if _, known := e.wallets[x]; !known {
			e.wallets[x], e.changed = struct{}{}, true
		}
	default:
		return
	}
	e.fleet.nudge()
}

// missed says that candles and balances may have been missed, so that the ingests
// tell their state anew.
func (e *Edge) missed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.candles)+len(e.wallets) > 0 {
		e.again++
		e.changed = true
		e.fleet.nudge()
	}
}

// Run follows until ctx ends. It returns an error where the fleet numbers anew:
// then this edge's clients must be told so, by a new run.
func (e *Edge) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range e.parts {
		group.Go(func() error { p.run(ctx); return nil })
	}
	group.Go(func() error { return e.fleet.run(ctx) })
	group.Go(func() error { e.watchLeader(ctx); return nil })
	return group.Wait()
}

// watchLeader keeps up with who leads, and tells the Stream how the feed is.
func (e *Edge) watchLeader(ctx context.Context) {
	tick := time.NewTicker(e.opts.Lease / 6)
	defer tick.Stop()
	for {
		e.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *Edge) look(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, e.opts.Lease)
	defer cancel()
	l, there, err := leader(within, e.opts.Redis, e.names)
	if ctx.Err() == nil {
		e.opts.Metrics.answered(err)
	}
	now := e.opts.Now()
	st := wire.Status{Feed: wire.FeedDisconnected, Degraded: true}
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		e.opts.Metrics.failed("leader")
		e.opts.Logger.Debug("leader", "error", err)
		if now.Sub(time.Unix(0, e.heard.Load())) <= silentAfter {
			return
		}
		e.leading.Store(nil)
		st.Message = "Redis does not answer"
	case !there:
		e.heard.Store(now.UnixNano())
		e.leading.Store(nil)
		st.Message = "no ingest leads"
	default:
		e.heard.Store(now.UnixNano())
		e.leading.Store(&l)
		e.opts.Stream.SetFeed(l.Feed)
		st = l.Status
	}
	e.opts.Stream.PublishStatus(&st)
}

// writeWants writes what this edge wants, where it has changed or is about to be
// forgotten, without what nobody listens to any more.
func (e *Edge) writeWants(ctx context.Context, force bool) error {
	e.mu.Lock()
	for x := range e.candles {
		if force && !e.opts.Stream.Listened(stream.Subject{Channel: wire.ChannelCandles, Key: x.Mint, Interval: x.Interval, Commitment: x.Commitment}) {
			delete(e.candles, x)
			e.changed = true
		}
	}
	for x := range e.wallets {
		if force && !e.opts.Stream.Listened(stream.Subject{Channel: wire.ChannelBalances, Key: x.Owner, Commitment: x.Commitment}) {
			delete(e.wallets, x)
			e.changed = true
		}
	}
	changed := e.changed
	w := wanted{Again: e.again}
	for x := range e.candles {
		w.Candles = append(w.Candles, x)
	}
	for x := range e.wallets {
		w.Wallets = append(w.Wallets, x)
	}
	e.changed = false
	e.mu.Unlock()
	if !changed && !force {
		return nil
	}
	err := e.putWants(ctx, &w, changed)
	if err != nil && changed {
		e.mu.Lock()
		e.changed = true
		e.mu.Unlock()
	}
	return err
}

func (e *Edge) putWants(ctx context.Context, w *wanted, changed bool) error {
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("relay: wants: %w", err)
	}
	if err := e.opts.Redis.Set(ctx, e.names.fleet("wants:"+e.id), text, wantedFor).Err(); err != nil {
		return fmt.Errorf("relay: wants: %w", err)
	}
	if err := e.opts.Redis.SAdd(ctx, e.names.fleet("edges"), e.id).Err(); err != nil {
		return fmt.Errorf("relay: wants: %w", err)
	}
	if changed {
		if err := e.opts.Redis.Incr(ctx, e.names.fleet("wants:version")).Err(); err != nil {
			return fmt.Errorf("relay: wants: %w", err)
		}
	}
	return nil
}

// subjectID is that of a subject's channel.
func subjectID(s stream.Subject) id {
	if s.Channel == wire.ChannelBalances {
		return walletID(s.Key, served(s.Commitment))
	}
	return mintID(s.Key, served(s.Commitment))
}
