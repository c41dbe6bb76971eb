package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gagliardetto/solana-go"
	"golang.org/x/sync/errgroup"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream"
)

type options struct {
	listen, admin string
	tokens        int
	rate          float64 // prices a second of each token
	connections   int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "metronome:", err)
		}
		os.Exit(2)
	}
	if err := run(ctx, o, slog.New(slog.NewTextHandler(os.Stderr, nil)), nil); err != nil {
		fmt.Fprintln(os.Stderr, "metronome:", err)
		os.Exit(1)
	}
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("metronome", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` of the WebSocket")
	f.StringVar(&o.admin, "admin-listen", "127.0.0.1:9090", "`address` of /metrics")
	f.IntVar(&o.tokens, "tokens", 100, "number of tokens")
	f.Float64Var(&o.rate, "rate", 20, "prices a second of each token")
	f.IntVar(&o.connections, "max-connections", 19_000, "connections in all")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("%q is no flag", f.Arg(0))
	case o.tokens < 1 || o.tokens > 100_000:
		return o, fmt.Errorf("-tokens %d: must be from 1 to 100000", o.tokens)
	case !(o.rate > 0) || o.rate*float64(o.tokens) > 10e6:
		return o, fmt.Errorf("-rate %v: must be above 0, and ten million in all at most", o.rate)
	case o.connections < 1:
		return o, fmt.Errorf("-max-connections %d: must be above 0", o.connections)
	}
	return o, nil
}

// run serves until ctx ends. ready, if not nil, is called with both listeners' addresses.
func run(ctx context.Context, o options, log *slog.Logger, ready func(public, admin string)) error {
	m := newMetrics()
	server, err := stream.New(stream.Options{Feed: swapcast.FeedSimulated, Limits: stream.Limits{Connections: o.connections}, Metrics: m.stream})
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	public, err := lc.Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	admin, err := lc.Listen(ctx, "tcp", o.admin)
	if err != nil {
		public.Close()
		return fmt.Errorf("-admin-listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", server)
	newAPI(&o).routes(mux)
	adminMux := http.NewServeMux()
	adminMux.Handle("GET /metrics", m.handler)
	servers := []*http.Server{{Handler: mux}, {Handler: adminMux, ReadHeaderTimeout: 5 * time.Second}}
	stream.SetHTTPLimits(servers[0])

	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Run(inner) })
	group.Go(func() error { publish(inner, &o, server.PublishPrice, m); return nil })
	for i, l := range []net.Listener{public, admin} {
		group.Go(func() error {
			if err := servers[i].Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	group.Go(func() error {
		<-inner.Done()
		for _, s := range servers {
			s.Close()
		}
		return nil
	})
	log.Info("serving", "page", "http://"+public.Addr().String()+"/", "admin", "http://"+admin.Addr().String()+"/", "tokens", o.tokens, "rate", o.rate)
	if ready != nil {
		ready(public.Addr().String(), admin.Addr().String())
	}
	return group.Wait()
}

// mintOf is a token's made-up address.
func mintOf(token int) solana.PublicKey {
	k := solana.PublicKey{0: 0x5c, 1: 0xa5, 2: 0x77}
	binary.BigEndian.PutUint32(k[28:], uint32(token)+1)
	return k
}

// arrears is for how long the publisher makes up when it was late.
const arrears = 50 * time.Millisecond

// publish gives the tokens their prices, in turn, until ctx ends.
func publish(ctx context.Context, o *options, to func(*swapcast.Price), m *metrics) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	mints := make([]solana.PublicKey, o.tokens)
	for i := range mints {
		mints[i] = mintOf(i)
	}
	perSecond := o.rate * float64(o.tokens)
	most := max(1, perSecond*arrears.Seconds())
	due, n, last := 0.0, 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		due += now.Sub(last).Seconds() * perSecond
		last = now
		if due > most {
			m.behind.Add(float64(int(due - most)))
			due = most
		}
		made := 0
		for ; due >= 1; due-- {
			usd := 100 + float64(n%1000)/100
			to(&swapcast.Price{
				Mint: mints[n%len(mints)], USD: usd, Known: true, SOL: usd / 150, SOLKnown: true, Confidence: 0.97, LiquidityUSD: 81234567.1,
				DEX: "raydium-clmm", Pool: mints[0], Slot: 371_234_567 + uint64(n), BlockTime: now.Unix(),
			})
			n++
			made++
		}
		m.published.Add(float64(made))
	}
}

// api is as much of swapcast's HTTP API as a load generator asks for.
type api struct {
	connections int
	known       map[string]bool
	list        []string
}

func newAPI(o *options) *api {
	a := &api{connections: o.connections, known: map[string]bool{}}
	for i := range o.tokens {
		mint := mintOf(i).String()
		a.known[mint] = true
		a.list = append(a.list, mint)
	}
	return a
}

func (a *api) routes(mux *http.ServeMux) {
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		// The client may be gone; there is nobody else to tell.
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]string{"status": "ready"}) })
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"feed": swapcast.FeedSimulated, "state": "healthy", "limits": map[string]int{"maxConnections": a.connections}})
	})
	mux.HandleFunc("GET /v1/tokens", func(w http.ResponseWriter, _ *http.Request) {
		tokens := []map[string]string{}
		for _, mint := range a.list[:min(len(a.list), 200)] {
			tokens = append(tokens, map[string]string{"assetId": mint})
		}
		answer(w, map[string]any{"feed": swapcast.FeedSimulated, "tokens": tokens})
	})
	mux.HandleFunc("GET /v1/prices", func(w http.ResponseWriter, r *http.Request) {
		prices := []map[string]any{}
		asked := a.list[:min(len(a.list), 25)]
		if list := r.URL.Query().Get("assets"); list != "" {
			asked = strings.Split(list, ",")
		}
		for _, mint := range asked {
			p := map[string]any{"assetId": mint, "price": nil}
			if a.known[mint] {
				p["price"] = 100
			}
			prices = append(prices, p)
		}
		answer(w, map[string]any{"prices": prices})
	})
	mux.HandleFunc("GET /v1/trades/{mint}", func(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]any{"trades": []int{}}) })
}
