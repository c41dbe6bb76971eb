package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// lane publishes the updates of one bucket, in order. While another ingest leads it
// keeps them for as long as that one may not have told them.
//
// An update stays in the queue until Redis has it: whatever fails, and whoever leads
// by then, it is told, or counted as dropped and told as a gap.
type lane struct {
	// static after construction
	p      *Publisher
	bucket int
	awake  chan struct{} // one slot

	mu sync.Mutex
	// guarded by mu
	queue   []op
	sending int64   // when the oldest came of those that are being written, 0: none are
	lost    lostOps // trades that found no room

	// owned by run
	fence uint64 // under which logs was read
	logs  map[id]*assetLog
	// numbers are those of logs that are to be read again: what Redis has is not below
	// them unless it has lost it.
	numbers map[id]*assetLog
	swept   int64 // when logs was looked through last
	batch   []op
	groups  map[id]*group
	order   []*group
}

// lostOps are trades that found no room in a queue: of which slots, and when the last.
type lostOps struct {
	from, to uint64
	at       int64
}

// assetLog is what is known of an asset's state in Redis. It is so while this ingest
// leads under one fence and nothing fails.
type assetLog struct {
	trades, prices uint64 // last numbers
	slot           uint64 // of the last price that was there when this ingest took over
	told           told
	loadedAt       int64 // Unix nanoseconds
	usedAt         int64
}

// group is the part of a batch that is about one asset.
type group struct {
	id   id
	ops  []op
	args []any
	// The numbers as they are once Redis has it.
	trades, prices uint64
	counts         map[kind]int
}

// batchOps is how many updates are written in one turn.
const batchOps = 512

// retryAfter is how long a lane waits after Redis has failed.
const retryAfter = 100 * time.Millisecond

// toldFor is for how long it is remembered what the ingest before told: longer than
// two ingests that both follow the chain are apart.
const toldFor = 10 * time.Minute

// idleFor is for how long the numbers of an asset without updates are remembered.
const idleFor = 15 * time.Minute

func newLane(p *Publisher, bucket int) *lane {
	return &lane{p: p, bucket: bucket, awake: make(chan struct{}, 1), logs: make(map[id]*assetLog), numbers: make(map[id]*assetLog), groups: make(map[id]*group)}
}

// add queues an update; where there is no room, the oldest goes.
func (l *lane) add(o op) {
	l.mu.Lock()
	if len(l.queue) >= l.p.opts.Queue {
		l.drop()
	}
	l.queue = append(l.queue, o)
	l.mu.Unlock()
	l.nudge()
}

// drop drops the oldest eighth of the queue: rather than one each time, since room
// is made at the front. Called with mu held.
func (l *lane) drop() {
	n := max(len(l.queue)/8, 1)
	for i := range l.queue[:n] {
		o := &l.queue[i]
		l.p.opts.Metrics.drop(o.kind)
		if slot := o.slot(); slot != 0 {
			if l.lost.from == 0 || slot < l.lost.from {
				l.lost.from = slot
			}
			l.lost.to, l.lost.at = max(l.lost.to, slot), o.at
		}
	}
	l.queue = slices.Delete(l.queue, 0, n)
}

func (l *lane) nudge() {
	select {
	case l.awake <- struct{}{}:
	default: // it is awake, or about to be
	}
}

// oldest is when the oldest update came that waits, 0: none does.
func (l *lane) oldest() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.sending != 0:
		return l.sending
	case len(l.queue) > 0:
		return l.queue[0].at
	}
	return 0
}

// run publishes until ctx ends.
func (l *lane) run(ctx context.Context) {
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.awake:
		case <-retry.C:
		}
		for ctx.Err() == nil {
			more, err := l.turn(ctx)
			if err != nil {
				l.p.opts.Metrics.failed("publish")
				l.p.opts.Logger.Debug("updates wait for Redis", "bucket", l.bucket, "error", err)
				retry.Reset(retryAfter)
				break
			}
			if !more {
				break
			}
		}
	}
}

// turn publishes some of what waits, or forgets what another ingest has told. It
// reports whether there is more.
func (l *lane) turn(ctx context.Context) (more bool, err error) {
	fence := l.p.fence.Load()
	if fence == 0 {
		l.forget(l.p.until.Load())
		return false, nil
	}
	if fence != l.fence {
		// Where nobody else led meanwhile, as far as Redis knows, it has lost the lease,
		// and may have lost the numbers.
		if before := l.p.follows.Load(); before != 0 && before != l.fence {
			clear(l.numbers)
		}
		l.fence = fence
		l.forgetLogs()
		l.takeOver()
	}
	l.take()
	if len(l.batch) == 0 {
		l.sweep()
		return false, nil
	}
	failed, err := l.send(ctx)
	l.putBack(failed)
	clear(l.batch)
	if errors.Is(err, errFenced) {
		l.p.fencedOff()
		return false, err
	}
	return err == nil, err
}

// forget drops what came before a time: who leads has told it.
func (l *lane) forget(until int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.queue) && l.queue[n].at < until {
		n++
	}
	if n > 0 {
		l.queue = slices.Delete(l.queue, 0, n)
	}
	if l.lost.at < until {
		l.lost = lostOps{}
	}
}

// take takes the next updates out of the queue, and tells of those that found no
// room in it.
func (l *lane) take() {
	l.mu.Lock()
	n := min(len(l.queue), batchOps)
	l.batch = append(l.batch[:0], l.queue[:n]...)
	l.queue = slices.Delete(l.queue, 0, n)
	if n > 0 {
		l.sending = l.batch[0].at
	}
	lost := l.lost
	l.lost = lostOps{}
	l.mu.Unlock()
	if lost.to != 0 {
		l.p.opts.Logger.Error("trades were dropped: Redis took none for too long", "from_slot", lost.from, "to_slot", lost.to)
		l.p.PublishGap(&swapcast.Gap{FromSlot: lost.from, ToSlot: lost.to, Reason: "relay_overflow"})
	}
}

// putBack puts updates that Redis has not taken to the front of the queue.
func (l *lane) putBack(failed []op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sending = 0
	l.queue = slices.Insert(l.queue, 0, failed...)
}

// takeOver drops all but the newest state from what waits when this ingest comes to
// lead: the states before were told, or are of no use any more.
func (l *lane) takeOver() {
	type state struct {
		id       id
		kind     kind
		interval swapcast.Interval
		start    int64
		mint     solana.PublicKey
		native   bool
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := make(map[state]struct{})
	kept := l.queue[:0:0]
	for i := len(l.queue) - 1; i >= 0; i-- {
		o := &l.queue[i]
		s := state{id: o.id(), kind: o.kind}
		switch {
		case o.kind == kindTrade:
			kept = append(kept, *o)
			continue
		case o.candle != nil:
			s.interval, s.start = o.candle.Interval, o.candle.Start
		case o.balance != nil:
			s.mint, s.native = o.balance.Mint, o.balance.Native
		}
		if _, again := seen[s]; !again {
			seen[s] = struct{}{}
			kept = append(kept, *o)
		}
	}
	slices.Reverse(kept)
	l.queue = kept
}

// forgetLog has a log read again before it is written to.
func (l *lane) forgetLog(x id) {
	l.numbers[x] = l.logs[x]
	delete(l.logs, x)
}

func (l *lane) forgetLogs() {
	for x := range l.logs {
		l.forgetLog(x)
	}
}

// sweep forgets the numbers of assets without updates.
func (l *lane) sweep() {
	now := l.p.opts.Now().UnixNano()
	if now-l.swept < int64(time.Minute) {
		return
	}
	l.swept = now
	for x, a := range l.numbers {
		if now-a.usedAt > int64(idleFor) {
			delete(l.numbers, x)
		}
	}
	for x, a := range l.logs {
		if now-a.usedAt > int64(idleFor) {
			delete(l.logs, x)
		} else if now-a.loadedAt > int64(toldFor) {
			a.told = nil
		}
	}
}

// send publishes the batch. It returns what Redis has not taken, in order.
func (l *lane) send(ctx context.Context) (failed []op, err error) {
	l.split()
	defer func() {
		clear(l.groups)
		clear(l.order)
		l.order = l.order[:0]
	}()
	err = l.load(ctx)
	if err != nil && errors.Is(err, errFenced) {
		return slices.Clone(l.batch), err
	}
	var calls []scripted
	var called []*group
	now := l.p.opts.Now()
	for _, g := range l.order {
		a := l.logs[g.id]
		if a == nil {
			failed = append(failed, g.ops...)
			continue
		}
		a.usedAt = now.UnixNano()
		l.encode(g, a, now)
		if len(g.args) == 0 {
			continue // all of it was told already
		}
		channel := l.p.names.channel(l.bucket, g.id)
		args := append([]any{l.fence, now.Unix()}, g.args...)
		calls = append(calls, scripted{appendScript, []string{stateKey(channel), logKey(channel), channel}, args})
		called = append(called, g)
	}
	if len(calls) == 0 {
		return failed, err
	}
	for i, answer := range runScripts(ctx, l.p.opts.Redis, calls) {
		g := called[i]
		if sendErr := appended(answer); sendErr != nil {
			// What of it was written is seen once the log is read again.
			l.forgetLog(g.id)
			failed = append(failed, g.ops...)
			if err == nil || errors.Is(sendErr, errFenced) {
				err = sendErr
			}
			continue
		}
		a := l.logs[g.id]
		a.trades, a.prices = g.trades, g.prices
		for k, n := range g.counts {
			l.p.opts.Metrics.publish(k, n)
		}
	}
	return failed, err
}

func appended(answer *redis.Cmd) error {
	text, err := answer.Text()
	switch {
	case err != nil:
		return fmt.Errorf("relay: append: %w", err)
	case text == fenced:
		return errFenced
	case text == renumbered:
		return errors.New("relay: append: the asset was begun anew")
	}
	return nil
}

// split makes groups of the batch, by what updates are about.
func (l *lane) split() {
	for i := range l.batch {
		x := l.batch[i].id()
		g := l.groups[x]
		if g == nil {
			g = &group{id: x, counts: make(map[kind]int)}
			l.groups[x] = g
			l.order = append(l.order, g)
		}
		g.ops = append(g.ops, l.batch[i])
	}
}

// load reads the logs of groups that this ingest has not written to yet.
func (l *lane) load(ctx context.Context) error {
	var calls []scripted
	var which []*group
	now := l.p.opts.Now()
	for _, g := range l.order {
		if l.logs[g.id] != nil {
			continue
		}
		channel := l.p.names.channel(l.bucket, g.id)
		least := floor(l.p.began, now)
		if known := l.numbers[g.id]; known != nil {
			least = known.trades
		}
		calls = append(calls, scripted{loadScript, []string{stateKey(channel), logKey(channel)}, []any{l.fence, stateSeconds, least}})
		which = append(which, g)
	}
	if len(calls) == 0 {
		return nil
	}
	var failed error
	for i, answer := range runScripts(ctx, l.p.opts.Redis, calls) {
		there, err := parseLoaded(answer)
		if err != nil {
			if failed == nil || errors.Is(err, errFenced) {
				failed = err
			}
			continue
		}
		a := &assetLog{trades: there.seq, prices: there.price.seq, told: readTold(there.names), loadedAt: now.UnixNano()}
		if there.price.kind != 0 {
			a.slot = slotOf(there.price.body)
		}
		if known := l.numbers[which[i].id]; known != nil {
			a.trades, a.prices = max(a.trades, known.trades), max(a.prices, known.prices)
			delete(l.numbers, which[i].id)
		}
		if a.prices == 0 { // nobody knows of any
			a.prices = floor(l.p.began, now)
		}
		l.logs[which[i].id] = a
	}
	return failed
}

// encode numbers the updates of a group that are to be told. One that cannot be
// encoded, such as a candle with a price that is no number, is counted and keeps none
// of the others back.
func (l *lane) encode(g *group, a *assetLog, now time.Time) {
	g.trades, g.prices = a.trades, a.prices
	since := l.p.since.Load()
	for i := range g.ops {
		o := g.ops[i]
		m := wire.Meta{TS: now.UnixMilli(), Feed: l.p.Feed()}
		name := ""
		switch {
		case o.trade != nil:
			if a.told.trade(o.trade) {
				l.p.opts.Metrics.skip("told")
				continue
			}
			name = tradeName(o.trade)
		case o.retract != nil:
			news := a.told.retract(o.retract)
			if len(news) == 0 {
				l.p.opts.Metrics.skip("told")
				continue
			}
			r := *o.retract
			r.Signatures = news
			o.retract, name = &r, retractName(&r)
		case o.price != nil && o.at < since && o.price.Slot < a.slot:
			l.p.opts.Metrics.skip("older")
			continue
		}
		switch o.kind {
		case kindTrade:
			g.trades++
			m.Seq = g.trades
		case kindPrice:
			g.prices++
			m.Seq = g.prices
		}
		x, err := o.encode(m)
		if err != nil {
			l.p.opts.Metrics.skip("unencodable")
			l.p.opts.Logger.Error("an update cannot be told", "kind", o.kind.label(), "of", g.id, "error", err)
			continue
		}
		g.args = append(g.args, string(o.kind), strconv.FormatUint(m.Seq, 10), x.append(nil), name)
		g.counts[o.kind]++
	}
}

// slotOf reads the slot of a price as clients see it; 0 where it has none.
func slotOf(body []byte) uint64 {
	var p struct {
		Slot uint64 `json:"slot"`
	}
	if json.Unmarshal(body, &p) != nil {
		return 0
	}
	return p.Slot
}
