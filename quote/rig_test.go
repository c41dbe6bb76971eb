package quote_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// The market of these tests: 1 SOL is 150 dollars.
const solUSD = 150.0

func key(b byte) (k solana.PublicKey) {
	for i := range k {
		k[i] = b
	}
	return k
}

// testMarket is the truth that stand-ins, reference and reserves share.
type testMarket struct {
	quotetest.Fixed
	silent   atomic.Bool // our own stream
	noPools  atomic.Bool
	oldPools atomic.Bool
	richPool atomic.Bool // reserves of ten times the price
	noMid    atomic.Bool
	thin     atomic.Bool // every pool of an answer is thin
}

func newMarket() *testMarket {
	m := &testMarket{}
	m.Tokens = map[solana.PublicKey]quotetest.Token{
		swapcast.NativeMint(): {USD: solUSD, Decimals: 9},
		swapcast.USDC():       {USD: 1, Decimals: 6},
		swapcast.USDT():       {USD: 1, Decimals: 6},
		key(7):                {USD: 0.02, Decimals: 6},
	}
	m.Fixed.Head.Store(400_000_000)
	return m
}

// reference is the market as quote.Reference and quote.Reserves.
type reference struct{ m *testMarket }

func (r reference) Head() (uint64, time.Time) {
	at := time.Now()
	if r.m.silent.Load() {
		at = at.Add(-time.Minute)
	}
	return r.m.Slot(), at
}

func (r reference) Mid(mint solana.PublicKey) (quote.Mid, bool) {
	usd, _, ok := r.m.Price(mint)
	return quote.Mid{USD: usd, Confidence: 0.95, Slot: r.m.Slot()}, ok && !r.m.noMid.Load()
}

func (r reference) Decimals(mint solana.PublicKey) (uint8, bool) {
	_, d, ok := r.m.Price(mint)
	return d, ok
}

func (r reference) Liquidity(solana.PublicKey) (float64, bool) {
	if r.m.thin.Load() {
		return 500, true
	}
	return 2e6, true
}

func (r reference) Pools(dst []quote.Pool, mint solana.PublicKey) []quote.Pool {
	if r.m.noPools.Load() {
		return dst
	}
	sol := quote.Pool{
		Address: key(21), DEX: "raydium-v4", MintA: swapcast.NativeMint(), MintB: swapcast.USDC(),
		ReserveA: 1_000_000 * 1e9, ReserveB: 1_000_000 * solUSD * 1e6, FeeBps: 25, Slot: r.m.Slot(),
	}
	token := quote.Pool{
		Address: key(22), DEX: "raydium-cpmm", MintA: key(7), MintB: swapcast.NativeMint(),
		ReserveA: 1_000_000 * solUSD * 50 * 1e6, ReserveB: 1_000_000 * 1e9, FeeBps: 25, Slot: r.m.Slot(),
	}
	for _, p := range []quote.Pool{sol, token} {
		if r.m.oldPools.Load() {
			p.Slot -= 100_000
		}
		if r.m.richPool.Load() {
			p.ReserveB *= 10
		}
		if p.MintA == mint || p.MintB == mint && mint != swapcast.USDC() {
			dst = append(dst, p)
		}
	}
	return dst
}

// memNet is a network of pipes, for fake time: sockets do not stand still in it.
type memNet struct {
	conns chan net.Conn
	done  chan struct{}
}

func newMemNet() *memNet { return &memNet{make(chan net.Conn), make(chan struct{})} }

func (n *memNet) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

func (n *memNet) Close() error { close(n.done); return nil }

func (n *memNet) Addr() net.Addr { return &net.TCPAddr{} }

// refusedHost is one that nothing listens at.
const refusedHost = "refused.test"

func (n *memNet) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	if strings.HasPrefix(addr, refusedHost) {
		return nil, errors.New("connect: connection refused")
	}
	ours, theirs := net.Pipe()
	select {
	case n.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-n.done:
		return nil, net.ErrClosed
	}
}

// rig is an engine with stand-ins for all that it asks.
type rig struct {
	t        testing.TB
	market   *testMarket
	services *quotetest.Services
	engine   *quote.Engine
	opts     quote.Options
}

// newRig makes one over pipes. It may be made in a bubble of fake time.
func newRig(t testing.TB, change func(*quote.Options)) *rig {
	market := newMarket()
	services := quotetest.New(market, quote.PythFeeds())
	network := newMemNet()
	server := &http.Server{Handler: services.Handler(), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(network)
	}()
	transport := &http.Transport{DialContext: network.dial, MaxIdleConnsPerHost: 64}
	opts := rigOptions(market, "http://services.test")
	opts.Transport = transport
	if change != nil {
		change(&opts)
	}
	engine, err := quote.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		engine.Close()
		transport.CloseIdleConnections()
		_ = server.Close()
		<-served
	})
	return &rig{t, market, services, engine, opts}
}

// rigOptions has every source on, at one server.
func rigOptions(market *testMarket, base string) quote.Options {
	policy := quote.Policy{PerSecond: 10_000, Burst: 10_000}
	remote := func(name string) quote.Remote {
		return quote.Remote{URL: base + "/" + name, Key: "k-" + name, Policy: policy}
	}
	return quote.Options{
		Jupiter:   quote.Jupiter{Remote: remote("jupiter")},
		DFlow:     remote("dflow"),
		Hashflow:  quote.Hashflow{Remote: remote("hashflow"), Source: "swapcast"},
		Pyth:      quote.Pyth{Remote: remote("hermes")},
		OnChain:   quote.OnChain{Reserves: reference{market}},
		Reference: reference{market},
	}
}

// oneSOL asks what one SOL brings in USDC.
func oneSOL() quote.Request {
	return quote.Request{InputMint: swapcast.NativeMint(), OutputMint: swapcast.USDC(), Amount: 1e9, SlippageBps: 50}
}

// quote asks and reports how long it took.
func (r *rig) quote(req quote.Request) (*quote.Answer, time.Duration, error) {
	start := time.Now()
	a, err := r.engine.Quote(context.Background(), req)
	return a, time.Since(start), err
}

// result is one source's of a list.
func result(sources []quote.Result, name string) quote.Result {
	for _, s := range sources {
		if s.Source == name {
			return s
		}
	}
	return quote.Result{}
}
