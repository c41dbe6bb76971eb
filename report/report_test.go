package report_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getsentry/sentry-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/report"
	"github.com/swapcast/swapcast/report/reporttest"
)

// rig is a reporter that reports to a receiver of its own.
type rig struct {
	*report.Reporter
	t        *testing.T
	receiver *reporttest.Receiver
	registry *prometheus.Registry
	once     sync.Once
}

func newRig(t *testing.T, o report.Options) *rig {
	t.Helper()
	r := &rig{t: t, receiver: reporttest.New(t), registry: prometheus.NewRegistry()}
	o.DSN, o.Metrics = r.receiver.DSN(), report.NewMetrics(r.registry)
	o.Release, o.Environment = "swapcast@1.2.3", "test"
	var err error
	if r.Reporter, err = report.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.close(5 * time.Second) })
	return r
}

// close sends what waits and ends the reporter.
func (r *rig) close(patience time.Duration) {
	r.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r.Close(ctx)
	})
}

// flushed is what has come when all was sent.
func (r *rig) flushed() []reporttest.Event {
	r.close(time.Minute)
	return r.receiver.Events()
}

// counts are the dropped events by "kind reason", those that are not 0.
func (r *rig) counts() map[string]int {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	counts := map[string]int{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var name []string
			for _, l := range m.GetLabel() {
				name = append(name, l.GetValue())
			}
			if n := int(m.GetCounter().GetValue()); n != 0 {
				counts[strings.Join(name, " ")] += n
			}
		}
	}
	return counts
}

func (r *rig) expect(want map[string]int) {
	r.t.Helper()
	if got := r.counts(); !reflect.DeepEqual(got, want) {
		r.t.Errorf("counted %v, want %v", got, want)
	}
}

func message(text string) func() *report.Record {
	return func() *report.Record { return &report.Record{Text: text, Level: report.Info, End: time.Now()} }
}

// A transaction comes with its spans, its scope and its trace.
func TestTransaction(t *testing.T) {
	t.Parallel()
	r := newRig(t, report.Options{})
	r.Start()
	begun := time.Now().Add(-time.Second)
	const trace = "0123456789abcdef0123456789abcdef-0123456789abcdef"
	who := &report.Who{TestID: "run-1", Scenario: "soak", UserID: "7", Trace: trace, Tags: map[string]string{"transport": "websocket"}}
	r.Report(report.Transaction, func() *report.Record {
		return &report.Record{
			Who: who, Name: "ws subscribe", Op: "websocket.server", Begun: begun, End: begun.Add(time.Second), Status: report.StatusInvalid,
			Tags: map[string]string{"channel": "prices"}, ContextName: "request", Context: map[string]any{"assets": 3},
			Spans: []report.Span{{Op: "parse", Text: "read", Begun: begun, End: begun.Add(time.Millisecond), Status: report.StatusOK, Data: map[string]any{"n": 1}}},
		}
	})
	events := r.flushed()
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	e := events[0]
	want := map[string]string{"test_id": "run-1", "websocket_scenario": "soak", "transport": "websocket", "channel": "prices"}
	if e.Kind != "transaction" || e.Transaction != "ws subscribe" || !reflect.DeepEqual(e.Tags, want) || e.User.ID != "7" ||
		e.Release != "swapcast@1.2.3" || e.Environment != "test" || e.Contexts["request"]["assets"] != 3.0 {
		t.Errorf("%s", e.Raw)
	}
	tc := e.Contexts["trace"]
	if tc["trace_id"] != trace[:32] || tc["parent_span_id"] != trace[33:] || tc["op"] != "websocket.server" || tc["status"] != "invalid_argument" {
		t.Errorf("trace %v", tc)
	}
	if len(e.Spans) != 1 || e.Spans[0].Op != "parse" || e.Spans[0].Status != "ok" || e.Spans[0].ParentSpanID != tc["span_id"] || e.Spans[0].Data["n"] != 1.0 {
		t.Errorf("spans %+v", e.Spans)
	}
	r.expect(map[string]int{"transaction": 1})
}

// Messages, errors and panics come with their level, their crumbs and their stack.
func TestMessagesAndFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, report.Options{})
	r.Start()
	who := &report.Who{TestID: "run-1", UserID: "9", Trace: report.NewTrace()}
	r.Report(report.Message, func() *report.Record {
		return &report.Record{Who: who, Text: "connection closed", Level: report.Warning, Crumbs: []report.Crumb{{At: time.Now(), Category: "ws", Text: "open"}}}
	})
	r.Fault(func() *report.Record { return &report.Record{Type: "pipeline", Text: "it broke", Level: report.Error} })
	func() {
		defer func() { r.Panic(who, recover()) }()
		panicOnPurpose()
	}()
	byLevel := map[string]reporttest.Event{}
	for _, e := range r.flushed() {
		byLevel[e.Level] = e
	}
	if e := byLevel["warning"]; e.Message != "connection closed" || len(e.Breadcrumbs) != 1 || e.Breadcrumbs[0].Message != "open" || e.Tags["test_id"] != "run-1" {
		t.Errorf("%s", e.Raw)
	}
	if e := byLevel["error"]; len(e.Exception) != 1 || e.Exception[0].Type != "pipeline" || e.Exception[0].Value != "it broke" {
		t.Errorf("%s", e.Raw)
	}
	e := byLevel["fatal"]
	if len(e.Exception) != 1 || e.Exception[0].Type != "panic" || e.Exception[0].Value != "on purpose" || e.User.ID != "9" {
		t.Fatalf("%s", e.Raw)
	}
	if frames := e.Exception[0].Stacktrace.Frames; !slices.ContainsFunc(frames, func(f struct{ Function, Module string }) bool { return f.Function == "panicOnPurpose" }) {
		t.Errorf("the stack is not that of the panic: %+v", frames)
	}
	if e.Contexts["trace"]["trace_id"] != who.Trace[:32] {
		t.Error("what is of one connection is of one trace")
	}
	r.expect(map[string]int{"message": 1, "error": 2})
}

func panicOnPurpose() { panic("on purpose") }

// Over the budget records are dropped and counted, are not even built, and do not
// keep back faults of the server.
func TestBudget(t *testing.T) {
	t.Parallel()
	r := newRig(t, report.Options{PerSecond: 0.001}) // a burst of one
	built := 0
	for range 10 {
		r.Report(report.Message, func() *report.Record { built++; return message("m")() })
	}
	r.Fault(func() *report.Record { return &report.Record{Type: "t", Text: "x"} })
	r.Repeated(report.Transaction)
	r.Start()
	if events := r.flushed(); len(events) != 2 || built != 1 {
		t.Errorf("%d events came, %d were built", len(events), built)
	}
	r.expect(map[string]int{"message": 1, "message budget": 9, "error": 1, "transaction repeated": 1})
}

// A server that is away, refuses, or asks to be left alone costs what is on its way
// and nothing else; each loss is counted with its reason.
func TestLosses(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, report.Options{})
		r.receiver.Answer = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}
		r.Start()
		r.Report(report.Message, message("m"))
		r.flushed()
		r.expect(map[string]int{"message refused": 1})
	})
	t.Run("rate limited", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, report.Options{})
		asked := make(chan struct{}, 10)
		r.receiver.Answer = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
			asked <- struct{}{}
			return true
		}
		r.Start()
		r.Report(report.Message, message("m"))
		<-asked
		for r.counts()["message rate_limited"] == 0 { // the worker has read the answer
			time.Sleep(time.Millisecond)
		}
		r.Report(report.Message, message("m"))
		r.Report(report.Message, message("m"))
		r.flushed()
		r.expect(map[string]int{"message rate_limited": 3})
		if n := r.receiver.Requests(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, report.Options{Transport: failing{}})
		r.Start()
		r.Report(report.Message, message("m"))
		r.flushed()
		r.expect(map[string]int{"message network": 1})
	})
	t.Run("unfit", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, report.Options{})
		r.Start()
		r.Report(report.Message, func() *report.Record {
			rec := message("m")()
			rec.ContextName, rec.Context = "c", map[string]any{"nan": nan()}
			return rec
		})
		r.flushed()
		r.expect(map[string]int{"message unfit": 1})
	})
	t.Run("shutdown", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, report.Options{})
		stalled := make(chan struct{}, 100)
		r.receiver.Answer = func(_ http.ResponseWriter, q *http.Request) bool {
			// The server notices that the client has gone only once the body is read.
			buf := make([]byte, 1<<16)
			for {
				if _, err := q.Body.Read(buf); err != nil {
					break
				}
			}
			stalled <- struct{}{}
			<-q.Context().Done()
			return true
		}
		r.Start()
		for range 20 {
			r.Report(report.Message, message("m"))
		}
		<-stalled
		r.close(time.Millisecond)
		r.Report(report.Message, message("late"))
		r.expect(map[string]int{"message shutdown": 21})
	})
	t.Run("queue full", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, report.Options{PerSecond: 1000}) // not started: nothing leaves the queue
		for range 2050 {
			r.Report(report.Message, message("m"))
		}
		r.close(0)
		r.expect(map[string]int{"message queue_full": 2, "message shutdown": 2048})
	})
}

func nan() float64 { zero := 0.0; return zero / zero }

type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }

// Whatever is reported while the reporter closes is counted, each once.
func TestReportsDuringClose(t *testing.T) {
	const writers, each = 8, 500
	for range 20 {
		r := newRig(t, report.Options{PerSecond: 1e6, Transport: failing{}})
		r.Start()
		var group sync.WaitGroup
		some := make(chan struct{}, writers)
		for range writers {
			group.Go(func() {
				for i := range each {
					if i == each/10 {
						some <- struct{}{}
					}
					r.Report(report.Message, message("now"))
				}
			})
		}
		<-some
		r.close(time.Minute)
		group.Wait()
		total, counts := 0, r.counts()
		for _, n := range counts {
			total += n
		}
		if total != writers*each {
			t.Fatalf("%d of %d are accounted for: %v", total, writers*each, counts)
		}
	}
}

// Nil is a reporter that does nothing.
func TestNil(t *testing.T) {
	t.Parallel()
	var r *report.Reporter
	r.Start()
	r.Report(report.Message, func() *report.Record { t.Error("built"); return nil })
	r.Fault(func() *report.Record { t.Error("built"); return nil })
	r.Repeated(report.Message)
	r.Panic(nil, "x")
	if r.Traced("run") {
		t.Error("traced")
	}
	h := slog.DiscardHandler
	if r.Handler(h) != h {
		t.Error("a handler of its own")
	}
	r.Close(t.Context())
}

func TestTraced(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate     float64
		least    int
		most     int
		withTest bool
	}{{0, 0, 0, false}, {1, 1000, 1000, false}, {0.5, 350, 650, false}, {0, 1000, 1000, true}} {
		r := newRig(t, report.Options{SampleRate: c.rate})
		n := 0
		for range 1000 {
			id := ""
			if c.withTest {
				id = "run"
			}
			if r.Traced(id) {
				n++
			}
		}
		if n < c.least || n > c.most {
			t.Errorf("%+v: %d of 1000", c, n)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []report.Options{
		{},
		{DSN: "nonsense-s3cret"},
		{DSN: "http://127.0.0.1:1/1"},
		{DSN: "http://s3cret@127.0.0.1:1/1", SampleRate: 1.5},
		{DSN: "http://s3cret@127.0.0.1:1/1", SampleRate: -1},
		{DSN: "http://s3cret@127.0.0.1:1/1", SampleRate: nan()},
		{DSN: "http://s3cret@127.0.0.1:1/1", PerSecond: -1},
	} {
		if _, err := report.New(o); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// What is logged as a warning is a message, as an error an error; components that
// are named are heard with less.
func TestHandler(t *testing.T) {
	t.Parallel()
	r := newRig(t, report.Options{})
	r.Start()
	var logged strings.Builder
	log := slog.New(r.Handler(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelError}), "geyser"))
	geyser := log.With("component", "geyser").With("endpoint", "a")
	geyser.Info("stream was replaced", "reason", "stale")
	geyser.Debug("not this")
	log.Info("nor this")
	log.With("component", "quote").Warn("left alone", "for", 5*time.Second, "n", 3)
	log.WithGroup("g").Error("slots are lost", "error", fmt.Errorf("no answer: %w", errors.New("gone")), "token", "s3cret-value")
	log.Error("connection panicked", "panic", "x")
	byLevel := map[string]reporttest.Event{}
	events := r.flushed()
	for _, e := range events {
		byLevel[e.Level] = e
	}
	if len(events) != 3 {
		t.Errorf("%d events", len(events))
	}
	if e := byLevel["info"]; e.Message != "stream was replaced" || !reflect.DeepEqual(e.Tags, map[string]string{"component": "geyser", "endpoint": "a", "reason": "stale"}) {
		t.Errorf("%s", e.Raw)
	}
	if e := byLevel["warning"]; e.Message != "left alone" || e.Tags["component"] != "quote" || e.Contexts["log"]["for"] != "5s" || e.Contexts["log"]["n"] != 3.0 {
		t.Errorf("%s", e.Raw)
	}
	if e := byLevel["error"]; len(e.Exception) != 1 || e.Exception[0].Type != "slots are lost" || e.Exception[0].Value != "no answer: gone" || strings.Contains(e.Raw, "s3cret-value") {
		t.Errorf("%s", e.Raw)
	}
	if text := logged.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "g.token=s3cret-value") {
		t.Errorf("the log itself changed: %s", text)
	}
}

// A secret that was configured does not leave, in whatever field of an event it
// stands: each text field of the SDK's own struct is tried.
func TestSecretsNeverLeave(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2/+="
	event := sentry.NewEvent()
	fill(reflect.ValueOf(event).Elem(), "x "+secret+" y", 0)
	clean := report.ScrubForTest([]string{secret}, event)
	raw, err := clean.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "hunter2") {
		t.Errorf("it left: %s", raw)
	}
	if n := strings.Count(string(raw), "[redacted]"); n < 20 {
		t.Errorf("only %d fields were tried: %s", n, raw)
	}
}

// fill puts text into every text that v holds, making what is nil.
func fill(v reflect.Value, text string, depth int) {
	if !v.CanSet() || depth > 9 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*sentry.Span]() {
			span := &sentry.Span{Op: text, Description: text, Name: text, Data: map[string]any{"k": text}, Tags: map[string]string{"k": text}}
			v.Set(reflect.ValueOf(span))
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text, depth+1)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text, depth+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		if value.Kind() == reflect.Interface {
			value.Set(reflect.ValueOf([]any{text, map[string]any{text: text}}))
		} else {
			fill(value, text, depth+1)
		}
		v.SetMapIndex(reflect.ValueOf(text).Convert(v.Type().Key()), value)
	}
}

// What looks like a secret does not leave, and what does not is left as it is.
func TestScrub(t *testing.T) {
	t.Parallel()
	private := strings.Repeat("5Kd3NBUAdUnhyzenEwVLy9pBKxSwXvE9", 3)[:88]
	for _, c := range []struct{ in, want string }{
		{"dial https://user:pass@rpc.example.org/v2/0123abcd?api-key=1: refused", "dial https://[redacted]@rpc.example.org/[redacted] refused"},
		{"Get \"https://rpc.example.org/?api-key=0123\": EOF", "Get \"https://rpc.example.org/[redacted]\": EOF"},
		{"Authorization: Bearer abc.def.ghi", "Authorization: [redacted] [redacted]"},
		{"x-token=abcdef, retrying", "x-token=[redacted], retrying"},
		{`{"api_key": "abcdef","n":1}`, `{"api_key": "[redacted]","n":1}`},
		{"key " + private + " given", "key [redacted] given"},
		{"bytes [" + strings.Repeat("12, ", 63) + "255]", "bytes [redacted]"},
		{"tiny", "tiny"},
		{"pin", "[redacted]"}, // a short secret, alone
		{"spinning", "spinning"},
		{"the-configured-one is used", "[redacted] is used"},
		{"stream ended: rpc error: code = Unavailable desc = lost", "stream ended: rpc error: code = Unavailable desc = lost"},
		{"So11111111111111111111111111111111111111112", "So11111111111111111111111111111111111111112"},
		{"grpc://127.0.0.1:10000 is away", "grpc://127.0.0.1:10000 is away"},
	} {
		event := sentry.NewEvent()
		event.Message = c.in
		if got := report.ScrubForTest([]string{"pin", "the-configured-one", ""}, event).Message; got != c.want {
			t.Errorf("%q\n became %q\n not    %q", c.in, got, c.want)
		}
	}
	// By name, whatever the value looks like.
	event := sentry.NewEvent()
	event.Tags = map[string]string{"geyser.token": "abc", "component": "geyser"}
	event.Contexts = map[string]sentry.Context{"log": {"Authorization": "abc", "n": 1, "tokens": 3}}
	event = report.ScrubForTest(nil, event)
	if event.Tags["geyser.token"] != "[redacted]" || event.Tags["component"] != "geyser" ||
		event.Contexts["log"]["Authorization"] != "[redacted]" || event.Contexts["log"]["tokens"] != 3 {
		t.Errorf("%v %v", event.Tags, event.Contexts)
	}
}

// FuzzScrub: a secret that was configured is found wherever it stands in a text, and
// what is left is left alone by a second look.
func FuzzScrub(f *testing.F) {
	f.Add("dial https://rpc.example.org/v2/", "0123abcd", "?x=1: refused")
	f.Add("x-token=", "abc=def", ", retrying")
	f.Add("key", "[\xff\x00]", "%5B")
	f.Add("Bearer ", "a b c d", " Basic x")
	f.Fuzz(func(t *testing.T, before, secret, after string) {
		if len(secret) < 6 || strings.Contains("[redacted]", secret) || strings.ContainsAny(secret, "[]") {
			t.Skip("shorter ones are looked for alone, and what stands for them may stay")
		}
		scrub := func(text string) string {
			event := sentry.NewEvent()
			event.Message = text
			event.Tags = map[string]string{"a": text}
			event = report.ScrubForTest([]string{secret}, event)
			if event.Tags["a"] != event.Message {
				t.Fatalf("%q as a tag, %q as a message", event.Tags["a"], event.Message)
			}
			return event.Message
		}
		got := scrub(before + secret + after)
		if strings.Contains(got, secret) {
			t.Errorf("%q is left in %q", secret, got)
		}
		if again := scrub(got); strings.Contains(again, secret) {
			t.Errorf("%q becomes %q", got, again)
		}
	})
}

// The metrics have every series from the start.
func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	report.NewMetrics(registry)
	families, err := registry.Gather()
	n := 0
	for _, f := range families {
		n += len(f.GetMetric())
	}
	if err != nil || n != 3+3*8 {
		t.Errorf("%d series, %v", n, err)
	}
}
