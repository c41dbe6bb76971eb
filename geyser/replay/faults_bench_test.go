package replay_test

import (
	"sync"
	"testing"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/geyser/replay/faults"
	"github.com/swapcast/swapcast/geyser/sim"
)

const everyChainFault = `
seed: 5
chain:
- fork: {every_slots: 20}
- banks: {every_slots: 23}
- dead: {every_slots: 29}
- skip_slots: {rate: 0.02, slots: 2}
- nonce_twice: {every_slots: 5}
- v1: {rate: 0.1}
endpoint:
- duplicate: {rate: 0.01}
- reorder: {rate: 0.1}
- block_meta_early: {rate: 0.1}
endpoints:
  1:
  - late: {by: 100ms}
  - lying: {rate: 0.001}
`

// BenchmarkTwoEndpoints is one update of the market, under the chain's faults,
// played at two endpoints to a client each, as fast as it is read.
func BenchmarkTwoEndpoints(b *testing.B) {
	m, err := sim.New(sim.Options{Seed: 11, TPS: 1000})
	if err != nil {
		b.Fatal(err)
	}
	s := script(b, everyChainFault)
	sources := replay.Tee(s.Chain(m, faults.ChainOptions{OnTruth: func(faults.Truth) {}}), 2)
	var streams []pb.Geyser_SubscribeClient
	for i, source := range sources {
		_, c := serve(b, replay.Options{Source: source, Faults: s.Endpoint(i), WaitForClient: true, QueueSize: 1024})
		streams = append(streams, open(b, c, everything()))
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for _, stream := range streams {
		wg.Go(func() {
			for range b.N {
				if _, err := stream.Recv(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkChain is one update of the market under the chain's faults.
func BenchmarkChain(b *testing.B) {
	for name, text := range map[string]string{"plain": "seed: 1", "faults": everyChainFault} {
		b.Run(name, func(b *testing.B) {
			m, err := sim.New(sim.Options{Seed: 11, TPS: 1000})
			if err != nil {
				b.Fatal(err)
			}
			c := script(b, text).Chain(m, faults.ChainOptions{})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Next(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
