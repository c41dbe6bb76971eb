package rpcpool_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gagliardetto/solana-go/rpc"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/rpcpool"
	"github.com/swapcast/swapcast/rpctest"
)

// hosts leads the requests to each host to its own server.
type hosts map[string]http.RoundTripper

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) { return h[r.URL.Host].RoundTrip(r) }

// nodes makes n servers and the options of a pool that asks them.
func nodes(t *testing.T, n int) ([]*rpctest.Server, rpcpool.Options) {
	t.Helper()
	var o rpcpool.Options
	transport := hosts{}
	servers := make([]*rpctest.Server, n)
	for i := range servers {
		s, err := rpctest.New(rpctest.Options{Store: rpctest.NewRecorder(rpctest.RecorderOptions{})})
		if err != nil {
			t.Fatal(err)
		}
		host := "node" + string(rune('a'+i)) + ".example.com"
		servers[i], transport[host] = s, s.Transport()
		o.URLs = append(o.URLs, "https://"+host+"/v2/secret-key-"+host+"?api-key=topsecret")
	}
	o.Transport = transport
	return servers, o
}

func newPool(t *testing.T, o rpcpool.Options) *rpcpool.Pool {
	t.Helper()
	p, err := rpcpool.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func version(p *rpcpool.Pool, ctx context.Context) error {
	return ask(p, ctx, rpcpool.Call{Method: "getVersion"})
}

// ask makes a call of getVersion.
func ask(p *rpcpool.Pool, ctx context.Context, call rpcpool.Call) error {
	return p.Do(ctx, call, func(ctx context.Context, c *rpc.Client) error {
		_, err := c.GetVersion(ctx)
		return err
	})
}

// requests reads swapcast_rpc_requests_total, by "url method outcome".
func requests(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]float64)
	for _, f := range families {
		if f.GetName() != "swapcast_rpc_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			out[labels["url"]+" "+labels["method"]+" "+labels["outcome"]] = m.GetCounter().GetValue()
		}
	}
	return out
}

// TestFailures goes through every way in which an endpoint can fail: the next
// one is asked, the failure is counted under its name, and what is logged and
// returned has no part of the key.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		fault rpctest.Fault
		want  rpcpool.Outcome
	}{
		"429":                 {rpctest.Fault{Status: 429, RetryAfter: "2"}, rpcpool.RateLimited},
		"429 in JSON":         {rpctest.Fault{Code: 429, Message: "Too many requests"}, rpcpool.RateLimited},
		"429 with a body":     {rpctest.Fault{Status: 429, Body: `{"jsonrpc":"2.0","error":{"code":429,"message":"slow down"},"id":1}`}, rpcpool.RateLimited},
		"500":                 {rpctest.Fault{Status: 500, Body: "oops"}, rpcpool.ServerError},
		"503":                 {rpctest.Fault{Status: 503}, rpcpool.ServerError},
		"401":                 {rpctest.Fault{Status: 401, Body: "no such key: topsecret"}, rpcpool.Refused},
		"403":                 {rpctest.Fault{Status: 403}, rpcpool.Refused},
		"404":                 {rpctest.Fault{Status: 404, Body: "<html>"}, rpcpool.HTTPError},
		"redirect":            {rpctest.Fault{Status: 302}, rpcpool.HTTPError},
		"stall":               {rpctest.Fault{Stall: -1}, rpcpool.Timeout},
		"broken connection":   {rpctest.Fault{Abort: true}, rpcpool.Unreachable},
		"cut JSON":            {rpctest.Fault{ContentType: "application/json", Body: `{"jsonrpc":"2.0","res`}, rpcpool.Malformed},
		"empty":               {rpctest.Fault{ContentType: "application/json"}, rpcpool.Malformed},
		"a page":              {rpctest.Fault{ContentType: "text/html", Body: "<html>Welcome, secret-key-nodea.example.com"}, rpcpool.Malformed},
		"unhealthy":           {rpctest.Fault{Code: -32005, Message: "Node is behind by 200 slots"}, rpcpool.Unhealthy},
		"lagging":             {rpctest.Fault{Code: -32016, Message: "Minimum context slot has not been reached"}, rpcpool.Lagging},
		"internal":            {rpctest.Fault{Code: -32603, Message: "Internal error"}, rpcpool.NodeError},
		"status not yet":      {rpctest.Fault{Code: -32014}, rpcpool.NodeError},
		"too long":            {rpctest.Fault{ContentType: "application/json", Body: `{"jsonrpc":"2.0","result":"` + strings.Repeat("x", 8<<10) + `"}`}, rpcpool.TooLong},
		"error by status 404": {rpctest.Fault{Status: 404, Body: `{"error":{"code":-32005,"message":"behind"}}`}, rpcpool.Unhealthy},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				servers, o := nodes(t, 2)
				var log bytes.Buffer
				registry := prometheus.NewPedanticRegistry()
				o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				o.Metrics = rpcpool.NewMetrics(registry)
				o.MaxBody = 4 << 10
				p := newPool(t, o)
				servers[0].Script(c.fault)
				if err := version(p, t.Context()); err != nil {
					t.Fatalf("the second endpoint would have answered: %v", err)
				}
				want := map[string]float64{"0 getVersion " + string(c.want): 1, "1 getVersion ok": 1}
				if got := requests(t, registry); !maps.Equal(got, want) {
					t.Errorf("counted %v, want %v", got, want)
				}

				// Alone, the endpoint's failure reaches the caller.
				f := c.fault
				f.Times = -1
				servers[0].Script(f)
				o.URLs, o.Metrics = o.URLs[:1], nil
				alone := newPool(t, o)
				err := version(alone, t.Context())
				if got := rpcpool.OutcomeOf(err); got != c.want {
					t.Errorf("outcome %q (%v), want %q", got, err, c.want)
				}
				for _, text := range []string{log.String(), err.Error()} {
					if strings.Contains(text, "secret") {
						t.Errorf("a key is shown: %s", text)
					}
				}
				if !strings.Contains(err.Error(), "nodea.example.com") {
					t.Errorf("the error does not name the host: %v", err)
				}
			})
		})
	}
}

// TestAnswers: an error in JSON-RPC form is the caller's, at once and without a
// wait, unless he wants the others asked.
func TestAnswers(t *testing.T) {
	servers, o := nodes(t, 2)
	p := newPool(t, o)
	servers[0].Script(rpctest.Fault{Code: -32001, Message: "cleaned\x00\u202eup", Times: -1})
	err := version(p, t.Context())
	if rpcpool.Code(err) != rpcpool.CodeBlockCleanedUp || strings.ContainsAny(err.Error(), "\x00\u202e") {
		t.Errorf("got %q", err)
	}
	elsewhere := rpcpool.Call{Method: "getVersion", Elsewhere: func(code int) bool { return code == rpcpool.CodeBlockCleanedUp }}
	ask := func(ctx context.Context, c *rpc.Client) error {
		_, err := c.GetVersion(ctx)
		return err
	}
	if err := p.Do(t.Context(), elsewhere, ask); err != nil {
		t.Errorf("the second endpoint would have answered: %v", err)
	}
	servers[1].Script(rpctest.Fault{Code: -32001, Times: -1})
	if err := p.Do(t.Context(), elsewhere, ask); rpcpool.Code(err) != rpcpool.CodeBlockCleanedUp {
		t.Errorf("both say so: got %v", err)
	}
	err = p.Do(t.Context(), elsewhere, ask)
	var all *rpcpool.Error
	if !errors.As(err, &all) || !slices.Equal(all.Answers, []int{-32001, -32001}) {
		t.Errorf("not everybody's answer: %+v", all)
	}
	if n := servers[1].Requests("getVersion"); n != 3 {
		t.Errorf("the second endpoint was asked %d times, want 3", n)
	}
}

// TestUndecided: what one endpoint says is not final while another fails and might
// say something else.
func TestUndecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers, o := nodes(t, 2)
		p := newPool(t, o)
		servers[0].Script(rpctest.Fault{Status: 500, Times: -1})
		servers[1].Script(rpctest.Fault{Code: -32001, Times: -1})
		err := p.Do(t.Context(), rpcpool.Call{Method: "getVersion", Elsewhere: func(int) bool { return true }}, func(ctx context.Context, c *rpc.Client) error {
			_, err := c.GetVersion(ctx)
			return err
		})
		if rpcpool.OutcomeOf(err) != rpcpool.ServerError || rpcpool.Code(err) != 0 {
			t.Errorf("got %v", err)
		}
	})
}

// TestRate holds an endpoint to its rate, in bursts.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, o := nodes(t, 1)
		o.PerSecond, o.Burst = 4, 8
		p := newPool(t, o)
		started := time.Now()
		var all sync.WaitGroup
		for range 28 {
			all.Go(func() {
				if err := version(p, t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(started); took != 5*time.Second {
			t.Errorf("8 at once and 20 at 4 a second took %v, want 5s", took)
		}
	})
}

// TestSpare: what nobody waits for keeps to the rate and leaves half of the burst to
// who comes in the middle of it.
func TestSpare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, o := nodes(t, 1)
		o.PerSecond, o.Burst = 4, 8
		p := newPool(t, o)
		started := time.Now()
		var all sync.WaitGroup
		for range 24 {
			all.Go(func() {
				if err := ask(p, t.Context(), rpcpool.Call{Method: "getVersion", Spare: true}); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(2*time.Second + time.Millisecond)
		asked := time.Now()
		for range 4 {
			if err := version(p, t.Context()); err != nil {
				t.Error(err)
			}
		}
		if waited := time.Since(asked); waited != 0 {
			t.Errorf("4 that somebody waits for took %v, want nothing", waited)
		}
		all.Wait()
		// 4 at once, and 20 with the 4 between them at 4 a second.
		if took := time.Since(started).Round(10 * time.Millisecond); took != 6*time.Second {
			t.Errorf("all took %v, want 6s", took)
		}
	})
}

// TestSpill uses the second endpoint where the first one's rate is used up.
func TestSpill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers, o := nodes(t, 2)
		o.PerSecond, o.Burst = 1, 3
		p := newPool(t, o)
		for range 6 {
			if err := version(p, t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := servers[0].Requests("getVersion"), servers[1].Requests("getVersion"); a != 3 || b != 3 {
			t.Errorf("asked %d and %d times, want 3 each", a, b)
		}
	})
}

// TestRetryAfter believes the header, and no longer than BackoffMax.
func TestRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{"7": 7 * time.Second, "3600": 30 * time.Second, "0.5": 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			servers, o := nodes(t, 1)
			p := newPool(t, o)
			servers[0].Script(rpctest.Fault{Status: 429, RetryAfter: header})
			started := time.Now()
			if err := version(p, t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(started); took != want {
				t.Errorf("Retry-After %s: waited %v, want %v", header, took, want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // a date
		servers, o := nodes(t, 1)
		p := newPool(t, o)
		started := time.Now()
		servers[0].Script(rpctest.Fault{Status: 503, RetryAfter: started.Add(9 * time.Second).UTC().Format(http.TimeFormat)})
		if err := version(p, t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took < 8*time.Second || took > 9*time.Second {
			t.Errorf("waited %v, want 8 to 9 s", took)
		}
	})
}

// TestBreaker opens after failures in a row, then lets single requests through,
// and closes with the first that succeeds.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers, o := nodes(t, 1)
		registry := prometheus.NewPedanticRegistry()
		o.Metrics, o.Attempts, o.BreakAfter, o.PerSecond = rpcpool.NewMetrics(registry), 3, 3, 1000
		o.BackoffMin, o.BackoffMax = time.Second, time.Minute
		p := newPool(t, o)
		open := func(want float64) {
			t.Helper()
			if p.Down() != (want == 1) {
				t.Fatalf("down: %t", p.Down())
			}
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				if f.GetName() == "swapcast_rpc_breaker_open" && f.GetMetric()[0].GetGauge().GetValue() != want {
					t.Fatalf("breaker %v, want %v", f.GetMetric()[0].GetGauge().GetValue(), want)
				}
			}
		}
		servers[0].Script(rpctest.Fault{Status: 502, Times: 4})
		open(0)
		if err := version(p, t.Context()); rpcpool.OutcomeOf(err) != rpcpool.ServerError {
			t.Fatalf("got %v", err)
		}
		open(1)
		// Ten that wait: one tries, fails the fourth time, and after its wait
		// another tries and frees them all.
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := version(p, t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		open(0)
		if n := servers[0].Requests("getVersion"); n != 3+1+10 {
			t.Errorf("%d requests, want 14: while the breaker is open one at a time tries", n)
		}
	})
}

// TestCancel: a caller that gives up is told at once, and it is nobody's fault.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers, o := nodes(t, 1)
		p := newPool(t, o)
		servers[0].Script(rpctest.Fault{Stall: -1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		started := time.Now()
		if err := version(p, ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(started) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(started))
		}
		started = time.Now()
		if err := version(p, t.Context()); err != nil || time.Since(started) != 0 {
			t.Errorf("got %v after %v: the endpoint is punished for the caller's haste", err, time.Since(started))
		}
	})
}

// TestFinal gives the caller's own error back, without another attempt.
func TestFinal(t *testing.T) {
	_, o := nodes(t, 2)
	p := newPool(t, o)
	calls := 0
	err := p.Do(t.Context(), rpcpool.Call{Method: "x"}, func(context.Context, *rpc.Client) error {
		calls++
		return rpcpool.Final(io.ErrNoProgress)
	})
	if err != io.ErrNoProgress || calls != 1 { //nolint:errorlint // the very value
		t.Errorf("got %v after %d calls", err, calls)
	}
}

// TestSocket is one request over a real socket, gzip included.
func TestSocket(t *testing.T) {
	s, err := rpctest.New(rpctest.Options{Store: rpctest.NewRecorder(rpctest.RecorderOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	p := newPool(t, rpcpool.Options{URLs: []string{server.URL}})
	if err := version(p, t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Close()
	p2 := newPool(t, rpcpool.Options{URLs: []string{server.URL + "/secret-key"}, Attempts: 1})
	if err := version(p2, t.Context()); rpcpool.OutcomeOf(err) != rpcpool.Unreachable || strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []rpcpool.Options{
		{},
		{URLs: []string{"ftp://secret/"}},
		{URLs: []string{"https://ok.example.com", "https://\x7f/secret"}},
		{URLs: []string{"http:///secret"}},
		{URLs: []string{"https://ok.example.com"}, PerSecond: -1},
	} {
		_, err := rpcpool.New(o)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: error %v", o.URLs, err)
		}
	}
}
