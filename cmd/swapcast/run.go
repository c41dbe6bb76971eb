package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/market"
	"github.com/swapcast/swapcast/stream"
)

// server is `swapcast serve`: every part, wired, and the order in which they
// start and stop.
type server struct {
	// static after construction
	config    *serveCmd
	log       *slog.Logger
	upstream  *upstream
	feed      *feedState
	market    *market.Market
	stream    *stream.Server
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
	registry := newRegistry()
	stages := newStages(registry)
	up, err := openUpstream(c, env.Log, registry, stages)
	if err != nil {
		return nil, err
	}
	s := &server{
		config:    c,
		log:       env.Log,
		upstream:  up,
		feed:      &feedState{},
		registry:  registry,
		startedAt: time.Now(),
		asked:     make(chan struct{}),
	}
	s.drain = sync.OnceFunc(func() { close(s.asked) })

	s.market = market.New(market.Options{
		MaxMints:           c.MaxMints,
		MaxPools:           c.MaxPools,
		TradesPerMint:      c.TradesPerMint,
		CandlesPerInterval: c.CandlesPerInterval,
		MaxCandles:         c.MaxCandles,
		Metrics:            market.NewMetrics(registry),
	})
	s.market.AddTokens(up.tokens)
	streamMetrics := stream.NewMetrics(registry)
	streamMetrics.StageHub = stages.WithLabelValues("hub")
	streamMetrics.StageWrite = stages.WithLabelValues("write")
	streamMetrics.StageTotal = stages.WithLabelValues("total")
	s.stream, err = stream.New(stream.Options{
		Feed:           up.feed,
		AllowedOrigins: c.AllowedOrigins,
		TrustedProxies: proxies,
		KeysFile:       c.APIKeysFile,
		Limits: stream.Limits{
			MessageBytes:          c.MaxMessageBytes,
			MessagesPerSecond:     c.MessagesPerSecond,
			MessageBurst:          max(1, int(4*c.MessagesPerSecond)),
			Subscriptions:         c.MaxSubscriptions,
			Connections:           c.MaxConnections,
			ConnectionsPerAddress: c.MaxConnectionsPerAddress,
		},
		Candle:  s.market.Candle,
		Logger:  env.Log.With("component", "stream"),
		Metrics: streamMetrics,
	})
	if err != nil {
		return nil, usagef("%v", err)
	}
	s.pipeline = newPipeline(s, stages)
	if err := s.listen(ctx); err != nil {
		return nil, err
	}
	return s, nil
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

	s.start(group, upstream, "source", s.upstream.serve)
	s.start(group, upstream, "subscriber", func(ctx context.Context) error { return s.upstream.subscriber.Run(ctx, s.pipeline.events) })
	s.start(group, upstream, "pipeline", s.pipeline.run)
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
	if err := group.Wait(); err != nil {
		return err
	}
	s.log.Info("stopped")
	return nil
}

// start runs one part in the group. A part that ends before it is told to,
// even without an error, ends the program: half a server helps nobody.
func (s *server) start(group *errgroup.Group, ctx context.Context, name string, part func(context.Context) error) {
	group.Go(func() error {
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

// reloadOnHangup reads the API keys again on SIGHUP until it is stopped.
func (s *server) reloadOnHangup() (stop func()) {
	hangups := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	var loop sync.WaitGroup
	loop.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-hangups:
				if err := s.stream.ReloadKeys(); err != nil {
					s.log.Error("api keys kept as they were", "error", err)
					continue
				}
				s.log.Info("api keys read again", "file", s.config.APIKeysFile)
			}
		}
	})
	return func() {
		signal.Stop(hangups)
		close(done)
		loop.Wait()
	}
}

// announce tells a person where things are.
func (s *server) announce() {
	attributes := []any{"page", "http://" + s.public.Addr().String() + "/", "websocket", "ws://" + s.public.Addr().String() + "/ws", "source", s.upstream.describe}
	if s.admin != nil {
		attributes = append(attributes, "admin", "http://"+s.admin.Addr().String()+"/")
	}
	s.log.Info("serving", attributes...)
	if note := feedNote(s.upstream.feed); note != "" {
		s.log.Warn(note)
	}
}

// adminHandler is the admin listener's.
func (s *server) adminHandler() http.Handler {
	handler := adminHandler(s.registry, s.config.AdminToken, s.drain)
	if s.admin != nil && listensOnLoopback(s.admin) {
		return onlyLoopbackHosts(handler)
	}
	return handler
}

// subscriberStatus is the upstream's state for status pages.
func (s *server) subscriberStatus() geyser.Status { return s.upstream.subscriber.Status() }
