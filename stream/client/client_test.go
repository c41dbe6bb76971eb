package client

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast/stream/wire"
)

func TestSubscribeThenPrices(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{APIKey: "k", TestID: "t1", Window: 250 * time.Millisecond})
		done := subscribe(t, c, ChannelPrices, sol, bonk) // before there is a connection
		p := srv.accept()
		if got := p.req.URL.RequestURI(); got != "/ws?batch=1&test_id=t1&window_ms=250" {
			t.Errorf("dialled %s", got)
		}
		if got := p.req.Header.Get("Authorization"); got != "Bearer k" {
			t.Errorf("Authorization %q", got)
		}
		id := p.want("subscribe", ChannelPrices, sol, bonk)
		p.grant(id, ChannelPrices, "e1", sol, bonk)
		mustDone(t, done)
		p.send(`[{"type":"price","assetId":%q,"price":147.25,"priceSol":1,"seq":3,"slot":9,"ts":5,"feed":"simulated","snapshot":true},`+
			`{"type":"price","assetId":%q,"price":null,"snapshot":true,"seq":0}]`, sol, bonk)
		first, second := next[*Price](t, c), next[*Price](t, c)
		if first.Price == nil || *first.Price != 147.25 || first.Seq != 3 || !first.Snapshot || first.Feed != "simulated" {
			t.Errorf("price %+v", first)
		}
		if second.AssetID != bonk || second.Price != nil {
			t.Errorf("unknown price %+v, want nil", second)
		}
		if got := c.Subscriptions(ChannelPrices); len(got) != 2 {
			t.Errorf("subscriptions %v", got)
		}
		if s := c.Stats(); s.Messages != 3 || s.LastSlot != 9 || !s.Connected || s.Connects != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestRefusals(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{})
		p := srv.accept()

		done := subscribe(t, c, ChannelPrices, sol, "nonsense")
		id := p.want("subscribe", ChannelPrices, sol, "nonsense")
		p.send(`{"type":"subscribed","id":%q,"channel":"prices","assets":[%q],"epoch":"e","errors":[{"assetId":"nonsense","code":"invalid_asset"}]}`, id, sol)
		var assets *AssetsError
		if err := <-done; !errors.As(err, &assets) || len(assets.Errors) != 1 || assets.Errors[0].AssetID != "nonsense" {
			t.Fatalf("partly refused: %v", err)
		}
		if got := c.Subscriptions(ChannelPrices); !slices.Equal(got, []string{sol}) {
			t.Errorf("subscriptions %v, want the granted one only", got)
		}

		done = subscribe(t, c, ChannelPrices, "x")
		id = p.want("subscribe", ChannelPrices, "x")
		p.send(`{"type":"error","id":%q,"code":"invalid_asset","message":"no","assetId":"x"}`, id)
		if err := <-done; !errors.As(err, &assets) || assets.Errors[0].Code != "invalid_asset" {
			t.Fatalf("single asset refused by an error: %v", err)
		}

		done = subscribe(t, c, ChannelTrades, bonk)
		id = p.want("subscribe", ChannelTrades, bonk)
		p.send(`{"type":"error","id":%q,"code":"too_many_subscriptions","message":"at most 1"}`, id)
		var whole *RequestError
		if err := <-done; !errors.As(err, &whole) || whole.Code != "too_many_subscriptions" {
			t.Fatalf("wholly refused: %v", err)
		}
		if got := c.Subscriptions(ChannelTrades); len(got) != 0 {
			t.Errorf("trades subscriptions %v after a refusal", got)
		}

		p.send(`{"type":"error","code":"bad_json","message":"?"}`)
		if e := next[*Error](t, c); e.Code != "bad_json" {
			t.Errorf("error event %+v", e)
		}
	})
}

// The server names no request when it leaves one unread.
func TestUnreadRequestsAreSentAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{})
		p := srv.accept()
		first := subscribe(t, c, ChannelPrices, sol)
		id := p.want("subscribe", ChannelPrices, sol)
		second := subscribe(t, c, ChannelTrades, sol)
		p.grant(p.want("subscribe", ChannelTrades, sol), ChannelTrades, "e", sol)
		mustDone(t, second)
		asked := time.Now()
		p.send(`{"type":"error","code":"rate_limited","message":"this one was not read"}`)
		if again := p.want("subscribe", ChannelPrices, sol); again != id || time.Since(asked) != resendAfter {
			t.Errorf("asked again with id %s after %s, want %s after %s", again, time.Since(asked), id, resendAfter)
		}
		p.grant(id, ChannelPrices, "e", sol)
		mustDone(t, first)
		if e := next[*Error](t, c); e.Code != "rate_limited" {
			t.Errorf("event %+v", e)
		}
	})
}

func TestRefusedRenewalIsAnEvent(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{})
		p := srv.accept()
		done := subscribe(t, c, ChannelPrices, sol)
		p.grant(p.want("subscribe", ChannelPrices, sol), ChannelPrices, "e", sol)
		mustDone(t, done)
		p.hangUp()
		p = srv.accept()
		p.send(`{"type":"error","id":%q,"code":"too_many_subscriptions","message":"at most 0"}`, p.want("subscribe", ChannelPrices, sol))
		if e := next[*Error](t, c); e.Code != "too_many_subscriptions" {
			t.Errorf("event %+v", e)
		}
	})
}

func TestUnsubscribeAndPing(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{})
		p := srv.accept()
		done := subscribe(t, c, ChannelPrices, sol)
		p.grant(p.want("subscribe", ChannelPrices, sol), ChannelPrices, "e", sol)
		mustDone(t, done)

		go func() { done <- c.Unsubscribe(t.Context(), ChannelPrices, sol) }()
		p.send(`{"type":"unsubscribed","id":%q}`, p.want("unsubscribe", ChannelPrices, sol))
		mustDone(t, done)

		rtt := make(chan time.Duration, 1)
		go func() {
			d, err := c.Ping(t.Context())
			done <- err
			rtt <- d
		}()
		id := p.want("ping", "")
		time.Sleep(40 * time.Millisecond)
		p.send(`{"type":"pong","id":%q}`, id)
		mustDone(t, done)
		if d := <-rtt; d != 40*time.Millisecond {
			t.Errorf("ping took %s", d)
		}

		p.hangUp()
		p = srv.accept()
		go func() { done <- c.Subscribe(t.Context(), ChannelTrades, bonk) }()
		p.grant(p.want("subscribe", ChannelTrades, bonk), ChannelTrades, "e", bonk) // and nothing before it
		mustDone(t, done)
	})
}

func TestSubscribeGivesUpWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{})
		p := srv.accept()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- c.Subscribe(ctx, ChannelPrices, sol) }()
		p.want("subscribe", ChannelPrices, sol)
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("unanswered subscribe: %v", err)
		}
		if !c.Stats().Connected {
			t.Error("the caller's deadline has cost the connection")
		}
	})
}

func TestReconnectSubscribesAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{Rand: func() float64 { return 0.5 }, MinBackoff: time.Second, MaxBackoff: 8 * time.Second})
		p := srv.accept()
		for _, ch := range []string{ChannelPrices, ChannelTrades} {
			done := subscribe(t, c, ch, sol, bonk)
			p.grant(p.want("subscribe", ch, sol, bonk), ch, "e", sol, bonk)
			mustDone(t, done)
		}
		half := subscribe(t, c, ChannelStatus) // its answer is lost with the connection
		p.want("subscribe", ChannelStatus)
		lost := time.Now()
		p.hangUp()

		p = srv.accept()
		if waited := time.Since(lost); waited != time.Second/2 {
			t.Errorf("reconnected after %s, want half of MinBackoff", waited)
		}
		ids := map[string]string{}
		for range 2 { // the waiting request and the first renewal, in either order
			_, data, err := p.conn.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case strings.Contains(string(data), `"status"`):
				ids["status"] = field(string(data), `"id":"`)
			case strings.Contains(string(data), `"prices"`):
				ids["prices"] = field(string(data), `"id":"`)
			default:
				t.Fatalf("command %s", data)
			}
		}
		p.grant(ids["status"], ChannelStatus, "e")
		mustDone(t, half)
		p.send(`{"type":"error","id":%q,"code":"rate_limited","message":"slower"}`, ids["prices"])
		p.grant(p.want("subscribe", ChannelPrices, bonk, sol), ChannelPrices, "e", sol, bonk)
		p.grant(p.want("subscribe", ChannelTrades, bonk, sol), ChannelTrades, "e", sol, bonk)
		p.send(`{"type":"status","feed":"healthy","slot":77}`)
		if s := next[*Status](t, c); s.Slot != 77 {
			t.Errorf("status %+v", s)
		}
		if s := c.Stats(); s.Connects != 2 || s.Failures != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func field(s, prefix string) string {
	_, rest, _ := strings.Cut(s, prefix)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func TestBackoffGrowsAndStartsOver(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		srv.start(Options{Rand: func() float64 { return 1 }, MinBackoff: time.Second, MaxBackoff: 5 * time.Second})
		p := srv.accept()
		for i, want := range []int{1, 2, 4, 5, 5, 1, 2} { // seconds
			if i == 5 {
				time.Sleep(lasting)
			}
			p.hangUp()
			lost := time.Now()
			p = srv.accept()
			if got := time.Since(lost); got != time.Duration(want)*time.Second {
				t.Errorf("try %d after %s, want %d s", i+1, got, want)
			}
		}
	})
}

func TestGoingAwayHint(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		srv.start(Options{})
		p := srv.accept()
		p.close(websocket.StatusGoingAway, `{"reconnectMs":3250}`)
		closed := time.Now()
		srv.accept()
		if waited := time.Since(closed); waited.Round(10*time.Millisecond) != 3250*time.Millisecond {
			t.Errorf("reconnected after %s, want the hinted 3.25 s", waited)
		}
	})
}

func TestRefusedForGood(t *testing.T) {
	for _, code := range []wire.CloseCode{wire.CloseBadKey, wire.ClosePolicy, wire.CloseBadRequest, wire.CloseTooBig} {
		inBubble(t, func(t *testing.T, srv *server) {
			c, ended := srv.run(Options{})
			p := srv.accept()
			waiting := subscribe(t, c, ChannelPrices, sol)
			p.want("subscribe", ChannelPrices, sol)
			p.close(websocket.StatusCode(code), "bad key")
			var refused *RefusedError
			if err := <-ended; !errors.As(err, &refused) || refused.Code != int(code) || refused.Reason != "bad key" {
				t.Fatalf("close %d: Run returned %v", code, err)
			}
			if err := <-waiting; !errors.Is(err, ErrClosed) {
				t.Errorf("waiting Subscribe: %v", err)
			}
			if err := c.Subscribe(t.Context(), ChannelPrices, sol); !errors.Is(err, ErrClosed) {
				t.Errorf("Subscribe afterwards: %v", err)
			}
			if d := next[*Disconnected](t, c); d.RetryIn >= 0 {
				t.Errorf("last event %+v, want one without a retry", d)
			}
			if err := c.Run(t.Context()); !errors.Is(err, ErrRunning) {
				t.Errorf("second Run: %v", err)
			}
		})
	}
}

func TestHandshakeRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		answers := []int{http.StatusServiceUnavailable, http.StatusUnauthorized}
		var asked []time.Time
		srv.refuse = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "7")
			http.Error(w, "not now", answers[len(asked)])
			asked = append(asked, time.Now())
			return true
		}
		_, ended := srv.run(Options{})
		var refused *RefusedError
		if err := <-ended; !errors.As(err, &refused) || refused.Code != http.StatusUnauthorized {
			t.Fatalf("Run returned %v", err)
		}
		if len(asked) != 2 || asked[1].Sub(asked[0]) != 7*time.Second {
			t.Errorf("asked at %v, want twice, 7 s apart as Retry-After says", asked)
		}
	})
}

func TestSilentConnectionIsGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{SilentAfter: 20 * time.Second})
		p := srv.accept()
		opened := time.Now()
		id := p.want("ping", "")
		if at := time.Since(opened); at != 10*time.Second {
			t.Errorf("asked for life after %s, want 10s", at)
		}
		p.send(`{"type":"pong","id":%q}`, id)
		p.want("ping", "") // at 20 s: alive, so only asked again
		srv.accept()       // the second is never answered
		if at := time.Since(opened); at < 30*time.Second || at > 31*time.Second {
			t.Errorf("given up after %s, want 20 s after the pong at 10 s", at)
		}
		if d := next[*Disconnected](t, c); !errors.Is(d.Err, ErrSilent) {
			t.Errorf("reason %v", d.Err)
		}
	})
}

func TestServerPingsAreLife(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{SilentAfter: 20 * time.Second})
		p := srv.accept()
		read := make(chan struct{})
		go func() { // pongs are read here; a command would be a test failure
			defer close(read)
			if _, data, err := p.conn.Read(t.Context()); err == nil {
				t.Errorf("client sent %s although it was pinged", data)
			}
		}()
		for range 12 {
			time.Sleep(9 * time.Second)
			if err := p.conn.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if s := c.Stats(); s.Connects != 1 {
			t.Errorf("stats %+v, want one connection", s)
		}
		p.hangUp()
		<-read
	})
}

func TestJunkIsCountedAndSurvived(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{})
		p := srv.accept()
		p.send(`{`)
		p.send(`[1`)
		p.send(`{"type":"price","assetId":7}`)
		p.send(`{"type":"from_the_future"}`)
		if err := p.conn.Write(t.Context(), websocket.MessageBinary, []byte{1, 2}); err != nil {
			t.Fatal(err)
		}
		p.price(sol, 1)
		if got := next[*Price](t, c); got.Seq != 1 {
			t.Errorf("price %+v", got)
		}
		if s := c.Stats(); s.Malformed != 4 || s.Unknown != 1 {
			t.Errorf("stats %+v, want 4 malformed and 1 unknown", s)
		}
	})
}

func TestTooLongMessageEndsTheConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c := srv.start(Options{MaxMessage: 512})
		p := srv.accept()
		go func() {
			_ = p.conn.Write(t.Context(), websocket.MessageText, []byte(`"`+strings.Repeat("x", 4096)+`"`))
			p.hangUp()
		}()
		if d := next[*Disconnected](t, c); !errors.Is(d.Err, websocket.ErrMessageTooBig) {
			t.Errorf("reason %v", d.Err)
		}
		srv.accept()
	})
}

func TestRunEndsWithGoodbye(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		c, err := Dial(t.Context(), "ws://swapcast.test/ws", Options{HTTPClient: srv.client})
		if err != nil {
			t.Fatal(err)
		}
		p := srv.accept()
		closed := make(chan error, 1)
		go func() {
			_, _, err := p.conn.Read(context.Background())
			closed <- err
		}()
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if code := websocket.CloseStatus(<-closed); code != websocket.StatusNormalClosure {
			t.Errorf("server saw close code %d", code)
		}
		for range c.Events() { //nolint:revive // ends
		}
		if _, err := c.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Next after the end: %v", err)
		}
		p.hangUp()
	})
}

func TestDialGivesUp(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *server) {
		srv.refuse = func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "later", http.StatusServiceUnavailable)
			return true
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := Dial(ctx, "ws://swapcast.test", Options{HTTPClient: srv.client}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Dial: %v", err)
		}
		synctest.Wait()
	})
}

func TestOptionsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		url  string
		opts Options
	}{
		"window":  {"ws://x", Options{Window: 6 * time.Second}},
		"micros":  {"ws://x", Options{Window: time.Microsecond}},
		"buffer":  {"ws://x", Options{Buffer: -1}},
		"backoff": {"ws://x", Options{MinBackoff: time.Minute, MaxBackoff: time.Second}},
		"scheme":  {"ftp://x", Options{}},
		"no host": {"ws:///ws", Options{}},
		"no url":  {"://", Options{}},
	} {
		if _, err := New(tc.url, tc.opts); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for in, want := range map[string]string{
		"http://h:1":          "ws://h:1/ws?batch=1",
		"https://h/sub/ws#x":  "wss://h/sub/ws?batch=1",
		"wss://h?api_key=abc": "wss://h/ws?api_key=abc&batch=1",
	} {
		c, err := New(in, Options{})
		if err != nil || c.url != want {
			t.Errorf("%s becomes %v (%v), want %s", in, c, err, want)
		}
	}
}
