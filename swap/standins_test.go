package swap

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
	"github.com/swapcast/swapcast/rpcpool"
)

// wallet is a key on the curve, as wallets are.
func wallet() solana.PublicKey {
	return solana.PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))).PublicKey()
}

// world is the whole way: an engine, a builder and a node, over stand-ins.
type world struct {
	t        *testing.T
	services *quotetest.Services
	engine   *quote.Engine
	builder  *Builder
	pool     *rpcpool.Pool
	metrics  *prometheus.Registry
}

// newWorld has one source, v1 says Jupiter's older paths.
func newWorld(t *testing.T, source string, v1 bool) *world {
	market := &quotetest.Fixed{Tokens: map[solana.PublicKey]quotetest.Token{
		swapcast.NativeMint(): {USD: 150, Decimals: 9},
		swapcast.USDC():       {USD: 1, Decimals: 6},
		swapcast.USDT():       {USD: 1, Decimals: 6},
	}}
	market.Head.Store(400_000_000)
	w := &world{t: t, services: quotetest.New(market, nil), metrics: prometheus.NewRegistry()}
	server := httptest.NewServer(w.services.Handler())
	remote := quote.Remote{URL: server.URL + "/" + source, Policy: quote.Policy{PerSecond: 1e6, MaxTries: 1, BreakAfter: 1000}}
	o, b := quote.Options{}, Options{Metrics: NewMetrics(w.metrics)}
	if source == quote.NameJupiter {
		o.Jupiter = quote.Jupiter{Remote: remote, V1: v1}
		b.Jupiter = o.Jupiter
	} else {
		o.DFlow, b.DFlow = remote, remote
	}
	var errs [3]error
	w.engine, errs[0] = quote.New(o)
	w.builder, errs[1] = NewBuilder(b)
	w.pool, errs[2] = rpcpool.New(rpcpool.Options{URLs: []string{server.URL + "/rpc"}, PerSecond: 1e6, Attempts: 1, BreakAfter: 1000, BackoffMin: time.Millisecond, BackoffMax: time.Millisecond})
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.engine.Close()
		w.builder.Close()
		w.pool.Close()
		server.Close()
	})
	return w
}

// ask quotes 0.1 SOL in USDC, or the other way round.
func (w *world) ask(in, out solana.PublicKey, amount uint64) *quote.Answer {
	w.t.Helper()
	a, err := w.engine.Quote(context.Background(), quote.Request{InputMint: in, OutputMint: out, Amount: amount, SlippageBps: 50})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// service is the one source.
func (w *world) service() *quotetest.Service {
	if w.builder.opts.DFlow.URL != "" {
		return w.services.DFlow
	}
	return w.services.Jupiter
}

// count reads a counter with these label values, whatever their labels.
func (w *world) count(name string, values ...string) float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	metrics:
		for _, metric := range family.GetMetric() {
			for _, value := range values {
				found := false
				for _, l := range metric.GetLabel() {
					found = found || l.GetValue() == value
				}
				if !found {
					continue metrics
				}
			}
			return metric.GetCounter().GetValue()
		}
	}
	return 0
}

// TestStandIns takes a quote through transaction and simulation, for each service and
// each kind of pair; and says what is proved of it.
func TestStandIns(t *testing.T) {
	for _, c := range []struct {
		name, source string
		v1, proved   bool
	}{{"jupiter v2", quote.NameJupiter, false, true}, {"jupiter v1", quote.NameJupiter, true, false}, {"dflow", quote.NameDFlow, false, false}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.source, c.v1)
			for _, pair := range [][2]solana.PublicKey{
				{swapcast.NativeMint(), swapcast.USDC()}, {swapcast.USDC(), swapcast.NativeMint()}, {swapcast.USDT(), swapcast.USDC()},
			} {
				a := w.ask(pair[0], pair[1], 100_000_000)
				built, err := w.builder.Build(t.Context(), a, wallet())
				if err != nil {
					t.Fatal(err)
				}
				if built.LastValidBlockHeight != 400_000_150 {
					t.Errorf("height %d", built.LastValidBlockHeight)
				}
				proved := true
				for _, f := range built.Checked.Findings {
					proved = proved && f.Checked
				}
				if proved != c.proved {
					t.Errorf("%+v", built.Checked.Findings)
				}
				s, err := w.builder.Simulate(t.Context(), w.pool, built, wallet())
				if err != nil || !s.OK || !s.Known || s.InAmount != 100_000_000 || s.OutAmount != a.OutAmount {
					t.Errorf("%v: %+v, %v; the quote says %d", pair, s, err, a.OutAmount)
				}
			}
			if n := w.count("swapcast_swap_builds_total", c.source, "built"); n != 3 {
				t.Errorf("%v built", n)
			}
		})
	}
}

// A wallet may be a key off the curve: a multisig's is.
func TestWalletOffTheCurve(t *testing.T) {
	w := newWorld(t, quote.NameJupiter, false)
	user := ata(wallet(), swapcast.USDC())
	built, err := w.builder.Build(t.Context(), w.ask(swapcast.NativeMint(), swapcast.USDC(), 100_000_000), user)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := w.builder.Simulate(t.Context(), w.pool, built, user); err != nil || !s.OK || s.InAmount != 100_000_000 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestTransactionFaults: whatever a service does to a transaction is refused by the
// check that it is for, or, where the router's arguments hide it, shown by the
// simulation.
func TestTransactionFaults(t *testing.T) {
	want := map[quotetest.Fault]string{
		quotetest.OtherPayer: "signers", quotetest.OtherSigner: "signers", quotetest.Drain: "instruction", quotetest.Approve: "instruction",
		quotetest.OtherDestination: "destination", quotetest.LowThreshold: "threshold", quotetest.MoreIn: "amount",
		quotetest.PlatformFee: "platform_fee", quotetest.DearFee: "priority_fee", quotetest.OtherProgram: "program",
		quotetest.NoTransaction: "holds no transaction", quotetest.NotBase64: "no base64",
		quotetest.Status503: "HTTP status 503", quotetest.HTML: "no JSON", quotetest.CutOff: "broke off", quotetest.HangUp: "no connection",
		quotetest.Huge: "too large", quotetest.RedirectAway: "HTTP status 307", quotetest.NotJSON: "holds no transaction",
	}
	for _, f := range quotetest.SwapFaults() {
		if want[f] == "" {
			t.Errorf("nothing is said of %s", f)
		}
	}
	for _, c := range []struct {
		source string
		v1     bool
	}{{quote.NameJupiter, false}, {quote.NameJupiter, true}, {quote.NameDFlow, false}} {
		w := newWorld(t, c.source, c.v1)
		a := w.ask(swapcast.USDC(), swapcast.NativeMint(), 100_000_000)
		for f, code := range want {
			w.service().Set(f)
			built, err := w.builder.Build(t.Context(), a, wallet())
			if f == quotetest.OtherPayer {
				code = "fee_payer"
			}
			if c.source == quote.NameDFlow && f == quotetest.MoreIn {
				if err != nil {
					t.Fatal(err)
				}
				if s, err := w.builder.Simulate(t.Context(), w.pool, built, wallet()); err != nil || s.OK || s.InAmount != 200_000_000 {
					t.Errorf("DFlow takes more: %+v, %v", s, err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), code) {
				t.Errorf("%s v1=%v %s: %v, want %q", c.source, c.v1, f, err, code)
			}
		}
		if n := w.count("swapcast_swap_refused_total", c.source, "destination"); n != 1 {
			t.Errorf("%v refused for the destination", n)
		}
	}
}

// TestNodeFaults: what a node says of a simulation, and that none is no answer.
func TestNodeFaults(t *testing.T) {
	w := newWorld(t, quote.NameJupiter, false)
	built, err := w.builder.Build(t.Context(), w.ask(swapcast.NativeMint(), swapcast.USDC(), 100_000_000), wallet())
	if err != nil {
		t.Fatal(err)
	}
	w.services.Node.Set(quotetest.SimulatesLess)
	if s, err := w.builder.Simulate(t.Context(), w.pool, built, wallet()); err != nil || s.OK || !s.Known || s.OutAmount >= built.Quote.Threshold {
		t.Errorf("less: %+v, %v", s, err)
	}
	w.services.Node.Set(quotetest.SimulationFails)
	if s, err := w.builder.Simulate(t.Context(), w.pool, built, wallet()); err != nil || s.OK || !strings.Contains(s.Error, "6001") {
		t.Errorf("fails: %+v, %v", s, err)
	}
	for _, f := range []quotetest.Fault{quotetest.Unhealthy, quotetest.Status500, quotetest.CutOff, quotetest.NotJSON} {
		w.services.Node.Set(f)
		if s, err := w.builder.Simulate(t.Context(), w.pool, built, wallet()); err == nil {
			t.Errorf("%s: %+v", f, s)
		}
	}
	for outcome, n := range map[string]float64{"short": 1, "failed": 1, "unavailable": 4, "ok": 0} {
		if got := w.count("swapcast_swap_simulations_total", outcome); got != n {
			t.Errorf("%s: %v", outcome, got)
		}
	}
}
