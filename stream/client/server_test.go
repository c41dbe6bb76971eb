package client_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/client"
)

// patience bounds the waits of tests that use real sockets.
const patience = 20 * time.Second

// live is an address behind which real servers take turns.
type live struct {
	t      *testing.T
	url    string
	keys   string // file of API keys, "" none
	limits stream.Limits
	onConn func(stream.ConnInfo) stream.ConnHooks
	listen *httptest.Server
	server atomic.Pointer[stream.Server]
	stop   func()
}

func newLive(t *testing.T) *live {
	t.Helper()
	l := &live{t: t}
	l.start()
	t.Cleanup(l.end)
	return l
}

func (l *live) start() {
	t := l.t
	t.Helper()
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.server.Load().ServeHTTP(w, r) }))
	l.url = hs.URL
	l.listen = hs
	l.restart()
}

// end stops what start has started.
func (l *live) end() {
	l.stop()
	l.listen.Close()
}

// restart drains the present server, if any, and starts another.
func (l *live) restart() {
	l.t.Helper()
	s, err := stream.New(stream.Options{
		Feed:        swapcast.FeedSimulated,
		KeysFile:    l.keys,
		Compression: true,
		OnConn:      l.onConn,
		Limits:      l.limits,
		Timing:      stream.Timing{ReconnectMin: time.Millisecond, ReconnectMax: 50 * time.Millisecond},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	old, stopOld := l.server.Swap(s), l.stop
	l.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			l.t.Errorf("server: %v", err)
		}
	}
	if old == nil {
		return
	}
	drain, done := context.WithTimeout(context.Background(), patience)
	defer done()
	if err := old.Drain(drain); err != nil {
		l.t.Errorf("drain: %v", err)
	}
	stopOld()
}

func mint(n byte) solana.PublicKey { return solana.PublicKey{1, 2, 3, n} }

func price(m solana.PublicKey, usd float64) *swapcast.Price {
	return &swapcast.Price{Mint: m, USD: usd, Known: true, Confidence: 0.5, DEX: "raydium-v4", Slot: 7}
}

func trade(m solana.PublicKey) *swapcast.Trade {
	return &swapcast.Trade{Mint: m, Side: swapcast.Sell, Amount: 1 << 63, Decimals: 6, USD: 2, AmountUSD: 3, Known: true, Trader: mint(99)}
}

// next returns the next event of a type, skipping those about the connection.
func next[E client.Event](t *testing.T, c *client.Client) E {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		ev, err := c.Next(ctx)
		if err != nil {
			t.Fatalf("wait for %T: %v", *new(E), err)
		}
		switch e := ev.(type) {
		case E:
			return e
		case *client.Connected, *client.Disconnected, *client.Subscribed:
		default:
			t.Fatalf("got %T %+v, want %T", ev, ev, *new(E))
		}
	}
}

func dial(t *testing.T, l *live, opts client.Options) *client.Client {
	t.Helper()
	opts.MinBackoff = 5 * time.Millisecond
	c, err := client.Dial(t.Context(), l.url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

// The SDK and the real server understand each other, in every form of messages.
func TestWithTheRealServer(t *testing.T) {
	for name, opts := range map[string]client.Options{
		"json": {}, "msgpack": {MessagePack: true}, "json, compressed": {Compression: true}, "msgpack, compressed, no batch": {MessagePack: true, Compression: true, NoBatch: true},
	} {
		t.Run(name, func(t *testing.T) { withTheRealServer(t, opts) })
	}
}

func withTheRealServer(t *testing.T, opts client.Options) {
	l := newLive(t)
	opts.TestID = "sdk"
	var form atomic.Value
	l.onConn = func(info stream.ConnInfo) stream.ConnHooks { form.Store(info.Form); return stream.ConnHooks{} }
	l.restart()
	c := dial(t, l, opts)
	defer func() {
		want := "json"
		if opts.MessagePack {
			want = "msgpack"
		}
		if opts.Compression {
			want += "+deflate"
		}
		if form.Load() != want {
			t.Errorf("the form was %v", form.Load())
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	err := c.Subscribe(ctx, client.ChannelPrices, mint(1).String(), "nonsense", mint(2).String())
	var refused *client.AssetsError
	if !errors.As(err, &refused) || len(refused.Errors) != 1 || refused.Errors[0] != (client.AssetError{AssetID: "nonsense", Code: "invalid_asset"}) {
		t.Fatalf("subscribe with one bad asset: %v", err)
	}
	if err := c.Subscribe(ctx, client.ChannelPrices, "alone"); !errors.As(err, &refused) {
		t.Fatalf("subscribe to a bad asset alone: %v", err)
	}
	var request *client.RequestError
	if err := c.Subscribe(ctx, "gossip", mint(1).String()); !errors.As(err, &request) || request.Code != "unknown_channel" {
		t.Fatalf("subscribe to an unknown channel: %v", err)
	}
	for range 2 {
		if p := next[*client.Price](t, c); !p.Snapshot || p.Price != nil {
			t.Errorf("snapshot %+v, want one without a price", p)
		}
	}
	if err := c.Subscribe(ctx, client.ChannelTrades, mint(1).String()); err != nil {
		t.Fatal(err)
	}

	server := l.server.Load()
	server.PublishPrice(price(mint(1), 1.25))
	if p := next[*client.Price](t, c); p.AssetID != mint(1).String() || *p.Price != 1.25 || p.Seq != 1 || p.Feed != "simulated" || p.TS == 0 || p.Slot != 7 {
		t.Errorf("price %+v", p)
	}
	for range 3 {
		server.PublishTrade(trade(mint(1)))
	}
	for seq := uint64(1); seq <= 3; seq++ {
		if tr := next[*client.Trade](t, c); tr.Seq != seq || tr.Amount != "9223372036854775808" || tr.Side != "sell" || *tr.AmountUSD != 3 || *tr.Decimals != 6 {
			t.Errorf("trade %+v, want number %d", tr, seq)
		}
	}
	if _, err := c.Ping(ctx); err != nil {
		t.Error(err)
	}
	if err := c.Unsubscribe(ctx, client.ChannelTrades, mint(1).String()); err != nil {
		t.Error(err)
	}
	server.PublishTrade(trade(mint(1)))
	server.PublishPrice(price(mint(2), 9))
	if p := next[*client.Price](t, c); *p.Price != 9 {
		t.Errorf("price %+v, want 9 and no trade before it", p)
	}
	if s := c.Stats(); s.Gaps != 0 || s.Malformed != 0 || s.Unknown != 0 {
		t.Errorf("stats %+v", s)
	}
}

// A server that is replaced sends its clients away with a hint; the SDK comes
// back, renews its subscriptions, and says that the numbering began anew.
func TestOverAServerRestart(t *testing.T) {
	l := newLive(t)
	c := dial(t, l, client.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, ch := range []string{client.ChannelPrices, client.ChannelTrades} {
		if err := c.Subscribe(ctx, ch, mint(1).String()); err != nil {
			t.Fatal(err)
		}
	}
	next[*client.Price](t, c) // the snapshot
	l.server.Load().PublishPrice(price(mint(1), 4))
	next[*client.Price](t, c)

	l.restart()
	first := map[string]uint64{}
	for range 2 {
		g := next[*client.Gap](t, c)
		if g.Reason != client.GapRestart || g.ToSeq != 0 || g.AssetID != mint(1).String() {
			t.Errorf("gap %+v", g)
		}
		first[g.Channel] = g.FromSeq
	}
	if first[client.ChannelPrices] != 2 || first[client.ChannelTrades] != 1 {
		t.Errorf("gaps begin at %v", first)
	}
	if p := next[*client.Price](t, c); !p.Snapshot || p.Price != nil {
		t.Errorf("snapshot of the new server %+v", p)
	}
	await(t, "the renewal of the trades", func() bool { return l.server.Load().Stats().Subscriptions["trades"] == 1 })
	l.server.Load().PublishTrade(trade(mint(1)))
	if tr := next[*client.Trade](t, c); tr.Seq != 1 {
		t.Errorf("trade %+v", tr)
	}
	if s := c.Stats(); s.Connects != 2 || s.Gaps != 2 {
		t.Errorf("stats %+v, want two connections and two gaps", s)
	}
}

// A key that the server does not know ends the client at once, and says so.
func TestKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, fmt.Appendf(nil, "tester %x\n", sha256.Sum256([]byte("right"))), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &live{t: t, keys: file}
	l.start()
	t.Cleanup(l.end)
	for _, key := range []string{"", "wrong"} {
		c, err := client.New(l.url, client.Options{APIKey: key})
		if err != nil {
			t.Fatal(err)
		}
		var refused *client.RefusedError
		if err := c.Run(t.Context()); !errors.As(err, &refused) || refused.Code != 4401 {
			t.Errorf("key %q: Run returned %v, want a refusal with 4401", key, err)
		}
	}
	c := dial(t, l, client.Options{APIKey: "right"})
	if err := c.Subscribe(t.Context(), client.ChannelPrices, mint(1).String()); err != nil {
		t.Error(err)
	}
}

// await polls for what has no channel to wait on.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Errorf("waited in vain for %s", what)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Everything that is published arrives, in order, or is announced as missing.
func TestNothingIsLostSilently(t *testing.T) {
	const published = 10_000
	l := newLive(t)
	for name, opts := range map[string]client.Options{
		"roomy": {Buffer: 2 * published},
		"tight": {Buffer: 64},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, l, opts)
			asset := mint(byte(len(name) * 7 % 251))
			if name == "tight" {
				asset = mint(200)
			}
			if err := c.Subscribe(t.Context(), client.ChannelTrades, asset.String()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			server := l.server.Load()
			publishing := make(chan struct{})
			go func() {
				defer close(publishing)
				for i := range published {
					server.PublishTrade(trade(asset))
					if i%500 == 0 { // else the server's own bound is hit
						await(t, "the client to keep up", func() bool { return int(c.Stats().Messages) > i-1500 || ctx.Err() != nil })
					}
				}
			}()
			var seen, missing uint64
			for at := uint64(0); at < published; {
				ev, err := c.Next(ctx)
				if err != nil {
					t.Fatalf("after %d: %v", at, err)
				}
				switch e := ev.(type) {
				case *client.Trade:
					if e.Seq != at+1 {
						t.Fatalf("trade %d after %d", e.Seq, at)
					}
					at, seen = e.Seq, seen+1
				case *client.Gap:
					if e.FromSeq != at+1 {
						t.Fatalf("gap %+v after %d", e, at)
					}
					at, missing = e.ToSeq, missing+e.Missing()
				}
			}
			<-publishing
			if s := c.Stats(); seen+missing != published || s.Overflowed > 0 != (missing > 0) {
				t.Errorf("seen %d and missing %d of %d, stats %+v", seen, missing, published, s)
			}
			if name == "roomy" && missing > 0 {
				t.Errorf("%d missing although there was room", missing)
			}
		})
	}
}
