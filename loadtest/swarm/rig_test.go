package swarm

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/report"
	"github.com/swapcast/swapcast/stream"
)

// rig is a stream.Server with a publisher, as a swapcast server looks from outside.
type rig struct {
	http *httptest.Server
	*stream.Server
}

func keyOf(first byte, n int) solana.PublicKey {
	k := solana.PublicKey{0: first, 1: 0xa5}
	binary.BigEndian.PutUint32(k[28:], uint32(n)+1)
	return k
}

func mints(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = keyOf(0x5c, i).String()
	}
	return list
}

func wallets(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = keyOf(0x77, i).String()
	}
	return list
}

// newRig serves until the test ends. tokens are published in turn, one each millisecond
// or as near to it as the machine comes, with a trade and a balance.
func newRig(t *testing.T, tokens int, o stream.Options) *rig {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o.Metrics, o.Feed = stream.NewMetrics(registry), swapcast.FeedSimulated
	s, err := stream.New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", s)
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/v1/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"feed":"simulated","limits":{"maxConnections":500}}`))
	})
	r := &rig{httptest.NewServer(mux), s}
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	parts.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			mint := keyOf(0x5c, n%tokens)
			s.PublishPrice(&swapcast.Price{Mint: mint, USD: 1.5, Known: true, DEX: `a","seq":7,"ts":9`, BlockTime: 1764000000})
			s.PublishTrade(&swapcast.Trade{Mint: mint, Amount: 7, DEX: "raydium-v4"})
			s.PublishBalance(&swapcast.Balance{Owner: keyOf(0x77, n%tokens), Mint: mint, Amount: uint64(n)})
		}
	})
	t.Cleanup(func() {
		cancel()
		parts.Wait()
		r.http.Close()
	})
	return r
}

func (r *rig) ws() string { return "ws" + strings.TrimPrefix(r.http.URL, "http") + "/ws" }

// options are those of a short run.
func (r *rig) options(t *testing.T, mix string, connections int) Options {
	t.Helper()
	m, err := ParseMix(mix)
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		URLs: []string{r.ws()}, Admin: []string{r.http.URL}, Connections: connections, Mix: m, Ramp: 500 * time.Millisecond, Hold: 3 * time.Second,
		Session: time.Second, Assets: mints(8), Wallets: wallets(8), TokensEach: 3, Zipf: 1.1, TestID: "swarm-test",
		Processes: 1, Loops: 2, Timeout: 20 * time.Second,
	}
}

func runForTest(t *testing.T, o Options) *report.Report {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run, err := Prepare(t.Context(), o, Env{Worker: []string{program}})
	if err != nil {
		t.Fatal(err)
	}
	rep, err := run.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			rep.Seconds = nil
			text, _ := json.MarshalIndent(rep, "", " ")
			t.Logf("%s", text)
		}
	})
	return rep
}

func scenario(t *testing.T, rep *report.Report, name string) *report.Scenario {
	t.Helper()
	for i := range rep.Scenarios {
		if rep.Scenarios[i].Name == name {
			return &rep.Scenarios[i]
		}
	}
	t.Fatalf("no scenario %s", name)
	return nil
}

// bad returns the findings that fail the run.
func bad(rep *report.Report) []string {
	var list []string
	for _, f := range rep.Findings {
		if f.Bad {
			list = append(list, f.Text)
		}
	}
	return list
}
