package stream

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast/stream/wire"
)

// dialForm connects and asks for a form.
func (r *rig) dialForm(f form, query string) *client {
	r.t.Helper()
	o := &websocket.DialOptions{CompressionMode: websocket.CompressionDisabled, CompressionThreshold: 1}
	if f.packed() {
		o.Subprotocols = []string{"something.else", wire.Subprotocol}
	}
	if f.deflated() {
		o.CompressionMode = websocket.CompressionContextTakeover // which the server does not grant
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, r.url(query), o)
	if err != nil {
		r.t.Fatal(err)
	}
	if got := resp.Header.Get("Sec-WebSocket-Protocol"); f.packed() != (got == wire.Subprotocol) {
		r.t.Fatalf("subprotocol %q", got)
	}
	if got := resp.Header.Get("Sec-WebSocket-Extensions"); f.deflated() != (got == "permessage-deflate; client_no_context_takeover; server_no_context_takeover") {
		r.t.Fatalf("extensions %q", got)
	}
	ws.SetReadLimit(1 << 20)
	r.t.Cleanup(func() { ws.CloseNow() })
	return &client{Conn: ws, t: r.t, packed: f.packed()}
}

// Clients of every form, batched or not, are told the very same.
func TestEveryFormTellsTheSame(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Compression: true})
	for i := range 3 {
		r.PublishPrice(price(i, 147.231))
	}
	var clients []*client
	for f := range forms {
		for _, query := range []string{"", "batch=1"} {
			c := r.dialForm(f, query)
			clients = append(clients, c)
			for _, request := range []string{
				`{"action":"subscribe","channel":"trades","assets":["` + mint(1).String() + `"],"id":7}`,
				`{"action":"subscribe","assets":` + mints(t, 0, 3) + `,"id":"é\"\u003c"}`,
				`{"action":"subscribe","assets":["no asset"]}`,
				`{"action":"ping","id":9}`,
			} {
				if f.packed() && query == "" { // requests may be either
					c.write(websocket.MessageBinary, wire.AppendMsgpack(nil, []byte(request)))
				} else {
					c.send("%s", request)
				}
			}
		}
	}
	await := func(last func(m message) bool) [][]string {
		var all [][]string
		for _, c := range clients {
			var got []string
			for {
				m := c.next()
				got = append(got, canonical(t, m.raw))
				if last(m) {
					break
				}
			}
			all = append(all, got)
		}
		return all
	}
	check := func(what string, all [][]string) {
		for i := range all {
			if !reflect.DeepEqual(all[i], all[0]) {
				t.Errorf("%s: client %d was told\n%s\nand not\n%s", what, i, strings.Join(all[i], "\n"), strings.Join(all[0], "\n"))
			}
		}
	}
	check("answers", await(func(m message) bool { return m.Type == "pong" }))
	for i := range 20 {
		r.PublishPrice(price(i%3, float64(i+1)))
		r.PublishTrade(trade(1, uint64(i)))
	}
	r.PublishTrade(trade(1, 4711))
	all := await(func(m message) bool { return m.Amount == "4711" })
	check("updates", all)
	if n := len(all[0]); n != 41 {
		t.Errorf("%d messages", n)
	}
}

// canonical is a JSON object with its fields in the order of their names.
func canonical(t *testing.T, raw string) string {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A frame's form is made once, whoever asks for it, and all are given the same
// bytes.
func TestFormsAreShared(t *testing.T) {
	t.Parallel()
	for f := range forms {
		fr := newFrame(kindPrice, priceSize, func(dst []byte) []byte { return wire.AppendPrice(dst, price(1, 147.231), wire.Meta{Seq: 1}) })
		got := make([][]byte, 16)
		var readers sync.WaitGroup
		for i := range got {
			readers.Go(func() { got[i] = fr.in(f) })
		}
		readers.Wait()
		for _, b := range got {
			if &b[0] != &got[0][0] || len(b) != len(got[0]) {
				t.Errorf("%v was made twice", f)
			}
		}
	}
}

// Any frame inflates to what it was, by the standard library's decoder, and one
// that would not shrink is left as it is.
func TestDeflatedFrames(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 70_000)
	for i := range noise {
		noise[i] = 'a' + byte(random.IntN(26))
	}
	for _, n := range []int{0, 1, 2, 50, 118, 125, 126, 1000, 40_000, 65_535, 65_536, 70_000} {
		for name, data := range map[string][]byte{"noise": noise[:n], "one letter": bytes.Repeat([]byte("x"), n)} {
			fr := newFrame(kindReply, n, func(dst []byte) []byte { return append(append(append(dst, `{"x":"`...), data...), `"}`...) })
			for _, f := range []form{formJSONDeflated, formPackedDeflated} {
				plain, b := fr.in(f.plain()), fr.in(f)
				if len(b) > len(plain) {
					t.Errorf("%s of %d: %d bytes of %d", name, n, len(b), len(plain))
				}
				payload := b[headerLen(b):]
				if b[0]&rsv1 != 0 {
					inflated, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader(deflateTail+"\x01\x00\x00\xff\xff"))))
					if err != nil {
						t.Fatal(err)
					}
					payload = inflated
				} else if name == "one letter" && n > 50 {
					t.Errorf("%d letters were not compressed", n)
				}
				if b[0]&^rsv1 != plain[0] || !bytes.Equal(payload, plain[headerLen(plain):]) {
					t.Errorf("%s of %d, %v: other bytes", name, n, f)
				}
			}
		}
	}
}

// What clients offer, and what comes of it: RFC 7692, section 7.1.
func TestCompressionIsNegotiated(t *testing.T) {
	t.Parallel()
	const granted = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
	with, without := newRig(t, Options{Compression: true}), newRig(t, Options{})
	for offer, want := range map[string]string{
		"":                   "",
		"permessage-deflate": granted,
		"permessage-deflate; client_max_window_bits":                                           granted, // Chromium, Firefox, Node's ws
		"permessage-deflate; client_no_context_takeover; server_no_context_takeover":           granted,
		"permessage-deflate; server_max_window_bits=10":                                        "", // we cannot: declined, not ignored
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":                    granted,
		"permessage-deflate; server_max_window_bits=15":                                        granted,
		"permessage-deflate; unheard_of":                                                       "",
		"x-webkit-deflate-frame":                                                               "",
		"permessage-bzip2, permessage-deflate; client_no_context_takeover; unheard_of, foo=\"": "",
	} {
		for r, want := range map[*rig]string{with: want, without: ""} {
			req, err := http.NewRequest(http.MethodGet, r.http.URL+"/ws", nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{
				"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Extensions": offer,
			} {
				req.Header.Set(name, value)
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != want || resp.StatusCode != http.StatusSwitchingProtocols {
				t.Errorf("%q (%v): %d, %q", offer, r == with, resp.StatusCode, got)
			}
		}
	}
}

// A message that is small on the wire and large when inflated is too big.
func TestCompressionBomb(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Compression: true})
	c := r.dialForm(formJSONDeflated, "")
	c.send(`{"action":"ping","id":"%s"}`, strings.Repeat("a", 10<<20))
	if ce := c.expectClose(); ce.Code != websocket.StatusMessageTooBig {
		t.Errorf("%v", ce)
	}
	r.await("it to leave", func() bool { return r.Stats().Connections == 0 })
}

// A compressed frame from who has not negotiated it, or one that is no deflate,
// ends that connection.
func TestCompressedFramesOutOfPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Compression: true})
	plain := r.dialRaw("", 0)
	if err := plain.sendFrame(1|rsv1, deflate(nil, []byte(`{"action":"ping"}`))); err != nil {
		t.Fatal(err)
	}
	if f := plain.expect(opClose); len(f.payload) < 2 || int(f.payload[0])<<8|int(f.payload[1]) != int(wire.CloseProtocolError) {
		t.Errorf("%x", f.payload)
	}
}

// Binary requests are read as MessagePack where that was agreed on, and nowhere else.
func TestPackedRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	c := r.dialForm(formPacked, "")
	for name, request := range map[string][]byte{
		"cut off": {0x82, 0xa6, 'a'}, "no map": {0x93, 1, 2, 3}, "an extension": {0xd4, 1, 1},
		"a field twice": wire.AppendMsgpack(nil, []byte(`{"action":"ping","action":"ping"}`)),
	} {
		c.write(websocket.MessageBinary, request)
		if m := c.next(); m.Type != "error" || m.Code != "bad_json" {
			t.Errorf("%s: %s", name, m.raw)
		}
	}
	c.write(websocket.MessageBinary, wire.AppendMsgpack(nil, []byte(`{"action":"ping","id":18}`)))
	if m := c.next(); m.Type != "pong" || m.ID != 18. {
		t.Errorf("%s", m.raw)
	}
	plain := r.dial("")
	plain.write(websocket.MessageBinary, wire.AppendMsgpack(nil, []byte(`{"action":"ping","id":18}`)))
	if m := plain.next(); m.Code != "bad_json" {
		t.Errorf("%s", m.raw)
	}
}

// What a message costs in each form, made once for everybody: time and bytes.
func BenchmarkForms(b *testing.B) {
	p := price(1, 147.231)
	p.Mint[5], p.Signature = 77, [64]byte{}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range p.Signature { // as hard to compress as a real one
		p.Signature[i] = byte(random.Uint32())
	}
	for i := range p.Mint {
		p.Mint[i], p.Pool[i] = byte(random.Uint32()), byte(random.Uint32())
	}
	for f := range forms {
		b.Run(f.String(), func(b *testing.B) {
			b.ReportAllocs()
			var n int
			for b.Loop() {
				n = len(newFrame(kindPrice, priceSize, func(dst []byte) []byte { return wire.AppendPrice(dst, p, wire.Meta{Seq: 1841, TS: 1764000000123}) }).in(f))
			}
			b.ReportMetric(float64(n), "bytes")
		})
	}
}

// The storm's clients, in every form: whole frames, whatever the sockets take.
func TestStormOfForms(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{
		Compression: true, Limits: Limits{QueuedPrices: 16, MessagesPerSecond: -1, QueuedTrades: 100_000}, Timing: Timing{SendBuffer: 4096},
	})
	const trades = 400
	var clients sync.WaitGroup
	for i := range 16 {
		c := r.dialForm(form(i)%forms, []string{"", "batch=1"}[i/8])
		c.send(`{"action":"subscribe","channel":"trades","assets":%q,"id":"t"}`, mint(1))
		c.send(`{"action":"subscribe","assets":%q}`, mint(1))
		if m := c.next(); m.Type != "subscribed" {
			t.Fatalf("%s", m.raw)
		}
		clients.Go(func() {
			for want := uint64(1); want <= trades; {
				m, err := c.read()
				if err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				if m.Type != "trade" {
					continue
				}
				if m.Seq != want {
					t.Errorf("client %d: seq %d after %d", i, m.Seq, want-1)
					return
				}
				want++
			}
		})
	}
	for i := range trades {
		r.PublishTrade(trade(1, uint64(i)))
		r.PublishPrice(price(1, float64(i+1)))
	}
	clients.Wait()
}

var errNoForm = errors.New("a frame of the wrong kind")

// unpack reads a frame of a client that has asked for MessagePack into JSON.
func (c *client) unpack(typ websocket.MessageType, data []byte) ([]byte, error) {
	if c.packed != (typ == websocket.MessageBinary) {
		return nil, errNoForm
	}
	if !c.packed {
		return data, nil
	}
	return wire.AppendJSON(nil, slices.Clone(data))
}
