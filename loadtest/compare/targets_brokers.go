package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream"
)

func startSwapcast(ctx context.Context, ln net.Listener, _ int) (func(int, *swapcast.Price), error) {
	s, err := stream.New(stream.Options{})
	if err != nil {
		return nil, err
	}
	go func() { _ = s.Run(ctx) }()
	mux := http.NewServeMux()
	mux.Handle("/ws", s)
	serve(ln, mux)
	return func(_ int, p *swapcast.Price) { s.PublishPrice(p) }, nil
}

// startCentrifuge makes a node without history, presence and pings; window > 0
// has each channel send its newest publication once a window.
func startCentrifuge(window time.Duration) func(context.Context, net.Listener, int) (func(int, *swapcast.Price), error) {
	return func(ctx context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
		cfg := centrifuge.Config{LogLevel: centrifuge.LogLevelNone, ClientQueueMaxSize: 8 << 20}
		if window > 0 {
			cfg.GetChannelBatchConfig = func(string) centrifuge.ChannelBatchConfig {
				return centrifuge.ChannelBatchConfig{MaxDelay: window, FlushLatestPublication: true}
			}
		}
		node, err := centrifuge.New(cfg)
		if err != nil {
			return nil, err
		}
		h := newHub[int](tokens) // for its reading of the query
		node.OnConnecting(func(ctx context.Context, _ centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
			subs := make(map[string]centrifuge.SubscribeOptions)
			if list, ok := ctx.Value(tokensKey{}).([]int); ok {
				for _, t := range list {
					subs[strconv.Itoa(t)] = centrifuge.SubscribeOptions{}
				}
			}
			return centrifuge.ConnectReply{
				Credentials: &centrifuge.Credentials{}, Subscriptions: subs, MaxMessagesInFrame: -1,
			}, nil
		})
		if err := node.Run(); err != nil {
			return nil, err
		}
		go func() { <-ctx.Done(); _ = node.Shutdown(context.Background()) }()
		handler := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
			ReadBufferSize: 256, WriteBufferSize: 512, UseWriteBufferPool: true,
			PingPongConfig: centrifuge.PingPongConfig{PingInterval: -1, PongTimeout: -1},
			CheckOrigin:    func(*http.Request) bool { return true },
		})
		serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			list := h.tokens(r)
			handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokensKey{}, list)))
		}))
		return func(token int, p *swapcast.Price) {
			h.seq++
			_, _ = node.Publish(strconv.Itoa(token), encode(p, h.seq))
		}, nil
	}
}

type tokensKey struct{}

func startNATS(ctx context.Context, ln net.Listener, _ int) (func(int, *swapcast.Price), error) {
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
		_ = nc.Publish("t."+strconv.Itoa(token), encode(p, seq))
	}, nil
}
