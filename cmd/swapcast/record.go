package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
)

// recordCmd is `swapcast record`: a live stream into a capture file.
type recordCmd struct {
	Source            string        `help:"Yellowstone endpoint to record: grpc://host:port (plain) or grpcs://host[:port] (TLS)." required:"" placeholder:"URL"`
	GeyserToken       string        `help:"Token sent as x-token." placeholder:"TOKEN"`
	GeyserCompression string        `help:"Compression asked of the endpoint: none, gzip or zstd." enum:"none,gzip,zstd" default:"none"`
	Output            string        `help:"File to write; - is standard output. Default: capture-DATE-TIME.zst in the current folder." short:"o" placeholder:"FILE"`
	Force             bool          `help:"Write over an existing file."`
	All               bool          `help:"Record every transaction, votes and failed ones too, instead of those of known exchanges."`
	Duration          time.Duration `help:"Stop after this time; 0 records until interrupted." default:"0s"`
	Limit             uint64        `help:"Stop after this many transactions; 0 is no limit." default:"0"`
	StaleAfter        time.Duration `help:"How long the stream may be silent before it is opened anew." default:"15s"`

	now func() time.Time // nil: time.Now; a test's own clock
}

// errRecordFull ends the stream when --limit is reached.
var errRecordFull = errors.New("limit reached")

// Run records until ctx ends, the time is over or the limit is reached; all
// three complete the file and are no error.
func (c *recordCmd) Run(ctx context.Context, env *environ) error {
	if c.Duration < 0 {
		return usagef("--duration %v: must not be negative", c.Duration)
	}
	sub, err := c.subscriber(env)
	if err != nil {
		return err
	}
	file, name, err := c.open(env)
	if err != nil {
		return err
	}
	r := &recorder{cmd: c, name: name, begin: func() (*capture.Writer, error) {
		return capture.NewWriter(file, sub.Status().Feed)
	}}
	r.began = r.clock()
	if c.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Duration)
		defer cancel()
	}
	err = r.record(ctx, sub, env)
	if r.empty() {
		// An empty file would look like a recording to whoever finds it.
		_ = file.Close()
		if c.Output != "-" {
			_ = os.Remove(name)
		}
		return errors.Join(fmt.Errorf("nothing was recorded: %s", why(sub.Status())), err)
	}
	// Whatever ended it, what was recorded is completed.
	if closeErr := errors.Join(r.complete(), file.Close()); closeErr != nil && err == nil {
		err = fmt.Errorf("%s: %w", name, closeErr)
	}
	env.Log.Info("recorded", r.progress()...)
	return err
}

// subscriber makes the subscriber that the flags describe.
func (c *recordCmd) subscriber(env *environ) (*geyser.Subscriber, error) {
	o, remote, err := endpointOptions(c.Source, c.GeyserToken, c.GeyserCompression)
	if err != nil {
		return nil, err
	}
	if !remote {
		return nil, usagef("--source %q: only grpc://host:port and grpcs://host can be recorded; `swapcast geyser` serves the other sources as one", c.Source)
	}
	o.Unfiltered = c.All
	o.StaleAfter = c.StaleAfter
	o.Logger = env.Log.With("component", "geyser")
	sub, err := geyser.New(o)
	if err != nil {
		return nil, usagef("--source %q: %v", c.Source, err)
	}
	return sub, nil
}

// open opens the output. A recording cannot be made again, so it never falls
// to a forgotten file name.
func (c *recordCmd) open(env *environ) (io.WriteCloser, string, error) {
	if c.Output == "-" {
		return keepOpen{env.Stdout}, "standard output", nil
	}
	name := c.Output
	if name == "" {
		name = "capture-" + (&recorder{cmd: c}).clock().UTC().Format("20060102-150405") + ".zst"
	}
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if c.Force {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(name, mode, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, "", usagef("--output %s: the file exists; --force writes over it", name)
	}
	if err != nil {
		return nil, "", fmt.Errorf("--output: %w", err)
	}
	return f, name, nil
}

// keepOpen is a writer that is not ours to close.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

// recorder writes what comes and flushes once a second, so that a recorder
// that is killed has lost a second at most.
type recorder struct {
	// static
	cmd   *recordCmd
	name  string
	began time.Time
	begin func() (*capture.Writer, error) // called with the first message, when the feed is known

	// guarded by mu: the stream's goroutine writes, the ticker's flushes
	mu     sync.Mutex
	writer *capture.Writer // nil before the first message
	txs    uint64
	slots  uint64
	slot   uint64
}

func (r *recorder) clock() time.Time {
	if r.cmd.now != nil {
		return r.cmd.now()
	}
	return time.Now()
}

func (r *recorder) record(ctx context.Context, sub *geyser.Subscriber, env *environ) error {
	ticking, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	streamCtx, fail := context.WithCancelCause(ctx)
	go func() { // waited for below
		err := r.tick(ticking, env)
		if err != nil {
			fail(err)
		}
		done <- err
	}()
	err := sub.RunRaw(streamCtx, r.put)
	stop()
	fail(nil)
	err = errors.Join(err, <-done)
	if err == nil || errors.Is(err, errRecordFull) {
		return nil
	}
	return err
}

// put writes one message.
func (r *recorder) put(u *pb.SubscribeUpdate) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.start(); err != nil {
		return err
	}
	if err := r.writer.Write(u); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	switch v := u.UpdateOneof.(type) {
	case *pb.SubscribeUpdate_Transaction:
		r.txs++
		r.slot = max(r.slot, v.Transaction.GetSlot())
		if r.cmd.Limit > 0 && r.txs == r.cmd.Limit {
			return errRecordFull
		}
	case *pb.SubscribeUpdate_BlockMeta:
		r.slots++
	}
	return nil
}

// start opens the capture if that has not been done. The caller holds mu.
func (r *recorder) start() error {
	if r.writer != nil {
		return nil
	}
	w, err := r.begin()
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	r.writer = w
	return nil
}

// complete ends the capture.
func (r *recorder) complete() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writer.Close()
}

// empty reports whether nothing has come.
func (r *recorder) empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writer == nil
}

// why says what kept a recorder from recording.
func why(s geyser.Status) string {
	switch {
	case s.Connected:
		return s.Endpoint + " sent nothing"
	case s.Reason != "":
		return s.Endpoint + " is not connected: " + s.Reason
	default:
		return s.Endpoint + " did not answer"
	}
}

// tick flushes each second and reports each five.
func (r *recorder) tick(ctx context.Context, env *environ) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		r.mu.Lock()
		var err error
		if r.writer != nil {
			err = r.writer.Flush()
		}
		r.mu.Unlock()
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		if n%5 == 0 {
			env.Log.Info("recording", r.progress()...)
		}
	}
}

func (r *recorder) progress() []any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return []any{
		"file", r.name, "transactions", r.txs, "blocks", r.slots, "slot", r.slot,
		"seconds", int64(r.clock().Sub(r.began).Seconds()),
	}
}
