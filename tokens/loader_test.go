package tokens_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/rpcpool"
	"github.com/swapcast/swapcast/rpctest"
	"github.com/swapcast/swapcast/tokens"
)

const method = "getMultipleAccounts"

// rig is a Loader that runs, with the node that it asks.
type rig struct {
	*tokens.Loader
	t        *testing.T
	node     *rpctest.Server
	chain    *rpctest.Recorder
	registry *prometheus.Registry
}

// run makes a rig and calls test with it, in fake time.
func run(t *testing.T, o tokens.Options, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, chain: rpctest.NewRecorder(rpctest.RecorderOptions{}), registry: prometheus.NewPedanticRegistry()}
		var err error
		if r.node, err = rpctest.New(rpctest.Options{Store: r.chain}); err != nil {
			t.Fatal(err)
		}
		pool, err := rpcpool.New(rpcpool.Options{URLs: []string{"https://node.example.com/key"}, Transport: r.node.Transport(), Attempts: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		o.RPC, o.Metrics = pool, tokens.NewMetrics(r.registry)
		if r.Loader, err = tokens.New(o); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		test(r)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func (r *rig) put(m rpctest.Mint) {
	r.t.Helper()
	if err := r.chain.PutMint(m); err != nil {
		r.t.Fatal(err)
	}
}

// next gives the next facts; none may come within a minute where want is false.
func (r *rig) next() (swapcast.Token, bool) {
	select {
	case t := <-r.Found():
		return t, true
	case <-time.After(time.Minute):
		return swapcast.Token{}, false
	}
}

func (r *rig) count(name, label string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && len(m.GetLabel()) > 0 && m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// TestForms finds the facts of every form of mint, hostile ones among them.
func TestForms(t *testing.T) {
	pointer, other := key(90), key(91)
	for name, c := range map[string]struct {
		mint rpctest.Mint
		want swapcast.Token
	}{
		"SPL with Metaplex": {
			rpctest.Mint{Decimals: 6, Supply: 1000, Form: rpctest.Metaplex, Name: "dogwifhat", Symbol: "WIF"},
			swapcast.Token{Symbol: "WIF", Name: "dogwifhat", Decimals: 6, Supply: 1000, Program: solana.TokenProgramID},
		},
		"SPL without metadata": {
			rpctest.Mint{Decimals: 2, Supply: 7},
			swapcast.Token{Decimals: 2, Supply: 7, Program: solana.TokenProgramID},
		},
		"Token-2022 with extension": {
			rpctest.Mint{Decimals: 6, Supply: 1 << 63, Form: rpctest.Extension, Name: "Pump", Symbol: "PUMP"},
			swapcast.Token{Symbol: "PUMP", Name: "Pump", Decimals: 6, Supply: 1 << 63, Program: solana.Token2022ProgramID},
		},
		"Token-2022 with Metaplex": {
			rpctest.Mint{Program: solana.Token2022ProgramID, Decimals: 9, Form: rpctest.Metaplex, Name: "N", Symbol: "S"},
			swapcast.Token{Symbol: "S", Name: "N", Decimals: 9, Program: solana.Token2022ProgramID},
		},
		"hostile names": {
			rpctest.Mint{Form: rpctest.Extension, Name: strings.Repeat("\u202e<script>\x00", 40), Symbol: "\x1b[31mUSDC\u200b\n"},
			swapcast.Token{Symbol: "[31mUSDC", Name: strings.Repeat("<script>", 6), Program: solana.Token2022ProgramID},
		},
		"pointer to an account that says nothing": {
			rpctest.Mint{Program: solana.Token2022ProgramID, Pointer: other},
			swapcast.Token{Program: solana.Token2022ProgramID},
		},
		"pointer to the metadata of USDC": { // which names another mint
			rpctest.Mint{Program: solana.Token2022ProgramID, Pointer: pointer},
			swapcast.Token{Program: solana.Token2022ProgramID},
		},
		"pointer to a mint that keeps it": {
			rpctest.Mint{Program: solana.Token2022ProgramID, Pointer: key(92)},
			swapcast.Token{Symbol: "KEPT", Name: "Kept elsewhere", Program: solana.Token2022ProgramID},
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, tokens.Options{}, func(r *rig) {
				c.mint.Key, c.want.Mint, c.want.Known, c.want.SupplyKnown = key(1), key(1), true, true
				r.put(c.mint)
				usdc := rpctest.Mint{Key: key(3), Name: "USD Coin", Symbol: "USDC"}
				r.chain.PutAccount(pointer, rpctest.Account{Owner: rpctest.MetaplexProgram(), Data: rpctest.MetaplexData(&usdc)})
				r.chain.PutAccount(other, rpctest.Account{Owner: solana.SystemProgramID, Data: []byte("USDC")})
				keeper := rpctest.MintData(&rpctest.Mint{Key: key(1), Form: rpctest.Extension, Name: "Kept elsewhere", Symbol: "KEPT"})
				r.chain.PutAccount(key(92), rpctest.Account{Owner: solana.Token2022ProgramID, Data: keeper})
				r.Want(key(1))
				if got, ok := r.next(); !ok || got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
			})
		})
	}
}

// TestWrappedSOL tells no supply: the account's is 0, whatever is wrapped.
func TestWrappedSOL(t *testing.T) {
	run(t, tokens.Options{}, func(r *rig) {
		r.put(rpctest.Mint{Key: swapcast.NativeMint(), Decimals: 9})
		r.Want(swapcast.NativeMint())
		if got, _ := r.next(); got.SupplyKnown || !got.Known || got.Decimals != 9 {
			t.Errorf("got %+v", got)
		}
	})
}

// TestBatches: many wishes share few requests, of at most 100 keys each (the
// server refuses more), and each is answered once.
func TestBatches(t *testing.T) {
	run(t, tokens.Options{}, func(r *rig) {
		const n = 120
		for i := range n {
			r.put(rpctest.Mint{Key: key(byte(i + 1)), Decimals: uint8(i), Form: rpctest.Metaplex, Symbol: fmt.Sprint("S", i)})
			for range 3 {
				r.Want(key(byte(i + 1)))
			}
		}
		seen := make(map[solana.PublicKey]bool)
		for range n {
			got, ok := r.next()
			if !ok || seen[got.Mint] || got.Symbol != fmt.Sprint("S", got.Decimals) || got.Mint != key(got.Decimals+1) {
				t.Fatalf("after %d: %+v, %v", len(seen), got, ok)
			}
			seen[got.Mint] = true
		}
		if _, ok := r.next(); ok {
			t.Error("a mint came twice")
		}
		if got := r.node.Requests(method); got != 3 {
			t.Errorf("%d requests, want 3", got)
		}
	})
}

// TestRefresh: known facts are not asked again until they are old, and then the
// supply moves.
func TestRefresh(t *testing.T) {
	run(t, tokens.Options{RefreshAfter: 10 * time.Minute}, func(r *rig) {
		r.put(rpctest.Mint{Key: key(1), Supply: 1})
		r.Want(key(1))
		if got, _ := r.next(); got.Supply != 1 {
			t.Fatalf("got %+v", got)
		}
		r.put(rpctest.Mint{Key: key(1), Supply: 2})
		r.Want(key(1))
		if _, ok := r.next(); ok {
			t.Error("asked again within a minute")
		}
		time.Sleep(9 * time.Minute)
		r.Want(key(1))
		if got, ok := r.next(); !ok || got.Supply != 2 {
			t.Errorf("not refreshed: %+v", got)
		}
	})
}

// TestYoung: a token trades before the confirmed chain has its mint. It is asked
// for again soon, and less and less often where it never comes.
func TestYoung(t *testing.T) {
	run(t, tokens.Options{YoungRetry: 2 * time.Second, MissingTTL: 10 * time.Minute}, func(r *rig) {
		trade := func(mint solana.PublicKey, d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				r.Want(mint)
			}
		}
		trade(key(1), time.Second)
		r.put(rpctest.Mint{Key: key(1), Form: rpctest.Extension, Name: "Launched", Symbol: "NEW"})
		trade(key(1), 3*time.Second)
		select {
		case got := <-r.Found():
			if got.Symbol != "NEW" {
				t.Errorf("got %+v", got)
			}
		default:
			t.Error("a mint that has just been confirmed has no facts after 3 s")
		}
		before := r.node.Requests(method)
		trade(key(2), time.Hour)
		// After 2, 4, ... 512 seconds, 17 minutes in all, then every 10 minutes.
		if n := r.node.Requests(method) - before; n < 10 || n > 15 {
			t.Errorf("asked %d times within an hour", n)
		}
	})
}

// TestNegative: what does not exist is remembered, here for MissingTTL at once,
// what could not be asked for RetryAfter; both are counted.
func TestNegative(t *testing.T) {
	run(t, tokens.Options{YoungRetry: 10 * time.Minute, MissingTTL: 10 * time.Minute, RetryAfter: 3 * time.Minute}, func(r *rig) {
		r.chain.PutAccount(key(2), rpctest.Account{Owner: solana.SystemProgramID})
		ask := func(mint solana.PublicKey) {
			r.Want(mint)
			if got, ok := r.next(); ok {
				t.Errorf("got %+v", got)
			}
		}
		ask(key(1))
		ask(key(2))
		ask(key(1))
		ask(key(2))
		if n := r.node.Requests(method); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
		time.Sleep(10 * time.Minute)
		r.put(rpctest.Mint{Key: key(1)})
		r.Want(key(1))
		if _, ok := r.next(); !ok {
			t.Error("not asked again")
		}
		r.node.Script(rpctest.Fault{Status: http.StatusBadGateway, Times: 2})
		r.put(rpctest.Mint{Key: key(3)})
		ask(key(3))
		ask(key(3))
		time.Sleep(3 * time.Minute)
		r.Want(key(3))
		if _, ok := r.next(); !ok {
			t.Error("not asked again after a failure")
		}
		for outcome, want := range map[string]float64{"missing": 1, "not_mint": 1, "failed": 1, "unnamed": 2} {
			if got := r.count("swapcast_token_lookups_total", outcome); got != want {
				t.Errorf("%s: counted %v, want %v", outcome, got, want)
			}
		}
	})
}

// TestOverflow: a full queue drops the wish, counts it, and takes it later.
func TestOverflow(t *testing.T) {
	run(t, tokens.Options{Queue: 4}, func(r *rig) {
		r.node.Script(rpctest.Fault{Stall: 5 * time.Second})
		r.put(rpctest.Mint{Key: key(9)})
		r.Want(key(1))
		time.Sleep(time.Second) // the Loader asks for it now
		for i := range 4 {
			if !r.Want(key(byte(2 + i))) {
				t.Errorf("wish %d dropped", i)
			}
		}
		if r.Want(key(9)) {
			t.Error("a fifth was taken")
		}
		if got := r.count("swapcast_token_dropped_total", "queue_full"); got != 1 {
			t.Errorf("counted %v", got)
		}
		time.Sleep(20 * time.Second)
		if !r.Want(key(9)) {
			t.Error("still full")
		}
		if got, ok := r.next(); !ok || got.Mint != key(9) {
			t.Errorf("got %+v", got)
		}
	})
}

// TestForget: memory is bounded, and what was forgotten is asked anew.
func TestForget(t *testing.T) {
	run(t, tokens.Options{Known: 2}, func(r *rig) {
		for i := range 3 {
			r.put(rpctest.Mint{Key: key(byte(1 + i))})
			r.Want(key(byte(1 + i)))
			if _, ok := r.next(); !ok {
				t.Fatal("not found")
			}
		}
		r.Want(key(3))
		if _, ok := r.next(); ok {
			t.Error("the newest was forgotten")
		}
		r.Want(key(1))
		if _, ok := r.next(); !ok {
			t.Error("the oldest was not forgotten")
		}
	})
}

// TestSlowReader: facts wait for their reader; none is lost.
func TestSlowReader(t *testing.T) {
	run(t, tokens.Options{Results: 1}, func(r *rig) {
		for i := range 20 {
			r.put(rpctest.Mint{Key: key(byte(1 + i))})
			r.Want(key(byte(1 + i)))
		}
		time.Sleep(time.Minute)
		for i := range 20 {
			if got, ok := r.next(); !ok || got.Mint != key(byte(1+i)) {
				t.Fatalf("%d: %+v", i, got)
			}
		}
	})
}

func TestNew(t *testing.T) {
	if _, err := tokens.New(tokens.Options{}); err == nil {
		t.Error("no endpoints and no error")
	}
}

func BenchmarkWantKnown(b *testing.B) {
	pool, err := rpcpool.New(rpcpool.Options{URLs: []string{"http://127.0.0.1:1"}})
	if err != nil {
		b.Fatal(err)
	}
	l, err := tokens.New(tokens.Options{RPC: pool})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l.Want(key(1))
	}
}
