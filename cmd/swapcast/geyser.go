package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser/replay"
)

// geyserCmd is `swapcast geyser`: a Yellowstone server for clients that want
// one to talk to.
type geyserCmd struct {
	Source string   `help:"What to play: market:[?seed=1&tps=500], the built-in market (simulated), or replay:PATH[?speed=1&loop=true], a capture, a JSON file of getTransaction or getBlock, a folder of those, or - for standard input." default:"market:"`
	Listen string   `help:"Address to listen on, host:port; port 0 takes a free one. Plain gRPC, without TLS." default:"127.0.0.1:10000"`
	Speed  *float64 `help:"How much faster than recorded to play; 1 is real time, 0 is as fast as the source is read and the slowest client takes it. Default 1, or what the source's URL says."`
	Loop   bool     `help:"Begin again at the end of a recording, with slots, block heights and block times that go on rising."`
	XToken string   `help:"Token that clients must send as x-token; empty lets everybody in." placeholder:"TOKEN"`

	NoWait        bool          `help:"Start a recording at once rather than when the first client has subscribed."`
	EndWithSource bool          `help:"At the end of a recording, end the clients' streams and the program. Without it streams stay open."`
	StoredSlots   int           `help:"How many slots from_slot can go back; -1 switches from_slot off." default:"3000"`
	StoredMB      int64         `help:"Memory for stored slots, in MB; older ones are let go first." default:"256" name:"stored-mb"`
	QueueSize     int           `help:"How many updates a client may be behind before it is cut." default:"65536"`
	PingInterval  time.Duration `help:"Time between the server's pings on a stream." default:"10s"`
	Compression   string        `help:"Compress what is sent to clients that accept it: none, gzip or zstd. Clients that compress what they send are always answered alike." enum:"none,gzip,zstd" default:"none"`
	MaxRequestKB  int           `help:"Largest request that is read, in KB." default:"4096" name:"max-request-kb"`
}

// Run serves until the source ends (with --end-with-source) or ctx is done.
func (c *geyserCmd) Run(ctx context.Context, env *environ) error {
	if err := c.check(); err != nil {
		return err
	}
	src, err := openPlaySource(c.Source)
	if err != nil {
		return err
	}
	o := c.options(src, env.Log)
	server, listener, err := c.prepare(ctx, o)
	if err != nil {
		src.close()
		return err
	}
	defer listener.Close()
	env.Log.Info("playing", "source", src.Describe, "feed", src.Feed, "speed", o.Speed, "loop", o.Loop,
		"waits_for_client", o.WaitForClient, "token", o.Token != "")
	if _, err := fmt.Fprintf(env.Stdout, "swapcast geyser: %s\nlistening on %s (gRPC)\n", src.Describe, listener.Addr()); err != nil {
		return err
	}
	watched, stopWatching := context.WithCancel(ctx)
	watching := make(chan struct{})
	go func() { // waited for below
		defer close(watching)
		watchReplay(watched, server, env.Log)
	}()
	err = server.Serve(ctx, listener,
		grpc.MaxRecvMsgSize(c.MaxRequestKB<<10),
		grpc.MaxConcurrentStreams(replay.DefaultMaxStreams),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	)
	stopWatching()
	<-watching
	s := server.Stats()
	env.Log.Info("stopped", "played", s.Played, "skipped", s.Skipped, "passes", s.Passes, "slot", s.Slot)
	if err != nil {
		return fmt.Errorf("source %s: %w", c.Source, err)
	}
	return nil
}

// prepare makes the server and takes its port.
func (c *geyserCmd) prepare(ctx context.Context, o replay.Options) (*replay.Server, net.Listener, error) {
	if o.Loop && o.Reopen == nil {
		return nil, nil, usagef("--loop: %s cannot be played twice", c.Source)
	}
	server, err := replay.New(o)
	if err != nil {
		return nil, nil, err
	}
	listener, err := listenOn(ctx, "--listen", c.Listen)
	return server, listener, err
}

// check refuses values that flags' types let pass.
func (c *geyserCmd) check() error {
	switch {
	case c.Speed != nil && !(*c.Speed >= 0 && *c.Speed <= 1e6):
		return usagef("--speed must be a number from 0 to 1e6")
	case c.StoredSlots == 0 || c.StoredSlots < -1:
		return usagef("--stored-slots must be above 0, or -1 for none")
	case c.StoredMB < 1:
		return usagef("--stored-mb must be at least 1")
	case c.QueueSize < 1:
		return usagef("--queue-size must be at least 1")
	case c.PingInterval < time.Millisecond:
		return usagef("--ping-interval must be at least 1ms")
	case c.MaxRequestKB < 1 || c.MaxRequestKB > 1<<20:
		return usagef("--max-request-kb must be from 1 to 1048576")
	}
	return nil
}

func (c *geyserCmd) options(src *playSource, log *slog.Logger) replay.Options {
	v, _ := buildInfo()
	o := replay.Options{
		Source: src.Source, Reopen: src.Reopen, Speed: src.Speed, Loop: src.Loop || c.Loop,
		WaitForClient: src.Recorded && !c.NoWait,
		EndWithSource: c.EndWithSource,
		KeepCreatedAt: src.Recorded,
		Token:         c.XToken, Simulated: src.Feed == swapcast.FeedSimulated, Version: v,
		StoredSlots: c.StoredSlots, StoredBytes: c.StoredMB << 20,
		QueueSize: c.QueueSize, PingInterval: c.PingInterval,
		Logger: log.With("component", "geyser"),
	}
	if c.Speed != nil {
		o.Speed = *c.Speed
	}
	if c.Compression != "none" {
		o.SendCompression = c.Compression
	}
	return o
}

// progressEvery is the time between two lines that tell how far the player is.
const progressEvery = 10 * time.Second

// watchReplay logs the player's progress, and its end, until ctx is done.
func watchReplay(ctx context.Context, server *replay.Server, log *slog.Logger) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	var last replay.Stats
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := server.Stats()
		if s.Played != last.Played {
			log.Info("played", "updates", s.Played, "updates_per_second", (s.Played-last.Played)/uint64(progressEvery/time.Second),
				"slot", s.Slot, "first_stored_slot", s.FirstSlot, "stored_mb", s.StoredBytes>>20, "streams", s.Subscribers,
				"skipped", s.Skipped, "incomplete_blocks", s.IncompleteBlocks)
		}
		last = s
	}
}
