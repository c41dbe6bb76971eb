package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// geyserCmd is `swapcast geyser`: a Yellowstone server for clients that want
// one to talk to.
type geyserCmd struct {
	Source string   `help:"What to play: market:[?seed=1&tps=500], the built-in market (simulated), or replay:PATH[?speed=1&loop=true], a capture, a JSON file of getTransaction or getBlock, a folder of those, or - for standard input." default:"market:"`
	Listen []string `help:"Address to listen on, host:port; port 0 takes a free one. Plain gRPC, without TLS. Several make as many endpoints of one chain." default:"127.0.0.1:10000"`
	Speed  *float64 `help:"How much faster than recorded to play; 1 is real time, 0 is as fast as the source is read and the slowest client takes it. Default 1, or what the source's URL says."`
	Loop   bool     `help:"Begin again at the end of a recording, with slots, block heights and block times that go on rising."`
	XToken string   `help:"Token that clients must send as x-token; empty lets everybody in." placeholder:"TOKEN"`

	Faults string `help:"What goes wrong on purpose: a YAML file of faults, explained above." placeholder:"FILE"`
	Truth  string `help:"Write what is true of the chain, whatever the faults make of it, to a file: one JSON object a line." placeholder:"FILE"`

	NoWait        bool          `help:"Start a recording at once rather than when the first client has subscribed."`
	EndWithSource bool          `help:"At the end of a recording, end the clients' streams and the program. Without it streams stay open."`
	StoredSlots   int           `help:"How many slots from_slot can go back; -1 switches from_slot off." default:"3000"`
	StoredMB      int64         `help:"Memory for stored slots, in MB; older ones are let go first." default:"256" name:"stored-mb"`
	QueueSize     int           `help:"How many updates a client may be behind before it is cut." default:"65536"`
	PingInterval  time.Duration `help:"Time between the server's pings on a stream." default:"10s"`
	Compression   string        `help:"Compress what is sent to clients that accept it: none, gzip or zstd. Clients that compress what they send are always answered alike." enum:"none,gzip,zstd" default:"none"`
	MaxRequestKB  int           `help:"Largest request that is read, in KB." default:"4096" name:"max-request-kb"`

	rpcFlags         `embed:""`
	quoteSourceFlags `embed:""`
}

// Help explains the faults behind the flags.
func (*geyserCmd) Help() string { return faults.Help() }

// Run serves until the source ends (with --end-with-source) or ctx is done.
func (c *geyserCmd) Run(ctx context.Context, env *environ) error {
	if err := c.check(); err != nil {
		return err
	}
	script, err := c.script()
	if err != nil {
		return err
	}
	src, err := openPlaySource(c.Source)
	if err != nil {
		return err
	}
	if err := c.checkChain(script, src); err != nil {
		src.close()
		return err
	}
	quoted, err := c.openQuoteSources(ctx, src)
	if err != nil {
		src.close()
		return err
	}
	defer quoted.close()
	chain, err := newTruth(c.Truth, env.Log)
	if err != nil {
		src.close()
		return err
	}
	rpc, err := c.openRPC(ctx, src.Feed)
	if err != nil {
		src.close()
		return errors.Join(err, chain.close())
	}
	defer rpc.close()
	o := c.options(src, env.Log)
	endpoints, err := c.endpoints(ctx, o, script, chain, rpc)
	if err != nil {
		src.close()
		return errors.Join(err, chain.close())
	}
	defer endpoints.close()
	env.Log.Info("playing", "source", src.Describe, "feed", src.Feed, "speed", o.Speed, "loop", o.Loop,
		"waits_for_client", o.WaitForClient, "token", o.Token != "", "faults", c.Faults)
	if err := endpoints.tell(env.Stdout, src.Describe, rpc.tell()+quoted.tell()); err != nil {
		return err
	}
	defer rpc.start(env.Log)()
	defer quoted.start(ctx, env.Log)()
	err = endpoints.serve(ctx, env.Log,
		grpc.MaxRecvMsgSize(c.MaxRequestKB<<10),
		grpc.MaxConcurrentStreams(replay.DefaultMaxStreams),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	)
	if err != nil {
		err = fmt.Errorf("source %s: %w", c.Source, err)
	}
	return errors.Join(err, chain.close())
}

// check refuses values that flags' types let pass.
func (c *geyserCmd) check() error {
	switch {
	case len(c.Listen) == 0:
		return usagef("--listen is missing")
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
