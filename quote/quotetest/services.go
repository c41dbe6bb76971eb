package quotetest

import (
	"net/http"

	"github.com/gagliardetto/solana-go"
)

// Services are all four.
type Services struct {
	Jupiter, DFlow, Hashflow, Hermes *Service
}

// New makes all four with the prices of one market. Feeds maps mints to the price
// feeds that Hermes has, as quote.PythFeeds does.
func New(m Market, feeds map[solana.PublicKey]string) *Services {
	return &Services{Jupiter(m), DFlow(m), Hashflow(m), Hermes(m, feeds)}
}

// All lists them.
func (s *Services) All() []*Service { return []*Service{s.Jupiter, s.DFlow, s.Hashflow, s.Hermes} }

// Handler serves each under its name: a quote engine takes ADDRESS/jupiter,
// ADDRESS/dflow, ADDRESS/hashflow and ADDRESS/hermes as its URLs.
func (s *Services) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, one := range s.All() {
		mux.Handle("/"+one.Name+"/", http.StripPrefix("/"+one.Name, one))
	}
	return mux
}
