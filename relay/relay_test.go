package relay

import (
	"slices"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/cache/cachetest"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/wire"
)

// once checks that an edge told trades 0 to n-1 of a mint, each once, numbered
// without a hole.
func once(t *testing.T, h *heard, m solana.PublicKey, n int) {
	t.Helper()
	h.look(func() {
		got := slices.Clone(h.trades[m])
		slices.Sort(got)
		var want []string
		for i := range n {
			want = append(want, tradeLine(i))
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%d trades were told, want %d, each once", len(got), len(want))
		}
		for i, seq := range h.seqs[m] {
			if i > 0 && seq != h.seqs[m][i-1]+1 {
				t.Errorf("seq %d follows %d", seq, h.seqs[m][i-1])
			}
		}
	})
}

func toldOf(h *heard, m solana.PublicKey, n int) func() bool {
	return func() (ok bool) {
		h.look(func() { ok = len(h.trades[m]) >= n })
		return ok
	}
}

func TestRelay(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, open func() redis.UniversalClient) {
		p := publisher(t, options(t, open()))
		start(t, p.Run)
		eventually(t, "it leads", p.Leads)

		a, b := mint(1), mint(2)
		for i := range 10 {
			p.PublishTrade(trade(a, i))
			p.PublishTrade(trade(b, i))
			p.PublishPrice(price(a, i))
		}
		eventually(t, "all is published", func() bool { return p.backlog() == 0 })

		h := newHeard()
		e := edge(t, options(t, open()), h)
		start(t, e.Run)
		follow(t, e, a)
		once(t, h, a, 10) // the past came with following
		h.look(func() {
			if h.prices[a] != 10 {
				t.Errorf("snapshot is %v, want 10", h.prices[a])
			}
		})
		for i := 10; i < 50; i++ {
			p.PublishTrade(trade(a, i))
			p.PublishTrade(trade(b, i))
			p.PublishPrice(price(a, i))
		}
		eventually(t, "trades come", toldOf(h, a, 50))
		once(t, h, a, 50)
		h.look(func() {
			if len(h.trades[b]) != 0 {
				t.Errorf("told of a mint that nobody listens to: %d trades", len(h.trades[b]))
			}
		})
		eventually(t, "the newest price", func() (ok bool) { h.look(func() { ok = h.prices[a] == 50 }); return ok })
		eventually(t, "the edge is ready", func() bool { return e.Ready() == nil })
	})
}

// TestFirstTrade: who listens before the first trade of a mint has its number, so
// that the first one is no jump.
func TestFirstTrade(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, open func() redis.UniversalClient) {
		p := publisher(t, options(t, open()))
		start(t, p.Run)
		h := newHeard()
		e := edge(t, options(t, open()), h)
		start(t, e.Run)
		m := mint(2)
		follow(t, e, m)
		var begin uint64
		h.look(func() { begin = h.begun[m] })
		if begin == 0 {
			t.Fatal("the mint has no number")
		}
		p.PublishTrade(trade(m, 0))
		eventually(t, "it comes", toldOf(h, m, 1))
		h.look(func() {
			if h.seqs[m][0] != begin+1 {
				t.Errorf("the first trade has %d, the subscription began at %d", h.seqs[m][0], begin)
			}
		})
	})
}

// TestTakeover: two ingests see the same chain, one a little ahead of the other and
// in another order; the leader ends without a word, or in peace. All is told once.
func TestTakeover(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, open func() redis.UniversalClient) {
		m := mint(3)
		first, second := publisher(t, options(t, open())), publisher(t, options(t, open()))
		firstRuns := start(t, first.Run)
		eventually(t, "the first leads", first.Leads)
		start(t, second.Run)

		h := newHeard()
		e := edge(t, options(t, open()), h)
		start(t, e.Run)
		follow(t, e, m)

		feed := func(p *Publisher, from, to int, swapped bool) {
			for i := from; i < to; i++ {
				n := i
				if swapped {
					n = i ^ 1
				}
				p.PublishTrade(trade(m, n))
				p.PublishPrice(price(m, n))
			}
		}
		feed(first, 0, 40, false)
		feed(second, 0, 30, true) // it is behind
		eventually(t, "forty", toldOf(h, m, 40))
		crash(first)
		feed(first, 40, 44, false) // never told by it
		feed(second, 30, 80, true)
		eventually(t, "the second leads", second.Leads)
		eventually(t, "eighty", toldOf(h, m, 80))
		once(t, h, m, 80)
		firstRuns.stop()

		third := publisher(t, options(t, open()))
		start(t, third.Run)
		feed(third, 60, 90, false) // it began late
		feed(second, 80, 85, false)
		p2 := second
		eventually(t, "eighty-five", toldOf(h, m, 85))
		_ = p2
		crash(second)
		eventually(t, "the third leads", third.Leads)
		eventually(t, "ninety", toldOf(h, m, 90))
		once(t, h, m, 90)
	})
}

// crash has an ingest publish and renew nothing more, as one does whose machine
// stands still.
func crash(p *Publisher) { p.opts.Redis.Close() }

// TestRetractOnTakeover: what the leader took back is not taken back again, and
// what it had no time to take back is.
func TestRetractOnTakeover(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	open := func() redis.UniversalClient { return server.Client(t) }
	m := mint(4)
	first, second := publisher(t, options(t, open())), publisher(t, options(t, open()))
	start(t, first.Run)
	eventually(t, "the first leads", first.Leads)
	start(t, second.Run)
	h := newHeard()
	e := edge(t, options(t, open()), h)
	start(t, e.Run)
	follow(t, e, m)

	take := func(p *Publisher, n int) {
		p.PublishRetract(&swapcast.Retract{Mint: m, Slot: uint64(100 + n/4), Signatures: []solana.Signature{signature(n)}})
	}
	for _, p := range []*Publisher{first, second} {
		p.PublishTrade(trade(m, 0))
		p.PublishTrade(trade(m, 1))
		take(p, 0)
		p.PublishTrade(trade(m, 0)) // it lives after all
	}
	eventually(t, "told", toldOf(h, m, 4))
	take(second, 1)
	crash(first)
	eventually(t, "the second leads", second.Leads)
	eventually(t, "taken back", toldOf(h, m, 5))
	second.PublishTrade(trade(m, 2))
	eventually(t, "goes on", toldOf(h, m, 6))
	h.look(func() {
		want := []string{tradeLine(0), tradeLine(1), "R 100 " + signature(0).String(), tradeLine(0), "R 100 " + signature(1).String(), tradeLine(2)}
		if !slices.Equal(h.trades[m], want) {
			t.Errorf("got  %q\nwant %q", h.trades[m], want)
		}
	})
}

// TestRestarts: Redis crashes without having saved anything, and so do connections.
// Of what is published meanwhile nothing is lost, and nothing is told twice.
func TestRestarts(t *testing.T) {
	t.Parallel()
	cluster := cachetest.StartCluster(t)
	p := publisher(t, options(t, cluster.Client(t)))
	start(t, p.Run)
	eventually(t, "it leads", p.Leads)
	h := newHeard()
	e := edge(t, options(t, cluster.Client(t)), h)
	start(t, e.Run)
	var mints []solana.PublicKey
	for n := range byte(12) {
		mints = append(mints, mint(20+n))
	}
	follow(t, e, mints...)
	n := 0
	some := func() {
		for range 10 {
			for _, m := range mints {
				p.PublishTrade(trade(m, n))
			}
			n++
		}
	}
	some()
	for _, m := range mints {
		eventually(t, "before", toldOf(h, m, n))
	}
	for _, s := range cluster.Servers {
		s.Stop()
		some()
		s.Start()
		some()
		for _, m := range mints {
			eventually(t, "after a restart", toldOf(h, m, n))
		}
	}
	for _, m := range mints {
		once(t, h, m, n)
	}
}

// TestLostMessage: a message that Redis published to nobody is read from the log.
func TestLostMessage(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	p := publisher(t, options(t, server.Client(t)))
	start(t, p.Run)
	eventually(t, "it leads", p.Leads)
	h := newHeard()
	e := edge(t, options(t, server.Client(t)), h)
	start(t, e.Run)
	m := mint(5)
	p.PublishTrade(trade(m, 0))
	follow(t, e, m)
	eventually(t, "one", toldOf(h, m, 1))
	// The client of the edge is cut off, which go-redis mends by itself.
	if err := server.Client(t).ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 20; i++ {
		p.PublishTrade(trade(m, i))
	}
	eventually(t, "all", toldOf(h, m, 20))
	once(t, h, m, 20)

	// Written and not published: only a sweep can see that.
	channel := e.names.channel(bucket(m), mintID(m, swapcast.Processed))
	c := server.Client(t)
	top, err := c.XRevRangeN(t.Context(), logKey(channel), "+", "-", 1).Result()
	if err != nil {
		t.Fatal(err)
	}
	last, err := parseMessage([]byte(top[0].Values["m"].(string)))
	if err != nil {
		t.Fatal(err)
	}
	hidden := op{kind: kindTrade, trade: trade(m, 20)}
	next, err := hidden.encode(wire.Meta{Seq: last.seq + 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.XAdd(t.Context(), &redis.XAddArgs{Stream: logKey(channel), ID: idOf(next.seq), Values: []any{"m", next.append(nil), "n", tradeName(hidden.trade)}}).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.HSet(t.Context(), stateKey(channel), "seq", next.seq).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the hidden one", toldOf(h, m, 21))
	once(t, h, m, 21)
}

// TestUnfollow: what nobody listens to is given up, and had again when it is.
func TestUnfollow(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	p := publisher(t, options(t, server.Client(t)))
	start(t, p.Run)
	eventually(t, "it leads", p.Leads)
	h := newHeard()
	o := options(t, server.Client(t))
	o.Linger = 50 * time.Millisecond
	e := edge(t, o, h)
	start(t, e.Run)
	m := mint(6)
	follow(t, e, m)
	p.PublishTrade(trade(m, 0))
	eventually(t, "one", toldOf(h, m, 1))
	h.look(func() { h.gone[m] = true })
	c := server.Client(t)
	channel := e.names.channel(bucket(m), mintID(m, swapcast.Processed))
	subscribers := func() int64 {
		n, err := c.PubSubShardNumSub(t.Context(), channel).Result()
		if err != nil {
			t.Fatal(err)
		}
		return n[channel]
	}
	eventually(t, "unsubscribed", func() bool { return subscribers() == 0 })
	p.PublishTrade(trade(m, 1))
	p.PublishTrade(trade(m, 2))
	eventually(t, "all is published", func() bool { return p.backlog() == 0 })
	h.look(func() { h.gone[m] = false; h.trades[m], h.seqs[m] = nil, nil })
	follow(t, e, m)
	once(t, h, m, 3) // all that is kept: the stream passes over what it has had
}

// TestWants: candles and balances come for what clients listen to, from the ingest
// that leads, and their state once it is asked for.
func TestWants(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	p := publisher(t, options(t, server.Client(t)))
	start(t, p.Run)
	eventually(t, "it leads", p.Leads)
	h := newHeard()
	e := edge(t, options(t, server.Client(t)), h)
	start(t, e.Run)
	m, owner := mint(7), mint(8)
	if err := e.Follow(t.Context(), []stream.Subject{
		{Channel: wire.ChannelCandles, Key: m, Interval: swapcast.Interval1m},
		{Channel: wire.ChannelBalances, Key: owner, Commitment: swapcast.Confirmed},
	}); err != nil {
		t.Fatal(err)
	}
	var candles []CandleWant
	var wallets []WalletWant
	eventually(t, "wanted", func() bool {
		c, w, _ := p.Fresh()
		candles, wallets = append(candles, c...), append(wallets, w...)
		return len(candles) > 0 && len(wallets) > 0
	})
	if want := (CandleWant{m, swapcast.Interval1m, swapcast.Processed}); len(candles) != 1 || candles[0] != want {
		t.Errorf("wanted %v, want %v", candles, want)
	}
	if want := (WalletWant{owner, swapcast.Confirmed}); len(wallets) != 1 || wallets[0] != want {
		t.Errorf("wanted %v, want %v", wallets, want)
	}
	var set swapcast.IntervalSet
	set.Add(swapcast.Interval1m)
	if got := p.CandlesWantedAt(m, swapcast.Processed); got != set {
		t.Errorf("intervals %b, want %b", got, set)
	}
	candle := swapcast.Candle{Mint: m, Interval: swapcast.Interval1m, Start: 60, Open: 1, High: 2, Low: 0.1 + 0.2, Close: 1e-9, VolumeUSD: 3, Trades: 4, ReceivedAt: 5}
	balance := swapcast.Balance{Owner: owner, Mint: m, Amount: 1<<64 - 1, Decimals: 9, Slot: 7, Commitment: swapcast.Confirmed, Signature: signature(1)}
	p.PublishCandle(&candle)
	p.PublishBalance(&balance)
	p.PublishBalance(&swapcast.Balance{Owner: mint(9), Mint: m}) // nobody listens
	p.CloseCandlesAt(120, swapcast.Processed)
	p.PublishGap(&swapcast.Gap{FromSlot: 1, ToSlot: 2, Reason: "x"})
	p.PublishGap(&swapcast.Gap{FromSlot: 1, ToSlot: 2, Reason: "x"})
	p.PublishGap(&swapcast.Gap{FromSlot: 3, ToSlot: 4, Reason: "x"})
	eventually(t, "told", func() (ok bool) {
		h.look(func() { ok = len(h.candles) > 0 && len(h.balances) > 0 && len(h.clocks) > 0 && len(h.gaps) > 1 })
		return ok
	})
	h.look(func() {
		if h.candles[0] != candle {
			t.Errorf("candle %+v", h.candles[0])
		}
		if len(h.balances) != 1 || h.balances[0] != balance {
			t.Errorf("balances %+v", h.balances)
		}
		if len(h.gaps) != 2 || h.gaps[0].ToSlot != 2 || h.gaps[1].ToSlot != 4 {
			t.Errorf("gaps %+v", h.gaps)
		}
	})
	h.look(func() { h.gone[m], h.gone[owner] = true, true })
	if err := e.writeWants(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "wanted no more", func() bool { return p.CandlesWantedAt(m, swapcast.Processed) == 0 })
	eventually(t, "the wallet is gone", func() bool {
		_, _, gone := p.Fresh()
		return slices.Contains(gone, owner)
	})
}

// TestSickLeader: a leader whose feed has failed makes way for a standby that is well.
func TestSickLeader(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	first, second := publisher(t, options(t, server.Client(t))), publisher(t, options(t, server.Client(t)))
	start(t, first.Run)
	eventually(t, "the first leads", first.Leads)
	start(t, second.Run)
	first.PublishStatus(&wire.Status{Feed: wire.FeedStale})
	eventually(t, "the second leads", second.Leads)
	eventually(t, "the first does not", func() bool { return !first.Leads() })
	second.PublishStatus(&wire.Status{Feed: wire.FeedStale})
	eventually(t, "somebody leads, well or not", func() bool { return first.Leads() || second.Leads() })
}
