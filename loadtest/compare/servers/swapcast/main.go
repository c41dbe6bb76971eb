// Command swapcast serves with the stream package.
package main

import (
	"context"
	"net"
	"net/http"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/compare/yardstick"
	"github.com/swapcast/swapcast/stream"
)

func main() {
	yardstick.Main(map[string]yardstick.Start{"swapcast": start})
}

func start(ctx context.Context, ln net.Listener, _ int) (func(int, *swapcast.Price), error) {
	s, err := stream.New(stream.Options{})
	if err != nil {
		return nil, err
	}
	go func() { _ = s.Run(ctx) }()
	mux := http.NewServeMux()
	mux.Handle("/ws", s)
	yardstick.Serve(ln, mux)
	return func(_ int, p *swapcast.Price) { s.PublishPrice(p) }, nil
}
