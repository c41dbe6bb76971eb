// Command centrifuge serves with a centrifuge node, options as lean as they get.
package main

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/compare/yardstick"
)

func main() {
	yardstick.Main(map[string]yardstick.Start{
		"centrifuge":       start(0),
		"centrifuge-100ms": start(100 * time.Millisecond),
	})
}

// start makes a node without history, presence and pings; window > 0
// has each channel send its newest publication once a window.
func start(window time.Duration) func(context.Context, net.Listener, int) (func(int, *swapcast.Price), error) {
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
		h := yardstick.NewHub[int](tokens) // for its reading of the query
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
		yardstick.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			list := h.Tokens(r)
			handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokensKey{}, list)))
		}))
		return func(token int, p *swapcast.Price) {
			_, _ = node.Publish(strconv.Itoa(token), h.Next(p))
		}, nil
	}
}

type tokensKey struct{}
