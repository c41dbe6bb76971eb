package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/relay"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/wire"
)

// The roles of --role.
const (
	roleAll    = "all"    // follows the chain and has clients
	roleIngest = "ingest" // follows the chain, and tells edges by Redis
	roleEdge   = "edge"   // has clients
)

// teller is what the views publish to: the stream of this server's own clients, or
// the relay to edges.
type teller interface {
	PublishPrice(p *swapcast.Price)
	PublishTrade(t *swapcast.Trade)
	PublishRetract(r *swapcast.Retract)
	PublishCandle(c *swapcast.Candle)
	PublishBalance(b *swapcast.Balance)
	PublishGap(g *swapcast.Gap)
	PublishStatus(s *wire.Status)
	CandlesWantedAt(mint solana.PublicKey, c swapcast.Commitment) swapcast.IntervalSet
	CloseCandlesAt(unix int64, c swapcast.Commitment)
	Feed() swapcast.Feed
	SetFeed(f swapcast.Feed)
	Epoch() string
}

var (
	_ teller = (*stream.Server)(nil)
	_ teller = (*relay.Publisher)(nil)
)

// checkRole checks the flags of --role.
func (c *serveCmd) checkRole() error {
	if c.Role == roleAll || c.Role == "" {
		return nil
	}
	if c.RedisURL == "" {
		return usagef("--role %s needs --redis-url: ingests and edges meet there", c.Role)
	}
	return nil
}

// openTeller decides who is told: clients of this server, or edges.
func (s *server) openTeller(ctx context.Context) error {
	if s.config.Role != roleIngest {
		s.teller = s.stream
		return nil
	}
	at, err := s.ingestURL()
	if err != nil {
		return err
	}
	o, err := s.relayOptions(ctx)
	if err != nil {
		return err
	}
	o.HTTP, o.Feed = at, s.upstream.feed
	if s.relay, err = relay.NewPublisher(o); err != nil {
		return err
	}
	s.teller = s.relay
	return nil
}

// ingestURL is where edges reach this ingest.
func (s *server) ingestURL() (string, error) {
	if s.config.IngestURL != "" {
		return s.config.IngestURL, nil
	}
	address, ok := s.public.Addr().(*net.TCPAddr)
	if !ok || address.IP.IsUnspecified() {
		return "", usagef("--ingest-url is needed: --listen %s names no address that edges can reach", s.config.Listen)
	}
	return "http://" + address.String(), nil
}

// relayOptions are what ingests and edges have in common. It waits for Redis, which
// has the name of the fleet's numbering.
func (s *server) relayOptions(ctx context.Context) (relay.Options, error) {
	o := relay.Options{
		Redis: s.redis, Prefix: s.config.RelayPrefix, Lease: s.config.RelayLease,
		Logger: s.log.With("component", "relay"), Metrics: relay.NewMetrics(s.registry),
	}
	patience, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for told := false; ; told = true {
		epoch, err := relay.Epoch(patience, s.redis, o.Prefix, time.Now())
		if err == nil {
			o.Epoch = epoch
			return o, nil
		}
		if !told {
			s.log.Warn("waiting for Redis", "error", err)
		}
		select {
		case <-patience.Done():
			return o, fmt.Errorf("--redis-url: %w", err)
		case <-again.C:
		}
	}
}

// redisPatience is how long an ingest or an edge waits for Redis at its start.
const redisPatience = time.Minute

// serveEdges begins to follow what clients of edges have come to listen to, and
// tells its present state. It runs on the pipeline's goroutine, so that no older
// state follows a newer one.
func (p *pipeline) serveEdges() {
	if p.relay == nil {
		return
	}
	candles, begun, gone := p.relay.Fresh()
	for _, w := range candles {
		candle, ok := p.confirmed.market.Candle(w.Mint, w.Interval)
		if w.Commitment != swapcast.Confirmed {
			candle, ok = p.processed.newestCandle(p.confirmed, w.Mint, w.Interval)
		}
		if ok {
			candle.Commitment = w.Commitment
			p.relay.PublishCandle(&candle)
		}
	}
	for _, owner := range gone {
		p.wallets.subscribe(owner, false)
	}
	for _, w := range begun {
		p.wallets.subscribe(w.Owner, true)
		v := p.processed
		if w.Commitment == swapcast.Confirmed {
			v = p.confirmed
		}
		balances, _ := v.book.Balances(w.Owner)
		for i := range balances {
			p.relay.PublishBalance(&balances[i])
		}
	}
}
