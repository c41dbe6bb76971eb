package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/client"
)

// command runs the program as main does and returns what it printed.
func command(t *testing.T, ctx context.Context, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(ctx, args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// A wrong value stops the program with one clear line and exit code 2.
func TestWrongFlags(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string // part of the line
	}{
		{"unknown flag", []string{"serve", "--speeed"}, "unknown flag --speeed"},
		{"unknown command", []string{"sevre"}, "sevre"},
		{"two sources", []string{"serve", "--source", "market:", "--source", "market:"}, "stands alone"},
		{"source twice", []string{"serve", "--source", "grpc://127.0.0.1:1", "--source", "grpc://127.0.0.1:1"}, "given twice"},
		{"tokens for other sources", []string{"serve", "--geyser-token", "a,b"}, "2 times for 1 sources"},
		{"Redis", []string{"serve", "--redis-url", "memcached://me:hunter2@a"}, "--redis-url: write redis://host:port"},
		{"Redis by several hosts", []string{"serve", "--redis-url", "redis://a,b"}, "--redis-url: several hosts"},
		{"wallet", []string{"serve", "--watch-wallet", "me"}, "--watch-wallet"},
		{"unknown source", []string{"serve", "--source", "kafka://x"}, "replay:PATH"},
		{"bad seed", []string{"serve", "--source", "market:?seed=x"}, "seed must be"},
		{"bad tps", []string{"serve", "--source", "market:?tps=1000000"}, "tps must be"},
		{"token in URL", []string{"serve", "--source", "grpcs://secret@host"}, "--geyser-token"},
		{"no port", []string{"serve", "--source", "grpc://host"}, "port is missing"},
		{"no such file", []string{"serve", "--source", "replay:/nowhere/at/all"}, "/nowhere/at/all"},
		{"other scheme", []string{"serve", "--source", "http://foo"}, "grpcs://host"},
		{"bad port", []string{"serve", "--listen", "127.0.0.1:99999"}, "invalid port"},
		{"no origin", []string{"serve", "--allowed-origins", "not an origin"}, "--allowed-origins"},
		{"bad listen", []string{"serve", "--listen", "8080"}, "is not host:port"},
		{"bad level", []string{"serve", "--log-level", "loud"}, "--log-level"},
		{"bad duration", []string{"serve", "--stale-after", "soon"}, "--stale-after"},
		{"bad origin", []string{"serve", "--allowed-origins", "["}, "--allowed-origins"},
		{"zero limit", []string{"serve", "--max-mints", "0"}, "--max-mints"},
		{"candles for less than a day", []string{"serve", "--candles-per-interval", "99"}, "--candles-per-interval 99"},
		{"no candles", []string{"serve", "--max-candles", "0"}, "--max-candles 0"},
		{"bad proxies", []string{"serve", "--trusted-proxies", "here"}, "--trusted-proxies"},
		{"no keys file", []string{"serve", "--api-keys-file", "/nowhere/keys"}, "/nowhere/keys"},
		{"bad speed", []string{"geyser", "--speed", "-1"}, "--speed"},
		{"no file to parse", []string{"parse"}, "<FILE>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := command(t, t.Context(), test.args...)
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.want) {
				t.Errorf("stderr is %q, want one line with %q", stderr, test.want)
			}
			if stdout != "" {
				t.Errorf("stdout is %q", stdout)
			}
		})
	}
}

// Every flag can be given by environment.
func TestEnvironment(t *testing.T) {
	t.Setenv("SWAPCAST_MAX_MINTS", "-3")
	code, _, stderr := command(t, t.Context(), "serve")
	if code != exitUsage || !strings.Contains(stderr, "--max-mints -3") {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
}

func TestHelpNamesEveryCommandAndFlag(t *testing.T) {
	code, stdout, _ := command(t, t.Context(), "--help")
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"serve", "geyser", "record", "parse", "version", "healthcheck"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("--help does not name %s", want)
		}
	}
	_, stdout, _ = command(t, t.Context(), "serve", "--help")
	for _, want := range []string{"--source", "--listen", "--admin-listen", "--admin-token", "--api-keys-file", "--allowed-origins", "SWAPCAST_API_KEYS_FILE", "127.0.0.1:8080"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("serve --help does not name %s", want)
		}
	}
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, args := range [][]string{
		{"serve", "--listen", taken.Addr().String(), "--admin-listen", "127.0.0.1:0"},
		{"serve", "--listen", "127.0.0.1:0", "--admin-listen", taken.Addr().String()},
		{"geyser", "--listen", taken.Addr().String()},
	} {
		code, _, stderr := command(t, t.Context(), append(args, "--log-level", "error")...)
		if code != exitFailure || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, taken.Addr().String()) || !strings.Contains(stderr, "in use") {
			t.Errorf("%v: code %d, stderr %q", args, code, stderr)
		}
	}
}

// A file in which nothing can be played and an endpoint that is away are
// failures, not empty successes.
func TestNothingToPlayOrRecord(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(empty, []byte(`{"foo":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := command(t, t.Context(), "serve", "--source", "replay:"+empty+"?speed=0", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-level", "error")
	if code != exitFailure || !strings.Contains(stderr, "nothing that can be played") {
		t.Errorf("serve: code %d, stderr %q", code, stderr)
	}
	output := filepath.Join(t.TempDir(), "x.zst")
	code, _, stderr = command(t, t.Context(), "record", "--source", "grpc://127.0.0.1:1", "--duration", "300ms", "--output", output, "--log-level", "error")
	if code != exitFailure || !strings.Contains(stderr, "nothing was recorded") {
		t.Errorf("record: code %d, stderr %q", code, stderr)
	}
	if _, err := os.Stat(output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("record left a file behind: %v", err)
	}
}

// A signal drains: clients are told 1001 and the exit code is 0.
func TestSignalDrains(t *testing.T) {
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	c := parseServe(t, "--source", "market:?seed=1&tps=100")
	s, err := newServer(ctx, c, testEnviron(t))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	disconnected := make(chan client.Disconnected, 16)
	connected := false // tries before that find the port open and the stream not running yet
	ws, err := client.Dial(t.Context(), "ws://"+s.public.Addr().String()+"/ws", client.Options{OnEvent: func(e client.Event) {
		switch e := e.(type) {
		case *client.Connected:
			connected = true
		case *client.Disconnected:
			if connected {
				select {
				case disconnected <- *e:
				default:
				}
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	interrupt()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("did not end")
	}
	d := <-disconnected
	if d.Err == nil || !strings.Contains(d.Err.Error(), "1001") && !strings.Contains(d.Err.Error(), "GoingAway") {
		t.Errorf("the client was disconnected with %v, want close code 1001", d.Err)
	}
}

// The built-in market comes out of the WebSocket and says that it is simulated
// wherever it shows.
func TestServeSimulated(t *testing.T) {
	s := serveForTest(t, "--source", "market:?seed=7&tps=200", "--admin-token", "secret")
	base := "http://" + s.public.Addr().String()
	prices := make(chan *client.Price, 1024)
	ws, err := client.Dial(t.Context(), base, client.Options{OnEvent: func(e client.Event) {
		if p, ok := e.(*client.Price); ok && !p.Snapshot {
			select {
			case prices <- p:
			default:
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := ws.Subscribe(t.Context(), client.ChannelPrices, swapcast.NativeMintAddress); err != nil {
		t.Fatal(err)
	}
	select {
	case p := <-prices:
		if p.Feed != "simulated" || p.Price == nil || *p.Price <= 0 {
			t.Errorf("price %+v", p)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no price of SOL within 20 s")
	}
	var status struct{ Feed, State, Message string }
	getJSON(t, base+"/v1/status", http.StatusOK, &status)
	if status.Feed != "simulated" || status.State != "healthy" || !strings.Contains(status.Message, "SIMULATED") {
		t.Errorf("status %+v", status)
	}
	getJSON(t, base+"/readyz", http.StatusOK, nil)
	code, stdout, stderr := command(t, t.Context(), "healthcheck", "--url", base+"/readyz")
	if code != exitOK || stdout != "ok\n" {
		t.Errorf("healthcheck: %d %q %q", code, stdout, stderr)
	}
	checkCandles(t, base)
	checkAdmin(t, "http://"+s.admin.Addr().String())
}

// checkCandles follows SOL's seconds for a while: each is told to be final, as it
// was last told before; where its slots turn out otherwise once they are
// confirmed it is told again, and it ends as the one that HTTP serves.
func checkCandles(t *testing.T, base string) {
	t.Helper()
	candles := make(chan *client.Candle, 1<<16)
	ws, err := client.Dial(t.Context(), base, client.Options{OnEvent: func(e client.Event) {
		if c, ok := e.(*client.Candle); ok {
			candles <- c
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := ws.Subscribe(t.Context(), client.CandleChannel("1s"), swapcast.NativeMintAddress); err != nil {
		t.Fatal(err)
	}
	var last client.Candle
	final := map[int64]client.Candle{}
	deadline := time.After(20 * time.Second)
	for len(final) < 3 {
		select {
		case c := <-candles:
			if c.Interval != "1s" || c.Feed != "simulated" || c.Low > min(c.Open, c.Close) || c.High < max(c.Open, c.Close) || c.Trades == 0 || c.VolumeUSD <= 0 {
				t.Fatalf("candle %+v", c)
			}
			if before, again := final[c.Start]; again && (!c.Final || c.Trades == before.Trades && c.Close == before.Close && c.Open == before.Open && c.High == before.High && c.Low == before.Low && c.VolumeUSD == before.VolumeUSD) {
				t.Fatalf("after the end of its second: %+v, was %+v", c, before)
			}
			if c.Final {
				if c.Start == last.Start && (c.Trades != last.Trades || c.Close != last.Close) {
					t.Errorf("ends as %+v, was %+v", c, last)
				}
				final[c.Start] = *c
			}
			last = *c
		case <-deadline:
			t.Fatalf("%d seconds ended within 20 s", len(final))
		}
	}
	// What was told last and what is served agree once the slots are confirmed.
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for wrong := "nothing compared"; wrong != ""; {
		select {
		case c := <-candles:
			if c.Final {
				final[c.Start] = *c
			}
			continue
		case <-look.C:
		case <-deadline:
			t.Fatal(wrong)
		}
		wrong = differs(t, base, final)
	}
	var day struct {
		Volume24hUSD, Change24hPct *float64
		Since24h                   *int64
	}
	getJSON(t, base+"/v1/tokens/"+swapcast.NativeMintAddress, http.StatusOK, &day)
	if day.Volume24hUSD == nil || *day.Volume24hUSD <= 0 || day.Change24hPct == nil || day.Since24h == nil {
		t.Errorf("the day: %+v", day)
	}
}

// servedCandle is one of /v1/candles.
type servedCandle struct {
	T          int64
	O, H, L, C float64
	VolumeUSD  float64
	Trades     uint64
	Final      bool
}

// differs compares the candles that HTTP serves with the three oldest of those
// that were told, "" where they are the same.
func differs(t *testing.T, base string, told map[int64]client.Candle) string {
	t.Helper()
	var served struct{ Candles []servedCandle }
	getJSON(t, base+"/v1/candles/"+swapcast.NativeMintAddress+"?interval=1s", http.StatusOK, &served)
	seconds := slices.Sorted(maps.Keys(told))[:3]
	seen := 0
	for _, c := range served.Candles {
		if !slices.Contains(seconds, c.T) {
			continue
		}
		seen++
		want := told[c.T]
		if !c.Final || c.Trades != want.Trades || c.VolumeUSD != want.VolumeUSD || c.O != want.Open || c.H != want.High || c.L != want.Low || c.C != want.Close {
			return fmt.Sprintf("HTTP has %+v, the channel had %+v", c, want)
		}
	}
	if seen != len(seconds) {
		return fmt.Sprintf("HTTP has %d of %d candles", seen, len(seconds))
	}
	return ""
}

// checkAdmin looks at metrics and profiles and tries the write without and with
// the token.
func checkAdmin(t *testing.T, admin string) {
	t.Helper()
	body := getBody(t, admin+"/metrics", http.StatusOK)
	for _, name := range []string{
		"swapcast_geyser_updates_total", "swapcast_geyser_slot", "swapcast_geyser_gap_slots_total", "swapcast_swaps_total",
		"swapcast_ws_connections", "swapcast_ws_subscriptions", "swapcast_ws_messages_sent_total", "swapcast_ws_conflated_total",
	} {
		if !strings.Contains(body, "\n"+name) {
			t.Errorf("/metrics lacks %s", name)
		}
	}
	for _, stage := range []string{"chain", "geyser", "parse", "price", "hub", "write", "total"} {
		if !strings.Contains(body, `swapcast_stage_latency_seconds_count{stage="`+stage+`"}`) {
			t.Errorf("/metrics lacks stage %s", stage)
		}
	}
	getBody(t, admin+"/debug/pprof/goroutine?debug=1", http.StatusOK)
	getBody(t, admin+"/debug/pprof/cmdline", http.StatusNotFound) // it would show the token
	foreign, err := http.NewRequestWithContext(t.Context(), http.MethodGet, admin+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	foreign.Host = "rebound.example.org"
	if response, err := http.DefaultClient.Do(foreign); err != nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign Host: %v %v", response, err)
	} else {
		response.Body.Close()
	}
	for _, test := range []struct {
		token string
		want  int
	}{{"", http.StatusUnauthorized}, {"wrong", http.StatusUnauthorized}, {"secret", http.StatusAccepted}} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, admin+"/admin/drain", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+test.token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != test.want {
			t.Errorf("drain with token %q: %d, want %d", test.token, response.StatusCode, test.want)
		}
	}
}

// A server whose source is away is alive and not ready, and says why.
func TestNotReadyWithoutSource(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := gone.Addr().String()
	gone.Close()
	s := serveForTest(t, "--source", "grpc://"+address)
	base := "http://" + s.public.Addr().String()
	getJSON(t, base+"/healthz", http.StatusOK, nil)
	var problem struct{ Code, Detail string }
	getJSON(t, base+"/readyz", http.StatusServiceUnavailable, &problem)
	if problem.Code != "not_ready" || !strings.Contains(problem.Detail, address) {
		t.Errorf("problem %+v", problem)
	}
}

// A capture that is cut off: everything before the cut is served, then the log
// and the exit say so.
func TestCutCapture(t *testing.T) {
	path := filepath.Join(t.TempDir(), "market.cap")
	code, _, stderr := record(t, path)
	if code != exitOK {
		t.Fatalf("record: %d %s", code, stderr)
	}
	// What was simulated stays so when it is played again.
	play, err := openPlaySource("replay:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if play.Feed != swapcast.FeedSimulated || !play.Recorded {
		t.Errorf("the recording of the market is feed %q", play.Feed)
	}
	play.Source.(io.Closer).Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, all, _ := command(t, t.Context(), "parse", path)
	cut := filepath.Join(t.TempDir(), "cut.cap")
	if err := os.WriteFile(cut, whole[:len(whole)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := command(t, t.Context(), "parse", cut)
	if code != exitFailure || !strings.Contains(stderr, "cut off") {
		t.Errorf("parse of a cut capture: code %d, stderr %q", code, stderr)
	}
	if stdout == "" || !strings.HasPrefix(all, stdout) {
		t.Errorf("parse of a cut capture printed %d bytes that are no beginning of the whole's %d", len(stdout), len(all))
	}
}

// record plays the built-in market and records a little of it.
func record(t *testing.T, path string) (code int, stdout, stderr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	runForTest(t, func(ctx context.Context) error {
		cli := geyserCmd{Source: "market:?seed=3&tps=500", Listen: []string{address}, StoredSlots: 100, StoredMB: 64, QueueSize: 65536, PingInterval: time.Second, Compression: "none", MaxRequestKB: 4096}
		return cli.Run(ctx, testEnviron(t))
	})
	waitForPort(t, address)
	return command(t, t.Context(), "record", "--source", "grpc://"+address, "--output", path, "--limit", "2000", "--log-level", "error")
}

// waitForPort returns when something listens on address.
func waitForPort(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
	}
	t.Fatalf("nothing listens on %s", address)
}

func getBody(t *testing.T, url string, want int) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != want {
		t.Fatalf("GET %s: %s, want %d: %s", url, response.Status, want, body)
	}
	return string(body)
}

func getJSON(t *testing.T, url string, want int, into any) {
	t.Helper()
	body := getBody(t, url, want)
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("GET %s: %v: %s", url, err, body)
	}
}
