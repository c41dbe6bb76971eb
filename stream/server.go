package stream

import (
	"context"
	"net/http"

	"github.com/swapcast/swapcast"
)

// Server is the WebSocket face of swapcast.
type Server struct {
	opts Options
}

// New returns a server. It starts nothing: Run does.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Server{opts: o}, nil
}

// ServeHTTP answers GET /ws.
func (s *Server) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "not running", http.StatusServiceUnavailable)
}

// PublishPrice hands a price to its subscribers.
func (s *Server) PublishPrice(_ *swapcast.Price) {}

// PublishTrade hands a trade to its subscribers.
func (s *Server) PublishTrade(_ *swapcast.Trade) {}

// Run runs the server until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Drain tells every client to go.
func (s *Server) Drain(_ context.Context) error { return nil }

// ReloadKeys reads the keys file again.
func (s *Server) ReloadKeys() error { return nil }

// Epoch names this run of the server.
func (s *Server) Epoch() string { return "" }

// Stats returns a moment's view.
func (s *Server) Stats() Stats { return Stats{} }
