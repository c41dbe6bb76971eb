package stream

import (
	"context"
	"errors"
	"testing"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// relayed gives a server a trade or a price as another one numbered and encoded it.
func (r *rig) relayTrade(n int, seq uint64) {
	tr := swapcast.Trade{Mint: mint(n), Amount: seq, Slot: 7}
	r.Relay(&Update{Mint: mint(n), Trade: true, Seq: seq, Message: wire.AppendTrade(nil, &tr, wire.Meta{Seq: seq, TS: 1})})
}

func (r *rig) relayPrice(n int, seq uint64) {
	p := swapcast.Price{Mint: mint(n), USD: float64(seq), Known: true}
	r.Relay(&Update{Mint: mint(n), Seq: seq, Message: wire.AppendPrice(nil, &p, wire.Meta{Seq: seq, TS: 1})})
}

// TestRelayedResume: a client that loses one server goes on at another one of the
// same epoch, with the numbers that it has.
func TestRelayedResume(t *testing.T) {
	here, there := newRig(t, Options{Epoch: "e1"}), newRig(t, Options{Epoch: "e1"})
	for seq := uint64(1001); seq <= 1005; seq++ {
		here.relayTrade(1, seq)
		there.relayTrade(1, seq)
	}
	here.relayTrade(1, 1004) // it was told already
	c := here.dial("")
	c.send(`{"action":"subscribe","channel":"trades","assets":"%s","id":"1"}`, mint(1))
	c.expectBrief("subscribed recovered=false seqs=map[" + mint(1).String() + ":1005]")
	here.relayTrade(1, 1006)
	c.expectBrief("trade #1006 1006")

	for seq := uint64(1006); seq <= 1008; seq++ {
		there.relayTrade(1, seq)
	}
	d := there.dial("")
	d.send(`{"action":"subscribe","channel":"trades","assets":"%s","since":{"epoch":"e1","seqs":{"%s":1006}},"id":"1"}`, mint(1), mint(1))
	d.expectBrief("subscribed recovered=true seqs=map["+mint(1).String()+":1006]", "trade #1007 1007", "trade #1008 1008")

	// Trades that nobody has any more: those before them cannot be given either.
	there.relayTrade(1, 1020)
	d.expectBrief("trade #1020 1020")
	e := there.dial("")
	e.send(`{"action":"subscribe","channel":"trades","assets":"%s","since":{"epoch":"e1","seqs":{"%s":1007}},"id":"1"}`, mint(1), mint(1))
	e.expectBrief("subscribed recovered=false seqs=map["+mint(1).String()+":1019]", "gap trades 1008-1019 no_history", "trade #1020 1020")

	// Of a mint whose trades Redis has forgotten only the number is known.
	there.Relay(&Update{Mint: mint(2), Trade: true, Seq: 50})
	f := there.dial("")
	f.send(`{"action":"subscribe","channel":"trades","assets":"%s","since":{"epoch":"e1","seqs":{"%s":50}},"id":"1"}`, mint(2), mint(2))
	f.expectBrief("subscribed recovered=true seqs=map[" + mint(2).String() + ":50]")
	there.relayTrade(2, 51)
	f.expectBrief("trade #51 51")
}

func TestRelayedPrices(t *testing.T) {
	r := newRig(t, Options{Epoch: "e1"})
	r.relayPrice(1, 70)
	c := r.dial("")
	c.send(`{"action":"subscribe","assets":"%s"}`, mint(1))
	c.expectBrief("price #70 snapshot=true")
	r.relayPrice(1, 69) // late
	r.relayPrice(1, 71)
	c.expectBrief("price #71 snapshot=false")
	d := r.dial("")
	d.send(`{"action":"subscribe","assets":"%s"}`, mint(1))
	d.expectBrief("price #71 snapshot=true")
}

// TestRelayedCandles: numbers of candles are each server's own, so that who comes
// from another one is told of a gap, be there one or not.
func TestRelayedCandles(t *testing.T) {
	r := newRig(t, Options{Epoch: "e1"})
	c := r.dial("")
	c.send(`{"action":"subscribe","channel":"candles","interval":"1m","assets":"%s","since":{"epoch":"e1","seqs":{"%s":900}},"id":"1"}`, mint(1), mint(1))
	if m := c.next(); m.Recovered {
		t.Errorf("recovered: %s", m.raw)
	}
	if m := c.next(); m.Type != "gap" || m.Reason != wire.GapNoHistory {
		t.Errorf("want a gap: %s", m.raw)
	}
}

// TestFollow: a subscription begins once what it is to is there, and a client whose
// wish cannot be had is sent away to come again.
func TestFollow(t *testing.T) {
	var r *rig
	fail := make(chan error, 1)
	r = newRig(t, Options{Epoch: "e1", Follow: func(_ context.Context, subjects []Subject) error {
		select {
		case err := <-fail:
			return err
		default:
		}
		for _, s := range subjects {
			if s.Key == mint(1) && s.Channel == wire.ChannelPrices {
				r.relayPrice(1, 5)
			}
		}
		return nil
	}})
	c := r.dial("")
	c.send(`{"action":"subscribe","assets":"%s"}`, mint(1))
	c.expectBrief("price #5 snapshot=true")
	x := Subject{Channel: wire.ChannelPrices, Key: mint(1)}
	if !r.Listened(x) {
		t.Error("nobody listens")
	}
	fail <- errors.New("Redis is away")
	c.send(`{"action":"subscribe","assets":"%s"}`, mint(2))
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	if _, _, err := c.Conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusTryAgainLater {
		t.Errorf("closed with %v, want 1013", err)
	}
	r.await("nobody to listen", func() bool { return !r.Listened(x) && !r.Listened(Subject{Channel: wire.ChannelPrices, Key: mint(2)}) })
}
