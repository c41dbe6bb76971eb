package main

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/ledger"
)

// candleMessage is what a test reads of a candle.
type candleMessage struct {
	Type, ID string
	T        int64
	C        *float64
	Trades   int
	Final    bool
}

// candleClient subscribes to a token's one-second candles and returns what
// reads the next one.
func candleClient(t *testing.T, r *pipelineRig) func() candleMessage {
	t.Helper()
	runForTest(t, r.stream.Run)
	site := httptest.NewServer(r.stream)
	t.Cleanup(site.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	url := "ws" + strings.TrimPrefix(site.URL, "http")
	ws, _, err := websocket.Dial(ctx, url, nil)
	for err != nil && ctx.Err() == nil { // 503 until the stream runs
		ws, _, err = websocket.Dial(ctx, url, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	request := `{"action":"subscribe","channel":"candles","assets":["` + swapcast.NativeMintAddress + `"],"interval":"1s","id":"1"}`
	if err := ws.Write(ctx, websocket.MessageText, []byte(request)); err != nil {
		t.Fatal(err)
	}
	read := func() (m candleMessage) {
		t.Helper()
		_, raw, err := ws.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		return m
	}
	if m := read(); m.Type != "subscribed" {
		t.Fatalf("%+v", m)
	}
	return read
}

// block tells of a block's time, as the newest one's.
func (r *pipelineRig) block(src ledger.Source, slot uint64, at int64) {
	r.p.handle(&geyser.Event{
		Kind: geyser.KindBlock, Endpoint: src.Endpoint, Stream: src.Stream, Feed: swapcast.FeedSimulated, ReceivedAt: r.now,
		Block: swapcast.BlockMeta{Slot: slot, ParentSlot: slot - 1, BlockTime: at},
	})
}

// proof delivers a transaction without its swaps: it shows that the filter works.
func (r *pipelineRig) proof(src ledger.Source, tx *ledger.Tx) {
	tx.Swaps = nil
	r.tx(src, tx)
}

// TestCandleOfTheWrongSecond has a transaction come before its block's meta, so
// that it is taken for one of the second before: both candles are put right.
func TestCandleOfTheWrongSecond(t *testing.T) {
	r := newPipelineRig(t)
	read := candleClient(t, r)
	src := rigSource("a", 1)
	second := r.now / 1e9
	r.p.ledger.Began(src, 10, r.now)
	r.block(src, 10, second-1)
	r.tx(src, swapTx(10, 1, 1, 150e6, second-1))
	r.block(src, 11, second)                   // without a trade
	r.tx(src, swapTx(12, 2, 1, 160e6, second)) // the newest block's time, and not its own
	r.block(src, 12, second+1)
	r.tx(src, swapTx(13, 3, 1, 170e6, second+1))
	r.block(src, 13, second+2)
	for slot := uint64(10); slot <= 13; slot++ {
		r.status(src, slot, swapcast.SlotConfirmed)
	}
	r.block(src, 14, second+3)
	r.status(src, 14, swapcast.SlotConfirmed)
	r.pass(time.Minute)
	last := map[int64]candleMessage{}
	settled := func(at int64, price float64, trades int) bool {
		m := last[at]
		return m.Final && m.C != nil && *m.C == price && m.Trades == trades
	}
	for !settled(second, 150, 0) || !settled(second+1, 160, 1) {
		if m := read(); m.Type == "candle" {
			t.Logf("candle of second %d: %d trades, final %t", m.T-second, m.Trades, m.Final)
			last[m.T] = m
		}
	}
}

// TestCandleThatWasConfirmedBeforeAnybodyListened has a client begin with a candle
// whose trades are confirmed already, and one of which the processed market has in
// another second.
func TestCandleThatWasConfirmedBeforeAnybodyListened(t *testing.T) {
	r := newPipelineRig(t)
	src := rigSource("a", 1)
	second := r.now / 1e9
	r.p.ledger.Began(src, 10, r.now)
	r.block(src, 10, second-1)
	r.tx(src, swapTx(11, 1, 1, 150e6, second-1)) // the newest block's time, and not its own
	r.tx(src, swapTx(11, 6, 2, 155e6, second-1))
	r.block(src, 11, second)
	r.tx(src, swapTx(12, 2, 1, 160e6, second))
	r.block(src, 12, second)
	r.proof(src, swapTx(13, 3, 1, 0, second)) // of the slots before
	for slot := uint64(10); slot <= 12; slot++ {
		r.status(src, slot, swapcast.SlotConfirmed)
	}
	r.pass(time.Second)
	if c, ok := r.confirmed.market.Candle(swapcast.NativeMint(), swapcast.Interval1s); !ok || c.Trades != 3 || c.Final {
		t.Fatalf("confirmed before: %+v", c)
	}
	read := candleClient(t, r)
	if m := read(); m.Type != "candle" || m.Trades != 1 || m.T != second { // of slot 12
		t.Fatalf("snapshot %+v", m)
	}
	r.block(src, 13, second+1)
	r.status(src, 13, swapcast.SlotConfirmed)
	r.tx(src, swapTx(14, 4, 1, 170e6, second+1))
	r.block(src, 14, second+2)
	r.status(src, 14, swapcast.SlotConfirmed)
	r.tx(src, swapTx(15, 5, 1, 170e6, second+2))
	r.block(src, 15, second+3)
	r.status(src, 15, swapcast.SlotConfirmed)
	r.pass(time.Minute)
	for {
		m := read()
		t.Logf("%s of second %d: %d trades, final %t", m.Type, m.T-second, m.Trades, m.Final)
		if m.Type == "candle" && m.T == second && m.Final && m.Trades == 3 {
			return
		}
	}
}

// TestSnapshotOfAQuietToken has a client come long after the last trade, which the
// processed market has in the second before its own.
func TestSnapshotOfAQuietToken(t *testing.T) {
	r := newPipelineRig(t)
	src := rigSource("a", 1)
	second := r.now / 1e9
	r.p.ledger.Began(src, 10, r.now)
	r.block(src, 10, second)
	r.status(src, 10, swapcast.SlotConfirmed)
	r.tx(src, swapTx(11, 1, 1, 150e6, second)) // of the next second
	wantSnapshotAfterQuiet(t, r, src, 11, second, second+1)
}

// wantSnapshotAfterQuiet confirms slots without a trade, one a second, the first of
// them at a block time, and wants a new client told of the one candle of second+1.
func wantSnapshotAfterQuiet(t *testing.T, r *pipelineRig, src ledger.Source, first uint64, second, at int64) {
	t.Helper()
	for slot := first; slot < 11+3*maxFlatBack; slot++ {
		r.block(src, slot, at+int64(slot-first))
		r.proof(src, swapTx(slot, byte(slot), 2, 0, second))
		r.status(src, slot, swapcast.SlotConfirmed)
	}
	read := candleClient(t, r)
	if m := read(); m.Type != "candle" || m.T != second+1 || m.Trades != 1 || !m.Final {
		t.Fatalf("snapshot of second %d: %+v", m.T-second, m)
	}
}

// TestSnapshotOfAReplayedTrade is the same where the trade came late: the processed
// market has it in a second after its own.
func TestSnapshotOfAReplayedTrade(t *testing.T) {
	r := newPipelineRig(t)
	src := rigSource("a", 1)
	second := r.now / 1e9
	r.p.ledger.Began(src, 10, r.now)
	r.block(src, 10, second)
	r.status(src, 10, swapcast.SlotConfirmed)
	r.block(src, 11, second+1)
	r.block(src, 12, second+9)
	r.tx(src, swapTx(11, 1, 1, 150e6, second+9)) // the newest block's time, and not its own
	r.status(src, 11, swapcast.SlotConfirmed)
	wantSnapshotAfterQuiet(t, r, src, 12, second, second+9)
}

// TestCandlesOfManySlotsAtOnce has the slots of minutes confirmed at one moment, as
// they are behind one that waits: the candles at their beginning are put right too.
func TestCandlesOfManySlotsAtOnce(t *testing.T) {
	r := newPipelineRig(t, "--rpc-url", "http://127.0.0.1:1")
	read := candleClient(t, r)
	src, other := rigSource("a", 1), rigSource("b", 2)
	second := r.now / 1e9
	r.p.ledger.Began(src, 10, r.now)
	r.p.ledger.Began(other, 10, r.now)
	r.block(src, 10, second)
	r.tx(src, swapTx(11, 1, 1, 150e6, second))   // of the next second
	r.tx(other, swapTx(11, 1, 1, 151e6, second)) // which of the two RPC does not say
	const last = 11 + 3*maxFlatBack
	for slot := uint64(11); slot <= last; slot++ {
		r.block(src, slot, second+int64(slot)-10)
	}
	for slot := uint64(10); slot <= last; slot++ {
		r.status(src, slot, swapcast.SlotConfirmed)
		r.proof(src, swapTx(slot, byte(slot), 2, 0, second))
	}
	if r.confirmed.clock > second+1 {
		t.Fatalf("confirmed to second %d already", r.confirmed.clock-second)
	}
	r.pass(time.Minute)
	if r.confirmed.clock < second+3*maxFlatBack {
		t.Fatalf("confirmed to second %d only", r.confirmed.clock-second)
	}
	for {
		m := read()
		t.Logf("%s of second %d: %d trades, final %t", m.Type, m.T-second, m.Trades, m.Final)
		if m.Type == "candle" && m.T == second && m.Final && m.Trades == 0 {
			return
		}
	}
}

// TestReconcilerLooksOncePerSecond has many candles wait while transactions
// come: each of those must not look at all of them.
func TestReconcilerLooksOncePerSecond(t *testing.T) {
	r := newPipelineRig(t)
	r.confirmed.clock, r.processed.clock = 1_000, 1_000
	c := &r.p.corrects
	c.add(swapcast.USDC(), swapcast.Interval1s, 999, false)
	c.run(r.confirmed, r.processed)
	if len(c.open) != 0 {
		t.Fatal("a candle that is over still waits")
	}
	c.add(swapcast.USDC(), swapcast.Interval1s, 998, false)
	c.run(r.confirmed, r.processed)
	if len(c.open) != 1 {
		t.Fatal("candles were looked at again within one second")
	}
	r.confirmed.clock++
	r.processed.clock++
	c.run(r.confirmed, r.processed)
	if len(c.open) != 0 {
		t.Fatal("a candle that is over still waits after a second")
	}
}

// TestReconcilerComparesAgain: a candle is compared once, unless it has changed
// since: by a retraction, or by a transaction of a second that has passed.
func TestReconcilerComparesAgain(t *testing.T) {
	r := newPipelineRig(t)
	_ = candleClient(t, r) // somebody listens
	c := &r.p.corrects
	mint := swapcast.NativeMint()
	candle := swapcast.Candle{Mint: mint, Interval: swapcast.Interval1s, Start: 999}
	late := &ledger.Tx{Swaps: []swapcast.Swap{{MintIn: mint, MintOut: swapcast.USDC(), BlockTime: 999}}}
	for now, step := range []struct {
		what string
		do   func()
		open int
	}{
		{"new", func() { c.add(mint, swapcast.Interval1s, 999, false) }, 1},
		{"noted again", func() { c.note(late, 999, false, r.stream) }, 0},
		{"taken back", func() { c.corrected([]swapcast.Candle{candle}, r.stream) }, 1},
		{"late", func() { c.applied(late, r.stream) }, 1},
		{"of another mint", func() { c.corrected([]swapcast.Candle{{Mint: swapcast.USDC(), Start: 999}}, r.stream) }, 0},
	} {
		step.do()
		if len(c.open) != step.open {
			t.Errorf("%s: %d candles wait, want %d", step.what, len(c.open), step.open)
		}
		r.confirmed.clock, r.processed.clock = 1_001+int64(now), 1_001+int64(now)
		c.run(r.confirmed, r.processed)
		if len(c.open) != 0 {
			t.Fatalf("%s: %d still wait", step.what, len(c.open))
		}
	}
}
