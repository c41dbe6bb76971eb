package swarm

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast/loadtest/report"
	"github.com/swapcast/swapcast/stream"
)

// Every scenario against a real server: all connections are made and kept, updates come,
// and none is missing.
func TestRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, 8, stream.Options{})
	o := r.options(t, "streams=30,multi=30,trades=10,balances=10,churn=20", 60)
	rep := runForTest(t, o)
	if list := bad(rep); list != nil {
		t.Errorf("a sound server failed: %q", list)
	}
	for _, name := range []string{"streams", "multi", "trades", "balances"} {
		s := scenario(t, rep, name)
		if s.Most != s.Connections || s.Opened != uint64(s.Connections) || s.Left != s.Opened || s.Lost+s.Failed+s.Invalid+s.Refused != 0 {
			t.Errorf("%s: %+v", name, s)
		}
		if s.Messages == 0 || s.Latency.N != int64(s.Messages) || s.Connect.N != int64(s.Opened) || s.First.N != int64(s.Opened) {
			t.Errorf("%s: messages %d, latencies %d, connects %d, firsts %d", name, s.Messages, s.Latency.N, s.Connect.N, s.First.N)
		}
		if s.Sequence.Missing != 0 || s.Sequence.Disorder != 0 {
			t.Errorf("%s: %+v", name, s.Sequence)
		}
	}
	if s := scenario(t, rep, "churn"); s.Opened <= uint64(s.Connections) || s.Left != s.Opened {
		t.Errorf("churn came back %d times with %d connections, and left %d times", s.Opened, s.Connections, s.Left)
	}
	if rep.Server == nil || rep.Server.MostFDs == 0 || rep.Server.RSSHold == 0 || rep.Server.MostRoutines == 0 {
		t.Errorf("server: %+v", rep.Server)
	}
	if !rep.Simulated {
		t.Error("the report does not say that the market is simulated")
	}
	total := uint64(0)
	for _, s := range rep.Seconds {
		if s.Phase == "hold" {
			total += s.Messages
		}
	}
	if total != rep.Hold.Messages {
		t.Errorf("the hold's seconds have %d messages, its total %d", total, rep.Hold.Messages)
	}
}

// With a window updates are skipped: that is no gap, and the server's count covers it.
func TestWindow(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, stream.Options{})
	o := r.options(t, "streams", 20)
	o.Assets, o.WindowMS, o.Batch = mints(2), 200, true
	rep := runForTest(t, o)
	if list := bad(rep); list != nil {
		t.Errorf("%q", list)
	}
	if rep.Gaps.Skipped == 0 || rep.Gaps.Missed != 0 || rep.Gaps.Unexplained != 0 || rep.Gaps.Conflated < rep.Gaps.Skipped {
		t.Errorf("%+v", rep.Gaps)
	}
}

// Several processes report as one.
func TestProcesses(t *testing.T) {
	t.Setenv(workerEnv, "works")
	r := newRig(t, 8, stream.Options{})
	o := r.options(t, "streams=1,multi=1", 40)
	o.Processes, o.Loops = 3, 1
	rep := runForTest(t, o)
	if list := bad(rep); list != nil {
		t.Errorf("%q", list)
	}
	if rep.Hold.Connections != 40 || rep.Generator.Processes != 3 {
		t.Errorf("hold %+v, generator %+v", rep.Hold, rep.Generator)
	}
	for _, s := range rep.Scenarios {
		if s.Latency.N != int64(s.Messages) || s.Messages == 0 {
			t.Errorf("%s: %d messages, %d latencies", s.Name, s.Messages, s.Latency.N)
		}
	}
}

func TestProcessDies(t *testing.T) {
	t.Setenv(workerEnv, "dies")
	r := newRig(t, 8, stream.Options{})
	o := r.options(t, "streams", 4)
	o.Processes = 2
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run, err := Prepare(t.Context(), o, Env{Worker: []string{program}})
	if err != nil {
		t.Fatal(err)
	}
	if rep, err := run.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("report %v, error %v; want one with what the process said", rep, err)
	}
}

func TestStorm(t *testing.T) {
	t.Parallel()
	r := newRig(t, 8, stream.Options{})
	o := r.options(t, "streams", 50)
	o.Hold, o.Storm = 9*time.Second, 2*time.Second
	rep := runForTest(t, o)
	if list := bad(rep); list != nil {
		t.Errorf("%q", list)
	}
	if rep.Storm == nil || !rep.Storm.Back || rep.Storm.After <= 0 {
		t.Errorf("%+v", rep.Storm)
	}
	if s := scenario(t, rep, "streams"); s.Opened != 100 || s.Left != 100 {
		t.Errorf("%+v", s)
	}
}

// Slow readers get the newest, one message a second; the others get theirs.
func TestSlow(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, stream.Options{Limits: stream.Limits{QueuedPrices: 16}, Timing: stream.Timing{SendBuffer: 4 << 10}})
	o := r.options(t, "streams=3,slow=1", 8)
	o.Assets, o.Hold = mints(1), 8*time.Second
	rep := runForTest(t, o)
	if list := bad(rep); list != nil {
		t.Errorf("%q", list)
	}
	slow, fast := scenario(t, rep, "slow"), scenario(t, rep, "streams")
	per := func(messages uint64, connections int) float64 { return float64(messages) / float64(connections) }
	if s := per(slow.Messages, slow.Connections); s == 0 || s > 2*rep.Hold.Seconds {
		t.Errorf("a slow reader read %.1f messages in %.0f s", s, rep.Hold.Seconds)
	}
	if per(fast.Messages, fast.Connections) < 2*per(slow.Messages, slow.Connections) {
		t.Errorf("fast %+v, slow %+v", fast, slow)
	}
	if rep.Gaps.Conflated == 0 {
		t.Error("the server conflated nothing for its slow readers")
	}
}

// A run that is cut short says goodbye and reports.
func TestCutShort(t *testing.T) {
	t.Parallel()
	cutShort(t, 1)
}

func TestCutShortProcesses(t *testing.T) {
	t.Setenv(workerEnv, "works")
	cutShort(t, 2)
}

func cutShort(t *testing.T, processes int) {
	t.Helper()
	r := newRig(t, 8, stream.Options{})
	o := r.options(t, "streams", 10)
	o.Hold, o.Processes = time.Hour, processes
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	run, err := Prepare(ctx, o, Env{Worker: []string{program}, Progress: func(s report.Second) {
		if s.Phase == "hold" {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	rep, err := run.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s := scenario(t, rep, "streams"); s.Left != 10 || s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}

// liar is a server that sends what it is told to, to each connection.
func liar(t *testing.T, messages func(mint string) []string, end websocket.StatusCode) Options {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/ws" {
			http.NotFound(w, q)
			return
		}
		c, err := websocket.Accept(w, q, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		_, request, err := c.Read(q.Context())
		if err != nil {
			return
		}
		mint := strings.Split(strings.Split(string(request), `"assets":["`)[1], `"`)[0]
		for _, m := range messages(mint) {
			if c.Write(q.Context(), websocket.MessageText, []byte(m)) != nil {
				return
			}
		}
		if end != 0 {
			c.Close(end, `{"reconnectMs":60000}`)
			return
		}
		c.Read(q.Context()) // until the client leaves
	}))
	t.Cleanup(server.Close)
	o := (&rig{http: server}).options(t, "streams", 1)
	o.Admin = nil
	return o
}

func priceMessage(mint string, seq int, more string) string {
	return fmt.Sprintf(`{"type":"price","assetId":"%s","price":1,"seq":%d,"ts":%d%s}`, mint, seq, time.Now().UnixMilli(), more)
}

// What a server does wrong is found: a swarm that passes everything would otherwise look
// the same as a sound server.
func TestFaultsAreFound(t *testing.T) {
	snapshot := func(mint string) string { return priceMessage(mint, 4, `,"snapshot":true`) }
	for name, c := range map[string]struct {
		messages func(mint string) []string
		end      websocket.StatusCode
		want     string
	}{
		"sound":                     {func(m string) []string { return []string{snapshot(m), priceMessage(m, 5, ""), priceMessage(m, 6, "")} }, 0, ""},
		"a gap":                     {func(m string) []string { return []string{snapshot(m), priceMessage(m, 5, ""), priceMessage(m, 8, "")} }, 0, "2 updates are missing"},
		"a gap behind the snapshot": {func(m string) []string { return []string{snapshot(m), priceMessage(m, 6, "")} }, 0, "1 updates are missing"},
		"twice":                     {func(m string) []string { return []string{snapshot(m), priceMessage(m, 5, ""), priceMessage(m, 5, "")} }, 0, "1 messages came twice or out of order"},
		"backwards":                 {func(m string) []string { return []string{snapshot(m), priceMessage(m, 3, "")} }, 0, "1 messages came twice or out of order"},
		"somebody else's":           {func(m string) []string { return []string{snapshot(m), priceMessage(mints(9)[8], 5, "")} }, 0, "1 messages were not what the contract says"},
		"no JSON":                   {func(m string) []string { return []string{snapshot(m), "hello"} }, 0, "1 messages were not what the contract says"},
		"an error":                  {func(m string) []string { return []string{snapshot(m), `{"type":"error","code":"rate_limited"}`} }, 0, "1 were errors"},
		"closed":                    {func(m string) []string { return []string{snapshot(m), priceMessage(m, 5, "")} }, 4408, "1 connections were lost"},
		"nothing":                   {func(string) []string { return nil }, 0, "not one message came"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rep := runForTest(t, liar(t, c.messages, c.end))
			list := bad(rep)
			// The few messages are sent before the hold.
			found := strings.Join(list, "; ")
			if c.want == "" && strings.ReplaceAll(found, "not one message came", "") != "" {
				t.Errorf("found %q", found)
			}
			if !strings.Contains(found, c.want) {
				t.Errorf("found %q; want %q", found, c.want)
			}
			if c.end != 0 && (len(rep.Reasons) != 1 || rep.Reasons[0].Text != "closed by the server: 4408") {
				t.Errorf("reasons %+v", rep.Reasons)
			}
		})
	}
}

// Who is not let in is counted with what the server said.
func TestRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, 8, stream.Options{Limits: stream.Limits{Connections: 5}})
	rep := runForTest(t, r.options(t, "streams", 9))
	if s := scenario(t, rep, "streams"); s.Most != 5 || s.Failed == 0 || len(rep.Reasons) == 0 || rep.Reasons[0].Text != "handshake: status 503 overloaded" {
		t.Errorf("%+v, reasons %+v", s, rep.Reasons)
	}
	if list := strings.Join(bad(rep), "; "); !strings.Contains(list, "5 of 9 connections") {
		t.Errorf("%q", list)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, 8, stream.Options{})
	o := r.options(t, "streams", 2)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	o.URLs, o.Admin = []string{"ws" + strings.TrimPrefix(gone.URL, "http") + "/ws"}, nil
	rep := runForTest(t, o)
	if len(rep.Reasons) != 1 || rep.Reasons[0].Text != "connect: connection refused" || len(bad(rep)) == 0 {
		t.Errorf("reasons %+v, findings %q", rep.Reasons, bad(rep))
	}
}

// What cannot work is said before anything begins.
func TestPrepareRefuses(t *testing.T) {
	r := newRig(t, 8, stream.Options{})
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"another machine":        {func(o *Options) { o.URLs = []string{"ws://192.0.2.1/ws"} }, "--allow-remote"},
		"a key in the address":   {func(o *Options) { o.URLs[0] += "?api_key=hush" }, "--api-key"},
		"a user in the address":  {func(o *Options) { o.URLs = []string{"ws://hush@127.0.0.1/ws"} }, "--api-key"},
		"TLS":                    {func(o *Options) { o.URLs = []string{"wss://127.0.0.1/ws"} }, "plain ws://"},
		"more than it takes":     {func(o *Options) { o.Connections = 501 }, "--max-connections 501"},
		"more than files":        {func(o *Options) { o.Connections = 1 << 30 }, "ulimit -n"},
		"no metrics":             {func(o *Options) { o.Admin = []string{r.http.URL + "/nowhere"} }, "--admin"},
		"no tokens":              {func(o *Options) { o.Assets = nil }, "--assets"},
		"no wallets":             {func(o *Options) { o.Wallets, o.Mix = nil, Mix{Balances: 1} }, "--wallets"},
		"a storm without end":    {func(o *Options) { o.Storm = time.Minute }, "--storm"},
		"a Zipf of 1":            {func(o *Options) { o.Zipf = 1 }, "--zipf"},
		"a window out of bounds": {func(o *Options) { o.WindowMS = 5001 }, "--window-ms"},
		"more processes":         {func(o *Options) { o.Processes = 1000 }, "--processes"},
	} {
		t.Run(name, func(t *testing.T) {
			o := r.options(t, "streams", 10)
			c.change(&o)
			if _, err := Prepare(t.Context(), o, Env{}); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("error %v; want %q in it", err, c.want)
			}
		})
	}
}
