package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/ledger"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/relay"
	"github.com/swapcast/swapcast/swap"
	"github.com/swapcast/swapcast/tokens"
)

// pipeline is the data path, one stage after the other:
//
//	geyser (a goroutine for each endpoint) -> parser -> ledger -> view (market, book) -> stream
//	   ^ backfill (its own goroutine) <- ledger
//
// One goroutine runs it, so that the ledger hears everything in one order and
// the markets see swaps in the order in which the ledger lets them count. This
// file and steps.go alone name every stage.
type pipeline struct {
	// static after construction
	events      chan *geyser.Event // from the subscribers and the filler; full: they wait, and gRPC holds the servers back
	processed   *view
	confirmed   *view
	stream      teller
	relay       *relay.Publisher // nil but for an ingest
	wallets     *wallets
	filler      filler         // nil: nobody fills
	tokens      *tokens.Loader // nil: no facts over RPC
	authorities map[string]uint8
	recorded    bool // a recording is played here, be it one of a simulated market
	feed        *feedState
	log         *slog.Logger
	counts      *parser.Metrics
	price       prometheus.Observer // seconds to price and publish one transaction's swaps
	lost        *geyser.Metrics     // counts slots that are lost for good
	watch       *watchList
	sent        *swap.Tracker // what clients had forwarded
	rules       ledger.Options

	// owned by run
	ledger   *ledger.Ledger
	behind   int // transactions in a row from long before the checkpoint
	past     past
	streams  map[uint64]running // by number
	effects  ledger.Effects
	parser   *parser.Parser
	parsed   parser.Result
	changes  []swapcast.BalanceChange
	tx       ledger.Tx
	corrects reconciler
	settled  uint64 // what the processed view was told
	tickedAt int64

	// written by run, read by status pages and subscribers
	checkpoint atomic.Uint64
	stats      atomic.Pointer[ledger.Stats]
	gaps       atomic.Pointer[[]ledger.GapRange]
}

// running is a stream that runs, and which part of its endpoint's keys it asks for.
type running struct {
	src         ledger.Source
	part, parts int
}

// filler gets from RPC what no stream brought. Its answers come as events.
type filler interface {
	Missing(from, to uint64)
	Disputed(ref swapcast.TxRef)
	Down() bool // nobody answers it now
}

// ledgerTick is how often the ledger is told that time passes.
const ledgerTick = 100 * time.Millisecond

// newPipeline makes the pipeline of a server whose views and stream stand.
func newPipeline(s *server, stages *prometheus.HistogramVec) *pipeline {
	events := make(chan *geyser.Event, s.config.PipelineQueue)
	s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "swapcast_pipeline_queue_length",
		Help: "Decoded updates that wait for the parser. When the queue is full the source is held back; swapcast_geyser_blocked_seconds_total counts that.",
	}, func() float64 { return float64(len(events)) }))
	counts := parser.NewMetrics(s.registry)
	counts.Stage = stages.WithLabelValues("parse")
	rules := ledger.Options{
		Fills:   len(s.config.RPCURL) > 0 && s.upstream.player == nil,
		HoldFor: s.config.HoldFor, Corroborate: s.config.Corroborate,
		Metrics: ledger.NewMetrics(s.registry),
	}
	if rules.Fills {
		// RPC's word is worth more than a vote: it is waited for as long as a slot
		// waits for anything, while RPC answers at all.
		rules.DisputeFor = s.config.HoldFor
	}
	if s.upstream.repeats {
		// Each pass has the signatures of the one before it, in later slots.
		rules.KeepSlots = 1
	}
	return &pipeline{
		events:      events,
		processed:   s.processed,
		confirmed:   s.confirmed,
		stream:      s.teller,
		relay:       s.relay,
		wallets:     s.wallets,
		authorities: s.upstream.authorities(),
		recorded:    s.upstream.recorded,
		feed:        s.feed,
		log:         s.log.With("component", "pipeline"),
		counts:      counts,
		price:       stages.WithLabelValues("price"),
		lost:        s.upstream.metrics,
		watch:       s.watch,
		sent:        s.swaps.sent,
		parser:      parser.New(),
		rules:       rules,
		streams:     make(map[uint64]running),
		ledger:      ledger.New(rules),
		corrects:    newReconciler(s.registry),
	}
}

// start goes on where an earlier run ended. Called before run.
func (p *pipeline) start(checkpoint uint64) {
	p.ledger.Start(checkpoint)
	p.checkpoint.Store(checkpoint)
}

// run handles events until ctx ends.
func (p *pipeline) run(ctx context.Context) error {
	ticker := time.NewTicker(ledgerTick)
	defer ticker.Stop()
	p.watch.update(p.feed.tipSlot.Load()) // what is watched from the start is so from the first slot on
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-p.events:
			p.handle(event)
			event.Release()
		case now := <-ticker.C:
			p.tick(now.UnixNano())
		case found := <-p.facts():
			p.processed.market.Learn(found)
		case l := <-p.processed.wallets.loads:
			p.processed.load(l.snapshot)
			p.confirmed.load(l.snapshot)
			close(l.done)
		}
		// Under load the ticker's turn may come late.
		if now := time.Now().UnixNano(); now-p.tickedAt > 2*int64(ledgerTick) {
			p.tick(now)
		}
	}
}

// facts yields what is found of tokens; nothing ever where nobody looks.
func (p *pipeline) facts() <-chan swapcast.Token {
	if p.tokens == nil {
		return nil
	}
	return p.tokens.Found()
}

// tick lets time pass.
func (p *pipeline) tick(now int64) {
	p.tickedAt = now
	if p.filler != nil {
		p.ledger.FillerDown(p.filler.Down())
	}
	p.ledger.Tick(now, &p.effects)
	if p.stream.Feed() != swapcast.FeedReplay { // a recording may leap
		p.feed.believe(p.ledger.Furthest(), p.ledger.Head())
	}
	p.carryOut()
	p.checkpoint.Store(p.ledger.Checkpoint())
	p.serveEdges()
	stats, gaps := p.ledger.Stats(), p.ledger.Gaps()
	p.stats.Store(&stats)
	p.gaps.Store(&gaps)
	p.watch.update(stats.Slot) // not the feed's: an endpoint may name any slot
}

// handle takes one event through every stage.
func (p *pipeline) handle(event *geyser.Event) {
	if event.Feed != swapcast.FeedLive && p.stream.Feed() == swapcast.FeedLive {
		// The upstream turns out to be no live chain. Clients are told from here
		// on; what a --source says of itself is never taken back.
		p.log.Warn("the source says that it is no live chain", "endpoint", event.Endpoint, "feed", string(event.Feed))
		p.stream.SetFeed(event.Feed)
	}
	src := ledger.Source{
		Endpoint: event.Endpoint, Stream: event.Stream, Authority: p.authorities[event.Endpoint],
		Leaps: p.recorded || event.Feed == swapcast.FeedReplay,
	}
	now := event.ReceivedAt
	switch event.Kind {
	case geyser.KindTx:
		p.transaction(src, event)
	case geyser.KindSlot:
		p.feed.slot(event.Slot, now)
		if event.Slot.Status == swapcast.SlotDead {
			p.sent.Dead(event.Slot.Slot)
		}
		p.ledger.Slot(src, &event.Slot, now, &p.effects)
	case geyser.KindBlock:
		if src.Stream != 0 { // what RPC fills says nothing of the feed's freshness
			p.feed.block(event.Block, now)
		}
		p.sent.Height(event.Block.BlockHeight, time.Unix(0, now))
		p.processed.advance(p.blockTime(event))
		p.ledger.Block(src, &event.Block, now, &p.effects)
	case geyser.KindStreamStart, geyser.KindPartStart:
		p.streams[event.Stream] = running{src, event.Part, event.Parts}
		p.ledger.BeganPart(src, event.From, event.Part, event.Parts, now)
	case geyser.KindStreamEnd:
		delete(p.streams, event.Stream)
		p.ledger.Ended(src, now)
	case geyser.KindFilled:
		p.ledger.Filled(event.Slot.Slot, &p.effects)
	case geyser.KindSkipped:
		p.ledger.Skipped(event.Slot.Slot, &p.effects)
	case geyser.KindLost:
		p.ledger.Lost(event.From, event.To, event.Reason, &p.effects)
	case geyser.KindAbsent:
		p.ledger.Absent(event.Ref, &p.effects)
	}
	p.carryOut()
}

// blockTime is a transaction's time in Unix seconds, 0 unknown. A Geyser
// transaction carries none, and its block's meta comes after it: on a chain the
// newest block's time that is known is the best there is, a block or two old.
// A recording's updates carry the time at which they were made.
func (p *pipeline) blockTime(event *geyser.Event) int64 {
	if event.Feed == swapcast.FeedReplay && event.CreatedAt != 0 {
		return event.CreatedAt / int64(time.Second)
	}
	return p.feed.blockTime()
}

// transaction parses, and tells the ledger what there is. Copies from other
// endpoints are parsed as well: that they say the same is what makes a lie
// visible. The clock is read once a stage and once a transaction, never once a
// swap.
func (p *pipeline) transaction(src ledger.Source, event *geyser.Event) {
	tx := event.Tx
	ref := swapcast.TxRef{Slot: tx.Slot, Signature: tx.Signature}
	if src.Stream != 0 {
		p.feed.transaction(tx.Slot, event.ReceivedAt)
	}
	p.newTimeline(tx.Slot, event.ReceivedAt)
	p.sent.Seen(tx.Signature, tx.Slot, tx.Failed)
	if p.ledger.Known(src, ref, tx.Bank) {
		return
	}
	exact := tx.BlockTime
	if tx.BlockTime == 0 {
		tx.BlockTime = p.blockTime(event)
	}
	started := time.Now()
	p.parser.Parse(tx, &p.parsed)
	p.counts.Count(&p.parsed, time.Since(started))
	p.changes = p.watch.changes(tx, p.changes[:0])
	p.tx = ledger.Tx{
		TxRef: ref, Bank: tx.Bank, Index: tx.Index, BlockTime: exact,
		Swaps: p.parsed.Swaps, Changes: p.changes, ReceivedAt: event.ReceivedAt,
	}
	p.ledger.Tx(src, &p.tx, &p.effects)
}

// newTimeline begins anew where the source has gone back to slots that are long
// done: a chain that was made again, or a recording that was. No replay reaches
// there, for replays are asked for from the checkpoint on.
func (p *pipeline) newTimeline(slot uint64, now int64) {
	checkpoint := p.ledger.Checkpoint()
	if slot+timelineSlots >= checkpoint {
		p.behind = 0
		if p.past.lasts(slot > checkpoint, now) {
			p.log.Warn("all transactions of the last minute are of slots that are done, and do not count: the chain has been set back, by too little to tell it from a replay; wait until it is past the checkpoint, or stop, delete the checkpoint in --state-dir if there is one, and start again",
				"slot", slot, "checkpoint", checkpoint)
		}
		return
	}
	if p.behind++; p.behind < timelineTransactions {
		return
	}
	p.behind = 0
	p.log.Warn("the source has gone back in time: beginning anew", "slot", slot, "checkpoint", checkpoint)
	p.ledger = ledger.New(p.rules)
	for _, s := range p.streams {
		p.ledger.BeganPart(s.src, slot+1, s.part, s.parts, now)
	}
	p.checkpoint.Store(0)
	p.settled = 0
	p.processed.market.Restart()
	p.confirmed.market.Restart()
	p.processed.wallets.restart()
	p.watch.restart()
	p.corrects.restart()
	p.feed.restart(slot)
	p.stream.PublishGap(&swapcast.Gap{FromSlot: checkpoint + 1, ToSlot: checkpoint + 1, Reason: "new_timeline"})
}

// A straggler or two from far behind are no new timeline.
const (
	timelineSlots        = 512
	timelineTransactions = 256
)
