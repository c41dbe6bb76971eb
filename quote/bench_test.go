package quote_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// canned answers every request with one body, without a network: what a request
// takes is then what the engine adds to Jupiter's own time.
type canned struct{ body []byte }

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader(c.body)),
		ContentLength: int64(len(c.body)),
	}, nil
}

// jupiterBody is an answer of a stand-in.
func jupiterBody(tb testing.TB, m *testMarket, f quotetest.Fault) []byte {
	tb.Helper()
	s := quotetest.Jupiter(m)
	s.Set(f)
	w := httptest.NewRecorder()
	r := oneSOL()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/swap/v2/quote?inputMint="+r.InputMint.String()+
		"&outputMint="+r.OutputMint.String()+"&amount=1000000000&slippageBps=50", http.NoBody))
	if !json.Valid(w.Body.Bytes()) {
		tb.Fatal(w.Body.String())
	}
	return w.Body.Bytes()
}

// processor reports what an operation took of the processor's time, which others on
// the machine do not change.
func processor(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64(used()-start)/float64(b.N), "cpu-ns/op") }
}

// BenchmarkTrustedJupiter is what a trusted answer of Jupiter's costs beside
// Jupiter's own time: request, parsing, checks, judgement, score. "split" has a
// route of three legs.
func BenchmarkTrustedJupiter(b *testing.B) {
	for name, f := range map[string]quotetest.Fault{"direct": quotetest.None, "split": quotetest.Split} {
		b.Run(name, func(b *testing.B) {
			m := newMarket()
			opts := rigOptions(m, "http://canned.test")
			opts.Transport = canned{jupiterBody(b, m, f)}
			opts.Jupiter.PerSecond, opts.Jupiter.Burst = 1e9, 1<<30
			opts.Metrics = quote.NewMetrics(nil)
			e, err := quote.New(opts)
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			b.ReportAllocs()
			defer processor(b)()
			for b.Loop() {
				a, err := e.Quote(context.Background(), oneSOL())
				if err != nil || a.Source != quote.NameJupiter {
					b.Fatal(a, err)
				}
			}
		})
	}
}

// crowd is 64 pools for each of two tokens against SOL, and three for SOL itself.
type crowd struct {
	pools map[solana.PublicKey][]quote.Pool
}

func newCrowd() *crowd {
	c := &crowd{map[solana.PublicKey][]quote.Pool{}}
	for t, token := range []solana.PublicKey{key(7), key(9)} {
		for i := range 64 {
			c.pools[token] = append(c.pools[token], quote.Pool{
				Address: key(byte(100 + i)), DEX: "raydium-v4", MintA: token, MintB: swapcast.NativeMint(),
				ReserveA: uint64(1e15 + i*1e12 + t), ReserveB: uint64(1e13 - i*1e9), FeeBps: 25, Slot: 400_000_000,
			})
		}
	}
	for i := range 3 {
		c.pools[swapcast.NativeMint()] = append(c.pools[swapcast.NativeMint()], quote.Pool{
			Address: key(byte(200 + i)), DEX: "raydium-v4", MintA: swapcast.NativeMint(), MintB: swapcast.USDC(),
			ReserveA: 1e15, ReserveB: 15e13, FeeBps: 25, Slot: 400_000_000,
		})
	}
	return c
}

func (c *crowd) Head() (uint64, time.Time) { return 400_000_000, time.Now() }

func (c *crowd) Pools(dst []quote.Pool, mint solana.PublicKey) []quote.Pool {
	return append(dst, c.pools[mint]...)
}

// BenchmarkOnChain is a quote from reserves alone, without the engine: "direct" over
// 64 pools, "two hops" over 64 and 64.
func BenchmarkOnChain(b *testing.B) {
	for name, to := range map[string]solana.PublicKey{"direct": swapcast.NativeMint(), "two hops": key(9), "token to dollars": swapcast.USDC()} {
		b.Run(name, func(b *testing.B) {
			s := quote.NewOnChainForTest(newCrowd())
			r := quote.Request{InputMint: key(7), OutputMint: to, Amount: 1e9, SlippageBps: 50}
			b.ReportAllocs()
			defer processor(b)()
			for b.Loop() {
				if _, err := s.Quote(context.Background(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSustained is quotes a second on one core with the stand-ins answering
// over sockets of this very machine: client and server together.
func BenchmarkSustained(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m := newMarket()
	services := quotetest.New(m, quote.PythFeeds())
	server := httptest.NewServer(services.Handler())
	defer server.Close()
	opts := rigOptions(m, server.URL)
	opts.Jupiter.PerSecond, opts.Jupiter.Burst, opts.Jupiter.MaxCalls = 1e9, 1<<30, 256
	e, err := quote.New(opts)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	var next atomic.Uint64
	var wg sync.WaitGroup
	defer processor(b)()
	start := time.Now()
	for range 16 {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > uint64(b.N) {
					return
				}
				r := oneSOL()
				r.Amount += n // no two alike: nothing is merged
				if _, err := e.Quote(context.Background(), r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "quotes/s")
}
