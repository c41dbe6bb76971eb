package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/swapcast/swapcast/geyser/replay/faults"
	"github.com/swapcast/swapcast/geyser/sim"
)

// options of one drill.
type options struct {
	binary    string // bin/swapcast
	folder    string // for logs
	swaps     uint64
	tps       int
	speed     float64
	seed      uint64
	launches  float64 // as the market has it
	script    *faults.Script
	endpoints int
	nodes     int
	rpcFaults bool
	wallets   int
	cutEvery  time.Duration
	stored    int // slots that endpoints and nodes keep, 0 storedSlots
	onFault   func(endpoint int, e faults.Event)
	serve     []string // further flags of the server
	clients   []clientSpec
	log       *slog.Logger
	// during is called while the drill runs; nil nothing.
	during func(context.Context, *drill) error
}

type clientSpec struct {
	name, commitment string
	cut              bool
	query            string
	tradesOnly       bool // and balances
}

// fourClients are those that the proof is about.
func fourClients() []clientSpec {
	return []clientSpec{
		{name: "A processed", commitment: "processed"},
		{name: "B confirmed", commitment: "confirmed", query: "?batch=1"},
		{name: "C processed, cut", commitment: "processed", cut: true, query: "?batch=1"},
		{name: "D confirmed, cut", commitment: "confirmed", cut: true},
	}
}

// drill is one run.
type drill struct {
	options
	truth    *truth
	upstream *upstream
	server   *server
	clients  []*client
	problems *problems
	begun    time.Time
	took     time.Duration // from the chain's beginning to its end
	verdicts []verdict
	status   status
	metrics  map[string]float64
}

// run does the whole drill. Its error says that it could not be done; what went
// wrong in it is in problems.
func run(ctx context.Context, o options) (*drill, error) {
	market := sim.Options{Seed: o.seed, TPS: o.tps, Launches: o.launches}
	owners, err := busiest(market, o.wallets)
	if err != nil {
		return nil, err
	}
	d := &drill{options: o, truth: newTruth(owners)}
	d.problems = &d.truth.problems
	d.upstream, err = openUpstream(upstreamOptions{
		sim: market, speed: o.speed, swaps: o.swaps, script: o.script,
		endpoints: o.endpoints, nodes: o.nodes, stored: o.stored, onFault: o.onFault, log: o.log,
	}, d.truth)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var serving sync.WaitGroup
	served := make(chan error, 1)
	serving.Go(func() { served <- d.upstream.serve(ctx, o.rpcFaults, o.seed) })
	defer serving.Wait()
	defer cancel()

	args := append(d.flags(), o.serve...)
	for _, l := range d.upstream.listeners {
		args = append(args, "--source", "grpc://"+l.Addr().String())
	}
	for _, l := range d.upstream.rpcAt {
		args = append(args, "--rpc-url", "http://"+l.Addr().String())
	}
	if o.nodes > 0 {
		args = append(args, "--rpc-rate", "200")
	}
	d.server, err = startServer(ctx, o.binary, filepath.Join(o.folder, "serve.log"), args...)
	if err != nil {
		return nil, err
	}
	err = d.watch(ctx, ownersText(owners))
	if stopped := d.server.stop(); stopped != nil {
		err = errors.Join(err, fmt.Errorf("stopping the server: %w", stopped))
	}
	if err != nil {
		return nil, err
	}
	cancel()
	if err := <-served; err != nil {
		return nil, err
	}
	for _, c := range d.clients {
		d.verdicts = append(d.verdicts, judge(c.book, d.truth, !c.tradesOnly))
	}
	return d, nil
}

// flags are those of the server, its sources apart. What is confirmed waits for a
// minute where both endpoints are away for longer than the 10 s that are the
// default: a transaction that a durable nonce lets land twice counts in the second
// slot for good, where the first one comes after the second was let through.
func (d *drill) flags() []string {
	return []string{"--stale-after", "5s", "--history-trades", "400000", "--corroborate", "2s", "--hold-for", "60s"}
}

func ownersText[T fmt.Stringer](list []T) (out []string) {
	for _, x := range list {
		out = append(out, x.String())
	}
	return out
}

// watch runs the clients from before the chain's beginning until it has settled.
func (d *drill) watch(ctx context.Context, owners []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, spec := range d.options.clients {
		c := &client{
			name: spec.name, url: "ws" + d.server.page[len("http"):] + "/ws", query: spec.query,
			truth: d.truth, owner: owners, ready: make(chan struct{}), tradesOnly: spec.tradesOnly,
		}
		if spec.cut {
			c.every = d.cutEvery
		}
		c.book = newBook(spec.name, spec.commitment, d.truth, d.problems)
		c.book.http = d.server.page
		c.cutting.Store(true)
		d.clients = append(d.clients, c)
		running.Go(func() { c.run(ctx) })
	}
	for _, c := range d.clients {
		if err := within(ctx, 20*time.Second, c.ready); err != nil {
			return fmt.Errorf("client %s has not subscribed: %w", c.name, err)
		}
	}
	d.begun = time.Now()
	close(d.upstream.begin)
	if d.during != nil {
		if err := d.during(ctx, d); err != nil {
			return err
		}
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	var err error
	if d.status, err = d.server.status(ctx); err != nil {
		return err
	}
	d.metrics, err = d.server.metrics(ctx)
	return err
}

func within(ctx context.Context, most time.Duration, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(most):
		return errors.New("not in time")
	}
}

// patience is how long the server may take to settle after the chain's end, and
// quietFor how long nothing must come for a client to have been told all.
const (
	patience = 90 * time.Second
	quietFor = 3 * time.Second
)

// settle waits for the chain's end, for the server to be done with it, and for
// the clients to have been told.
func (d *drill) settle(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var ended time.Time
	var progress time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-d.server.ended:
			return fmt.Errorf("the server ended by itself: %w", err)
		case <-tick.C:
		}
		over, last := d.truth.ended()
		if time.Since(progress) > 10*time.Second {
			progress = time.Now()
			d.tellProgress(ctx, last)
		}
		if !over {
			continue
		}
		if ended.IsZero() {
			ended = time.Now()
			d.took = ended.Sub(d.begun)
			for _, c := range d.clients {
				c.cutting.Store(false)
			}
		}
		st, err := d.server.status(ctx)
		done := err == nil && st.Checkpoint >= last && st.ConfirmedSlot >= last
		for _, c := range d.clients {
			done = done && time.Since(time.Unix(0, c.heard.Load())) > quietFor
		}
		if done {
			return nil
		}
		if time.Since(ended) > patience {
			d.problems.add("never settled", "the chain ends with slot %d; the server is confirmed to %d, its checkpoint is %d (%v)", last, st.ConfirmedSlot, st.Checkpoint, err)
			return nil
		}
	}
}

func (d *drill) tellProgress(ctx context.Context, last uint64) {
	st, err := d.server.status(ctx)
	if err != nil {
		d.log.Warn("no status", "error", err)
		return
	}
	var lost int
	for _, s := range st.Sources {
		if !s.Connected {
			lost++
		}
	}
	d.log.Info("playing", "swaps", d.upstream.market.played.Load(), "slot", last, "behind", int64(last)-int64(st.ConfirmedSlot), //nolint:gosec // slots
		"checkpoint_behind", int64(last)-int64(st.Checkpoint), "endpoints_away", lost, "problems", d.problems.total()) //nolint:gosec // slots
}
