package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/cache/cachetest"
	"github.com/swapcast/swapcast/stream/client"
)

// fleetBook is what a client was told of trades and candles.
type fleetBook struct {
	mu      sync.Mutex
	trades  map[string]int
	gaps    []string
	final   int // candles
	connect int
}

func (b *fleetBook) take(ev client.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *client.Trade:
		b.trades[fmt.Sprint(e.Commitment, " ", e.AssetID, " ", e.Slot, " ", e.Signature, " ", e.Index)]++
	case *client.Candle:
		if e.Final {
			b.final++
		}
	case *client.Gap:
		if e.Channel == client.ChannelTrades {
			b.gaps = append(b.gaps, fmt.Sprintf("%+v", *e))
		}
	case *client.Connected:
		b.connect++
	}
}

// told are how many trades there are; keys are which.
func (b *fleetBook) told() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.trades)
}

func (b *fleetBook) keys() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	keys := make(map[string]int, len(b.trades))
	for k, n := range b.trades {
		keys[k] = n
	}
	return keys
}

// fleetClient is an SDK client that connects to whatever address at names.
func fleetClient(t *testing.T, at *atomic.Pointer[string], mints []string) *fleetBook {
	t.Helper()
	b := &fleetBook{trades: make(map[string]int)}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, *at.Load())
	}}
	c, err := client.New("ws://fleet/ws", client.Options{
		OnEvent: b.take, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		transport.CloseIdleConnections()
	})
	patience, done := context.WithTimeout(ctx, time.Minute)
	defer done()
	for _, channel := range []string{client.ChannelTrades, client.Confirmed(client.ChannelTrades), client.CandleChannel("1s")} {
		if err := c.Subscribe(patience, channel, mints...); err != nil {
			t.Fatalf("%s: %v", channel, err)
		}
	}
	return b
}

// stoppable is serveForTest for a server that ends before the test does.
func stoppable(t *testing.T, args ...string) (s *server, stop func()) {
	t.Helper()
	s, err := newServer(t.Context(), parseServe(t, args...), testEnviron(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// within waits as long as a slow machine may take.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// askFleet returns the status and body of an answer.
func askFleet(t *testing.T, url string, into any) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatalf("%s: %v: %s", url, err, body)
		}
	}
	return answer.StatusCode
}

// TestFleet: two ingests and two edges. The ingest that leads ends, and so does the
// edge that a client is connected to; the client, which goes on at the other edge, is
// told every trade once, as a client of a server of its own is.
func TestFleet(t *testing.T) {
	redis := cachetest.StartRedis(t)
	source := "grpc://" + geyserForTest(t, 1, "--listen", "127.0.0.1:0", "--source", "market:?seed=11&tps=60")[0]
	direct := serveForTest(t, "--source", source)
	fleet := func(role string, more ...string) []string {
		return append([]string{"--role", role, "--redis-url", "redis://" + redis.Addr, "--relay-lease", "1s"}, more...)
	}
	first, endFirst := stoppable(t, fleet("ingest", "--source", source)...)
	within(t, "the first ingest leads", first.relay.Leads)
	second := serveForTest(t, fleet("ingest", "--source", source)...)
	edge1, endEdge1 := stoppable(t, fleet("edge")...)
	edge2 := serveForTest(t, fleet("edge")...)
	url := func(s *server) string { return "http://" + s.public.Addr().String() }
	within(t, "the edges are ready", func() bool {
		return askFleet(t, url(edge1)+"/readyz", nil) == http.StatusOK && askFleet(t, url(edge2)+"/readyz", nil) == http.StatusOK
	})

	var prices struct {
		Prices []struct{ AssetID, Feed string }
	}
	within(t, "five mints by way of an edge", func() bool {
		return askFleet(t, url(edge1)+"/v1/prices", &prices) == http.StatusOK && len(prices.Prices) >= 5
	})
	if feed := prices.Prices[0].Feed; feed != "simulated" {
		t.Errorf("feed %q", feed)
	}
	var mints []string
	for _, p := range prices.Prices[:5] {
		mints = append(mints, p.AssetID)
	}
	pointer := func(s *server) *atomic.Pointer[string] {
		p, address := new(atomic.Pointer[string]), s.public.Addr().String()
		p.Store(&address)
		return p
	}
	at := pointer(edge1)
	told := fleetClient(t, at, mints)
	yardstick := fleetClient(t, pointer(direct), mints)
	within(t, "trades", func() bool { return yardstick.told() > 50 && told.told() > 50 })
	before := yardstick.keys()

	endFirst()
	within(t, "the second ingest leads", second.relay.Leads)
	n := yardstick.told()
	within(t, "trades of the second ingest", func() bool { return yardstick.told() > n+50 })
	other := edge2.public.Addr().String()
	at.Store(&other)
	endEdge1()
	n = yardstick.told()
	within(t, "trades at the second edge", func() bool { return yardstick.told() > n+50 })

	want := yardstick.keys()
	within(t, "the client is told all of it", func() bool {
		has := told.keys()
		for k := range want {
			if _, early := before[k]; !early && has[k] == 0 {
				return false
			}
		}
		return true
	})
	for k, times := range told.keys() {
		if times != 1 {
			t.Errorf("told %d times: %s", times, k)
		}
	}
	within(t, "a final candle", func() bool { // all of the above may take less than a candle does
		told.mu.Lock()
		defer told.mu.Unlock()
		return told.final > 0
	})
	told.mu.Lock()
	if len(told.gaps) > 0 || told.connect != 2 {
		t.Errorf("%d connections, %d final candles, gaps %v", told.connect, told.final, told.gaps)
	}
	told.mu.Unlock()

	var here, there struct{ Epoch, State string }
	if askFleet(t, url(edge2)+"/v1/status", &here); here.State != "healthy" {
		t.Errorf("the edge is %s", here.State)
	}
	if askFleet(t, url(second)+"/v1/status", &there); there.Epoch != here.Epoch {
		t.Errorf("epochs %q and %q", here.Epoch, there.Epoch)
	}
	if status := askFleet(t, url(second)+"/ws", nil); status != http.StatusServiceUnavailable {
		t.Errorf("an ingest answers clients with %d", status)
	}
}

// TestFleetEvents: who reads trades as server-sent events goes on at another edge with
// the id of the last one.
func TestFleetEvents(t *testing.T) {
	redis := cachetest.StartRedis(t)
	fleet := func(role string, more ...string) *server {
		return serveForTest(t, append([]string{"--role", role, "--redis-url", "redis://" + redis.Addr}, more...)...)
	}
	fleet("ingest", "--source", "market:?seed=11&tps=60")
	edges := []*server{fleet("edge"), fleet("edge")}
	within(t, "the edges are ready", func() bool {
		return askFleet(t, "http://"+edges[0].public.Addr().String()+"/readyz", nil) == http.StatusOK &&
			askFleet(t, "http://"+edges[1].public.Addr().String()+"/readyz", nil) == http.StatusOK
	})
	query := url.Values{"channel": {"trades"}, "assets": {swapcast.NativeMintAddress + "," + swapcast.USDC().String()}}
	seen := map[string]uint64{}
	lastID := ""
	for visit := range 6 {
		s := edges[visit%2]
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.public.Addr().String()+"/v1/stream?"+query.Encode(), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if lastID != "" {
			request.Header.Set("Last-Event-ID", lastID)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(response.Body)
		for trades := 0; trades < 20 && lines.Scan(); {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				lastID = id
			}
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			var m struct {
				Type, AssetID string
				Seq           uint64
				Recovered     bool
				Seqs          map[string]uint64
			}
			if err := json.Unmarshal([]byte(data), &m); err != nil {
				t.Fatalf("%q: %v", data, err)
			}
			switch {
			case m.Type == "subscribed" && visit == 0:
				seen = m.Seqs
			case m.Type == "subscribed" && m.Recovered:
			case (m.Type == "trade" || m.Type == "retract") && m.Seq == seen[m.AssetID]+1:
				seen[m.AssetID]++
				trades++
			default:
				t.Fatalf("visit %d, after %v: %s", visit, seen, data)
			}
		}
		response.Body.Close()
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRolesAreChecked(t *testing.T) {
	for args, want := range map[string]string{
		"--role edge":   "--role edge needs --redis-url",
		"--role ingest": "--role ingest needs --redis-url",
		"--role ingest --redis-url redis://127.0.0.1:1 --listen 0.0.0.0:0": "--ingest-url is needed",
	} {
		c := parseServe(t, strings.Fields(args)...)
		err := c.validate()
		if err == nil {
			_, err = newServer(t.Context(), c, testEnviron(t))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
