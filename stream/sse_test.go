package stream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
)

// event is one server-sent event, as the specification reads it.
type event struct {
	id, name, data string
	comment        bool // nothing but a comment
	retry          string
}

// eventSource reads a stream by the rules of the HTML standard.
type eventSource struct {
	t       testing.TB
	body    io.ReadCloser
	lines   *bufio.Reader
	lastID  string
	headers http.Header
}

// get asks for a stream without looking at the answer.
func (r *rig) get(query string, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.http.URL+"/v1/stream?"+query, nil)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
}

func (r *rig) events(query string, header ...string) *eventSource {
	r.t.Helper()
	resp, err := r.get(query, header...)
	if err != nil {
		r.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		text, _ := io.ReadAll(resp.Body)
		r.t.Fatalf("%s %v: %s", resp.Status, resp.Header, text)
	}
	es := &eventSource{t: r.t, body: resp.Body, lines: bufio.NewReader(resp.Body), headers: resp.Header}
	r.t.Cleanup(es.close)
	return es
}

func (es *eventSource) close() { es.body.Close() }

// read returns the next block of lines.
func (es *eventSource) read() (event, error) {
	var e event
	some := false
	for {
		line, err := es.lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			if !some {
				continue
			}
			if e.id != "" {
				es.lastID = e.id
			}
			return e, nil
		}
		some = true
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "":
			e.comment = true
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data += value
		case "retry":
			e.retry = value
		default:
			return e, fmt.Errorf("the line %q", line)
		}
	}
}

// next returns the next message.
func (es *eventSource) next() message {
	es.t.Helper()
	for {
		e, err := es.read()
		if err != nil {
			es.t.Fatal(err)
		}
		if e.data == "" {
			continue
		}
		var m message
		if err := json.Unmarshal([]byte(e.data), &m); err != nil {
			es.t.Fatalf("%+v: %v", e, err)
		}
		m.raw = e.data
		return m
	}
}

func (es *eventSource) expectBrief(want ...string) {
	es.t.Helper()
	for _, w := range want {
		if m := es.next(); m.brief() != w {
			es.t.Fatalf("%s\nwant %s\n(%s)", m.brief(), w, m.raw)
		}
	}
}

// The messages of a stream are those of the WebSocket, byte for byte.
func TestEventsAreTheMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Feed: swapcast.FeedSimulated})
	for name, test := range map[string]struct {
		query, subscribe string
		publish          func()
	}{
		"prices": {"assets=" + mint(1).String(), `"assets":"` + mint(1).String() + `"`, func() { r.PublishPrice(price(1, 2)) }},
		"confirmed trades": {
			"commitment=confirmed&channel=trades&assets=" + mint(1).String() + "," + mint(2).String(),
			`"commitment":"confirmed","channel":"trades","assets":["` + mint(1).String() + `","` + mint(2).String() + `"]`,
			func() {
				tr := trade(2, 1)
				tr.Commitment = swapcast.Confirmed
				r.PublishTrade(tr)
			},
		},
		"candles": {
			"channel=candles&interval=5s&assets=" + mint(1).String(), `"channel":"candles","interval":"5s","assets":"` + mint(1).String() + `"`,
			func() { r.PublishCandle(candle(1, swapcast.Interval5s, 5, 1)) },
		},
		"balances": {
			"channel=balances&wallets=" + mint(1).String() + ",nope", `"channel":"balances","wallets":["` + mint(1).String() + `","nope"]`,
			func() { r.PublishBalance(balance(1, 2, 3)) },
		},
		"status": {"channel=status", `"channel":"status"`, func() { r.PublishGap(&swapcast.Gap{FromSlot: 1, ToSlot: 2}) }},
	} {
		c := r.dial("")
		c.send(`{"action":"subscribe","id":"stream",%s}`, test.subscribe)
		want := []message{c.next()}
		es := r.events(test.query)
		got := []message{es.next()}
		if name == "prices" || name == "status" {
			want, got = append(want, c.next()), append(got, es.next())
		}
		test.publish()
		if name != "status" {
			want, got = append(want, c.next()), append(got, es.next())
		}
		for i := range want {
			w := want[i].raw
			if got[i].raw != w && !(want[i].Snapshot && got[i].brief() == want[i].brief()) { // a snapshot of nothing has the time at which it was made
				t.Errorf("%s: %s\nwant %s", name, got[i].raw, w)
			}
		}
		es.close()
		c.CloseNow()
	}
	r.await("all to go", func() bool { return r.Stats().Connections == 0 })
}

func TestEventsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{AllowedOrigins: []string{"app.example.com"}, Limits: Limits{StreamAssets: 2, Connections: 1}})
	m := mint(1).String()
	for name, test := range map[string]struct {
		query, origin string
		status        int
		code, about   string
	}{
		"no assets":     {"", "", 400, "invalid_asset", "assets"},
		"bad assets":    {"assets=nope,nada", "", 400, "invalid_asset", "assets"},
		"too many":      {"assets=a,b,c", "", 400, "too_many_subscriptions", "assets"},
		"no wallets":    {"channel=balances&assets=" + m, "", 400, "invalid_wallet", "wallets"},
		"channel":       {"channel=weather&assets=" + m, "", 400, "unknown_channel", "channel"},
		"commitment":    {"commitment=finalized&assets=" + m, "", 400, "unsupported_commitment", "commitment"},
		"interval":      {"channel=candles&interval=2m&assets=" + m, "", 400, "invalid_interval", "interval"},
		"window":        {"window_ms=-1&assets=" + m, "", 400, "bad_parameter", "window_ms"},
		"other origin":  {"assets=" + m, "https://evil.example.com", 403, "origin_refused", ""},
		"right origin":  {"assets=nope", "https://app.example.com", 400, "invalid_asset", "assets"},
		"its own pages": {"assets=nope", r.http.URL, 400, "invalid_asset", "assets"},
	} {
		resp, err := r.get(test.query, "Origin", test.origin)
		if err != nil {
			t.Fatal(err)
		}
		var p struct{ Code, Parameter string }
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		allowed := resp.Header.Get("Access-Control-Allow-Origin")
		if resp.StatusCode != test.status || p.Code != test.code || p.Parameter != test.about || resp.Header.Get("Content-Type") != "application/problem+json" ||
			(allowed != "") != (test.origin != "" && test.status != 403) {
			t.Errorf("%s: %s %+v %v", name, resp.Status, p, resp.Header)
		}
	}
	if n := r.registry.len(); n != 0 || r.Stats().Connections != 0 {
		t.Errorf("%d assets, %+v", n, r.Stats())
	}
	es := r.events("assets="+m, "Origin", "https://app.example.com")
	if es.headers.Get("Access-Control-Allow-Origin") != "https://app.example.com" || es.headers.Get("Vary") != "Origin" {
		t.Errorf("%v", es.headers)
	}
	resp, err := r.get("assets=" + m)
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()

	for method, status := range map[string]int{http.MethodPost: 405, http.MethodOptions: 204, http.MethodHead: 405} {
		req, err := http.NewRequestWithContext(context.Background(), method, r.http.URL+"/v1/stream?assets="+m, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "https://app.example.com")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status || resp.Header.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
			t.Errorf("%s: %s %v", method, resp.Status, resp.Header)
		}
	}
}

// API keys, their limits, and what happens when one is withdrawn.
func TestEventsAndKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	write := func(name, key, limits string) {
		if err := os.WriteFile(file, fmt.Appendf(nil, "%s %x %s\n", name, sha256.Sum256([]byte(key)), limits), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "secret", "conns=1")
	r := newRig(t, Options{KeysFile: file})
	m := mint(1).String()
	resp, err := r.get("assets=" + m)
	if err != nil || resp.StatusCode != 401 {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	es := r.events("assets="+m, "Authorization", "Bearer secret")
	es.next()
	es.next()
	resp, err = r.get("api_key=secret&assets=" + m)
	if err != nil || resp.StatusCode != 503 {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	write("b", "other", "")
	if err := r.ReloadKeys(); err != nil {
		t.Fatal(err)
	}
	e, err := es.read()
	if err != nil || e.name != "error" || !strings.Contains(e.data, `"code":"bad_key"`) {
		t.Errorf("%+v %v", e, err)
	}
	if _, err := es.read(); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

// A reader that is too slow gets the newest prices; its trades are kept up to a
// bound, then an error ends the stream, and it goes on where it was.
func TestSlowReaderOfEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Limits: Limits{QueuedTrades: 50, QueuedPrices: 8, HistoryTrades: 200_000, HistoryTotal: 200_000}, Timing: Timing{SendBuffer: 4096}})
	open := func(query string) (*bufio.Reader, net.Conn) {
		d := net.Dialer{Control: receiveBuffer(4096)}
		nc, err := d.DialContext(context.Background(), "tcp", r.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		fmt.Fprintf(nc, "GET /v1/stream?%s HTTP/1.1\r\nHost: x\r\n\r\n", query)
		br := bufio.NewReader(nc)
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == "\r\n" {
				return br, nc
			}
		}
	}
	br, _ := open("assets=" + mint(1).String())
	prices := &eventSource{t: t, lines: br}
	prices.next()
	prices.next()
	const updates = 3000
	for i := range updates {
		r.PublishPrice(price(1, float64(i+1)))
		if i%100 == 0 {
			r.await("it to be taken up", func() bool { return r.Stats().Sent+r.Stats().Conflated+8 >= uint64(i) })
		}
	}
	for last := uint64(0); last < updates; {
		m := prices.next()
		if m.Seq <= last {
			t.Fatalf("%d after %d", m.Seq, last)
		}
		last = m.Seq
	}
	if r.Stats().Conflated == 0 {
		t.Error("it was never slow: nothing is shown")
	}

	br, _ = open("channel=trades&assets=" + mint(1).String())
	trades := &eventSource{t: t, lines: br}
	trades.next()
	sent := 0
	for !r.closing() && sent < 100_000 {
		for range 20 {
			sent++
			r.PublishTrade(trade(1, uint64(sent)))
		}
	}
	next := uint64(1)
	for {
		e, err := trades.read()
		if err != nil {
			t.Fatal(err)
		}
		if e.name == "error" {
			if !strings.Contains(e.data, `"code":"slow_consumer"`) {
				t.Errorf("%+v", e)
			}
			break
		}
		if !bytes.Contains([]byte(e.data), fmt.Appendf(nil, `"seq":%d,`, next)) {
			t.Fatalf("%d: %+v", next, e)
		}
		next++
	}
	if _, err := trades.read(); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
	if next == 1 || next > uint64(sent) {
		t.Errorf("%d trades of %d", next-1, sent)
	}
	again := r.events("channel=trades&assets="+mint(1).String(), "Last-Event-ID", trades.lastID)
	if m := again.next(); !m.Recovered || m.Seqs[mint(1).String()] != next-1 {
		t.Errorf("%s", m.raw)
	}
	for ; next <= uint64(sent); next++ {
		if m := again.next(); m.Seq != next {
			t.Fatalf("%d: %s", next, m.raw)
		}
	}
}

// Streams are told when to come back, and all end.
func TestEventsDrain(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Timing: Timing{ReconnectMin: time.Second, ReconnectMax: 2 * time.Second}})
	es := r.events("assets=" + mint(1).String())
	es.next()
	es.next()
	r.PublishPrice(price(1, 7))
	drained := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
		defer cancel()
		drained <- r.Drain(ctx)
	}()
	if m := es.next(); m.Seq != 1 {
		t.Errorf("%s", m.raw)
	}
	e, err := es.read()
	if err != nil || len(e.retry) != 4 || e.data != "" {
		t.Errorf("%+v %v", e, err)
	}
	if _, err := es.read(); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
	es.close()
	if err := <-drained; err != nil {
		t.Error(err)
	}
	resp, err := r.get("assets=" + mint(1).String())
	if err != nil || resp.StatusCode != 503 {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
}

// A stream that is silent has comments; a client that talks on it is refused.
func TestEventsHeartbeat(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Timing: Timing{PingInterval: 10 * time.Millisecond, DeadAfter: 40 * time.Millisecond}, Limits: Limits{MessageBytes: 1000}})
	es := r.events("channel=trades&assets=" + mint(1).String())
	es.next()
	for range 12 { // longer than DeadAfter: it need not say anything
		if e, err := es.read(); err != nil || !e.comment || e.data != "" {
			t.Fatalf("%+v %v", e, err)
		}
	}
	nc, err := net.Dial("tcp", r.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprintf(nc, "GET /v1/stream?assets=%s HTTP/1.1\r\nHost: x\r\n\r\n", mint(1))
	br := bufio.NewReader(nc)
	if _, err := http.ReadResponse(br, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(make([]byte, 2000)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(br)
	if err != nil || !bytes.Contains(text, []byte(`"code":"policy_violation"`)) {
		t.Errorf("%s %v", text, err)
	}
}
