package quotetest

import (
	"net/http"

	"github.com/gagliardetto/solana-go"
)

// Services are all four, and a Solana RPC node.
type Services struct {
	Jupiter, DFlow, Hashflow, Hermes *Service
	Node                             *Service
}

// New makes all of them with the prices of one market. Feeds maps mints to the price
// feeds that Hermes has, as quote.PythFeeds does.
func New(m Market, feeds map[solana.PublicKey]string) *Services {
	return &Services{Jupiter(m), DFlow(m), Hashflow(m), Hermes(m, feeds), Node(m)}
}

// All lists those that give quotes.
func (s *Services) All() []*Service { return []*Service{s.Jupiter, s.DFlow, s.Hashflow, s.Hermes} }

// Handler serves each under its name: a quote engine takes ADDRESS/jupiter,
// ADDRESS/dflow, ADDRESS/hashflow and ADDRESS/hermes as its URLs, and an RPC client
// ADDRESS/rpc.
func (s *Services) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, one := range append(s.All(), s.Node) {
		mux.Handle("/"+one.Name, http.StripPrefix("/"+one.Name, one))
		mux.Handle("/"+one.Name+"/", http.StripPrefix("/"+one.Name, one))
	}
	return mux
}
