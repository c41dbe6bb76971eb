package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/cache"
	"github.com/swapcast/swapcast/geyser/backfill"
	"github.com/swapcast/swapcast/market"
	"github.com/swapcast/swapcast/relay"
	"github.com/swapcast/swapcast/report"
	"github.com/swapcast/swapcast/rpcpool"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/swap"
	"github.com/swapcast/swapcast/tokens"
)

// server is `swapcast serve`: every part, wired, and the order in which they
// start and stop.
type server struct {
	// static after construction
	config    *serveCmd
	log       *slog.Logger
	report    *report.Reporter // nil without --sentry-dsn
	upstream  *upstream
	feed      *feedState
	processed *view
	confirmed *view
	stream    *stream.Server
	teller    teller           // the stream, or what tells the edges
	relay     *relay.Publisher // of an ingest, else nil
	edge      *relay.Edge      // of an edge, which has nothing of the chain; else nil
	watch     *watchList
	wallets   *wallets
	rpc       *rpcpool.Pool    // nil without --rpc-url
	fill      *backfill.Filler // nil without --rpc-url
	tokens    *tokens.Loader   // nil without --rpc-url
	state     *checkpoint      // nil without --state-dir and --redis-url
	cache     *cache.Cache
	redis     redis.UniversalClient // nil without --redis-url
	quotes    quotes
	swaps     swaps
	pipeline  *pipeline
	registry  *prometheus.Registry
	public    net.Listener
	admin     net.Listener // nil where switched off
	startedAt time.Time

	draining atomic.Bool
	drain    func() // asks for the end, as a signal would; safe to call twice
	asked    chan struct{}
}

// newServer builds every part and takes the ports, so that what can fail does
// so before anything runs.
func newServer(ctx context.Context, c *serveCmd, env *environ) (*server, error) {
	proxies, err := c.proxies()
	if err != nil {
		return nil, err
	}
	s := &server{
		config:    c,
		feed:      &feedState{},
		watch:     newWatchList(),
		registry:  newRegistry(),
		startedAt: time.Now(),
		asked:     make(chan struct{}),
	}
	s.drain = sync.OnceFunc(func() { close(s.asked) })
	if s.report, err = c.openReport(s.registry); err != nil {
		return nil, err
	}
	s.log = hear(s.report, env.Log)
	built := false
	defer func() {
		if !built {
			s.closeRedis()
			s.endReport(0)
		}
	}()
	if err := s.openCache(); err != nil {
		return nil, err
	}
	if c.Role == roleEdge {
		if err := s.openEdge(ctx, proxies); err != nil {
			return nil, err
		}
		built = true
		return s, nil
	}
	s.swaps.metrics = swap.NewMetrics(s.registry)
	s.swaps.sent = swap.NewTracker(s.swaps.metrics)
	stages := newStages(s.registry)
	s.upstream, err = openUpstream(c, s.log, s.registry, stages, func() uint64 { return s.pipeline.checkpoint.Load() })
	if err != nil {
		return nil, err
	}
	if err := s.openStream(proxies, stages); err != nil {
		return nil, err
	}
	if err := s.listen(ctx); err != nil {
		return nil, err
	}
	if err := s.openTeller(ctx); err != nil {
		s.closeListeners()
		return nil, err
	}
	s.openWallets()
	s.openViews()
	s.pipeline = newPipeline(s, stages)
	for _, open := range []func(context.Context) error{s.openRPC, s.openKeeper, s.openState, s.openQuotes} {
		if err := open(ctx); err != nil {
			s.closeListeners()
			return nil, err
		}
	}
	built = true
	return s, nil
}

// streamOptions are those of the WebSocket server, whoever publishes to it.
func (s *server) streamOptions(proxies []netip.Prefix, stages *prometheus.HistogramVec) stream.Options {
	c := s.config
	metrics := stream.NewMetrics(s.registry)
	metrics.StageHub = stages.WithLabelValues("hub")
	metrics.StageWrite = stages.WithLabelValues("write")
	metrics.StageTotal = stages.WithLabelValues("total")
	_ = stream.RaiseOpenFiles() // announce tells what the limit has become
	return stream.Options{
		AllowedOrigins: c.AllowedOrigins,
		TrustedProxies: proxies,
		KeysFile:       c.APIKeysFile,
		Compression:    c.Compression,
		Limits: stream.Limits{
			MessageBytes:          c.MaxMessageBytes,
			MessagesPerSecond:     c.MessagesPerSecond,
			MessageBurst:          max(1, int(4*c.MessagesPerSecond)),
			Subscriptions:         c.MaxSubscriptions,
			Connections:           c.MaxConnections,
			ConnectionsPerAddress: c.MaxConnectionsPerAddress,
			HistoryTrades:         max(1, c.HistoryTrades/2),
			HistoryTotal:          c.HistoryTrades,
		},
		OnConn:  s.onConn(),
		Logger:  s.log.With("component", "stream"),
		Metrics: metrics,
	}
}

// openStream makes the WebSocket server.
func (s *server) openStream(proxies []netip.Prefix, stages *prometheus.HistogramVec) error {
	o := s.streamOptions(proxies, stages)
	o.Feed = s.upstream.feed
	// The views come after the server that they publish to.
	o.Candle = func(mint solana.PublicKey, i swapcast.Interval) (swapcast.Candle, bool) {
		return s.processed.newestCandle(s.confirmed, mint, i)
	}
	o.ConfirmedCandle = func(mint solana.PublicKey, i swapcast.Interval) (swapcast.Candle, bool) {
		return s.confirmed.market.Candle(mint, i)
	}
	o.Balances = s.balances
	o.OnWallet = func(owner solana.PublicKey, on bool) { s.wallets.subscribe(owner, on) }
	var err error
	if s.stream, err = stream.New(o); err != nil {
		return usagef("%v", err)
	}
	return nil
}

// openViews makes the two markets. Metrics are of the processed ones:
// the confirmed ones are fed with the same, later.
func (s *server) openViews() {
	c := s.config
	open := func(commitment swapcast.Commitment, journal int, m *market.Metrics) *view {
		v := &view{
			commitment: commitment,
			stream:     s.teller,
			market: market.New(market.Options{
				Commitment:   commitment,
				JournalSwaps: journal,
				// The pipeline knows when a chain begins anew, and swaps of missed slots
				// come late and in rows. What is played here has none, and may go back.
				NoRestarts:         s.upstream.player == nil,
				MaxMints:           c.MaxMints,
				MaxPools:           c.MaxPools,
				TradesPerMint:      c.TradesPerMint,
				CandlesPerInterval: c.CandlesPerInterval,
				MaxCandles:         c.MaxCandles,
				BlockTimeWithin:    blockTimeWithin,
				Metrics:            m,
			}),
			book: s.wallets.books[commitment],
		}
		v.market.AddTokens(s.upstream.tokens)
		return v
	}
	s.processed = open(swapcast.Processed, journalSwaps, market.NewMetrics(s.registry))
	s.processed.wallets = s.wallets
	s.confirmed = open(swapcast.Confirmed, 0, nil)
}

// blockTimeWithin is for how long candles wait for a first block time: many
// blocks, so that only a source that tells none has them by times of receipt.
const blockTimeWithin = 10 * time.Second

// journalSwaps is how many swaps the processed market can take back: half a
// minute of mainnet at its busiest.
const journalSwaps = 65_536

// openRPC makes what asks the JSON-RPC endpoints, if there are any.
func (s *server) openRPC(context.Context) error {
	c := s.config
	if len(c.RPCURL) == 0 {
		return nil
	}
	var err error
	s.rpc, err = rpcpool.New(rpcpool.Options{
		URLs:      c.RPCURL,
		PerSecond: c.RPCRate,
		Logger:    s.log.With("component", "rpc"),
		Metrics:   rpcpool.NewMetrics(s.registry),
	})
	if err != nil {
		return usagef("--rpc-url: %v", err)
	}
	s.tokens, err = tokens.New(tokens.Options{RPC: s.rpc, Logger: s.log.With("component", "tokens"), Metrics: tokens.NewMetrics(s.registry)})
	if err != nil {
		return fmt.Errorf("token facts: %w", err)
	}
	s.pipeline.tokens = s.tokens
	if s.upstream.player != nil {
		return nil // what is played here is on no chain: there is nothing to fill it with
	}
	s.fill, err = backfill.New(backfill.Options{
		RPC:     s.rpc,
		Out:     s.pipeline.events,
		Filter:  s.filter(),
		Logger:  s.log.With("component", "backfill"),
		Metrics: backfill.NewMetrics(s.registry),
	})
	if err != nil {
		return fmt.Errorf("backfill: %w", err)
	}
	s.pipeline.filler = s.fill
	return nil
}

// listen takes both ports.
func (s *server) listen(ctx context.Context) error {
	var err error
	if s.public, err = listenOn(ctx, "--listen", s.config.Listen); err != nil {
		return err
	}
	if s.config.AdminListen == "" {
		return nil
	}
	if s.admin, err = listenOn(ctx, "--admin-listen", s.config.AdminListen); err != nil {
		_ = s.public.Close()
		return err
	}
	return nil
}

// closeListeners gives the ports up.
func (s *server) closeListeners() {
	_ = s.public.Close()
	if s.admin != nil {
		_ = s.admin.Close()
	}
}

// run starts every part, waits for the end (a signal, a drain request or a
// part that fails) and stops them in order: not ready, no new connections,
// clients told to go and given time, then upstream, then the rest.
func (s *server) run(ctx context.Context) error {
	// Parts end by parts' own contexts, not by the signal: the order matters.
	group, failed := errgroup.WithContext(context.WithoutCancel(ctx))
	upstream, stopUpstream := context.WithCancel(failed)
	downstream, stopDownstream := context.WithCancel(failed)
	defer stopUpstream()
	defer stopDownstream()

	public := &http.Server{Handler: s.publicHandler(), ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	limitHTTP(public, 30*time.Second)
	admin := &http.Server{Handler: s.adminHandler()}
	limitHTTP(admin, 5*time.Minute) // profiles take as long as they are asked for

	defer s.reporting()()
	if s.edge != nil {
		s.start(group, downstream, "relay", s.edge.Run)
	} else {
		s.startChain(group, upstream, downstream)
	}
	s.start(group, downstream, "cache", s.cache.Run)
	s.start(group, downstream, "stream", s.stream.Run)
	s.start(group, downstream, "http", func(context.Context) error { return closed(public.Serve(s.public)) })
	if s.admin != nil {
		s.start(group, downstream, "admin", func(context.Context) error { return closed(admin.Serve(s.admin)) })
	}
	stopReloading := s.reloadOnHangup()
	defer stopReloading()
	s.announce()

	select {
	case <-ctx.Done():
		s.log.Info("stopping", "reason", "signal")
	case <-s.asked:
		s.log.Info("stopping", "reason", "drain request")
	case <-failed.Done():
	}
	s.draining.Store(true)
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.DrainTimeout)
	defer cancel()
	drained := make(chan error, 1)
	group.Go(func() error { drained <- s.stream.Drain(patience); return nil })
	if err := public.Shutdown(patience); err != nil {
		s.log.Warn("http requests were cut", "error", err)
		_ = public.Close()
	}
	if err := <-drained; err != nil {
		s.log.Warn("clients were cut", "error", err)
	}
	stopUpstream()
	stopDownstream()
	if err := admin.Shutdown(patience); err != nil {
		_ = admin.Close()
	}
	err := group.Wait()
	s.closeQuotes()
	s.closeRedis()
	if s.rpc != nil {
		s.rpc.Close()
	}
	if err != nil {
		return err
	}
	s.log.Info("stopped")
	return nil
}

// startUpstream runs what follows the chain.
func (s *server) startUpstream(group *errgroup.Group, ctx context.Context) {
	s.start(group, ctx, "source", s.upstream.serve)
	for _, e := range s.upstream.endpoints {
		s.start(group, ctx, "subscriber of "+e.name, func(ctx context.Context) error { return e.subscriber.Run(ctx, s.pipeline.events) })
	}
	if s.fill != nil {
		s.start(group, ctx, "backfill", s.fill.Run)
	}
	if s.tokens != nil {
		s.start(group, ctx, "token facts", s.tokens.Run)
	}
	if s.state != nil {
		s.start(group, ctx, "checkpoint", func(ctx context.Context) error { return s.state.keep(ctx, s.pipeline.checkpoint.Load) })
	}
	s.start(group, ctx, "pipeline", s.pipeline.run)
	s.startWallets(group, ctx)
}

// startChain starts what follows the chain, and tells of it.
func (s *server) startChain(group *errgroup.Group, upstream, downstream context.Context) {
	s.startUpstream(group, upstream)
	if s.quotes.standIns != nil {
		s.start(group, downstream, "quote stand-ins", s.quotes.standIns.serve)
	}
	s.start(group, downstream, "status", s.tellStatus)
	if s.relay != nil {
		s.start(group, downstream, "relay", s.relay.Run)
	}
}

// start runs one part in the group. A part that ends before it is told to,
// even without an error, ends the program: half a server helps nobody.
func (s *server) start(group *errgroup.Group, ctx context.Context, name string, part func(context.Context) error) {
	group.Go(func() error {
		defer s.lastWords(name)
		err := part(ctx)
		switch {
		case s.draining.Load() || ctx.Err() != nil:
			if err != nil && !errors.Is(err, context.Canceled) {
				s.log.Warn("a part ended with an error while stopping", "part", name, "error", err)
			}
			return nil
		case err == nil:
			return fmt.Errorf("%s ended by itself", name)
		default:
			return fmt.Errorf("%s: %w", name, err)
		}
	})
}

// closed takes away the error by which a served listener says that it was told
// to close.
func closed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// announce tells a person where things are.
func (s *server) announce() {
	source := "relay"
	if s.upstream != nil {
		source = s.upstream.describe
	}
	attributes := []any{"role", s.config.Role, "page", "http://" + s.public.Addr().String() + "/", "websocket", "ws://" + s.public.Addr().String() + "/ws", "source", source}
	if s.admin != nil {
		attributes = append(attributes, "admin", "http://"+s.admin.Addr().String()+"/")
	}
	s.log.Info("serving", attributes...)
	tellOpenFiles(s.log, s.config.MaxConnections)
	if s.edge != nil {
		return
	}
	logQuoteSources(s.log, s.quotes.engine, s.quotes.standIns != nil)
	if note := feedNote(s.upstream.feed); note != "" {
		s.log.Warn(note)
	}
}

// adminHandler is the admin listener's.
func (s *server) adminHandler() http.Handler {
	do := adminActions{drain: s.drain, flushCache: s.flushCache, invalidateCache: s.invalidateCache}
	if s.edge != nil {
		do.reconnect = func(string) bool { return false }
		do.failover = func(w http.ResponseWriter, _ *http.Request) {
			writeProblem(w, http.StatusNotFound, "unknown_endpoint", "an edge follows no source: ask an ingest")
		}
	} else {
		do.reconnect, do.failover = s.upstream.reconnect, s.failover().serve
	}
	handler := adminHandler(s.registry, s.config.AdminToken, do)
	if s.admin != nil && listensOnLoopback(s.admin) {
		return onlyLoopbackHosts(handler)
	}
	return handler
}
