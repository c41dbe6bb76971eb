package client

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
)

// asked reads the client's next command.
func (p *peer) asked() command {
	p.t.Helper()
	_, data, err := p.conn.Read(p.t.Context())
	if err != nil {
		p.t.Fatalf("read a command: %v", err)
	}
	var cmd command
	if err := json.Unmarshal(data, &cmd); err != nil {
		p.t.Fatalf("command %s: %v", data, err)
	}
	return cmd
}

// ack acknowledges a command with what the server says of positions.
func (p *peer) ack(cmd command, epoch string, recovered bool, seqs map[string]uint64) {
	p.t.Helper()
	p.send("%s", encodeAny(map[string]any{
		"type": "subscribed", "id": cmd.ID, "channel": cmd.Channel, "interval": cmd.Interval, "commitment": cmd.Commitment,
		"assets": cmd.Assets, "wallets": cmd.Wallets, "epoch": epoch, "recovered": recovered, "seqs": seqs,
	}))
}

func encodeAny(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// following makes a client that is subscribed to one feed of one asset.
func following(t *testing.T, srv *server, channel, asset string, seq uint64) (*Client, *peer) {
	t.Helper()
	c := srv.start(Options{})
	p := srv.accept()
	done := subscribe(t, c, channel, asset)
	cmd := p.asked()
	if cmd.Since != nil {
		t.Errorf("the first request resumes: %+v", cmd.Since)
	}
	p.ack(cmd, "run1", false, map[string]uint64{asset: seq})
	mustDone(t, done)
	return c, p
}

// resumes cuts a connection and takes the renewal on the next one.
func (p *peer) resumes(srv *server, epoch string, seq uint64, asset string) (*peer, command) {
	p.t.Helper()
	p.hangUp()
	p = srv.accept()
	cmd := p.asked()
	if cmd.Since == nil || cmd.Since.Epoch != epoch || len(cmd.Since.Seqs) != 1 || cmd.Since.Seqs[asset] != seq {
		p.t.Errorf("resumes with %+v, want %s at %s %d", cmd.Since, asset, epoch, seq)
	}
	return p, cmd
}

func (p *peer) retract(asset string, seq, slot uint64) {
	p.t.Helper()
	p.send(`{"type":"retract","channel":"trades","assetId":%q,"slot":%d,"signatures":["s"],"seq":%d,"ts":1}`, asset, slot, seq)
}

func TestResumedTradesComeOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := following(t, srv, ChannelTrades, sol, 4)
		p.trade(sol, 5)
		p.retract(sol, 6, 77)
		wantTrade(t, c, 5)
		if r := next[*Retract](t, c); r.Seq != 6 || r.Slot != 77 || r.Signatures[0] != "s" || r.Commitment != CommitmentProcessed {
			t.Errorf("%+v", r)
		}
		p, cmd := p.resumes(srv, "run1", 6, sol)
		p.ack(cmd, "run1", true, map[string]uint64{sol: 6})
		p.trade(sol, 5) // which a server should not
		p.retract(sol, 6, 77)
		p.trade(sol, 7)
		p.trade(sol, 7)
		p.retract(sol, 8, 78)
		var ack *Subscribed
		for ack == nil || !ack.Renewal { // the first one is still in the queue
			ack = next[*Subscribed](t, c)
		}
		if !ack.Recovered || ack.Seqs[sol] != 6 {
			t.Errorf("%+v", ack)
		}
		wantTrade(t, c, 7)
		if r := next[*Retract](t, c); r.Seq != 8 {
			t.Errorf("%+v", r)
		}
		if s := c.Stats(); s.Duplicates != 3 || s.Gaps != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Nothing has been seen of an asset, and still the client knows from where on it
// would have.
func TestResumeBeforeTheFirstTrade(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := following(t, srv, ChannelTrades, sol, 0)
		p, cmd := p.resumes(srv, "run1", 0, sol)
		p.ack(cmd, "run1", true, map[string]uint64{sol: 0})
		p.trade(sol, 2)
		wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, FromSeq: 1, ToSeq: 1, Reason: GapOutage})
		wantTrade(t, c, 2)
	})
}

func TestForgottenHistoryIsToldOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := following(t, srv, ChannelTrades, sol, 4)
		p, cmd := p.resumes(srv, "run1", 4, sol)
		p.ack(cmd, "run1", false, map[string]uint64{sol: 9})
		gap := `{"type":"gap","channel":"trades","assetId":%q,"fromSeq":%d,"toSeq":%d,"reason":"no_history"}`
		p.send(gap, sol, 5, 9)
		p.send(gap, sol, 5, 9)
		p.trade(sol, 10)
		wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, FromSeq: 5, ToSeq: 9, Reason: GapHistory})
		wantTrade(t, c, 10)
		p.trade(sol, 13)
		p.send(gap, sol, 11, 15) // of which the client has told a part by itself
		p.trade(sol, 16)
		wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, FromSeq: 11, ToSeq: 12, Reason: GapJump})
		wantTrade(t, c, 13)
		wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, FromSeq: 14, ToSeq: 15, Reason: GapHistory})
		wantTrade(t, c, 16)
	})
}

// A server may not know the numbers that it gave. What it counts then is taken.
func TestServerThatCountsLower(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := following(t, srv, ChannelTrades, sol, 900)
		p, cmd := p.resumes(srv, "run1", 900, sol)
		p.ack(cmd, "run1", false, map[string]uint64{sol: 3})
		p.send(`{"type":"gap","channel":"trades","assetId":%q,"fromSeq":0,"toSeq":3,"reason":"no_history"}`, sol)
		p.trade(sol, 4)
		wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, ToSeq: 3, Reason: GapHistory})
		wantTrade(t, c, 4)
	})
}

func TestUpstreamGapIsToldOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := following(t, srv, ChannelTrades, sol, 4)
		gap := `{"type":"gap","channel":"trades","assetId":%q,"fromSeq":0,"toSeq":0,"reason":"upstream","fromSlot":%d,"toSlot":%d,"detail":"x"}`
		p.send(gap, sol, 7, 9)
		wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, Reason: GapUpstream, FromSlot: 7, ToSlot: 9, Detail: "x"})
		p, cmd := p.resumes(srv, "run1", 4, sol)
		p.ack(cmd, "run1", false, map[string]uint64{sol: 4})
		p.send(gap, sol, 7, 9)
		p.send(gap, sol, 20, 21)
		p.trade(sol, 5)
		wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, Reason: GapUpstream, FromSlot: 20, ToSlot: 21, Detail: "x"})
		wantTrade(t, c, 5)
	})
}

// The trades of a new run are asked for from its beginning.
func TestNewRunIsToldOnceAndReplayed(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := following(t, srv, Confirmed(ChannelTrades), sol, 4)
		p, cmd := p.resumes(srv, "run1", 4, sol)
		if cmd.Commitment != CommitmentConfirmed {
			t.Errorf("%+v", cmd)
		}
		p.ack(cmd, "run2", false, map[string]uint64{sol: 2})
		p.send(`{"type":"gap","channel":"trades","commitment":"confirmed","assetId":%q,"fromSeq":1,"toSeq":2,"reason":"new_epoch"}`, sol)
		g := next[*Gap](t, c)
		if want := (Gap{Channel: ChannelTrades, Commitment: CommitmentConfirmed, AssetID: sol, FromSeq: 5, Reason: GapRestart}); *g != want {
			t.Errorf("%+v, want %+v", g, want)
		}
		p, cmd = p.resumes(srv, "run2", 2, sol)
		p.ack(cmd, "run3", false, map[string]uint64{sol: 0})
		if g := next[*Gap](t, c); g.FromSeq != 3 || g.Reason != GapRestart {
			t.Errorf("%+v", g)
		}
		p, cmd = p.resumes(srv, "run3", 0, sol)
		p.ack(cmd, "run3", true, map[string]uint64{sol: 0})
		p.send(`{"type":"trade","commitment":"confirmed","assetId":%q,"seq":1}`, sol)
		if tr := next[*Trade](t, c); tr.Seq != 1 || tr.Commitment != CommitmentConfirmed {
			t.Errorf("%+v", tr)
		}
		if s := c.Stats(); s.Gaps != 2 || s.Duplicates != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Both commitments of an asset are followed side by side.
func TestCommitmentsAreCountedApart(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := following(t, srv, ChannelTrades, sol, 4)
		done := subscribe(t, c, Confirmed(ChannelTrades), sol)
		cmd := p.asked()
		p.ack(cmd, "run1", false, map[string]uint64{sol: 1})
		mustDone(t, done)
		if a, b := c.Subscriptions(ChannelTrades), c.Subscriptions(Confirmed(ChannelTrades)); len(a) != 1 || len(b) != 1 {
			t.Errorf("%v %v", a, b)
		}
		confirmed := `{"type":"trade","commitment":"confirmed","assetId":%q,"seq":%d}`
		p.trade(sol, 5)
		p.send(confirmed, sol, 2)
		p.trade(sol, 6)
		p.send(confirmed, sol, 3)
		for _, seq := range []uint64{5, 2, 6, 3} {
			wantTrade(t, c, seq)
		}
		go func() { done <- c.Unsubscribe(t.Context(), ChannelTrades, sol) }()
		cmd = p.asked()
		if cmd.Action != "unsubscribe" || cmd.Commitment != "" {
			t.Errorf("%+v", cmd)
		}
		p.send(`{"type":"unsubscribed","id":%q}`, cmd.ID)
		mustDone(t, done)
		p, cmd = p.resumes(srv, "run1", 3, sol)
		if cmd.Commitment != CommitmentConfirmed {
			t.Errorf("%+v", cmd)
		}
		p.ack(cmd, "run1", true, nil)
	})
}

// A wallet's balances begin anew with each connection: only what the server cannot
// tell is missing.
func TestBalances(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		const wallet = bonk
		c, p := following(t, srv, ChannelBalances, wallet, 3)
		balance := `{"type":"balance","wallet":%q,"assetId":%q,"amount":"%d","decimals":6,"native":true,"slot":8,"signature":"s","seq":%d,"ts":2,"snapshot":%t}`
		p.send(balance, wallet, sol, 10, 3, true)
		p.send(balance, wallet, sol, 11, 4, false)
		b := next[*Balance](t, c)
		if want := (Balance{Wallet: wallet, AssetID: sol, Amount: "10", Decimals: 6, Native: true, Slot: 8, Signature: "s", Commitment: CommitmentProcessed, Seq: 3, TS: 2, Snapshot: true}); *b != want {
			t.Errorf("%+v, want %+v", b, want)
		}
		next[*Balance](t, c)
		p.send(balance, wallet, sol, 13, 6, false)
		wantGap(t, c, Gap{Channel: ChannelBalances, Wallet: wallet, FromSeq: 5, ToSeq: 5, Reason: GapJump})
		next[*Balance](t, c)

		p, cmd := p.resumes(srv, "run1", 6, wallet)
		p.ack(cmd, "run1", true, map[string]uint64{wallet: 20})
		p.send(balance, wallet, sol, 14, 20, true)
		p.send(balance, wallet, sol, 15, 21, false)
		for _, amount := range []string{"14", "15"} {
			if b := next[*Balance](t, c); b.Amount != amount {
				t.Errorf("%+v", b)
			}
		}

		p, cmd = p.resumes(srv, "run1", 21, wallet)
		p.ack(cmd, "run2", false, map[string]uint64{wallet: 1})
		p.send(balance, wallet, sol, 16, 1, true)
		if b := next[*Balance](t, c); b.Amount != "16" {
			t.Errorf("%+v", b)
		}
		if s := c.Stats(); s.Gaps != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestRefusedWallet(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{})
		p := srv.accept()
		done := subscribe(t, c, ChannelBalances, "x", bonk)
		cmd := p.asked()
		p.send(`{"type":"subscribed","id":%q,"channel":"balances","assets":[],"wallets":[%q],"epoch":"e","errors":[{"wallet":"x","code":"invalid_wallet"}]}`, cmd.ID, bonk)
		if err := <-done; err == nil || err.Error() != "subscribe balances: x: invalid_wallet" {
			t.Error(err)
		}
		if got := c.Subscriptions(ChannelBalances); len(got) != 1 || got[0] != bonk {
			t.Errorf("%v", got)
		}
		done = subscribe(t, c, ChannelBalances, "y")
		p.send(`{"type":"error","id":%q,"code":"invalid_wallet","message":"no","wallet":"y"}`, p.asked().ID)
		if err := <-done; err == nil || err.Error() != "subscribe balances: y: invalid_wallet" {
			t.Error(err)
		}
	})
}

// A candle that is over may come again, and one whose number the client has seen.
func TestFinalCandleAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := following(t, srv, CandleChannel("1s"), sol, 3)
		candle := `{"type":"candle","assetId":%q,"interval":"1s","t":%d,"c":%d,"final":true,"seq":%d}`
		p.send(candle, sol, 60, 1, 4)
		p.send(candle, sol, 61, 1, 9) // states between are skipped at will
		p.send(candle, sol, 60, 2, 10)
		for _, want := range []float64{1, 1, 2} {
			if k := next[*Candle](t, c); !k.Final || k.Close != want {
				t.Errorf("%+v", k)
			}
		}
		p, cmd := p.resumes(srv, "run1", 10, sol)
		p.ack(cmd, "run1", false, map[string]uint64{sol: 14})
		p.send(`{"type":"gap","channel":"candles","interval":"1s","assetId":%q,"fromSeq":11,"toSeq":14,"reason":"no_history"}`, sol)
		wantGap(t, c, Gap{Channel: ChannelCandles, Interval: "1s", AssetID: sol, FromSeq: 11, ToSeq: 14, Reason: GapHistory})
		p.send(candle, sol, 62, 5, 14)
		if k := next[*Candle](t, c); k.Start != 62 {
			t.Errorf("%+v", k)
		}
	})
}

func TestStatus(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{})
		p := srv.accept()
		done := subscribe(t, c, ChannelStatus)
		p.ack(p.asked(), "e", false, nil)
		mustDone(t, done)
		p.send(`{"type":"status","feed":"disconnected","slot":0,"lagMs":null,"degraded":true,"message":"m","ts":5,"snapshot":true}`)
		p.send(`{"type":"status","feed":"healthy","slot":9,"lagMs":84,"degraded":false,"message":"","ts":6}`)
		if s := next[*Status](t, c); *s != (Status{Feed: "disconnected", Degraded: true, Message: "m", TS: 5, Snapshot: true}) {
			t.Errorf("%+v", s)
		}
		if s := next[*Status](t, c); s.Feed != "healthy" || s.Slot != 9 || s.LagMS == nil || *s.LagMS != 84 {
			t.Errorf("%+v", s)
		}
	})
}

// A connection that breaks while subscriptions are being renewed holds up nobody.
func TestCutWithinRenewals(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := following(t, srv, ChannelTrades, sol, 4)
		done := subscribe(t, c, ChannelPrices, sol)
		p.ack(p.asked(), "run1", false, nil)
		mustDone(t, done)
		for range 20 {
			p.hangUp()
			p = srv.accept()
			p.ack(p.asked(), "run1", false, nil) // the second one is on its way
		}
		p.hangUp()
		p = srv.accept()
		p.ack(p.asked(), "run1", false, nil)
		cmd := p.asked()
		if cmd.Since == nil || cmd.Since.Seqs[sol] != 4 {
			t.Errorf("%+v", cmd)
		}
		p.ack(cmd, "run1", true, nil)
		p.trade(sol, 5)
		wantTrade(t, c, 5)
	})
}

// All that is dropped is told, though nothing of the asset comes any more.
func TestOverflowOfWhatEnds(t *testing.T) {
	q := newQueue(2)
	feed := newFeed(ChannelTrades, "", "")
	q.put(&Trade{AssetID: "x", Seq: 4})
	restart := spanning(assetKey{feed, "x"}, 5, 0, GapRestart)
	q.put(&restart)
	q.put(&Trade{AssetID: "x", Seq: 1})
	q.put(&Gap{Channel: ChannelTrades, AssetID: "y", Reason: GapUpstream, FromSlot: 7, ToSlot: 9})
	q.put(&Gap{Channel: ChannelTrades, AssetID: "y", Reason: GapUpstream, FromSlot: 12, ToSlot: 12})
	q.put(&Retract{AssetID: "y", Seq: 8})
	for range 2 {
		q.put(&Status{})
	}
	got := map[string]string{}
	for range 4 {
		ev, err := q.take(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if g, ok := ev.(*Gap); ok {
			got[g.AssetID] = fmt.Sprintf("%s %d-%d slots %d-%d", g.Reason, g.FromSeq, g.ToSeq, g.FromSlot, g.ToSlot)
		}
	}
	if got["x"] != "client_overflow 4-0 slots 0-0" || got["y"] != "client_overflow 8-8 slots 7-12" {
		t.Errorf("%v", got)
	}
	q.close()
	if ev, err := q.take(context.Background()); err == nil {
		t.Errorf("%+v", ev)
	}
}

// What is unsubscribed while there is no connection begins anew.
func TestUnsubscribedWhileAway(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := following(t, srv, ChannelTrades, sol, 4)
		p.hangUp()
		synctest.Wait()
		if err := c.Unsubscribe(t.Context(), ChannelTrades, sol); err != nil {
			t.Fatal(err)
		}
		done := subscribe(t, c, ChannelTrades, sol)
		p = srv.accept()
		cmd := p.asked()
		if cmd.Since != nil {
			t.Errorf("%+v", cmd.Since)
		}
		p.ack(cmd, "run1", false, map[string]uint64{sol: 50})
		mustDone(t, done)
		p.trade(sol, 51)
		wantTrade(t, c, 51)
	})
}
