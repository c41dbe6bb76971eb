package quote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// hang is something that the sources do to one engine for a while.
type hang struct {
	what  string
	fault quotetest.Fault
	// all says that every service does it and that there are no pools; else Jupiter
	// alone.
	all bool
	// noBreakers lets every request ask everybody, however often they failed: the most
	// that can hang at once.
	noBreakers bool
}

// TestHangReal has one engine asked 50 times a second, no two requests alike, by
// clients of services that hang: make quote-silent. Each must be answered within 2 s,
// with a quote as long as somebody has one. What other programs took the processor
// away for is told beside the slowest, and is not the engine's fault.
func TestHangReal(t *testing.T) {
	if !*fullMatrix {
		t.Skip("for make quote-silent")
	}
	const rate, seconds = 50, 15
	var text strings.Builder
	fmt.Fprintf(&text, "\n%-52s %9s %9s %9s %8s %8s %8s %10s  %s\n", "what hangs", "requests", "quotes", "no quote", "p50", "p99", "slowest", "stood still", "calls to Jupiter")
	for _, h := range []hang{
		{"nobody", quotetest.None, false, false},
		{"Jupiter never answers", quotetest.Silent, false, false},
		{"Jupiter never answers, no breakers", quotetest.Silent, false, true},
		{"nobody ever answers, no breakers", quotetest.Silent, true, true},
		{"headers then silence from all, no breakers", quotetest.HeadersOnly, true, true},
		{"a byte a second from all, no breakers", quotetest.Drip, true, true},
		{"200 MB from all, no breakers", quotetest.Huge, true, true},
	} {
		m := newMarket()
		services := quotetest.New(m, quote.PythFeeds())
		server := httptest.NewUnstartedServer(services.Handler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.Config.ConnContext = smallBuffer
		server.Start()
		opts := rigOptions(m, server.URL)
		services.Jupiter.Set(h.fault)
		if h.all {
			for _, s := range services.All() {
				s.Set(h.fault)
			}
			m.noPools.Store(true)
		}
		for _, p := range []*quote.Policy{&opts.Jupiter.Policy, &opts.DFlow.Policy, &opts.Hashflow.Policy, &opts.Pyth.Policy} {
			p.MaxCalls = 1_000
			if h.noBreakers {
				p.BreakAfter = 1 << 30
			}
		}
		e, err := quote.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		results := make([]matrixResult, rate*seconds)
		pulse := newPulse()
		var wg sync.WaitGroup
		next := time.Now()
		for i := range results {
			time.Sleep(time.Until(next))
			next = next.Add(time.Second / rate)
			wg.Go(func() {
				r := oneSOL()
				r.Amount += uint64(i)
				start := time.Now()
				a, err := e.Quote(context.Background(), r)
				results[i] = matrixResult{a, start, time.Since(start), err}
			})
		}
		wg.Wait()
		pulse.stop()
		e.Close()
		server.Close()
		text.WriteString(h.row(t, results, pulse, services.Jupiter.Calls()))
	}
	t.Log(text.String())
}

// smallBuffer keeps what a stand-in writes for nobody out of the kernel: services and
// engine share a process and a processor here, as they do nowhere else.
func smallBuffer(ctx context.Context, c net.Conn) context.Context {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(64 << 10) // a hint
	}
	return ctx
}

// row judges and tells one run.
func (h hang) row(t *testing.T, results []matrixResult, p *pulse, calls int) string {
	wins := map[string]int{}
	none := 0
	var times []time.Duration
	worst := &results[0]
	for i := range results {
		r := &results[i]
		times = append(times, r.took)
		if r.took > worst.took {
			worst = r
		}
		var failed *quote.NoQuoteError
		switch {
		case r.err == nil:
			wins[r.answer.Source]++
			if out := float64(r.answer.OutAmount); out > solUSD*1e6*1.001 || out < solUSD*1e6*0.99 {
				t.Errorf("%s: %s is believed with %.0f", h.what, r.answer.Source, out)
			}
		case errors.As(r.err, &failed) && h.all:
			none++
		default:
			t.Errorf("%s: %v", h.what, r.err)
		}
		if took := p.less(r); took > 2*time.Second {
			t.Errorf("%s: took %v, and %v without what this process stood still", h.what, r.took, took)
		}
	}
	slices.Sort(times)
	var who []string
	for _, name := range slices.Sorted(maps.Keys(wins)) {
		who = append(who, fmt.Sprintf("%s %d", name, wins[name]))
	}
	n := len(times)
	return fmt.Sprintf("%-52s %9d %9d %9d %7.3fs %7.3fs %7.3fs %10.3fs  %d (%s)\n", h.what, n, n-none, none,
		times[n/2].Seconds(), times[n*99/100].Seconds(), times[n-1].Seconds(),
		p.lost(worst.start, worst.start.Add(worst.took)).Seconds(), calls, strings.Join(who, ", "))
}
