package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// script reads --faults; nil without it.
func (c *geyserCmd) script() (*faults.Script, error) {
	if c.Faults == "" {
		return nil, nil //nolint:nilnil // no script is what most people have
	}
	text, err := os.ReadFile(c.Faults)
	if err != nil {
		return nil, usagef("--faults: %v", err)
	}
	s, err := faults.Parse(text)
	if err != nil {
		return nil, usagef("--faults %s: %v", c.Faults, err)
	}
	if err := s.CheckEndpoints(len(c.Listen)); err != nil {
		return nil, usagef("--faults %s: %v", c.Faults, err)
	}
	return s, nil
}

// checkChain refuses what a chain that is played once cannot do.
func (c *geyserCmd) checkChain(s *faults.Script, src *playSource) error {
	if !c.Loop && !src.Loop {
		return nil
	}
	switch {
	case src.Reopen == nil:
		return usagef("--loop: %s cannot be played twice", c.Source)
	case s.BendsChain():
		return usagef("--loop: a chain with faults (%s) is played once", c.Faults)
	case c.Truth != "":
		return usagef("--loop: the truth of a chain (--truth) is of one pass")
	case c.WithRPC != "":
		return usagef("--loop: a chain that can be asked about (--with-rpc) is played once")
	case len(c.Listen) > 1:
		return usagef("--loop: several endpoints (--listen) share one pass")
	}
	return nil
}

// endpoint is one server with its port.
type endpoint struct {
	server   *replay.Server
	listener net.Listener
}

// endpoints are all servers of one chain.
type endpoints []endpoint

// endpoints makes the servers and takes their ports.
func (c *geyserCmd) endpoints(ctx context.Context, o replay.Options, script *faults.Script, chain *truth, rpc *chainRPC) (endpoints, error) {
	var sources []replay.Source
	if len(c.Listen) == 1 && script == nil && c.Truth == "" {
		sources = []replay.Source{rpc.tap(o.Source)} // may be looped over
	} else {
		bent := script.Chain(o.Source, faults.ChainOptions{OnTruth: chain.add, OnFault: chain.struck})
		sources = replay.Tee(rpc.tap(bent), len(c.Listen))
	}
	log := o.Logger
	var out endpoints
	for i, address := range c.Listen {
		o.Source, o.Faults = sources[i], script.Endpoint(i)
		if len(c.Listen) > 1 {
			o.Logger = log.With("endpoint", i)
		}
		server, err := replay.New(o)
		if err == nil {
			var listener net.Listener
			if listener, err = listenOn(ctx, "--listen", address); err == nil {
				out = append(out, endpoint{server, listener})
				continue
			}
		}
		out.close()
		return nil, err
	}
	return out, nil
}

func (e endpoints) close() {
	for _, one := range e {
		_ = one.listener.Close() // the server has closed it already, if it has served
	}
}

// tell says where to find the endpoints, and what else there is.
func (e endpoints) tell(w io.Writer, source, more string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "swapcast geyser: %s\n", source)
	for _, one := range e {
		fmt.Fprintf(&text, "listening on %s (gRPC)\n", one.listener.Addr())
	}
	text.WriteString(more)
	_, err := io.WriteString(w, text.String())
	return err
}

// serve serves all endpoints until ctx is done or one of them fails.
func (e endpoints) serve(ctx context.Context, log *slog.Logger, opts ...grpc.ServerOption) error {
	group, ctx := errgroup.WithContext(ctx)
	watched, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	var watching sync.WaitGroup
	for i, one := range e {
		log := log
		if len(e) > 1 {
			log = log.With("endpoint", i)
		}
		watching.Go(func() { watchReplay(watched, one.server, log) })
		group.Go(func() error { return one.server.Serve(ctx, one.listener, opts...) })
	}
	err := group.Wait()
	stopWatching()
	watching.Wait()
	for i, one := range e {
		s := one.server.Stats()
		log.Info("stopped", "endpoint", i, "played", s.Played, "skipped", s.Skipped, "passes", s.Passes, "slot", s.Slot, "faults", s.Faults)
	}
	return err
}

// truth writes what is true of the chain, and counts what the chain's faults did
// to it. Its methods but close belong to whoever reads the chain.
type truth struct {
	log    *slog.Logger
	file   *os.File // nil: nobody asked
	out    *bufio.Writer
	enc    *json.Encoder
	err    error
	counts map[faults.Kind]int
}

func newTruth(path string, log *slog.Logger) (*truth, error) {
	t := &truth{log: log, counts: make(map[faults.Kind]int)}
	if path == "" {
		return t, nil
	}
	var err error
	if t.file, err = os.Create(path); err != nil {
		return nil, usagef("--truth: %v", err)
	}
	t.out = bufio.NewWriterSize(t.file, 1<<16)
	t.enc = json.NewEncoder(t.out)
	return t, nil
}

// add writes a line; what a slot has is on disk with the slot's own line.
func (t *truth) add(line faults.Truth) {
	if t.file == nil || t.err != nil {
		return
	}
	if t.err = t.enc.Encode(line); t.err == nil && line.Kind == faults.TruthSlot {
		t.err = t.out.Flush()
	}
	if t.err != nil {
		t.log.Error("the truth is written no further", "error", t.err)
	}
}

// struck tells of a fault of the chain. v1 comes by transaction: it is told once.
func (t *truth) struck(e faults.Event) {
	t.counts[e.Kind]++
	if e.Kind != faults.V1 || t.counts[e.Kind] == 1 {
		t.log.Info("fault of the chain", "fault", e.Kind, "line", e.Line, "slot", e.Slot)
	}
}

// close ends the file, and says what the chain went through.
func (t *truth) close() error {
	if len(t.counts) > 0 {
		t.log.Info("the chain's faults", "faults", t.counts)
	}
	if t.file == nil {
		return nil
	}
	err := errors.Join(t.err, t.out.Flush(), t.file.Close())
	if err != nil {
		return fmt.Errorf("--truth: %w", err)
	}
	return nil
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
				"skipped", s.Skipped, "incomplete_blocks", s.IncompleteBlocks, "faults", s.Faults)
		}
		last = s
	}
}
