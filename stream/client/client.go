package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"time"
)

// Client is one subscriber's side of the stream, over as many connections as
// it takes. Make it with New and Run it, or let Dial do both.
type Client struct {
	// Static after New.
	url    string
	header http.Header
	opts   Options
	events *queue
	ready  chan struct{} // closed by the first connection

	// Owned by Run.
	attempt int

	// Owned by Dial's Close.
	stop  context.CancelFunc
	ended chan struct{}

	// Guarded by mu.
	mu      sync.Mutex
	started bool
	closed  bool
	conn    *session // nil while there is no connection
	nextID  uint64
	pending map[string]*request   // by id
	wanted  map[assetKey]struct{} // granted by the server, renewed on each connection
	seqs    *tracker
	stats   Stats
	final   error // why Run ended
}

// Stats counts since the client was made.
type Stats struct {
	Connected  bool
	Connects   uint64 // connections made
	Failures   uint64 // connections lost, and tries that failed
	Messages   uint64 // messages read
	Bytes      uint64 // of their JSON
	Malformed  uint64 // messages that could not be read: not JSON, or binary
	Unknown    uint64 // messages of a type that this version does not know
	Gaps       uint64 // Gap events, the server's included
	Duplicates uint64 // updates that had come before and were not delivered again
	Overflowed uint64 // events dropped because the reader of Events was too slow
	LastSlot   uint64 // highest slot heard of
}

// New makes a client for the server at url (ws, wss, http or https; /ws where
// it has no path). Nothing is dialled before Run.
func New(url string, opts Options) (*Client, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("client options: %w", err)
	}
	full, err := opts.dialURL(url)
	if err != nil {
		return nil, err
	}
	return &Client{
		url:     full,
		header:  opts.header(),
		opts:    opts,
		events:  newQueue(opts.Buffer),
		ready:   make(chan struct{}),
		pending: map[string]*request{},
		wanted:  map[assetKey]struct{}{},
		seqs:    newTracker(opts.Window > 0),
	}, nil
}

// Dial makes a client, runs it, and returns once it is connected. The
// connection outlives ctx, which bounds the wait only; Close ends it.
func Dial(ctx context.Context, url string, opts Options) (*Client, error) {
	c, err := New(url, opts)
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop, c.ended = stop, make(chan struct{})
	go func() {
		defer close(c.ended)
		_ = c.Run(run) // kept in c.final
	}()
	select {
	case <-c.ready:
		return c, nil
	case <-c.ended:
		stop()
		return nil, c.final
	case <-ctx.Done():
		stop()
		<-c.ended
		return nil, fmt.Errorf("dial %s: %w", url, ctx.Err())
	}
}

// Close ends a client made by Dial: it closes the connection with code 1000,
// waits for all goroutines, and returns what ended Run, if not Close itself.
func (c *Client) Close() error {
	if c.stop == nil {
		return nil
	}
	c.stop()
	<-c.ended
	return c.final
}

// Run keeps the client connected until ctx ends, when it closes the connection
// with code 1000 and returns nil, or until the server refuses it for good, when
// it returns a *RefusedError. Events ends after it.
func (c *Client) Run(ctx context.Context) error {
	c.mu.Lock()
	if c.started {
		c.mu.Unlock()
		return ErrRunning
	}
	c.started = true
	c.mu.Unlock()
	err := c.loop(ctx)
	c.shut(err)
	return err
}

// loop makes one connection after the other.
func (c *Client) loop(ctx context.Context) error {
	for {
		c.attempt++
		end := c.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if end.lasted {
			c.attempt = 1
		}
		wait := c.wait(end)
		c.mu.Lock()
		c.stats.Failures++
		c.mu.Unlock()
		c.opts.Logger.Info("disconnected", "err", end.err, "retryIn", wait)
		c.deliver(&Disconnected{Err: end.err, RetryIn: wait})
		if end.refused != nil {
			return fmt.Errorf("connect to %s: %w", shown(c.url), end.refused)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// wait is the time until the next connection; negative where there is none.
func (c *Client) wait(end ending) time.Duration {
	switch {
	case end.refused != nil:
		return -1
	case end.hinted:
		return end.hint
	default:
		return backoff(c.attempt-1, c.opts.MinBackoff, c.opts.MaxBackoff, c.opts.Rand())
	}
}

// shut fails what is still waiting for an answer.
func (c *Client) shut(err error) {
	c.mu.Lock()
	c.closed = true
	c.final = err
	for id, r := range c.pending {
		delete(c.pending, id)
		r.done <- answer{err: ErrClosed}
	}
	c.mu.Unlock()
	c.events.close()
}

// Events returns the events as they come, for a range loop that ends when Run
// has ended and all of them were taken. Breaking out of the loop loses nothing:
// the next loop goes on where this one stopped. It yields nothing where
// Options.OnEvent is set.
func (c *Client) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			ev, err := c.events.take(context.Background())
			if err != nil || !yield(ev) {
				return
			}
		}
	}
}

// Next waits for the next event. The error is ctx's, or ErrClosed when Run has
// ended and all events were taken.
func (c *Client) Next(ctx context.Context) (Event, error) { return c.events.take(ctx) }

// Stats returns the present counts.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Connected = c.conn != nil
	return s
}

// deliver hands an event to the user. It is called by Run's goroutine only, so
// that events keep their order; mu is not held.
func (c *Client) deliver(ev Event) {
	if _, ok := ev.(*Gap); ok {
		c.mu.Lock()
		c.stats.Gaps++
		c.mu.Unlock()
	}
	if c.opts.OnEvent != nil {
		c.opts.OnEvent(ev)
		return
	}
	if c.events.put(ev) {
		c.mu.Lock()
		c.stats.Overflowed++
		c.mu.Unlock()
	}
}
