package stream

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast/stream/wire"
)

// Each bad request has one clear error, and the connection stays open.
func TestErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Limits: Limits{AssetsPerMessage: 3, BadRequests: -1}})
	c := r.dial("")
	m := mint(1).String()
	for _, test := range []struct {
		name, send, code, id, asset string
	}{
		{"no JSON", `subscribe`, "bad_json", "", ""},
		{"empty", ``, "bad_json", "", ""},
		{"an array", `[]`, "bad_json", "", ""},
		{"invalid UTF-8", "{\"action\":\"ping\",\"id\":\"\xff\"}", "bad_json", "", ""},
		{"deeply nested", `{"action":"ping","x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "bad_json", "", ""},
		{"a field twice", `{"id":"1","action":"ping","action":"ping"}`, "bad_json", "1", ""},
		{"wrong type", `{"id":"2","action":"subscribe","assets":7}`, "bad_json", "2", ""},
		{"unknown action", `{"action":"buy","id":"3"}`, "unknown_action", "3", ""},
		{"unknown channel", `{"action":"subscribe","channel":"weather","assets":"` + m + `","id":"4"}`, "unknown_channel", "4", ""},
		{"bad interval", `{"action":"subscribe","channel":"candles","assets":"` + m + `","interval":"2m","id":"5"}`, "invalid_interval", "5", ""},
		{"bad interval, to end", `{"action":"unsubscribe","channel":"candles","assets":"` + m + `","interval":"1S"}`, "invalid_interval", "", ""},
		{"no wallets", `{"action":"subscribe","channel":"balances","assets":["` + m + `"]}`, "invalid_wallet", "", ""},
		{"finalized", `{"action":"subscribe","assets":"` + m + `","commitment":"finalized","id":"6"}`, "unsupported_commitment", "6", ""},
		{"commitment", `{"action":"unsubscribe","assets":"` + m + `","commitment":"sure","id":"6"}`, "unsupported_commitment", "6", ""},
		{"commitment of the status", `{"action":"subscribe","channel":"status","commitment":"Confirmed"}`, "unsupported_commitment", "", ""},
		{"bad since", `{"action":"subscribe","assets":"` + m + `","since":{"epoch":"a","seqs":{"` + m + `":-1}},"id":"6"}`, "bad_json", "", ""},
		{"no assets", `{"action":"subscribe","id":"7"}`, "invalid_asset", "7", ""},
		{"empty assets", `{"action":"unsubscribe","assets":[],"id":"7"}`, "invalid_asset", "7", ""},
		{"a bad asset", `{"action":"subscribe","assets":"nope","id":"8"}`, "invalid_asset", "8", "nope"},
		{"a bad asset, no id", `{"action":"unsubscribe","assets":["0OIl"]}`, "invalid_asset", "", "0OIl"},
		{"too many", `{"action":"subscribe","assets":["a","b","c","d"],"id":"9"}`, "too_many_subscriptions", "9", ""},
	} {
		c.send("%s", test.send)
		got := c.next()
		id, _ := got.ID.(string)
		if got.Type != "error" || got.Code != test.code || id != test.id || got.AssetID != test.asset || got.Message == "" {
			t.Errorf("%s: %s", test.name, got.raw)
		}
	}
	c.write(websocket.MessageBinary, []byte(`{"action":"ping"}`))
	if got := c.next(); got.Code != "bad_json" || !strings.Contains(got.Message, "binary") {
		t.Errorf("binary: %s", got.raw)
	}
	c.send(`{"action":"ping","id":"still here"}`)
	if got := c.next(); got.Type != "pong" {
		t.Errorf("still here: %s", got.raw)
	}
}

func TestOneBadAssetRefusesOnlyItself(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	c := r.dial("")
	c.send(`{"action":"subscribe","assets":[%q,"bad",%q,%q],"id":"7"}`, mint(1), mint(2), mint(1))
	ack := c.next()
	if ack.Type != "subscribed" || ack.Channel != "prices" || ack.Epoch != r.Epoch() || ack.Recovered ||
		fmt.Sprint(ack.Assets) != fmt.Sprint([]string{mint(1).String(), mint(2).String()}) ||
		len(ack.Errors) != 1 || ack.Errors[0].AssetID != "bad" || ack.Errors[0].Code != "invalid_asset" {
		t.Errorf("acknowledgement: %s", ack.raw)
	}
	for _, want := range []int{1, 2} {
		m := c.next()
		if !m.Snapshot || m.AssetID != mint(want).String() || m.Price != nil || !strings.Contains(m.raw, `"price":null`) {
			t.Errorf("snapshot: %s", m.raw)
		}
	}
	// Without an id there is no acknowledgement, but the error comes.
	c.send(`{"action":"subscribe","assets":[%q,"bad"]}`, mint(3))
	if m := c.next(); m.Type != "error" || m.Code != "invalid_asset" || m.AssetID != "bad" {
		t.Errorf("error: %s", m.raw)
	}
	if m := c.next(); !m.Snapshot || m.AssetID != mint(3).String() {
		t.Errorf("snapshot: %s", m.raw)
	}
}

func TestRepeatedSubscription(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	c := r.dial("")
	c.subscribe("prices", mint(1).String())
	r.PublishPrice(price(1, 5))
	if m := c.next(); m.Seq != 1 {
		t.Fatalf("%s", m.raw)
	}
	c.subscribe("prices", mint(1).String()) // acknowledged, and the snapshot again
	if got := r.Stats().Subscriptions["prices"]; got != 1 {
		t.Errorf("%d subscriptions", got)
	}
	r.PublishPrice(price(1, 6))
	if m := c.next(); m.Seq != 2 || m.Snapshot {
		t.Errorf("%s", m.raw)
	}
	c.send(`{"action":"unsubscribe","assets":%q,"id":"u"}`, mint(1))
	c.next()
	r.PublishPrice(price(1, 7)) // nobody's
	c.send(`{"action":"unsubscribe","assets":%q,"id":"again"}`, mint(1))
	if m := c.next(); m.Type != "unsubscribed" || m.ID != "again" {
		t.Errorf("%s", m.raw)
	}
	c.send(`{"action":"subscribe","assets":%q}`, mint(1))
	if m := c.next(); !m.Snapshot || m.Seq != 3 || *m.Price != 7 {
		t.Errorf("%s", m.raw)
	}
}

func TestTrades(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	c := r.dial("")
	r.PublishTrade(trade(1, 99))
	c.subscribe("trades", mint(1).String())
	r.PublishPrice(price(1, 1)) // another channel
	r.PublishTrade(trade(1, 100))
	r.PublishTrade(trade(1, 1<<63))
	for i, want := range []string{"100", "9223372036854775808"} {
		if m := c.next(); m.Type != "trade" || m.Amount != want || m.Seq != uint64(i)+2 || m.Side != "sell" {
			t.Errorf("trade: %s", m.raw)
		}
	}
	r.await("the shard to tell", func() bool { return r.Stats().Sent == 3 })
	if s := r.Stats(); s.Subscriptions["trades"] != 1 || s.Subscriptions["prices"] != 0 || s.Connections != 1 || s.Sent != 3 {
		t.Errorf("%+v", s)
	}
}

func TestTooManySubscriptions(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Limits: Limits{Subscriptions: 3}})
	c := r.dial("")
	c.send(`{"action":"subscribe","channel":"trades","assets":[%q,%q],"id":"1"}`, mint(1), mint(2))
	c.next()
	c.send(`{"action":"subscribe","channel":"trades","assets":[%q,%q,%q],"id":"2"}`, mint(2), mint(3), mint(4))
	m := c.next()
	if m.Type != "subscribed" || len(m.Assets) != 2 || len(m.Errors) != 1 || m.Errors[0].Code != "too_many_subscriptions" || m.Errors[0].AssetID != mint(4).String() {
		t.Errorf("%s", m.raw)
	}
	c.send(`{"action":"subscribe","assets":%q,"id":"3"}`, mint(1))
	if m := c.next(); m.Type != "error" || m.Code != "too_many_subscriptions" || m.ID != "3" {
		t.Errorf("%s", m.raw)
	}
	c.send(`{"action":"unsubscribe","channel":"trades","assets":%q,"id":"4"}`, mint(1))
	c.next()
	c.subscribe("prices", mint(1).String())
}

func TestTenBadRequestsInARow(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	c := r.dial("")
	for range 9 {
		c.send(`nonsense`)
		c.next()
	}
	c.send(`{"action":"ping","id":"1"}`) // which breaks the row
	c.next()
	for range 10 {
		c.send(`nonsense`)
		if m := c.next(); m.Code != "bad_json" {
			t.Errorf("%s", m.raw)
		}
	}
	if ce := c.expectClose(); ce.Code != 4400 {
		t.Errorf("closed with %v", ce)
	}
}

func TestBigMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	// As large as allowed: understood.
	c := r.dial("")
	pad := strings.Repeat("x", 64<<10-len(`{"action":"ping","id":"1","x":""}`))
	c.send(`{"action":"ping","id":"1","x":%q}`, pad)
	if m := c.next(); m.Type != "pong" {
		t.Errorf("%s", m.raw)
	}
	c.CloseNow()
	// 1 MB in one frame: closed, and the close frame arrives although the
	// client was still sending when it was sent.
	raw := r.dialRaw("", 0)
	if err := raw.sendFrame(1, bytes.Repeat([]byte("x"), 1<<20)); err != nil {
		t.Fatal(err)
	}
	if f := raw.expect(8); f.closeCode() != wire.CloseTooBig {
		t.Errorf("closed with %d", f.closeCode())
	}
	raw.expectEnd()
}

func TestThousandSubscriptionsASecond(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Limits: Limits{MessagesPerSecond: 10, MessageBurst: 20, AbuseMessages: 300}})
	c := r.dialRaw("", 0)
	other := r.dial("")
	other.subscribe("prices", mint(1).String())
	for i := range 1000 {
		if c.sendFrame(1, fmt.Appendf(nil, `{"action":"subscribe","channel":"trades","assets":%q,"id":"%d"}`, mint(i), i)) != nil {
			break // closed on us
		}
	}
	acks, limited := 0, 0
	c.SetReadDeadline(time.Now().Add(timeLimit))
	for {
		f, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.op == 8 {
			if f.closeCode() != wire.ClosePolicy {
				t.Errorf("closed with %d", f.closeCode())
			}
			break
		}
		switch m := f.message(t); {
		case m.Type == "subscribed":
			acks++
		case m.Code == "rate_limited":
			limited++
		default:
			t.Errorf("%s", f.payload)
		}
	}
	if acks < 20 || acks > 60 || limited < 300 {
		t.Errorf("%d served, %d refused", acks, limited)
	}
	r.PublishPrice(price(1, 3))
	if m := other.next(); *m.Price != 3 {
		t.Errorf("the other client: %s", m.raw)
	}
}

// A flood of pings is answered at the rate of messages, and no faster.
func TestPingFlood(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Limits: Limits{MessagesPerSecond: 10, MessageBurst: 20, AbuseMessages: 500}})
	c := r.dialRaw("", 0)
	for range 2000 {
		if c.sendFrame(9, []byte("x")) != nil {
			break
		}
	}
	c.SetReadDeadline(time.Now().Add(timeLimit))
	pongs := 0
	for {
		f, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.op == 8 {
			if f.closeCode() != wire.ClosePolicy {
				t.Errorf("closed with %d", f.closeCode())
			}
			break
		}
		pongs++
	}
	if pongs < 20 || pongs > 100 {
		t.Errorf("%d pongs", pongs)
	}
}

// However many pings follow the one that was too many, the shard is asked once
// to end the connection.
func TestPingFloodQueuesOneEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Limits: Limits{MessagesPerSecond: 0.01, MessageBurst: 1, AbuseMessages: 5}})
	c := r.dialRaw("", 0)
	r.hold(0, func() {
		for range 500 {
			if err := c.sendFrame(9, nil); err != nil {
				t.Fatal(err)
			}
		}
		c.sendText(`{"action":"ping"}`) // the reader takes it after all pings
		r.await("the flood to be read", func() bool { return r.queued(0, itemReply) == 1 })
		if n := r.queued(0, itemEnd); n != 1 {
			t.Errorf("the end is queued %d times", n)
		}
	})
	if f := c.expect(8); f.closeCode() != wire.ClosePolicy {
		t.Errorf("closed with %d", f.closeCode())
	}
}
