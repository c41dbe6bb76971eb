// Command nats embeds a nats-server and publishes to its WebSocket clients.
package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/compare/yardstick"
)

func main() {
	yardstick.Main(map[string]yardstick.Start{"nats": start})
}

func start(ctx context.Context, ln net.Listener, _ int) (func(int, *swapcast.Price), error) {
	// nats-server opens its own listener: give it the address.
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("address %s", ln.Addr())
	}
	if err := ln.Close(); err != nil {
		return nil, err
	}
	s, err := server.NewServer(&server.Options{
		DontListen: true, NoLog: true, NoSigs: true, MaxPending: 64 << 20, PingInterval: time.Hour,
		Websocket: server.WebsocketOpts{Host: "127.0.0.1", Port: addr.Port, NoTLS: true},
	})
	if err != nil {
		return nil, err
	}
	go s.Start()
	if !s.ReadyForConnections(5 * time.Second) {
		return nil, fmt.Errorf("nats-server is not ready")
	}
	go func() { <-ctx.Done(); s.Shutdown() }()
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return nil, err
	}
	seq := uint64(0)
	return func(token int, p *swapcast.Price) {
		seq++
		_ = nc.Publish("t."+strconv.Itoa(token), yardstick.Encode(p, seq))
	}, nil
}
