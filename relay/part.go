package relay

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/wire"
)

// part follows the mints and wallets of one bucket. One goroutine takes its messages
// in order and reads the log where one is missing, so that the Stream is given each
// number once, in order.
type part struct {
	// static after construction
	e      *Edge
	bucket int
	asks   chan ask

	mu sync.Mutex
	// guarded by mu: what need not be asked for
	live map[id]struct{}

	// owned by run
	subscriber
	followed map[string]*followed // by channel
	retry    *time.Timer
}

// ask is a client's wish to listen to something.
type ask struct {
	id      id
	subject stream.Subject
	answer  chan<- chan struct{} // has room for one: what is closed once it is so, nil where it is
}

// followed is a mint or wallet at a commitment that is listened to.
type followed struct {
	id      id
	channel string
	subject stream.Subject // of the first who asked; tells what it is about
	ready   chan struct{}  // closed once it is live, for all who wait; nil: nobody does
	state   followState

	trades, prices uint64 // numbers that the Stream was given last; 0: none
	suspect        uint64 // what Redis had of trades when it was looked at last
	suspectPrice   uint64
	heardAt        time.Time // when somebody listened last
}

// followState is how far a followed thing is.
type followState uint8

const (
	asked  followState = iota // Redis has not confirmed the subscription
	behind                    // what was missed is to be read
	live
)

func newPart(e *Edge, bucket int) *part {
	return &part{
		e: e, bucket: bucket, asks: make(chan ask), live: make(map[id]struct{}),
		subscriber: newSubscriber(e), followed: make(map[string]*followed),
	}
}

// ask has a subject followed. done is nil where it is already.
func (p *part) ask(ctx context.Context, s stream.Subject) (done <-chan struct{}, err error) {
	answer := make(chan chan struct{}, 1)
	a := ask{id: subjectID(s), subject: s, answer: answer}
	p.mu.Lock()
	_, there := p.live[a.id]
	p.mu.Unlock()
	if there {
		return nil, nil
	}
	select {
	case p.asks <- a:
		return <-answer, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("relay: follow: %w", ctx.Err())
	}
}

// run follows until ctx ends.
func (p *part) run(ctx context.Context) {
	defer p.close()
	sweep := time.NewTicker(p.e.opts.Sweep)
	defer sweep.Stop()
	p.retry = time.NewTimer(time.Hour)
	defer p.retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-p.asks:
			p.follow(ctx, a)
		case in := <-p.incoming:
			p.take(ctx, in)
		case <-p.retry.C:
			p.catchUp(ctx)
		case <-sweep.C:
			p.sweep(ctx)
		}
	}
}

// follow begins to follow something, or joins those who wait for it. They share one
// channel, so that clients who come again and again while Redis is away leave nothing.
func (p *part) follow(ctx context.Context, a ask) {
	channel := p.e.names.channel(p.bucket, a.id)
	f := p.followed[channel]
	switch {
	case f == nil:
		f = &followed{id: a.id, channel: channel, subject: a.subject, ready: make(chan struct{}), heardAt: p.e.opts.Now()}
		p.followed[channel] = f
		p.e.opts.Metrics.follow(1)
		p.e.opts.Metrics.lack(1)
		if err := p.subscribe(ctx, channel); err != nil {
			p.failed("subscribe", err)
		}
	case f.state == live: // and nobody waits
	case f.ready == nil:
		f.ready = make(chan struct{})
	}
	a.answer <- f.ready
}

func (p *part) failed(operation string, err error) {
	p.e.opts.Metrics.failed(operation)
	p.e.opts.Logger.Debug("Redis: "+operation, "bucket", p.bucket, "error", err)
}

// take handles what came over the connection.
func (p *part) take(ctx context.Context, in any) {
	switch in := in.(type) {
	case broken:
		p.renew(ctx)
	case *redis.Subscription:
		f := p.followed[in.Channel]
		switch {
		case in.Kind == "ssubscribe" && f != nil:
			if f.state == live {
				p.e.opts.Metrics.resubscribe()
				p.e.missed()
			}
			p.setState(f, behind)
			p.load(ctx, f)
		case in.Kind == "sunsubscribe" && f != nil: // its slot has moved
			p.e.reload(ctx)
			p.renew(ctx)
		}
	case *redis.Message:
		f := p.followed[in.Channel]
		if f == nil {
			return // nobody listens any more
		}
		m, err := parseMessage([]byte(in.Payload))
		if err != nil {
			p.e.opts.Metrics.unread()
			return
		}
		p.e.opts.Metrics.receive(m.kind)
		p.message(ctx, f, &m)
	}
}

// renew makes the connection anew.
func (p *part) renew(ctx context.Context) {
	p.close()
	for channel := range p.followed {
		if err := p.subscribe(ctx, channel); err != nil {
			p.failed("subscribe", err)
		}
	}
}

func (p *part) setState(f *followed, s followState) {
	switch {
	case f.state == live && s != live:
		p.e.opts.Metrics.lack(1)
	case f.state != live && s == live:
		p.e.opts.Metrics.lack(-1)
	}
	f.state = s
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == live {
		p.live[f.id] = struct{}{}
	} else {
		delete(p.live, f.id)
	}
}

// message hands an update on, if it is the next one.
func (p *part) message(ctx context.Context, f *followed, m *message) {
	s := p.e.opts.Stream
	switch m.kind {
	case kindPrice:
		if f.prices != 0 && m.seq > f.prices+1 {
			p.e.opts.Metrics.lose(kindPrice, m.seq-f.prices-1)
		}
		p.relay(f, m)
	case kindTrade:
		switch {
		case m.seq <= f.trades:
			p.e.opts.Metrics.duplicate()
		case m.seq == f.trades+1 && f.state == live:
			p.relay(f, m)
		default:
			p.setState(f, behind)
			p.load(ctx, f)
		}
	case kindCandle:
		var c swapcast.Candle
		if json.Unmarshal(m.body, &c) != nil || c.Interval >= swapcast.Intervals {
			p.e.opts.Metrics.unread()
			return
		}
		s.PublishCandle(&c)
	case kindBalance:
		var b swapcast.Balance
		if json.Unmarshal(m.body, &b) != nil {
			p.e.opts.Metrics.unread()
			return
		}
		s.PublishBalance(&b)
	}
}

// relay gives the Stream a price or a trade, if it has not had it.
func (p *part) relay(f *followed, m *message) {
	last := &f.prices
	if m.kind == kindTrade {
		last = &f.trades
	}
	if m.seq <= *last {
		return
	}
	*last = m.seq
	p.e.opts.Stream.Relay(&stream.Update{
		Mint: f.subject.Key, Commitment: m.commitment, Trade: m.kind == kindTrade,
		Seq: m.seq, Message: m.body, ReceivedAt: m.receivedAt,
	})
}

// catchUp reads what was missed of all that are behind.
func (p *part) catchUp(ctx context.Context) {
	for _, f := range p.followed {
		if f.state == behind {
			p.load(ctx, f)
		}
	}
}

// load reads what the Stream lacks of something: its state, and the trades after
// the last one. Where Redis does not answer it is tried again.
func (p *part) load(ctx context.Context, f *followed) {
	if f.subject.Channel != wire.ChannelBalances {
		within, cancel := context.WithTimeout(ctx, p.e.opts.Lease)
		err := p.read(within, f)
		cancel()
		if err != nil {
			p.failed("load", err)
			p.retry.Reset(retryAfter)
			return
		}
	}
	p.setState(f, live)
	if f.ready != nil {
		close(f.ready)
		f.ready = nil
	}
}

func (p *part) read(ctx context.Context, f *followed) error {
	first := f.trades == 0
	pipe := p.e.opts.Redis.Pipeline()
	state := pipe.HMGet(ctx, stateKey(f.channel), "seq", "price")
	log := pipe.XRange(ctx, logKey(f.channel), strconv.FormatUint(f.trades+1, 10), "+")
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("relay: read: %w", err)
	}
	for _, entry := range log.Val() {
		text, _ := entry.Values["m"].(string)
		m, err := parseMessage([]byte(text))
		if err != nil || m.kind != kindTrade {
			p.e.opts.Metrics.unread()
			continue
		}
		if first && f.trades == 0 {
			p.e.fleet.recordSince(m.body, p.e.opts.Stream)
		}
		p.missing(f, m.seq-1)
		p.relay(f, &m)
	}
	if !first {
		p.e.opts.Metrics.repair(len(log.Val()))
	}
	seq := number(state.Val()[0])
	if seq == 0 && first {
		var err error
		if seq, err = p.begin(ctx, f); err != nil {
			return err
		}
	}
	if seq > f.trades {
		p.missing(f, seq)
		f.trades = seq
		p.e.opts.Stream.Relay(&stream.Update{Mint: f.subject.Key, Commitment: f.subject.Commitment, Trade: true, Seq: seq})
	}
	if text, ok := state.Val()[1].(string); ok {
		m, err := parseMessage([]byte(text))
		if err != nil || m.kind != kindPrice {
			p.e.opts.Metrics.unread()
			return nil
		}
		p.relay(f, &m)
	}
	return nil
}

// begin gives something its first number, of which Redis knows none.
func (p *part) begin(ctx context.Context, f *followed) (uint64, error) {
	seq, err := beginScript.Run(ctx, p.e.opts.Redis, []string{stateKey(f.channel)}, floor(p.e.began, p.e.opts.Now()), stateSeconds).Uint64()
	if err != nil {
		return 0, fmt.Errorf("relay: begin: %w", err)
	}
	return seq, nil
}

// missing counts trades up to a number that Redis has no more.
func (p *part) missing(f *followed, to uint64) {
	if f.trades != 0 && to > f.trades {
		p.e.opts.Metrics.lose(kindTrade, to-f.trades)
		p.e.opts.Logger.Warn("trades are missing", "channel", f.channel, "from", f.trades+1, "to", to)
	}
}

// number reads a field of a state, 0 where it is not there.
func number(field any) uint64 {
	text, _ := field.(string)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// sweep forgets what nobody listens to, and finds out what was missed without a
// later message to show it.
func (p *part) sweep(ctx context.Context) {
	if len(p.followed) == 0 {
		return
	}
	p.unfollow(ctx)
	within, cancel := context.WithTimeout(ctx, p.e.opts.Lease)
	defer cancel()
	pipe := p.e.opts.Redis.Pipeline()
	var which []*followed
	var states []*redis.SliceCmd
	for _, f := range p.followed {
		if f.state == live && f.subject.Channel != wire.ChannelBalances {
			which = append(which, f)
			states = append(states, pipe.HMGet(within, stateKey(f.channel), "seq", "priceSeq"))
		}
	}
	if len(which) == 0 {
		return
	}
	if _, err := pipe.Exec(within); err != nil {
		p.failed("sweep", err)
		p.e.reload(within)
		return
	}
	for i, f := range which {
		trades, prices := number(states[i].Val()[0]), number(states[i].Val()[1])
		// A sweep ago Redis had it, and it has not come.
		if f.suspect > f.trades || f.suspectPrice > f.prices {
			p.e.opts.Logger.Info("a message was lost", "channel", f.channel, "had", f.trades, "has", f.suspect)
			p.setState(f, behind)
			p.load(ctx, f)
			p.missedOften(ctx, f)
		}
		f.suspect, f.suspectPrice = trades, prices
	}
}

// missedOften has a subscription made again that brought nothing.
func (p *part) missedOften(ctx context.Context, f *followed) {
	if err := p.subscribe(ctx, f.channel); err != nil { // no harm where it is there
		p.failed("subscribe", err)
	}
}

// unfollow ends what nobody has listened to for a while.
func (p *part) unfollow(ctx context.Context) {
	now := p.e.opts.Now()
	for channel, f := range p.followed {
		if p.listened(f) { // who waits for it does
			f.heardAt = now
			continue
		}
		if now.Sub(f.heardAt) < p.e.opts.Linger {
			continue
		}
		p.mu.Lock()
		again := p.listened(f) // whoever comes from here on finds that it is not live
		if !again {
			delete(p.live, f.id)
		}
		p.mu.Unlock()
		if again {
			continue
		}
		delete(p.followed, channel)
		p.e.opts.Metrics.follow(-1)
		if f.state != live {
			p.e.opts.Metrics.lack(-1)
		}
		if err := p.unsubscribe(ctx, channel); err != nil {
			p.failed("unsubscribe", err)
		}
	}
	if len(p.followed) == 0 {
		p.close()
	}
}

// listened tells whether somebody listens to anything of a mint or wallet.
func (p *part) listened(f *followed) bool {
	s := stream.Subject{Key: f.subject.Key, Commitment: served(f.subject.Commitment)}
	if f.subject.Channel == wire.ChannelBalances {
		s.Channel = wire.ChannelBalances
		return p.e.opts.Stream.Listened(s)
	}
	s.Channel = wire.ChannelPrices
	if p.e.opts.Stream.Listened(s) {
		return true
	}
	s.Channel = wire.ChannelCandles
	for i := range swapcast.Intervals {
		s.Interval = i
		if p.e.opts.Stream.Listened(s) {
			return true
		}
	}
	return false
}
