package swarm

import (
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// BenchmarkMessage is what the generator does with one price, the socket left out: cut
// the frame, find its fields, follow its seq, note its latency.
func BenchmarkMessage(b *testing.B) {
	p := &plan{Options: Options{Assets: mints(100)}}
	p.prepare()
	l := &loop{plan: p, tally: newTally(0)}
	c := &conn{state: open, scenario: Multi, heard: true}
	for k := range int32(10) {
		c.subs = append(c.subs, sub{key: k})
	}
	var buffer []byte
	now := time.Now().UnixNano()
	for i := range 10 {
		buffer = append(buffer, serverFrame(opText, wire.AppendPrice(nil, &swapcast.Price{
			Mint: keyOf(0x5c, i), USD: 147.231, Known: true, SOL: 1, SOLKnown: true, Confidence: 0.97, LiquidityUSD: 81234567.1, DEX: "raydium-clmm",
			Pool: keyOf(1, 1), Slot: 371234567, Signature: solana.Signature{1}, BlockTime: 1764000000,
		}, wire.Meta{Seq: 1841, TS: now / 1e6, Feed: swapcast.FeedSimulated}))...)
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += 10 {
		l.take(c, buffer)
		c.rest = nil
	}
}
