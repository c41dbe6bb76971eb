package swarm

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// work runs the plan's part in this process. emit is called with each second that is
// over, in order, from one goroutine. It returns when all connections have ended.
func work(ctx context.Context, p *plan, emit func(*tally, usage) error) error {
	p.prepare()
	n := min(p.Loops, p.To-p.From)
	loops, outs := make([]*loop, n), make([]chan *tally, n)
	for i := range loops {
		outs[i] = make(chan *tally, 8)
		var err error
		if loops[i], err = newLoop(p, p.From+i, n, outs[i]); err != nil {
			return err // of those made before, the process's end takes care
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range loops {
		group.Go(func() error { return l.run(ctx) })
	}
	type told struct {
		loop int
		t    *tally // nil: the loop has ended
	}
	all := make(chan told)
	var forwarders sync.WaitGroup
	for i, out := range outs {
		forwarders.Go(func() {
			for t := range out {
				all <- told{i, t}
			}
			all <- told{i, nil}
		})
	}
	go func() {
		forwarders.Wait()
		close(all)
	}()
	var failed error
	g := newGatherer(n)
	for one := range all {
		if one.t == nil {
			g.end(one.loop)
		} else {
			g.add(one.loop, one.t)
		}
		for _, t := range g.over() {
			if failed == nil {
				failed = emit(t, readUsage())
			}
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return failed
}

// Worker is a process of a run that has several: it reads its plan from in and writes a
// JSON line for each second to out. The end of in ends it: so it does not outlive the
// process that started it.
func Worker(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := bufio.NewReader(in)
	text, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	var p plan
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	go func() { // ends with in, which is standard input: with the process
		_, _ = io.Copy(io.Discard, lines)
		cancel()
	}()
	lineOut := json.NewEncoder(out)
	err = work(ctx, &p, func(t *tally, u usage) error {
		w, err := t.encode(u)
		if err != nil {
			return err
		}
		return lineOut.Encode(w)
	})
	last := wireTally{Second: time.Now().Unix(), Done: true, Usage: readUsage()}
	if err != nil {
		last.Failure = err.Error()
	}
	return lineOut.Encode(last)
}
