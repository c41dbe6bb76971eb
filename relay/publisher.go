package relay

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gagliardetto/solana-go"
	"golang.org/x/sync/errgroup"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// Publisher is an ingest's side: it takes what a stream.Server would, and has it
// told by all edges, once, whichever of several ingests leads. All methods are safe
// for concurrent use; updates of one asset come in the order of the calls. None of
// them blocks.
type Publisher struct {
	// static after construction
	opts  Options
	names names
	id    string
	began time.Time // of the epoch
	lanes [Buckets]*lane
	fleet *fleetLane
	wants *wants

	fence atomic.Uint64 // of the lease; 0: another one leads
	// follows is the fence before the present one, 0 where Redis knows of none.
	follows atomic.Uint64
	since   atomic.Int64 // Unix nanoseconds since when this one leads
	// until is up to when a standby may forget, Unix nanoseconds: what came before
	// was told by who leads. Written by the lease's goroutine.
	until  atomic.Int64
	feed   atomic.Pointer[swapcast.Feed]
	status atomic.Pointer[wire.Status]
	lost   chan struct{} // one slot: a write was fenced

	seen time.Time // when another one led; owned by the lease's goroutine
}

// NewPublisher returns an ingest's side. It starts nothing: that is Run's.
func NewPublisher(o Options) (*Publisher, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	began, err := epochBegan(o.Epoch)
	if err != nil {
		return nil, err
	}
	p := &Publisher{
		opts: o, names: names{o.Prefix}, id: strconv.FormatUint(rand.Uint64(), 36), began: began,
		wants: newWants(), lost: make(chan struct{}, 1),
	}
	for b := range p.lanes {
		p.lanes[b] = newLane(p, b)
	}
	p.fleet = newFleetLane(p)
	o.Metrics.is("ingest")
	p.SetFeed(o.Feed)
	p.status.Store(&wire.Status{Feed: wire.FeedDisconnected, Degraded: true, Message: "the ingest has just started"})
	return p, nil
}

// Leads tells whether this ingest is the one that publishes.
func (p *Publisher) Leads() bool { return p.fence.Load() != 0 }

// Epoch is the fleet's.
func (p *Publisher) Epoch() string { return p.opts.Epoch }

// Feed is the present kind of data, SetFeed changes it.
func (p *Publisher) Feed() swapcast.Feed { return *p.feed.Load() }

// SetFeed changes what updates from now on say of their origin.
func (p *Publisher) SetFeed(f swapcast.Feed) { p.feed.Store(&f) }

// PublishPrice publishes a price, which is copied.
func (p *Publisher) PublishPrice(x *swapcast.Price) {
	c := *x
	c.Commitment = served(c.Commitment)
	p.add(c.Mint, op{kind: kindPrice, commitment: c.Commitment, price: &c})
}

// PublishTrade publishes a trade, which is copied.
func (p *Publisher) PublishTrade(x *swapcast.Trade) {
	c := *x
	c.Commitment = served(c.Commitment)
	p.add(c.Mint, op{kind: kindTrade, commitment: c.Commitment, trade: &c})
}

// PublishRetract takes trades back. The retract is copied; one that names more
// signatures than wire.MaxRetracted becomes several.
func (p *Publisher) PublishRetract(x *swapcast.Retract) {
	for signatures := range slices.Chunk(slices.Clone(x.Signatures), wire.MaxRetracted) {
		c := *x
		c.Commitment, c.Signatures = served(c.Commitment), signatures
		p.add(c.Mint, op{kind: kindTrade, commitment: c.Commitment, retract: &c})
	}
}

// PublishCandle publishes the present state of a candle, which is copied.
func (p *Publisher) PublishCandle(x *swapcast.Candle) {
	c := *x
	c.Commitment = served(c.Commitment)
	p.add(c.Mint, op{kind: kindCandle, commitment: c.Commitment, candle: &c})
}

// PublishBalance publishes a balance, which is copied, where an edge listens to its
// wallet.
func (p *Publisher) PublishBalance(x *swapcast.Balance) {
	if !p.wants.wallet(x.Owner) {
		return
	}
	c := *x
	c.Commitment = served(c.Commitment)
	p.add(c.Owner, op{kind: kindBalance, commitment: c.Commitment, balance: &c})
}

// PublishGap tells of slots that are lost for good.
func (p *Publisher) PublishGap(g *swapcast.Gap) { p.fleet.gap(*g) }

// PublishStatus says how the feed is. Edges read it with the lease.
func (p *Publisher) PublishStatus(st *wire.Status) {
	c := *st
	p.status.Store(&c)
}

// CloseCandlesAt tells of the chain's time at a commitment.
func (p *Publisher) CloseCandlesAt(unix int64, c swapcast.Commitment) {
	p.fleet.clock(unix, served(c))
}

// CandlesWantedAt tells which candles of a mint clients of any edge listen to.
func (p *Publisher) CandlesWantedAt(mint solana.PublicKey, c swapcast.Commitment) swapcast.IntervalSet {
	return p.wants.candles(mint, served(c))
}

// Fresh returns what edges have come to listen to since it was called last: its
// present state is to be published, and wallets are to be followed. Gone are wallets
// that nobody listens to any more.
func (p *Publisher) Fresh() (candles []CandleWant, wallets []WalletWant, gone []solana.PublicKey) {
	return p.wants.takeFresh()
}

// served is the commitment under which an update is published.
func served(c swapcast.Commitment) swapcast.Commitment { return min(c, swapcast.Confirmed) }

func (p *Publisher) add(key solana.PublicKey, o op) {
	o.at = p.opts.Now().UnixNano()
	p.lanes[bucket(key)].add(o)
}

// self is what this ingest says of itself.
func (p *Publisher) self() Leader {
	return Leader{ID: p.id, HTTP: p.opts.HTTP, Feed: p.Feed(), Status: *p.status.Load(), BacklogMS: p.backlog().Milliseconds()}
}

// backlog is the age of the oldest update or gap that is still to be published.
func (p *Publisher) backlog() time.Duration {
	oldest := p.fleet.oldest()
	for _, l := range p.lanes {
		if at := l.oldest(); at != 0 && (oldest == 0 || at < oldest) {
			oldest = at
		}
	}
	if oldest == 0 {
		return 0
	}
	return p.opts.Now().Sub(time.Unix(0, oldest))
}

// Run publishes while this ingest leads, and keeps up with who leads while it does
// not, until ctx ends. Then it publishes what waits, for at most FlushTimeout, and
// gives the lease up. It returns an error where the fleet numbers anew.
func (p *Publisher) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, work := errgroup.WithContext(work)
	for _, l := range p.lanes {
		group.Go(func() error { l.run(work); return nil })
	}
	group.Go(func() error { p.fleet.run(work); return nil })
	group.Go(func() error { return p.lead(work) })
	select {
	case <-ctx.Done():
	case <-work.Done(): // a part has failed
		return group.Wait()
	}
	if p.Leads() {
		p.flush(work)
		fence := p.fence.Swap(0) // before another one is let in
		patience, cancel := context.WithTimeout(work, FlushTimeout)
		if err := p.release(patience); err != nil && fence != 0 {
			p.opts.Logger.Warn("the lease was not given up: the other ingest waits for its end", "error", err)
		}
		cancel()
	}
	stop()
	return group.Wait()
}

// FlushTimeout is how long an ingest that stops may take to publish what waits.
const FlushTimeout = 2 * time.Second

// flush waits until nothing waits.
func (p *Publisher) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, FlushTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for p.backlog() > 0 && p.Leads() {
		select {
		case <-ctx.Done():
			p.opts.Logger.Warn("updates are left for the other ingest", "oldest", p.backlog())
			return
		case <-tick.C:
		}
	}
}

// lead keeps the lease, or waits for it, until ctx ends.
func (p *Publisher) lead(ctx context.Context) error {
	tick := time.NewTicker(p.opts.Lease / 6)
	defer tick.Stop()
	for {
		if err := p.turn(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.lost:
			p.step(0)
		case <-tick.C:
		}
	}
}

// turn looks once who leads. While Redis does not answer all stays as it is: nobody
// else can take the lease, and if somebody could, the fences hold.
func (p *Publisher) turn(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, p.opts.Lease)
	defer cancel()
	begun := p.opts.Now()
	err := keepEpoch(within, p.opts.Redis, p.names, p.opts.Epoch)
	if errors.Is(err, errRenumbered) {
		return err
	}
	var fence uint64
	if err == nil {
		fence, err = p.renewed(within, begun)
	}
	if ctx.Err() == nil {
		p.opts.Metrics.answered(err)
	}
	p.opts.Metrics.waits(p.backlog(), p.Leads())
	if err != nil {
		p.opts.Metrics.failed("lease")
		p.opts.Logger.Debug("lease", "error", err)
		return nil
	}
	if ctx.Err() != nil {
		return nil
	}
	p.step(fence)
	if fence == 0 {
		p.fleet.wake()
		for _, l := range p.lanes {
			l.nudge() // to forget
		}
	}
	if err := p.wants.read(within, p.opts.Redis, p.names); err != nil {
		p.opts.Metrics.failed("wants")
		p.opts.Logger.Debug("wants", "error", err)
	}
	return nil
}

// renewed renews the lease, takes it, or notes how far its holder is. It returns
// the fence, 0 where another one leads.
func (p *Publisher) renewed(ctx context.Context, now time.Time) (fence uint64, err error) {
	healthy := p.status.Load().Feed == wire.FeedHealthy
	fence = p.fence.Load()
	if fence != 0 && !healthy {
		given, err := p.yield(ctx)
		if err != nil || given {
			return 0, err
		}
	}
	h, err := p.renew(ctx, fence, now.Sub(p.seen) < 2*p.opts.Lease)
	if err != nil {
		return 0, err
	}
	if h.fence != 0 {
		if h.fence != fence {
			p.follows.Store(h.before)
		}
		return h.fence, nil
	}
	if h.other != nil {
		p.seen = now
		behind := max(time.Duration(h.other.BacklogMS)*time.Millisecond, lag(&h.other.Status))
		p.until.Store(now.Add(-p.opts.Hold - behind).UnixNano())
	}
	if healthy {
		return 0, p.stand(ctx)
	}
	return 0, nil
}

// lag is how old the newest is that a feed brought.
func lag(s *wire.Status) time.Duration {
	if !s.LagKnown {
		return 0
	}
	return time.Duration(s.LagMS) * time.Millisecond
}

// step goes over to a fence; 0 is that of a standby.
func (p *Publisher) step(fence uint64) {
	before := p.fence.Load()
	if before == fence {
		return
	}
	if fence != 0 {
		p.since.Store(p.opts.Now().UnixNano())
	}
	p.fence.Store(fence)
	p.opts.Metrics.lead(fence != 0)
	switch {
	case fence != 0:
		p.opts.Logger.Info("this ingest leads", "fence", fence)
	default:
		p.opts.Logger.Warn("another ingest leads")
	}
	p.fleet.wake()
	for _, l := range p.lanes {
		l.nudge()
	}
}

// fencedOff is told by a lane whose write another leader has refused.
func (p *Publisher) fencedOff() {
	p.opts.Metrics.fencedOff()
	select {
	case p.lost <- struct{}{}:
	default:
	}
}

// op is one update that is to be published.
type op struct {
	at         int64 // Unix nanoseconds, when it was given to the Publisher
	kind       kind
	commitment swapcast.Commitment
	// one of them
	price   *swapcast.Price
	trade   *swapcast.Trade
	retract *swapcast.Retract
	candle  *swapcast.Candle
	balance *swapcast.Balance
}

// id is that of what it is about.
func (o *op) id() id {
	switch {
	case o.price != nil:
		return mintID(o.price.Mint, o.commitment)
	case o.trade != nil:
		return mintID(o.trade.Mint, o.commitment)
	case o.retract != nil:
		return mintID(o.retract.Mint, o.commitment)
	case o.candle != nil:
		return mintID(o.candle.Mint, o.commitment)
	default:
		return walletID(o.balance.Owner, o.commitment)
	}
}

// slot is that of a trade or a retract, 0 of others.
func (o *op) slot() uint64 {
	switch {
	case o.trade != nil:
		return o.trade.Slot
	case o.retract != nil:
		return o.retract.Slot
	}
	return 0
}

// encode makes the message of an update.
func (o *op) encode(m wire.Meta) (message, error) {
	x := message{kind: o.kind, commitment: o.commitment, seq: m.Seq}
	var err error
	switch {
	case o.price != nil:
		x.body, x.receivedAt = wire.AppendPrice(nil, o.price, m), o.price.ReceivedAt
	case o.trade != nil:
		x.body, x.receivedAt = wire.AppendTrade(nil, o.trade, m), o.trade.ReceivedAt
	case o.retract != nil:
		x.body = wire.AppendRetract(nil, o.retract, m)
	case o.candle != nil:
		x.body, err = json.Marshal(o.candle)
		x.receivedAt = o.candle.ReceivedAt
	default:
		x.body, err = json.Marshal(o.balance)
		x.receivedAt = o.balance.ReceivedAt
	}
	return x, err
}
