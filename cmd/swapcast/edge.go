package main

import (
	"context"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/market"
	"github.com/swapcast/swapcast/relay"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/web"
)

// openEdge makes the parts of an edge: a stream whose updates come by the relay, and
// nothing of the chain. What is asked for over HTTP is asked of the ingest that leads.
func (s *server) openEdge(ctx context.Context, proxies []netip.Prefix) error {
	options, err := s.relayOptions(ctx)
	if err != nil {
		return err
	}
	o := s.streamOptions(proxies, newStages(s.registry))
	o.Epoch = options.Epoch
	o.Follow = func(ctx context.Context, subjects []stream.Subject) error { return s.edge.Follow(ctx, subjects) }
	if s.stream, err = stream.New(o); err != nil {
		return usagef("%v", err)
	}
	s.teller = s.stream
	options.Stream = s.stream
	if s.edge, err = relay.NewEdge(options); err != nil {
		return err
	}
	return s.listen(ctx)
}

// edgeHandler joins the WebSocket, the page and what an edge knows by itself with
// what it asks the ingest for.
func (s *server) edgeHandler() http.Handler {
	own := api.New(api.Options{
		Market:         market.New(market.Options{}), // nothing of it is asked for here
		Pools:          func(solana.PublicKey) []api.Pool { return nil },
		Status:         s.edgeStatus,
		Ready:          s.edgeReady,
		Feed:           s.stream.Feed,
		AllowedOrigins: s.config.AllowedOrigins,
	})
	mux := http.NewServeMux()
	mux.Handle("/ws", s.stream)
	mux.HandleFunc("/v1/stream", s.stream.ServeSSE)
	for _, path := range []string{"/v1/status", "/openapi.json", "/asyncapi.json", "/healthz", "/readyz"} {
		mux.Handle(path, own)
	}
	mux.Handle("/v1/", s.askIngest())
	mux.Handle("/", web.Handler())
	return s.reported(mux)
}

// ingestPatience is how long the ingest may take to begin its answer: longer than it
// gives a quote.
const ingestPatience = 30 * time.Second

// askIngest hands requests on to the ingest that leads.
func (s *server) askIngest() http.Handler {
	// The ingest says by itself which pages may read its answers.
	refuse := func(w http.ResponseWriter, r *http.Request, detail string) {
		api.AllowOrigin(w, r, s.config.AllowedOrigins)
		if r.Method == http.MethodOptions { // or a page could not read how the request itself is refused
			api.Preflight(w, "GET, HEAD, POST, OPTIONS")
			return
		}
		writeProblem(w, http.StatusServiceUnavailable, "not_ready", detail)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			to, _ := r.In.Context().Value(ingestKey{}).(*url.URL)
			r.SetURL(to)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: ingestPatience},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				s.log.Warn("the ingest does not answer", "path", r.URL.Path, "error", err)
			}
			refuse(w, r, "the ingest does not answer; try again")
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leader, ok := s.edge.Leader()
		if !ok {
			refuse(w, r, "no ingest leads: nobody follows the chain now")
			return
		}
		to, err := url.Parse(leader.HTTP)
		if err != nil || to.Host == "" {
			refuse(w, r, "the ingest does not say where it is")
			return
		}
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ingestKey{}, to)))
	})
}

// ingestKey is the context key of the ingest that a request goes to.
type ingestKey struct{}

// edgeReady is nil when clients should be sent here.
func (s *server) edgeReady() error {
	if s.draining.Load() {
		return errDraining
	}
	return s.edge.Ready()
}

// edgeStatus answers /v1/status: the connections are this edge's, the feed is that
// of the ingest.
func (s *server) edgeStatus() api.Status {
	now := time.Now()
	status := s.ownStatus(now)
	status.State, status.Degraded = api.StateDisconnected, true
	leader, ok := s.edge.Leader()
	if !ok {
		status.Message = "no ingest leads"
		if err := s.edge.Ready(); err != nil {
			status.Message = err.Error()
		}
		return status
	}
	status.State, status.Message, status.Degraded, status.Slot = leader.Status.Feed, leader.Status.Message, leader.Status.Degraded, leader.Status.Slot
	if leader.Status.LagKnown {
		status.LagMS = &leader.Status.LagMS
	}
	status.Sources = []api.Source{{Endpoint: "ingest " + leader.HTTP, Connected: true, Slot: leader.Status.Slot}}
	return status
}

// notHere answers clients that connect to an ingest.
func notHere(w http.ResponseWriter, _ *http.Request) {
	writeProblem(w, http.StatusServiceUnavailable, "not_ready", "this is an ingest, which has no clients: connect to an edge")
}
