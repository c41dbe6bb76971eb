package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/market"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/stream"
)

// pipeline is the data path, one stage after the other:
//
//	geyser (its own goroutine) -> parser -> market -> stream
//
// One goroutine runs it, so that the market sees swaps in the order in which
// the chain made them. This file alone names every stage.
type pipeline struct {
	// static after construction
	events chan *geyser.Event // from the subscriber; full: the subscriber waits, and gRPC holds the server back
	market *market.Market
	stream *stream.Server
	feed   *feedState
	log    *slog.Logger
	counts *parser.Metrics
	price  prometheus.Observer // seconds to price and publish one transaction's swaps

	// owned by run
	parser *parser.Parser
	parsed parser.Result
	update market.Update
	moved  []solana.PublicKey // mints that the transaction traded
	clock  int64              // the market's time that the stream was told, Unix seconds
}

// newPipeline makes the pipeline of a server whose market and stream stand.
func newPipeline(s *server, stages *prometheus.HistogramVec) *pipeline {
	events := make(chan *geyser.Event, s.config.PipelineQueue)
	s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "swapcast_pipeline_queue_length",
		Help: "Decoded updates that wait for the parser. When the queue is full the source is held back; swapcast_geyser_blocked_seconds_total counts that.",
	}, func() float64 { return float64(len(events)) }))
	counts := parser.NewMetrics(s.registry)
	counts.Stage = stages.WithLabelValues("parse")
	return &pipeline{
		events: events,
		market: s.market,
		stream: s.stream,
		feed:   s.feed,
		log:    s.log.With("component", "pipeline"),
		counts: counts,
		price:  stages.WithLabelValues("price"),
		parser: parser.New(),
	}
}

// run handles events until ctx ends.
func (p *pipeline) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-p.events:
			p.handle(event)
			event.Release()
		}
	}
}

// handle takes one event through every stage.
func (p *pipeline) handle(event *geyser.Event) {
	if event.Feed != p.stream.Feed() && event.Feed != swapcast.FeedLive {
		// The upstream turns out to be no live chain. Clients are told from here
		// on; what a --source says of itself is never taken back.
		p.log.Warn("the source says that it is no live chain", "endpoint", event.Endpoint, "feed", string(event.Feed))
		p.stream.SetFeed(event.Feed)
	}
	switch event.Kind {
	case geyser.KindTx:
		p.transaction(event)
	case geyser.KindSlot:
		p.feed.slot(event.Slot, event.ReceivedAt)
	case geyser.KindBlock:
		p.feed.block(event.Block, event.ReceivedAt)
		p.market.Tick(p.blockTime(event))
		p.tick()
	}
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

// transaction parses, prices and publishes. The clock is read once a stage and
// once a transaction, never once a swap.
func (p *pipeline) transaction(event *geyser.Event) {
	tx := event.Tx
	if tx.BlockTime == 0 {
		tx.BlockTime = p.blockTime(event)
	}
	p.feed.transaction(tx.Slot, event.ReceivedAt)

	started := time.Now()
	p.parser.Parse(tx, &p.parsed)
	parsed := time.Now()
	p.counts.Count(&p.parsed, parsed.Sub(started))
	for i := range p.parsed.Swaps {
		swap := &p.parsed.Swaps[i]
		p.market.Apply(swap, &p.update)
		for j := range p.update.Trades {
			p.stream.PublishTrade(&p.update.Trades[j])
			if mint := p.update.Trades[j].Mint; !slices.Contains(p.moved, mint) {
				p.moved = append(p.moved, mint)
			}
		}
		for j := range p.update.Prices {
			p.stream.PublishPrice(&p.update.Prices[j])
		}
	}
	if len(p.parsed.Swaps) > 0 {
		p.candles()
		p.price.Observe(time.Since(parsed).Seconds())
	}
}

// tick tells the stream of the market's time where that has advanced, so that
// the candles that have ended with it are told to be final.
func (p *pipeline) tick() {
	if now := p.market.Time(); now != p.clock {
		p.clock = now
		p.stream.CloseCandles(now)
	}
}

// candles publishes what the transaction did to the candles that somebody
// listens to, once for all its swaps.
func (p *pipeline) candles() {
	p.tick()
	for _, mint := range p.moved {
		for interval := range p.stream.CandlesWanted(mint).All() {
			if candle, ok := p.market.Candle(mint, interval); ok {
				p.stream.PublishCandle(&candle)
			}
		}
	}
	p.moved = p.moved[:0]
}
