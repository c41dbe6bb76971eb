package client

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swapcast/swapcast/stream/wire"
)

// subscribed makes a client that is subscribed to trades and prices of sol.
func subscribed(t *testing.T, srv *server, opts Options) (*Client, *peer) {
	t.Helper()
	c := srv.start(opts)
	p := srv.accept()
	for _, ch := range []string{ChannelPrices, ChannelTrades} {
		done := subscribe(t, c, ch, sol)
		p.grant(p.want("subscribe", ch, sol), ch, "run1", sol)
		mustDone(t, done)
	}
	return c, p
}

// renewed answers the renewals of subscribed after a reconnect.
func renewed(p *peer, epoch string) {
	p.grant(p.want("subscribe", ChannelPrices, sol), ChannelPrices, epoch, sol)
	p.grant(p.want("subscribe", ChannelTrades, sol), ChannelTrades, epoch, sol)
}

func wantGap(t *testing.T, c *Client, want Gap) {
	t.Helper()
	want.Commitment = CommitmentProcessed
	if got := next[*Gap](t, c); *got != want {
		t.Errorf("gap %+v, want %+v", *got, want)
	}
}

func wantTrade(t *testing.T, c *Client, seq uint64) {
	t.Helper()
	if got := next[*Trade](t, c); got.Seq != seq {
		t.Errorf("trade %d, want %d", got.Seq, seq)
	}
}

func TestJumpIsAGap(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := subscribed(t, srv, Options{})
		p.trade(sol, 10) // the first number is as good as any
		p.trade(sol, 11)
		p.price(sol, 500) // another sequence
		p.trade(sol, 15)
		p.trade(bonk, 3)
		p.trade(sol, 16)
		wantTrade(t, c, 10)
		wantTrade(t, c, 11)
		next[*Price](t, c)
		wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, FromSeq: 12, ToSeq: 14, Reason: GapJump})
		wantTrade(t, c, 15)
		wantTrade(t, c, 3)
		wantTrade(t, c, 16)
		if s := c.Stats(); s.Gaps != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestServersGapIsNotToldTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := subscribed(t, srv, Options{})
		p.trade(sol, 1)
		p.send(`{"type":"gap","channel":"trades","assetId":%q,"fromSeq":2,"toSeq":9,"reason":"slow_consumer"}`, sol)
		p.trade(sol, 10)
		wantTrade(t, c, 1)
		wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, FromSeq: 2, ToSeq: 9, Reason: "slow_consumer"})
		wantTrade(t, c, 10)
	})
}

func TestWindowMakesNoGaps(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := subscribed(t, srv, Options{Window: time.Second})
		p.price(sol, 1)
		p.price(sol, 90)
		p.trade(sol, 1)
		p.trade(sol, 3)
		next[*Price](t, c)
		next[*Price](t, c)
		wantTrade(t, c, 1)
		wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, FromSeq: 2, ToSeq: 2, Reason: GapJump}) // trades are not windowed
		wantTrade(t, c, 3)
	})
}

func TestOutageOnTheSameRun(t *testing.T) {
	for _, early := range []bool{true, false} { // snapshot before or after the acknowledgement
		t.Run(fmt.Sprintf("snapshot first %v", early), func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *server) {
				c, p := subscribed(t, srv, Options{})
				p.price(sol, 7)
				p.trade(sol, 3)
				next[*Price](t, c)
				wantTrade(t, c, 3)
				p.hangUp()
				p = srv.accept()
				if early {
					p.price(sol, 12)
					next[*Price](t, c)
				}
				renewed(p, "run1")
				if !early {
					p.price(sol, 12)
				}
				wantGap(t, c, Gap{Channel: ChannelPrices, AssetID: sol, FromSeq: 8, ToSeq: 11, Reason: GapOutage})
				if !early {
					next[*Price](t, c)
				}
				p.trade(sol, 4) // none was missed
				p.trade(sol, 6)
				wantTrade(t, c, 4)
				wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, FromSeq: 5, ToSeq: 5, Reason: GapJump})
				wantTrade(t, c, 6)
			})
		})
	}
}

func TestRestartedServer(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := subscribed(t, srv, Options{})
		p.price(sol, 7)
		p.trade(sol, 3)
		next[*Price](t, c)
		wantTrade(t, c, 3)
		p.hangUp()
		p = srv.accept()
		p.price(sol, 900) // of a new run: higher by chance
		renewed(p, "run2")
		p.trade(sol, 1)
		next[*Price](t, c)
		wantGap(t, c, Gap{Channel: ChannelPrices, AssetID: sol, FromSeq: 8, ToSeq: 0, Reason: GapRestart})
		wantGap(t, c, Gap{Channel: ChannelTrades, AssetID: sol, FromSeq: 4, ToSeq: 0, Reason: GapRestart})
		wantTrade(t, c, 1)
		p.price(sol, 901)
		next[*Price](t, c)
	})
}

func TestUnsubscribedAssetStartsAfresh(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, p := subscribed(t, srv, Options{})
		p.trade(sol, 3)
		wantTrade(t, c, 3)
		done := make(chan error, 1)
		go func() { done <- c.Unsubscribe(t.Context(), ChannelTrades, sol) }()
		p.send(`{"type":"unsubscribed","id":%q}`, p.want("unsubscribe", ChannelTrades, sol))
		mustDone(t, done)
		done = subscribe(t, c, ChannelTrades, sol)
		p.grant(p.want("subscribe", ChannelTrades, sol), ChannelTrades, "run1", sol)
		mustDone(t, done)
		p.trade(sol, 50)
		wantTrade(t, c, 50) // what went by unsubscribed is not missing
	})
}

func TestSlowReaderIsToldWhatItLost(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{Buffer: 4})
		p := srv.accept()
		next[*Connected](t, c)
		for seq := uint64(1); seq <= 10; seq++ {
			p.trade(sol, seq)
		}
		synctest.Wait() // the client has read all of it
		if s := c.Stats(); s.Overflowed == 0 || s.Messages != 10 {
			t.Fatalf("stats %+v, want an overflow", s)
		}
		missing := map[uint64]bool{}
		for seq := uint64(1); seq <= 10; seq++ {
			missing[seq] = true
		}
		p.trade(sol, 11)
		synctest.Wait()
		for reached := uint64(0); reached < 11; {
			ev, err := c.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			switch ev := ev.(type) {
			case *Trade:
				if ev.Seq <= reached {
					t.Errorf("trade %d after %d", ev.Seq, reached)
				}
				delete(missing, ev.Seq)
				reached = ev.Seq
			case *Gap:
				if ev.Reason != GapOverflow || ev.FromSeq != reached+1 {
					t.Errorf("gap %+v after %d", ev, reached)
				}
				reached = ev.ToSeq
				for seq := ev.FromSeq; seq <= ev.ToSeq; seq++ {
					delete(missing, seq)
				}
			}
		}
		if len(missing) > 0 {
			t.Errorf("trades %v were neither delivered nor announced as lost", missing)
		}
	})
}

func TestHandlerInPlaceOfTheChannel(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		var got []string
		c := srv.start(Options{OnEvent: func(ev Event) { got = append(got, fmt.Sprintf("%T", ev)) }})
		p := srv.accept()
		p.trade(sol, 1)
		p.trade(sol, 3)
		synctest.Wait()
		if want := "[*client.Connected *client.Trade *client.Gap *client.Trade]"; fmt.Sprint(got) != want {
			t.Errorf("events %v, want %s", got, want)
		}
		if s := c.Stats(); s.Overflowed != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestReconnectHint(t *testing.T) {
	for reason, want := range map[string]time.Duration{
		string(wire.AppendReconnectHint(nil, 1500)): 1500 * time.Millisecond,
		`{"reconnectMs":0}`:                         0,
		`{"reconnectMs":99999999999}`:               longestHint,
		`{"reconnectMs":9999999999999999999}`:       -1,
		`{"reconnectMs":-5}`:                        -1,
		`{"reconnectMs":null}`:                      -1,
		`{"reconnectMs":"5"}`:                       -1,
		"server is going away":                      -1,
		"":                                          -1,
	} {
		got, ok := reconnectHint(reason)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %s, want %s", reason, got, want)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"type":"price","assetId":"a","seq":3,"price":null}`))
	f.Add([]byte(`[{"type":"trade","assetId":"a","seq":18446744073709551615},{"type":"gap","fromSeq":9,"toSeq":1}]`))
	f.Add([]byte(`{"type":"subscribed","id":"1","epoch":"x","errors":[{}]}`))
	f.Add([]byte(`{"type":"error","id":"1","assetId":"a"}`))
	f.Add([]byte(`[{"type":"subscribed","id":"2","channel":"trades","assets":["a"],"epoch":"x","seqs":{"a":4}},{"type":"retract","assetId":"a","seq":6}]`))
	f.Add([]byte(`[{"type":"balance","wallet":"a","seq":2},{"type":"gap","channel":"balances","wallet":"a","fromSlot":1,"toSlot":2,"reason":"upstream"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := New("ws://x", Options{Buffer: 8})
		if err != nil {
			t.Fatal(err)
		}
		for _, channel := range []string{ChannelPrices, ChannelTrades, ChannelBalances} {
			cmd := newCommand("subscribe", parseFeed(channel), []string{"a"})
			if _, _, err := c.register(&request{command: cmd, done: make(chan answer, 1)}); err != nil {
				t.Fatal(err)
			}
		}
		s := &session{limited: make(chan struct{}, 1)}
		c.frame(s, data) // must neither panic nor block
		c.seqs.connected()
		c.frame(s, data)
	})
}
