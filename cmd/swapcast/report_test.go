package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/report"
	"github.com/swapcast/swapcast/report/reporttest"
	"github.com/swapcast/swapcast/stream"
)

// patience is how long a test waits for what must come: much longer than it takes, on
// a machine that is much too busy.
const patience = 3 * time.Minute

// virtualUsers has n clients connect at once, as k6's do: the even ones of one test
// run and the odd ones of another. Each subscribes, waits for the answer and leaves;
// those of the second run also name something that is no mint.
func virtualUsers(t *testing.T, address string, n int) {
	t.Helper()
	var group sync.WaitGroup
	for vu := range n {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			url := fmt.Sprintf("ws://%s/ws?test_id=run-%d&vu_id=%d&scenario=price_streams&api_key=not-to-be-told", address, vu%2, vu)
			ws, _, err := websocket.Dial(ctx, url, nil)
			for err != nil && ctx.Err() == nil {
				time.Sleep(5 * time.Millisecond) // the server has just begun to start
				ws, _, err = websocket.Dial(ctx, url, nil)
			}
			if err != nil {
				t.Error(err)
				return
			}
			defer ws.CloseNow()
			assets := []string{swapcast.NativeMintAddress}
			if vu%2 == 1 {
				assets = append(assets, "no-mint")
			}
			request, err := json.Marshal(map[string]any{"action": "subscribe", "assets": assets, "id": "1"})
			if err == nil {
				err = ws.Write(ctx, websocket.MessageText, request)
			}
			for err == nil {
				var message []byte
				if _, message, err = ws.Read(ctx); strings.Contains(string(message), `"subscribed"`) {
					break
				}
			}
			if err != nil {
				t.Error(err)
			}
			ws.Close(websocket.StatusNormalClosure, "")
		})
	}
	group.Wait()
}

// judgeUsers checks what was told of n virtual users.
func judgeUsers(t *testing.T, n int, events []reporttest.Event) {
	t.Helper()
	type key struct{ user, kind string }
	seen := map[key]reporttest.Event{}
	for _, e := range events {
		if e.Tags["test_id"] == "" {
			continue // of the server's own
		}
		kind := e.Kind
		if len(e.Exception) > 0 {
			kind = "exception"
		}
		k := key{e.User.ID, kind}
		if _, twice := seen[k]; twice {
			t.Errorf("%v came twice", k)
		}
		seen[k] = e
	}
	for vu := range n {
		user, run := fmt.Sprint(vu), fmt.Sprintf("run-%d", vu%2)
		kinds := []string{"transaction", "event"}
		if vu%2 == 1 {
			kinds = append(kinds, "exception")
		}
		trace := ""
		for _, kind := range kinds {
			e, ok := seen[key{user, kind}]
			if !ok {
				t.Errorf("no %s of %s", kind, user)
				continue
			}
			delete(seen, key{user, kind})
			if e.Tags["test_id"] != run || e.Tags["websocket_scenario"] != "price_streams" || e.Environment != "simulated" || !strings.HasPrefix(e.Release, "swapcast@") {
				t.Errorf("%s of %s: %s", kind, user, e.Raw)
			}
			id := fmt.Sprint(e.Contexts["trace"]["trace_id"])
			if trace == "" {
				trace = id
			}
			if id != trace {
				t.Errorf("%s of %s is of another trace", kind, user)
			}
			judgeEvent(t, e, kind, vu%2 == 1)
		}
	}
	for k := range seen {
		t.Errorf("not expected: %v", k)
	}
}

// judgeEvent checks what is in an event of a user.
func judgeEvent(t *testing.T, e reporttest.Event, kind string, refused bool) {
	t.Helper()
	switch kind {
	case "transaction":
		var ops []string
		for _, s := range e.Spans {
			ops = append(ops, s.Op)
		}
		if e.Transaction != "ws subscribe" || e.Tags["channel"] != "prices" || !slices.Equal(ops, []string{"parse", "queue", "serve"}) ||
			e.Contexts["request"]["assets"] != 1.0 || (e.Tags["code"] == "invalid_asset") != refused {
			t.Errorf("%s", e.Raw)
		}
	case "event":
		c := e.Contexts["connection"]
		if e.Message != "connection closed" || e.Tags["close_code"] != "1000" || c["close_code"] != 1000.0 || c["messages_sent"].(float64) < 1 ||
			c["requests"] != 1.0 || c["duration_ms"] == nil || c["conflated"] == nil || len(e.Breadcrumbs) != 3 || e.Breadcrumbs[0].Message != "open" {
			t.Errorf("%s", e.Raw)
		}
	case "exception":
		if e.Exception[0].Type != "refused: invalid_asset" || e.Level != "warning" {
			t.Errorf("%s", e.Raw)
		}
	}
}

// awaitEvents waits until the receiver has what ok asks for.
func awaitEvents(t *testing.T, r *reporttest.Receiver, ok func([]reporttest.Event) bool) []reporttest.Event {
	t.Helper()
	late := time.After(patience)
	for {
		events := r.Events()
		if ok(events) {
			return events
		}
		select {
		case <-r.Came():
		case <-late:
			t.Fatalf("only %d events came", len(events))
		}
	}
}

// 50 users of two test runs: each event has the tags of its own user and run.
func TestReportUsers(t *testing.T) {
	receiver := reporttest.New(t)
	s := serveForTest(t, "--sentry-dsn", receiver.DSN(), "--sentry-sample-rate", "0", "--admin-token", "not-to-be-told")
	const users = 50
	virtualUsers(t, s.public.Addr().String(), users)
	events := awaitEvents(t, receiver, func(events []reporttest.Event) bool {
		n := 0
		for _, e := range events {
			if e.Tags["test_id"] != "" {
				n++
			}
		}
		return n >= 2*users+users/2
	})
	judgeUsers(t, users, events)
	for _, e := range events {
		if strings.Contains(e.Raw, "not-to-be-told") {
			t.Errorf("a secret was told: %s", e.Raw)
		}
	}
	if text := getBody(t, "http://"+s.admin.Addr().String()+"/metrics", http.StatusOK); !strings.Contains(text, `swapcast_sentry_events_total{kind="transaction"} 50`) {
		t.Error("the metrics do not count what was sent")
	}
}

// Whoever has no test id is not told of at a rate of 0, and always at 1; a load
// generator's trace goes on.
func TestReportSample(t *testing.T) {
	receiver := reporttest.New(t)
	var flags serveCmd
	flags.SentryDSN, flags.SentryEventsPerSecond = receiver.DSN(), 50
	for _, rate := range []float64{0, 1} {
		flags.SentrySampleRate = rate
		s := &server{registry: newRegistry()}
		var err error
		if s.report, err = flags.openReport(s.registry); err != nil {
			t.Fatal(err)
		}
		const trace = "0123456789abcdef0123456789abcdef-0123456789abcdef"
		hooks := s.onConn()(stream.ConnInfo{ID: 1, Trace: trace})
		if told := hooks.End != nil; told != (rate == 1) {
			t.Errorf("rate %v: told %v", rate, told)
		}
		s.report.Start()
		func() {
			defer func() { hooks.Panic(recover()) }()
			panic(fmt.Sprintf("at rate %v", rate))
		}()
		s.endReport(patience)
		events := receiver.Events()
		e := events[len(events)-1]
		if len(e.Exception) != 1 || e.Exception[0].Value != fmt.Sprintf("at rate %v", rate) || e.Contexts["trace"]["trace_id"] != trace[:32] {
			t.Errorf("%s", e.Raw)
		}
	}
}

// HTTP requests are told with what they did; panics of handlers are answered, and
// told once.
func TestReportHTTP(t *testing.T) {
	receiver := reporttest.New(t)
	s := serveForTest(t, "--sentry-dsn", receiver.DSN(), "--sentry-sample-rate", "0", "--source", "market:?seed=5&tps=200",
		"--jupiter-url", "http://127.0.0.1:1", "--jupiter-key", "not-to-be-told", "--pyth-url", "off")
	base := "http://" + s.public.Addr().String()
	askQuote(t, base) // until there is a market
	quoteURL := "/v1/quote?inputMint=" + swapcast.NativeMintAddress + "&outputMint=" + swapcast.USDC().String() + "&amount=100000000"
	getBody(t, base+quoteURL+"&test_id=run-9&vu_id=3&scenario=mixed", http.StatusOK)
	getBody(t, base+"/v1/tokens/"+swapcast.NativeMintAddress+"?test_id=run-9", http.StatusOK)
	getBody(t, base+"/healthz?test_id=run-9", http.StatusOK)
	events := awaitEvents(t, receiver, func(events []reporttest.Event) bool {
		n := 0
		for _, e := range events {
			if e.Kind == "transaction" {
				n++
			}
		}
		return n >= 2
	})
	var names []string
	for _, e := range events {
		if strings.Contains(e.Raw, "not-to-be-told") || strings.Contains(e.Raw, "inputMint") {
			t.Errorf("too much was told: %s", e.Raw)
		}
		if e.Kind != "transaction" {
			continue
		}
		names = append(names, e.Transaction)
		if e.Transaction == "GET /v1/quote" {
			found := slices.ContainsFunc(e.Spans, func(s struct {
				Op, Description, Status string
				Data                    map[string]any
				ParentSpanID            string `json:"parent_span_id"`
			},
			) bool {
				return s.Op == "quote.source" && s.Description == "onchain" && s.Status == "ok"
			})
			if !found || e.Tags["test_id"] != "run-9" || e.User.ID != "3" || e.Tags["websocket_scenario"] != "mixed" || e.Tags["http.status_code"] != "200" {
				t.Errorf("%s", e.Raw)
			}
		}
	}
	slices.Sort(names)
	if want := []string{"GET /v1/quote", "GET /v1/tokens/{mint}"}; !slices.Equal(names, want) {
		t.Errorf("transactions %q", names)
	}
	// Jupiter is away: what the quote engine says of it is told too.
	awaitEvents(t, receiver, func(events []reporttest.Event) bool {
		return slices.ContainsFunc(events, func(e reporttest.Event) bool {
			return e.Tags["component"] == "quote" && e.Tags["source"] == "jupiter" && e.Level == "warning"
		})
	})
	// The stream from the chain, whose parts log as they connect.
	awaitEvents(t, receiver, func(events []reporttest.Event) bool {
		return slices.ContainsFunc(events, func(e reporttest.Event) bool { return e.Tags["component"] == "geyser" })
	})
}

// A handler's panic is answered with 500 where nothing was answered yet, told with
// its scope, and other requests go on.
func TestReportHandlerPanic(t *testing.T) {
	receiver := reporttest.New(t)
	s := &server{registry: newRegistry(), log: slog.New(slog.DiscardHandler)}
	var err error
	var flags serveCmd
	flags.SentryDSN, flags.SentryEventsPerSecond = receiver.DSN(), 50
	if s.report, err = flags.openReport(s.registry); err != nil {
		t.Fatal(err)
	}
	s.report.Start()
	web := httptest.NewServer(s.reported(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/half":
			w.Write([]byte("half"))
			http.NewResponseController(w).Flush()
			panic("in the middle")
		case "/ws", "/v1/whole":
			panic("at once")
		case "/v1/bad":
			w.WriteHeader(http.StatusBadGateway)
		case "/v1/leave":
			panic(http.ErrAbortHandler)
		}
	})))
	web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	// Without it the client itself would ask again.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) (int, error) {
		response, err := client.Get(web.URL + path + "?vu_id=5")
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		_, err = io.ReadAll(response.Body)
		return response.StatusCode, err
	}
	for path, want := range map[string]int{"/v1/whole": 500, "/v1/bad": 502, "/v1/fine": 200} {
		if status, err := get(path); status != want || err != nil {
			t.Errorf("%s: %d, %v", path, status, err)
		}
	}
	for _, path := range []string{"/v1/half", "/ws", "/v1/leave"} {
		if status, err := get(path); err == nil {
			t.Errorf("%s: %d, and nothing wrong with it", path, status)
		}
	}
	web.Close()
	s.endReport(patience)
	var got []string
	for _, e := range receiver.Events() {
		got = append(got, fmt.Sprintf("%s %s %s", e.Exception[0].Type, e.Exception[0].Value, e.User.ID))
	}
	slices.Sort(got)
	want := []string{
		"GET : 500 Internal Server Error GET  5", "GET : 502 Bad Gateway GET  5",
		"panic at once 5", "panic at once 5", "panic in the middle 5",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %q", got)
	}
}

// A part's panic is told before it ends the program.
func TestReportLastWords(t *testing.T) {
	receiver := reporttest.New(t)
	s := &server{registry: newRegistry()}
	var err error
	var flags serveCmd
	flags.SentryDSN, flags.SentryEventsPerSecond = receiver.DSN(), 50
	if s.report, err = flags.openReport(s.registry); err != nil {
		t.Fatal(err)
	}
	s.report.Start()
	var again any
	func() {
		defer func() { again = recover() }()
		defer s.lastWords("pipeline")
		panic(errors.New("index out of range"))
	}()
	events := receiver.Events()
	if again == nil || len(events) != 1 || events[0].Tags["part"] != "pipeline" || events[0].Exception[0].Value != "index out of range" {
		t.Errorf("%v, %+v", again, events)
	}
}

// Every flag whose value nobody else may see is among the secrets.
func TestSecretFlags(t *testing.T) {
	c := parseServe(t, "--geyser-token", "tok-one", "--admin-token", "tok-two", "--jupiter-key", "key-one", "--sentry-dsn", "http://dsnkey@127.0.0.1:1/1",
		"--rpc-url", "https://user:pass@rpc.example.org/v2/0123456789abcdef?api-key=query-key", "--rpc-url", "https://tok-three@rpc.example.org",
		"--rpc-url", "https://0123456789ABCDEF:@rpc.example.org", "--redis-url", "redis://default:redis-pass@127.0.0.1:1", "--listen", "127.0.0.1:0")
	got := secrets(c)
	for _, want := range []string{"tok-one", "tok-two", "key-one", "dsnkey", "pass", "tok-three", "0123456789ABCDEF", "redis-pass", "0123456789abcdef", "query-key"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
	got = append(got, secrets(parseServe(t, "--redis-url", "redis://default@127.0.0.1:1"))...)
	for _, other := range []string{"127.0.0.1:0", "v2", "user", "default"} {
		if slices.Contains(got, other) {
			t.Errorf("%q is among %q", other, got)
		}
	}
}

func TestWrongReportFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--sentry-dsn", "nonsense"},
		{"--sentry-sample-rate", "2"},
		{"--sentry-sample-rate", "-0.1"},
		{"--sentry-events-per-second", "0"},
		{"--sentry-events-per-second", "1e9"},
	} {
		code, _, stderr := command(t, t.Context(), append([]string{"serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-level", "error"}, args...)...)
		if code != exitUsage || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, args[0]) {
			t.Errorf("%v: code %d, %q", args, code, stderr)
		}
	}
}

func TestEndLevels(t *testing.T) {
	for code, want := range map[int]report.Level{1000: report.Info, 1006: report.Info, 4408: report.Warning, 1011: report.Error} {
		if got := endLevel(code); got != want {
			t.Errorf("%d: %s", code, got)
		}
	}
}
