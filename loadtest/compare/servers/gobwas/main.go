// Command gobwas serves with gobwas/ws: shared frame bytes, and the publisher writes.
package main

import (
	"context"
	"io"
	"net"
	"net/http"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/compare/yardstick"
)

func main() {
	yardstick.Main(map[string]yardstick.Start{"gobwas": start})
}

func start(_ context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
	h := yardstick.NewHub[net.Conn](tokens)
	yardstick.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		h.Add(c, h.Tokens(r))
		go func() {
			defer func() { h.Remove(c); _ = c.Close() }()
			for {
				_, rd, err := wsutil.NextReader(c, ws.StateServerSide)
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, rd); err != nil {
					return
				}
			}
		}()
	}))
	return func(token int, p *swapcast.Price) {
		frame := ws.MustCompileFrame(ws.NewTextFrame(h.Next(p)))
		h.Followers(token, func(c net.Conn) { _, _ = c.Write(frame) })
	}, nil
}
