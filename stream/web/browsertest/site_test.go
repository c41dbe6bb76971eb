// Package browsertest drives the page in a real browser against the real
// WebSocket server and the real HTTP API; only the market behind them is played.
// It holds tests alone.
package browsertest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/web"
	"github.com/swapcast/swapcast/stream/wire"
)

// site is a server as a browser finds it.
type site struct {
	t      *testing.T
	url    string
	market *market
	hub    atomic.Pointer[hub]
	state  atomic.Pointer[string]                                      // of /v1/status
	feed   swapcast.Feed                                               // set before start
	keys   string                                                      // file of API keys, "" none
	forms  sync.Map                                                    // in which messages were sent
	quote  func(context.Context, quote.Request) (*quote.Answer, error) // nil none
	holder holder                                                      // answers for any wallet
}

// hub is one run of the WebSocket server.
type hub struct {
	*stream.Server
	stop func()
}

// newSite serves until the test ends. The quiet tokens move only when the test
// says so.
func newSite(t *testing.T, quiet ...string) *site {
	t.Helper()
	s := &site{t: t, feed: swapcast.FeedSimulated}
	s.start(quiet...)
	return s
}

func (s *site) start(quiet ...string) {
	t := s.t
	t.Helper()
	s.setState(api.StateHealthy)
	s.restart()
	s.market = newMarket(t, s)

	mux := http.NewServeMux()
	pages := web.Handler()
	apis := api.New(api.Options{
		Market:    s.market,
		Pools:     s.market.Pools,
		Reasons:   func(solana.PublicKey) []string { return []string{"single_pool", "curve", "not_known_yet"} },
		Day:       s.market.Day,
		NewTokens: s.market.NewTokens,
		Status:    func() api.Status { return api.Status{State: *s.state.Load(), Slot: 371_234_567} },
		Feed:      func() swapcast.Feed { return s.feed },
		Quote:     s.quote,
		Wallets:   &s.holder,
	})
	mux.Handle("/", pages)
	mux.Handle("/v1/", apis)
	mux.Handle("/openapi.json", apis)
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) { s.hub.Load().ServeHTTP(w, r) })

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	ctx, cancel := context.WithCancel(context.Background())
	moved := make(chan struct{})
	go func() { defer close(moved); s.market.run(ctx, quiet...) }()
	t.Cleanup(func() {
		cancel()
		<-moved
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
		s.hub.Load().stop()
	})
	s.url = "http://" + ln.Addr().String() + "/"
}

// restart puts a new WebSocket server in place of the old one, which says
// goodbye to its clients as a server that is being updated does.
func (s *site) restart() {
	s.t.Helper()
	server, err := stream.New(stream.Options{
		Feed:     s.feed,
		KeysFile: s.keys,
		Candle: func(mint solana.PublicKey, interval swapcast.Interval) (swapcast.Candle, bool) {
			return s.market.Candle(mint, interval)
		},
		Compression: true, // every browser asks for it
		OnConn:      func(info stream.ConnInfo) stream.ConnHooks { s.forms.Store(info.Form, true); return stream.ConnHooks{} },
		Timing:      stream.Timing{ReconnectMin: 10 * time.Millisecond, ReconnectMax: 300 * time.Millisecond},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	next := &hub{Server: server, stop: func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("stream: %v", err)
		}
	}}
	s.publishStatus(server)
	old := s.hub.Swap(next)
	if old == nil {
		return
	}
	drain, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	if err := old.Drain(drain); err != nil {
		s.t.Errorf("drain: %v", err)
	}
	old.stop()
}

// setState changes what /v1/status and the status channel say of the feed.
func (s *site) setState(state string) {
	s.state.Store(&state)
	if h := s.hub.Load(); h != nil {
		s.publishStatus(h.Server)
	}
}

func (s *site) publishStatus(server *stream.Server) {
	state := *s.state.Load()
	server.PublishStatus(&wire.Status{Feed: state, Slot: 371_234_567, LagMS: 84, LagKnown: true, Degraded: state != wire.FeedHealthy})
}

// PublishPrice hands a price to the present WebSocket server.
func (s *site) PublishPrice(p *swapcast.Price) { s.hub.Load().PublishPrice(p) }

// PublishTrade hands a trade to the present WebSocket server.
func (s *site) PublishTrade(t *swapcast.Trade) { s.hub.Load().PublishTrade(t) }

// PublishCandles hands what became of a token's candles to the present WebSocket
// server, as far as somebody listens.
func (s *site) PublishCandles(mint solana.PublicKey) {
	server := s.hub.Load()
	server.CloseCandles(time.Now().Unix())
	for interval := range server.CandlesWanted(mint).All() {
		if c, ok := s.market.Candle(mint, interval); ok {
			server.PublishCandle(&c)
		}
	}
}
