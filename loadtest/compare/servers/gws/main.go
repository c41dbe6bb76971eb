// Command gws serves with lxzan/gws and its Broadcaster.
package main

import (
	"context"
	"net"
	"net/http"

	"github.com/lxzan/gws"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/compare/yardstick"
)

func main() {
	yardstick.Main(map[string]yardstick.Start{"gws": start})
}

type events struct {
	gws.BuiltinEventHandler
	h *yardstick.Hub[*gws.Conn]
}

func (e events) OnClose(c *gws.Conn, _ error) { e.h.Remove(c) }

func start(_ context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
	h := yardstick.NewHub[*gws.Conn](tokens)
	up := gws.NewUpgrader(events{h: h}, nil)
	yardstick.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r)
		if err != nil {
			return
		}
		h.Add(c, h.Tokens(r))
		go c.ReadLoop()
	}))
	return func(token int, p *swapcast.Price) {
		b := gws.NewBroadcaster(gws.OpcodeText, h.Next(p))
		h.Followers(token, func(c *gws.Conn) { _ = b.Broadcast(c) })
		_ = b.Close()
	}, nil
}
