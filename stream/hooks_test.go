package stream

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// Each message of a client is told once, with what became of it.
func TestRequestsAreTold(t *testing.T) {
	t.Parallel()
	told := make(chan RequestInfo, 16)
	r := newRig(t, Options{
		Limits: Limits{Subscriptions: 2},
		OnConn: func(ConnInfo) ConnHooks { return ConnHooks{Request: func(i RequestInfo) { told <- i }} },
	})
	c := r.dial("")
	for _, step := range []struct{ send, want string }{
		{`{"action":"ping","id":"1"}`, "ping//:0-0"},
		{fmt.Sprintf(`{"action":"subscribe","assets":[%q,"x"],"id":"2"}`, mint(1)), "subscribe/prices/processed:1-1 invalid_asset"},
		{fmt.Sprintf(`{"action":"subscribe","channel":"trades","commitment":"confirmed","assets":[%q,%q]}`, mint(1), mint(2)), "subscribe/trades/confirmed:1-1 too_many_subscriptions"},
		{fmt.Sprintf(`{"action":"unsubscribe","assets":%q}`, mint(1)), "unsubscribe/prices/processed:1-0"},
		{`{"action":"subscribe","channel":"status"}`, "subscribe/status/:1-0"},
		{`{"action":"subscribe","assets":"nothing"}`, "subscribe//:0-0 invalid_asset"},
		{`{"action":"dance"}`, "//:0-0 unknown_action"},
		{`{`, "//:0-0 bad_json"},
	} {
		c.send("%s", step.send)
		i := <-told
		got := fmt.Sprintf("%s/%s/%s:%d-%d %s", i.Action, i.Channel, i.Commitment, i.Assets, i.Refused, i.Code)
		if strings.TrimSpace(got) != step.want {
			t.Errorf("%s: told %q, want %q", step.send, got, step.want)
		}
		if i.Begun.IsZero() || i.Parsed.Before(i.Begun) || i.Done.Before(i.Parsed) {
			t.Errorf("%s: times %v %v %v", step.send, i.Begun, i.Parsed, i.Done)
		}
		if shard := i.Channel != ""; shard != !i.Taken.IsZero() || shard && (i.Taken.Before(i.Parsed) || i.Done.Before(i.Taken)) {
			t.Errorf("%s: taken up %v", step.send, i.Taken)
		}
	}
	select {
	case i := <-told:
		t.Errorf("told once too often: %+v", i)
	default:
	}
}

// Messages over the rate are told too, and the subscription of a stream of events.
func TestUnreadAndStreamsAreTold(t *testing.T) {
	t.Parallel()
	told := make(chan RequestInfo, 16)
	r := newRig(t, Options{
		Limits: Limits{MessagesPerSecond: 1e-9, MessageBurst: 1},
		OnConn: func(ConnInfo) ConnHooks { return ConnHooks{Request: func(i RequestInfo) { told <- i }} },
	})
	c := r.dial("")
	c.send(`{"action":"ping"}`)
	c.send(`{"action":"ping"}`)
	if a, b := <-told, <-told; a.Code != "" || b.Code != wire.RateLimited {
		t.Errorf("told %q and %q", a.Code, b.Code)
	}
	r.events("assets=" + mint(1).String())
	if i := <-told; i.Action != "stream" || i.Channel != "prices" || i.Assets != 1 || i.Taken.IsZero() {
		t.Errorf("told %+v", i)
	}
}

// A panic in what a shard does for a client is told, ends that client's connection,
// and leaves the shard at work for others.
func TestPanicInAShardEndsOneConnection(t *testing.T) {
	t.Parallel()
	panics := make(chan string, 4)
	r := newRig(t, Options{
		Shards: 1,
		Candle: func(m solana.PublicKey, _ swapcast.Interval) (swapcast.Candle, bool) {
			if m == mint(2) {
				panic("on purpose")
			}
			return swapcast.Candle{}, false
		},
		OnConn: func(i ConnInfo) ConnHooks {
			return ConnHooks{Panic: func(v any) {
				panics <- i.VUID + ": " + fmt.Sprint(v)
				panic("the hook's own")
			}}
		},
	})
	other, victim := r.dial("vu_id=other"), r.dial("vu_id=victim")
	other.subscribe("prices", mint(1).String())
	victim.send(`{"action":"subscribe","channel":"candles","assets":%q}`, mint(2))
	if ce := victim.expectClose(); ce.Code != 1011 {
		t.Errorf("closed with %v", ce)
	}
	if got := <-panics; got != "victim: on purpose" {
		t.Errorf("told %q", got)
	}
	other.subscribe("prices", mint(3).String())
	r.await("the victim to go", func() bool { return r.Stats().Connections == 1 })
}

// A panic in what a stream of events has come for ends that stream and no other, as one
// of a WebSocket's does, and holds nothing.
func TestPanicInFollowEndsOneConnection(t *testing.T) {
	t.Parallel()
	panics := make(chan string, 4)
	r := newRig(t, Options{
		Follow: func(_ context.Context, subjects []Subject) error {
			if subjects[0].Key == mint(2) {
				panic("on purpose")
			}
			return nil
		},
		OnConn: func(i ConnInfo) ConnHooks {
			return ConnHooks{Panic: func(v any) { panics <- i.VUID + ": " + fmt.Sprint(v) }}
		},
	})
	other := r.events("vu_id=other&assets=" + mint(1).String())
	other.next()
	victim := r.events("vu_id=victim&assets=" + mint(2).String())
	if ev, err := victim.read(); err != nil || ev.name != "error" || !strings.Contains(ev.data, "internal_error") {
		t.Errorf("the stream ends with %+v, %v", ev, err)
	}
	c := r.dial("vu_id=third")
	c.send(`{"action":"subscribe","assets":%q}`, mint(2))
	if ce := c.expectClose(); ce.Code != 1011 {
		t.Errorf("closed with %v", ce)
	}
	if a, b := <-panics, <-panics; a != "victim: on purpose" || b != "third: on purpose" {
		t.Errorf("told %q and %q", a, b)
	}
	r.await("nobody to listen", func() bool { return !r.Listened(Subject{Channel: wire.ChannelPrices, Key: mint(2)}) })
	r.await("the others to go", func() bool { return r.Stats().Connections == 1 })
}

func TestTraceHeader(t *testing.T) {
	t.Parallel()
	const ids = "0123456789abcdef0123456789abcdef-0123456789abcdef"
	for in, want := range map[string]string{
		"": "", ids: ids, ids + "-1": ids, ids + "-0": ids, ids + "-11": "", ids[1:]: "", strings.ToUpper(ids): "",
		strings.Replace(ids, "-", "a", 1): "", strings.Repeat("-", len(ids)): "",
	} {
		if got := TraceHeader(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
