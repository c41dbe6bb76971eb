package backfill

import (
	"errors"
	"log/slog"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/rpcpool"
)

// Endpoint is Event.Endpoint of everything that a Filler sends.
const Endpoint = "rpc"

// Options configure a Filler. The zero value of each field but RPC and Out works.
type Options struct {
	// RPC is asked; share it with everybody who asks the same endpoints.
	RPC *rpcpool.Pool
	// Out takes the events.
	Out chan<- *geyser.Event
	// Filter is what the streams are asked for; see SetFilter.
	Filter geyser.Filter
	// Feed is Event.Feed of what is sent.
	Feed swapcast.Feed

	// Parallel is how many requests run at once. Default 4.
	Parallel int
	// Queue is how many slots may be missing at a time. What is wished beyond that
	// is lost, the oldest of it. Default 100,000.
	Queue int
	// GiveUpAfter is how long a slot is tried, from its first failure. Default 2
	// minutes.
	GiveUpAfter time.Duration
	// PollEvery is the wait before a slot that is not there yet is asked for
	// again; other failures wait for longer each time. Default 400 ms.
	PollEvery time.Duration
	// ProgressEvery is the time between two lines about a long fill. Default 10 s.
	ProgressEvery time.Duration

	Logger  *slog.Logger // nil logs nothing
	Metrics *Metrics     // nil counts nothing
}

// Defaults of Options.
const (
	DefaultParallel      = 4
	DefaultQueue         = 100_000
	DefaultGiveUpAfter   = 2 * time.Minute
	DefaultPollEvery     = 400 * time.Millisecond
	DefaultProgressEvery = 10 * time.Second

	// maxRefs bounds the disputed transactions that wait.
	maxRefs = 4_096
	// maxRanges bounds the wishes that wait for Run; the rest is merged.
	maxRanges = 1_024
)

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.RPC == nil:
		return o, errors.New("backfill: no RPC endpoints")
	case o.Out == nil:
		return o, errors.New("backfill: nobody takes the events")
	case o.Parallel < 0 || o.Queue < 0 || o.GiveUpAfter < 0 || o.PollEvery < 0 || o.ProgressEvery < 0:
		return o, errors.New("backfill: a size or a time is below 0")
	}
	setDefault(&o.Parallel, DefaultParallel)
	setDefault(&o.Queue, DefaultQueue)
	setDefault(&o.GiveUpAfter, DefaultGiveUpAfter)
	setDefault(&o.PollEvery, DefaultPollEvery)
	setDefault(&o.ProgressEvery, DefaultProgressEvery)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
