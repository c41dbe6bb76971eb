// Command coder serves with coder/websocket, in two ways.
package main

import (
	"context"
	"net"
	"net/http"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/compare/yardstick"
)

func main() {
	yardstick.Main(map[string]yardstick.Start{
		"coder-goroutine": startGoroutine,
		"coder-publisher": startPublisher,
	})
}

// startGoroutine: a goroutine that writes and a channel for each connection.
func startGoroutine(ctx context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
	h := yardstick.NewHub[chan []byte](tokens)
	yardstick.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		box := make(chan []byte, yardstick.OutboxSize)
		h.Add(box, h.Tokens(r))
		defer h.Remove(box)
		ctx := c.CloseRead(ctx)
		for {
			select {
			case <-ctx.Done():
				return
			case msg := <-box:
				if c.Write(ctx, websocket.MessageText, msg) != nil {
					return
				}
			}
		}
	}))
	return func(token int, p *swapcast.Price) { h.Each(token, p, yardstick.Offer[[]byte]) }, nil
}

// startPublisher: the publisher writes to each connection.
func startPublisher(ctx context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
	h := yardstick.NewHub[*websocket.Conn](tokens)
	yardstick.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		h.Add(c, h.Tokens(r))
		defer h.Remove(c)
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
	}))
	return func(token int, p *swapcast.Price) {
		h.Each(token, p, func(c *websocket.Conn, msg []byte) { _ = c.Write(ctx, websocket.MessageText, msg) })
	}, nil
}
