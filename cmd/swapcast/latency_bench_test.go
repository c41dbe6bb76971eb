package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	dto "github.com/prometheus/client_model/go"

	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/stream/client"
)

// BenchmarkReceiptToSocket serves the built-in market at 5,000 transactions a
// second and reports the quantiles of the time from gRPC receipt to socket
// write, as the server's own histogram has them (buckets grow by 1.7, so a
// quantile is right within that factor). Generator, gRPC server, swapcast and
// the clients share the process. One operation is one transaction; it paces
// itself, so ns/op is the pace and says nothing.
func BenchmarkReceiptToSocket(b *testing.B) {
	for _, load := range []struct{ clients, tokens int }{{1, 20}, {10, 20}, {100, 1}, {1000, 1}} {
		b.Run(fmt.Sprintf("tps=5000/clients=%d/tokens=%d", load.clients, load.tokens), func(b *testing.B) {
			benchmarkReceiptToSocket(b, load.clients, load.tokens)
		})
	}
}

func benchmarkReceiptToSocket(b *testing.B, clients, tokens int) {
	ctx, cancel := context.WithCancel(b.Context())
	s, err := newServer(ctx, parseServe(b, "--source", "market:?seed=1&tps=5000"), testEnviron(b))
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	for i := range clients {
		discard(b, ctx, s, i, tokens)
	}
	time.Sleep(2 * time.Second) // pools and prices come up
	first, before := s.feed.txs.Load(), stageHistogram(b, s, "total")
	b.ResetTimer()
	for s.feed.txs.Load() < first+uint64(b.N) {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	after := stageHistogram(b, s, "total")
	for _, q := range []float64{0.5, 0.99} {
		b.ReportMetric(quantile(before, after, q)*1e6, fmt.Sprintf("p%g-us", q*100))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}

// discard connects a client that takes prices and trades of some tokens and
// throws the bytes away unread: what a client costs is not the question.
func discard(b *testing.B, ctx context.Context, s *server, number, tokens int) {
	b.Helper()
	var raw net.Conn
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		raw = c
		return c, err
	}}
	options := &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}}
	url := "ws://" + s.public.Addr().String() + "/ws"
	ws, _, err := websocket.Dial(ctx, url, options)
	for range 100 { // 503 until the stream runs
		if err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
		ws, _, err = websocket.Dial(ctx, url, options)
	}
	if err != nil {
		b.Fatal(err)
	}
	all := sim.Tokens()
	var mints []string
	for i := range min(tokens, len(all)) {
		mints = append(mints, `"`+all[(number+i)%len(all)].Mint.String()+`"`)
	}
	for _, channel := range []string{client.ChannelPrices, client.ChannelTrades} {
		request := `{"action":"subscribe","channel":"` + channel + `","assets":[` + strings.Join(mints, ",") + `]}`
		if err := ws.Write(ctx, websocket.MessageText, []byte(request)); err != nil {
			b.Fatal(err)
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, raw)
	}()
	b.Cleanup(func() {
		_ = ws.CloseNow()
		<-ended
	})
}

// stageHistogram reads one stage's histogram from the server's registry.
func stageHistogram(b *testing.B, s *server, stage string) *dto.Histogram {
	b.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "swapcast_stage_latency_seconds" {
			continue
		}
		for _, m := range family.GetMetric() {
			if m.GetLabel()[0].GetValue() == stage {
				return m.GetHistogram()
			}
		}
	}
	b.Fatalf("no stage %s", stage)
	return nil
}

// quantile is the q-quantile of what came between two readings, by linear
// interpolation within the bucket, as Prometheus does it.
func quantile(before, after *dto.Histogram, q float64) float64 {
	rank := q * float64(after.GetSampleCount()-before.GetSampleCount())
	low, below := 0.0, 0.0
	for i, bucket := range after.GetBucket() {
		upTo := float64(bucket.GetCumulativeCount() - before.GetBucket()[i].GetCumulativeCount())
		if upTo >= rank && upTo > below {
			return low + (bucket.GetUpperBound()-low)*(rank-below)/(upTo-below)
		}
		low, below = bucket.GetUpperBound(), upTo
	}
	return low
}
