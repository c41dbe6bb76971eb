package relay

import (
	"errors"
	"log/slog"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/wire"
)

// Options are of a Publisher, an Edge, or both. Redis and Epoch are needed.
type Options struct {
	Redis redis.UniversalClient // 7.0 or later; a Cluster, Sentinel's master, or one server
	// Prefix is what keys and channels of the fleet begin with. Default "swapcast".
	Prefix string
	// Epoch is what Epoch returned.
	Epoch string

	// Lease is for how long an ingest leads after it was heard of last; it is renewed
	// six times as often, and a standby looks as often for one that has ended. Default 3 s.
	Lease time.Duration
	// Hold is for how long a standby keeps what the leader should have told already.
	// Default 15 s. The leader's own backlog is added.
	Hold time.Duration
	// Queue is how many updates of one bucket may wait for Redis, or be kept by a
	// standby. Default 8,192.
	Queue int

	// HTTP is the base URL at which edges reach an ingest's HTTP API.
	HTTP string
	// Feed is an ingest's kind of data, until SetFeed.
	Feed swapcast.Feed

	// Stream is the server of an edge's clients.
	Stream Stream
	// Linger is for how long an edge goes on with what nobody listens to any more.
	// Default 30 s.
	Linger time.Duration
	// Sweep is how often an edge looks whether it has missed something. Default 1 s.
	Sweep time.Duration

	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default: none
	Metrics *Metrics         // nil allowed
}

// Stream is what an edge needs of a stream.Server.
type Stream interface {
	Relay(u *stream.Update)
	Listened(x stream.Subject) bool
	PublishCandle(c *swapcast.Candle)
	CloseCandlesAt(unix int64, c swapcast.Commitment)
	PublishBalance(b *swapcast.Balance)
	PublishGap(g *swapcast.Gap)
	RecordGap(g *swapcast.Gap)
	PublishStatus(st *wire.Status)
	SetFeed(f swapcast.Feed)
}

func (o Options) withDefaults() (Options, error) {
	if o.Redis == nil || o.Epoch == "" {
		return o, errors.New("relay: Redis and Epoch are needed")
	}
	if o.Prefix == "" {
		o.Prefix = "swapcast"
	}
	if o.Lease <= 0 {
		o.Lease = 3 * time.Second
	}
	if o.Hold <= 0 {
		o.Hold = 15 * time.Second
	}
	if o.Queue <= 0 {
		o.Queue = 8192
	}
	if o.Linger <= 0 {
		o.Linger = 30 * time.Second
	}
	if o.Sweep <= 0 {
		o.Sweep = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// CandleWant is a mint's candles that an edge's clients listen to.
type CandleWant struct {
	Mint       solana.PublicKey
	Interval   swapcast.Interval
	Commitment swapcast.Commitment
}

// WalletWant is a wallet that an edge's clients listen to.
type WalletWant struct {
	Owner      solana.PublicKey
	Commitment swapcast.Commitment
}
