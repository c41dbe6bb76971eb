package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// timeLimit is how long a test waits for what must come.
const timeLimit = 20 * time.Second

// rig is a running server.
type rig struct {
	*Server
	t      testing.TB
	http   *httptest.Server
	cancel func() // ends Run's context
	stop   func() // ends Run, idempotent
}

func newRig(t testing.TB, o Options) *rig {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r := &rig{Server: s, t: t, cancel: cancel}
	r.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/v1/stream" {
			s.ServeSSE(w, q)
			return
		}
		s.ServeHTTP(w, q)
	}))
	SetHTTPLimits(r.http.Config)
	r.http.Start()
	r.stop = func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
			ended <- nil
		case <-time.After(timeLimit):
			t.Fatal("Run does not end")
		}
	}
	t.Cleanup(func() {
		r.stop()
		r.http.Close()
	})
	r.await("the door to open", func() bool { return s.door.isOpen() })
	return r
}

func (d *door) isOpen() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open
}

// inShard runs f on a shard's goroutine, which owns what f looks at.
func (r *rig) inShard(index int, f func(*shard)) {
	r.shards[index].do(item{what: itemCall, call: f})
}

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

// await polls for what has no channel to wait on.
func (r *rig) await(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(timeLimit)
	for !ok() {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (r *rig) url(query string) string {
	return "ws" + strings.TrimPrefix(r.http.URL, "http") + "/ws?" + query
}

// client is a client of coder/websocket.
type client struct {
	*websocket.Conn
	t    testing.TB
	more []json.RawMessage // of a batch

	packed bool // it has asked for MessagePack
}

func (r *rig) dial(query string, header ...string) *client {
	r.t.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, r.url(query), &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		r.t.Fatal(err)
	}
	ws.SetReadLimit(1 << 20)
	r.t.Cleanup(func() { ws.CloseNow() })
	return &client{Conn: ws, t: r.t}
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	c.write(websocket.MessageText, fmt.Appendf(nil, format, args...))
}

func (c *client) write(typ websocket.MessageType, data []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	if err := c.Conn.Write(ctx, typ, data); err != nil {
		c.t.Fatal(err)
	}
}

// message is any message of the server.
type message struct {
	Type       string   `json:"type"`
	ID         any      `json:"id"`
	Channel    string   `json:"channel"`
	AssetID    string   `json:"assetId"`
	Price      *float64 `json:"price"`
	Seq        uint64   `json:"seq"`
	TS         int64    `json:"ts"`
	Snapshot   bool     `json:"snapshot"`
	Feed       string   `json:"feed"`
	Code       string   `json:"code"`
	Message    string   `json:"message"`
	Assets     []string `json:"assets"`
	Epoch      string   `json:"epoch"`
	Recovered  bool     `json:"recovered"`
	FromSeq    uint64   `json:"fromSeq"`
	ToSeq      uint64   `json:"toSeq"`
	Reason     string   `json:"reason"`
	Amount     string   `json:"amount"`
	Side       string   `json:"side"`
	Confidence *float64 `json:"confidence"`
	Interval   string   `json:"interval"`
	T          int64    `json:"t"`
	C          float64  `json:"c"`
	Trades     uint64   `json:"trades"`
	Final      bool     `json:"final"`
	Errors     []struct {
		AssetID string `json:"assetId"`
		Wallet  string `json:"wallet"`
		Code    string `json:"code"`
	} `json:"errors"`
	Commitment string            `json:"commitment"`
	Slot       uint64            `json:"slot"`
	Signatures []string          `json:"signatures"`
	Corrects   uint64            `json:"corrects"`
	Seqs       map[string]uint64 `json:"seqs"`
	Wallet     string            `json:"wallet"`
	Wallets    []string          `json:"wallets"`
	Native     bool              `json:"native"`
	FromSlot   uint64            `json:"fromSlot"`
	ToSlot     uint64            `json:"toSlot"`
	Detail     string            `json:"detail"`
	LagMS      *int64            `json:"lagMs"`
	Degraded   bool              `json:"degraded"`
	raw        string
}

// next reads one message, out of a batch if need be.
func (c *client) next() message {
	c.t.Helper()
	m, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (c *client) read() (message, error) {
	if len(c.more) == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
		defer cancel()
		typ, data, err := c.Conn.Read(ctx)
		if err != nil {
			return message{}, err
		}
		if data, err = c.unpack(typ, data); err != nil {
			return message{}, err
		}
		if bytes.HasPrefix(data, []byte("[")) {
			if err := json.Unmarshal(data, &c.more); err != nil {
				return message{}, err
			}
		} else {
			c.more = []json.RawMessage{data}
		}
	}
	var m message
	raw := c.more[0]
	c.more = c.more[1:]
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("%s: %w", raw, err)
	}
	m.raw = string(raw)
	return m, nil
}

// expectClose reads until the close frame, and returns its code and reason.
func (c *client) expectClose() websocket.CloseError {
	c.t.Helper()
	for {
		_, err := c.read()
		if err == nil {
			continue
		}
		var ce websocket.CloseError
		if !asClose(err, &ce) {
			c.t.Fatalf("no close frame: %v", err)
		}
		return ce
	}
}

func (c *client) subscribe(channel, asset string) {
	c.t.Helper()
	c.send(`{"action":"subscribe","channel":%q,"assets":%q,"id":"sub"}`, channel, asset)
	if m := c.next(); m.Type != "subscribed" || m.ID != "sub" {
		c.t.Fatalf("no acknowledgement: %s", m.raw)
	}
	if channel == "prices" {
		if m := c.next(); !m.Snapshot || m.AssetID != asset {
			c.t.Fatalf("no snapshot: %s", m.raw)
		}
	}
}

func mint(n int) solana.PublicKey {
	var k solana.PublicKey
	k[0], k[30], k[31] = 7, byte(n>>8), byte(n)
	return k
}

func price(n int, usd float64) *swapcast.Price {
	return &swapcast.Price{
		Mint: mint(n), USD: usd, Known: true, SOL: usd / 150, SOLKnown: true, Confidence: 0.97, LiquidityUSD: 81234567.1,
		DEX: "raydium-clmm", Pool: mint(1000 + n), Slot: 371234567, Signature: solana.Signature{1, 2, 3}, BlockTime: 1764000000,
		ReceivedAt: time.Now().UnixNano(),
	}
}

func trade(n int, amount uint64) *swapcast.Trade {
	return &swapcast.Trade{
		Mint: mint(n), Side: swapcast.Sell, Amount: amount, Decimals: 9, USD: 147.2, AmountUSD: 220.8, Known: true,
		Trader: mint(2000), DEX: "orca-whirlpool", Pool: mint(1000 + n), Slot: 371234567, Signature: solana.Signature{1, 2, 3},
		ReceivedAt: time.Now().UnixNano(),
	}
}
