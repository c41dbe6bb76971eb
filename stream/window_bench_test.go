package stream

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
)

// BenchmarkWindows is the cost of an update for a subscriber with a window, in
// which nearly every update gives way to the next one: 4,000 connections to ten of
// 100 mints each, whose writes end in memory.
func BenchmarkWindows(b *testing.B) {
	const connections, mints, each = 4000, 100, 10
	s, err := New(Options{Shards: 1})
	if err != nil {
		b.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, sh := range s.shards {
		running.Go(func() { sh.run(ctx) })
	}
	for i := range connections {
		c := s.newConn(nil, 100*time.Millisecond)
		c.batch = true
		c.sock.Conn, c.sock.plain, c.sock.fd = sinkConn{}, true, int(null.Fd())
		c.shard.do(item{what: itemJoin, conn: c})
		r := &request{subscribe: true, channel: chanPrices}
		for j := range each {
			r.topics = append(r.topics, s.registry.acquire(mint((i*each+j)%mints), swapcast.Processed))
		}
		c.shard.do(item{what: itemRequest, conn: c, request: r})
	}
	idle := func() {
		done := make(chan struct{})
		s.shards[0].do(item{what: itemCall, call: func(*shard) { close(done) }})
		<-done
	}
	idle()
	prices := make([]*swapcast.Price, mints)
	for i := range prices {
		prices[i] = price(i, 147.231)
	}
	n := 0
	before := cpuTime()
	for b.Loop() {
		for _, p := range prices {
			s.PublishPrice(p)
			n++
		}
		idle()
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(n*connections*each/mints), "cpu-ns/update")
	cancel()
	running.Wait()
}
