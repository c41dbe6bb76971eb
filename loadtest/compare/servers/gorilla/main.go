// Command gorilla serves with gorilla/websocket: PreparedMessage, and a goroutine that writes for each connection.
package main

import (
	"context"
	"net"
	"net/http"

	gorilla "github.com/gorilla/websocket"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/compare/yardstick"
)

func main() {
	yardstick.Main(map[string]yardstick.Start{"gorilla": start})
}

// prepared is a queue of messages that gorilla has framed once.
type prepared chan *gorilla.PreparedMessage

func start(_ context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
	h := yardstick.NewHub[prepared](tokens)
	up := gorilla.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	yardstick.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		box, done := make(prepared, yardstick.OutboxSize), make(chan struct{})
		go func() {
			defer close(done)
			for {
				if _, _, err := c.NextReader(); err != nil {
					return
				}
			}
		}()
		h.Add(box, h.Tokens(r))
		defer h.Remove(box)
		for {
			select {
			case <-done:
				return
			case m := <-box:
				if c.WritePreparedMessage(m) != nil {
					return
				}
			}
		}
	}))
	return func(token int, p *swapcast.Price) {
		m, err := gorilla.NewPreparedMessage(gorilla.TextMessage, h.Next(p))
		if err != nil {
			return
		}
		h.Followers(token, func(box prepared) { yardstick.Offer(box, m) })
	}, nil
}
