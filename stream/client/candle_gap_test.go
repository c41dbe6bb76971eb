package client

import (
	"context"
	"testing"
)

// A reader that is too slow hears which candles of which interval it missed.
func TestOverflowOfCandles(t *testing.T) {
	q := newQueue(2)
	for seq := uint64(1); seq <= 4; seq++ {
		q.put(&Candle{AssetID: "x", Interval: "1s", Seq: seq})
	}
	ev, err := q.take(context.Background())
	g, ok := ev.(*Gap)
	if err != nil || !ok || *g != (Gap{Channel: ChannelCandles, Interval: "1s", Commitment: CommitmentProcessed, AssetID: "x", FromSeq: 1, ToSeq: 2, Reason: GapOverflow}) {
		t.Errorf("%+v %v", ev, err)
	}
	if ev, _ := q.take(context.Background()); ev.(*Candle).Seq != 3 {
		t.Errorf("%+v", ev)
	}
}
