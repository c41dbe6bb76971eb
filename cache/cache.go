package cache

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// ErrNotFound is what a loader returns, wrapped or not, for what does not
// exist. With the option Negative it is kept like a value.
var ErrNotFound = errors.New("cache: not found")

// ErrLoadTimeout is returned when a load took longer than its hard time-out
// and nothing older could be served.
var ErrLoadTimeout = errors.New("cache: load timed out")

// Options configure a Cache. The zero value is a cache in memory alone.
type Options struct {
	// Redis is the second tier and carries the bus. Nil: memory alone. A
	// *redis.Client (Sentinel's too) or *redis.ClusterClient must have been made
	// with ContextTimeoutEnabled, or L2Timeout could not hold: New refuses one
	// that was not. The cache does not close it.
	Redis redis.UniversalClient

	// Namespace is the first part of every key in Redis and the name of the bus.
	// Instances that share a Redis and a Namespace are one cache. Default "swapcast".
	Namespace string

	// L1TTL is how long a value is served from memory before Redis is asked
	// again; while the bus is in doubt it is also the greatest age of anything
	// that is served. Default 5 s, at least 100 ms.
	L1TTL time.Duration

	// L2TTL is how long a value is served at all, from the end of its load.
	// Default 60 s. Without Redis L1TTL counts.
	L2TTL time.Duration

	// L2Timeout is how long Redis may hold up one caller in all. Default 100 ms.
	L2Timeout time.Duration

	// MaxBytes bounds the values in memory by their encoded size. Default 64 MiB.
	MaxBytes int64

	// MaxEntryBytes is the largest encoded value that is kept. Default 1 MiB.
	MaxEntryBytes int

	// CompressOver is the encoded size from which a value is compressed for
	// Redis. Default 1 KiB; below 0: never.
	CompressOver int

	// Jitter is the share of a TTL by which it may be cut at random, so that what
	// was stored together does not expire together. Default 0.1; below 0: none.
	Jitter float64

	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // nil logs nothing
	Metrics *Metrics         // nil counts nothing

	// Trace is told of every load and every exchange with Redis that a caller may
	// wait for: op is load, l2_read, l2_lock, l2_wait, l2_store or invalidate. It
	// returns the context to go on with and a function that is called once at the
	// end. Both run on the cache's goroutines and must not block. Nil: no tracing.
	Trace func(ctx context.Context, op, key string) (context.Context, func(err error))
}

// withDefaults fills in what was left out, in a copy.
func (o Options) withDefaults() (Options, error) {
	if o.Namespace == "" {
		o.Namespace = "swapcast"
	}
	setDefault(&o.L1TTL, 5*time.Second)
	setDefault(&o.L2TTL, time.Minute)
	setDefault(&o.L2Timeout, 100*time.Millisecond)
	setDefault(&o.MaxBytes, 64<<20)
	setDefault(&o.MaxEntryBytes, 1<<20)
	setDefault(&o.CompressOver, 1<<10)
	setDefault(&o.Jitter, 0.1)
	o.Jitter = max(0, o.Jitter)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.L1TTL < 100*time.Millisecond:
		return o, fmt.Errorf("cache: L1TTL %v is below 100ms", o.L1TTL)
	case o.L2TTL < o.L1TTL:
		return o, fmt.Errorf("cache: L2TTL %v is below L1TTL %v", o.L2TTL, o.L1TTL)
	case o.L2Timeout < 0, o.MaxBytes < 0, o.MaxEntryBytes < 0:
		return o, errors.New("cache: L2Timeout, MaxBytes and MaxEntryBytes must not be below 0")
	case o.Jitter >= 1:
		return o, fmt.Errorf("cache: Jitter %v is not below 1", o.Jitter)
	}
	return o, nil
}

// setDefault sets what is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Cache is the two-tier cache. All methods and functions may be called by any
// number of goroutines. A nil *Cache caches nothing: Get calls the loader.
type Cache struct {
	// static after construction
	o       Options
	log     *slog.Logger
	metrics *Metrics
	seed    maphash.Seed
	base    time.Time // what the nanoseconds in entries count from
	stop    context.Context
	cancel  context.CancelFunc

	memory  *memory
	stamps  *stamps
	flights *flights
	tier    *tier   // nil without Redis, as the next two
	outbox  *outbox // invalidations on their way to Redis
	bus     *bus

	life    atomic.Int64 // longest life of a value in Redis, in nanoseconds
	running atomic.Bool
}

// New makes a cache. It may be used at once; Run makes it hear other instances.
func New(o Options) (*Cache, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Cache{
		o:       o,
		log:     o.Logger,
		metrics: o.Metrics,
		seed:    maphash.MakeSeed(),
		base:    o.Now(),
		stamps:  newStamps(),
	}
	c.memory, err = newMemory(o.MaxBytes)
	if err != nil {
		return nil, err
	}
	c.stop, c.cancel = context.WithCancel(context.Background()) //nolint:gosec // Close calls it
	c.flights = newFlights(c.seed)
	if o.Redis == nil {
		return c, nil
	}
	c.tier, err = newTier(o)
	if err != nil {
		return nil, err
	}
	c.life.Store(int64(o.L2TTL))
	c.outbox = &outbox{c: c, timeout: o.L2Timeout}
	c.bus = newBus(c)
	return c, nil
}

// now is the time since New in nanoseconds, never 0.
func (c *Cache) now() int64 {
	return int64(c.o.Now().Sub(c.base)) + 1
}

// errRunning says that Run was called twice.
var errRunning = errors.New("cache: Run is running already")

// Run does what needs to be done in the background: it sweeps what has expired
// out of memory, and with Redis it listens to the other instances and delivers
// invalidations that Redis did not take at first. It returns nil when ctx ends,
// after Close.
func (c *Cache) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		return errRunning
	}
	defer c.Close()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.sweep(ctx) })
	if c.bus != nil {
		g.Go(func() error { return c.bus.run(ctx) })
	}
	return g.Wait()
}

// sweep drops what has expired from memory, until ctx ends.
func (c *Cache) sweep(ctx context.Context) error {
	ticker := time.NewTicker(max(c.o.L1TTL, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.memory.sweep(c)
		}
	}
}

// Close cancels the loads in flight and waits for their goroutines: for
// loaders too, which must heed their context. Afterwards Get calls the loader
// each time. Run closes the cache at its end; Close is for who does not run it.
func (c *Cache) Close() {
	c.flights.close(c.cancel)
}
