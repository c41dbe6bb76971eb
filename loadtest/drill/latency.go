package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/swapcast/swapcast/geyser/replay/faults"
	"github.com/swapcast/swapcast/geyser/sim"
)

// The latency drill: endpoint 0 is on time and dies for good half-way, endpoint 1
// is 400 ms late all the time.
const (
	diesAfter    = 20 * time.Second
	latencyTPS   = 500
	latencyScrip = "endpoints:\n  0:\n  - restart: {at: 20s, times: 1, down: 1h}\n  1:\n  - late: {by: 400ms}\n"
)

// follower is a server of its own with one client, beside others in the same run.
type follower struct {
	name    string
	sources []int // endpoints
	server  *server
	client  *client
}

// latencyRow is one server's client before and after the death.
type latencyRow struct {
	name          string
	before, after latencies
}

type latencies struct {
	trades        int
	p50, p99, max time.Duration
}

// runLatency has three servers follow the same chain at once: one both endpoints,
// the others one each.
func runLatency(ctx context.Context, o options) ([]latencyRow, error) {
	script, err := faults.Parse([]byte(latencyScrip))
	if err != nil {
		return nil, err
	}
	t := newTruth(nil)
	up, err := openUpstream(upstreamOptions{
		sim: sim.Options{Seed: o.seed, TPS: latencyTPS}, speed: 1, swaps: uint64(2 * diesAfter.Seconds() * latencyTPS * 0.95),
		script: script, endpoints: 2, log: o.log,
	}, t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { _ = up.serve(ctx, false, o.seed) })
	list := []*follower{
		{name: "both endpoints, hot-hot", sources: []int{0, 1}},
		{name: "the better one alone", sources: []int{0}},
		{name: "the late one alone", sources: []int{1}},
	}
	for i, f := range list {
		if err := f.start(ctx, o, i, up, t, &running); err != nil {
			return nil, err
		}
		defer func() { _ = f.server.stop() }()
	}
	for _, f := range list {
		if err := within(ctx, 20*time.Second, f.client.ready); err != nil {
			return nil, fmt.Errorf("client of %s: %w", f.name, err)
		}
	}
	begun := time.Now()
	close(up.begin)
	if err := playedOut(ctx, t, list[0]); err != nil {
		return nil, err
	}
	cancel()
	running.Wait()
	// A second around the death belongs to neither side: the endpoint's clock is its own.
	before, after := begun.Add(diesAfter-time.Second/2).UnixNano(), begun.Add(diesAfter+time.Second/2).UnixNano()
	var rows []latencyRow
	for _, f := range list {
		rows = append(rows, latencyRow{f.name, summed(f.client.book, 0, before), summed(f.client.book, after, 1<<62)})
	}
	return rows, nil
}

func (f *follower) start(ctx context.Context, o options, number int, up *upstream, t *truth, running *sync.WaitGroup) (err error) {
	var args []string
	for _, i := range f.sources {
		args = append(args, "--source", "grpc://"+up.listeners[i].Addr().String())
	}
	if f.server, err = startServer(ctx, o.binary, filepath.Join(o.folder, fmt.Sprintf("serve-%d.log", number)), args...); err != nil {
		return err
	}
	f.client = &client{
		name: f.name, url: "ws" + f.server.page[len("http"):] + "/ws", truth: t, ready: make(chan struct{}), tradesOnly: true,
		book: newBook(f.name, "processed", t, &t.problems),
	}
	f.client.book.http = f.server.page
	running.Go(func() { f.client.run(ctx) })
	return nil
}

// playedOut waits for the chain's end, and for the client to have been told it.
func playedOut(ctx context.Context, t *truth, f *follower) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(4 * diesAfter); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if over, _ := t.ended(); over && time.Since(time.Unix(0, f.client.heard.Load())) > quietFor {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("the chain does not end")
		}
	}
}

// summed sums up the delays of trades that were played within a time.
func summed(b *book, from, to int64) latencies {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []int64
	for _, d := range b.latency {
		if d.at >= from && d.at < to {
			list = append(list, d.took)
		}
	}
	if len(list) == 0 {
		return latencies{}
	}
	slices.Sort(list)
	at := func(share float64) time.Duration { return time.Duration(list[int(share*float64(len(list)-1))]) }
	return latencies{len(list), at(0.5), at(0.99), at(1)}
}

func writeLatency(w io.Writer, rows []latencyRow) {
	fmt.Fprintf(w, "| server | trades before | p50 | p99 | max | trades after the death | p50 | p99 | max |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for i := range rows {
		fmt.Fprintf(w, "| %s", rows[i].name)
		for _, l := range []latencies{rows[i].before, rows[i].after} {
			if l.trades == 0 {
				fmt.Fprint(w, " | 0 | - | - | -")
				continue
			}
			ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
			fmt.Fprintf(w, " | %d | %s | %s | %s", l.trades, ms(l.p50), ms(l.p99), ms(l.max))
		}
		fmt.Fprintln(w, " |")
	}
}
