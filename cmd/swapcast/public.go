package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/stream/web"
)

// publicHandler joins the WebSocket, the HTTP API and the page.
func (s *server) publicHandler() http.Handler {
	rest := api.New(api.Options{
		Market:         s.market,
		Pools:          s.pools,
		Reasons:        s.reasons,
		Day:            s.day,
		NewTokens:      s.newTokens,
		Status:         s.status,
		Ready:          s.ready,
		Feed:           s.stream.Feed,
		AllowedOrigins: s.config.AllowedOrigins,
	})
	mux := http.NewServeMux()
	mux.Handle("/ws", s.stream)
	for _, path := range []string{"/v1/", "/openapi.json", "/asyncapi.json", "/healthz", "/readyz"} {
		mux.Handle(path, rest)
	}
	mux.Handle("/", web.Handler())
	return mux
}

// reasons are the codes behind the confidence in a token's price.
func (s *server) reasons(mint solana.PublicKey) []string {
	_, why, _ := s.market.Assess(mint)
	return why.Codes()
}

// pools turns the market's view of a token's pools into the API's.
func (s *server) pools(mint solana.PublicKey) []api.Pool {
	infos := s.market.Pools(mint)
	pools := make([]api.Pool, 0, len(infos))
	for i := range infos {
		p := &infos[i]
		pools = append(pools, api.Pool{
			Address:       p.Address,
			DEX:           p.DEX,
			Other:         p.Other,
			USD:           p.USD,
			USDKnown:      p.USDKnown,
			ReserveAsset:  p.ReserveAsset,
			ReserveOther:  p.ReserveOther,
			ReservesKnown: p.ReservesKnown,
			LiquidityUSD:  p.LiquidityUSD,
			Share:         p.Share,
			Agrees:        p.Agrees,
			LastSlot:      p.LastSlot,
			Trades:        p.Trades,
			DepthUSD:      p.DepthUSD,
			Curve:         p.Curve,
		})
	}
	return pools
}

// newTokens turns the market's view of launched tokens into the API's.
func (s *server) newTokens(limit int) []api.NewToken {
	launches := s.market.Newest(limit)
	tokens := make([]api.NewToken, 0, len(launches))
	for i := range launches {
		tokens = append(tokens, api.NewToken(launches[i]))
	}
	return tokens
}

// day turns the market's view of a token's last 24 hours into the API's.
func (s *server) day(mint solana.PublicKey) (api.Day, bool) {
	d, ok := s.market.Day(mint)
	return api.Day{VolumeUSD: d.VolumeUSD, ChangePct: d.ChangePct, Since: d.Since}, ok
}

// ready is nil when clients should be sent here, else the reason why not.
func (s *server) ready() error {
	if s.draining.Load() {
		return fmt.Errorf("the server is draining")
	}
	state, message := s.feedHealth(time.Now())
	if state != api.StateHealthy {
		return fmt.Errorf("%s", message)
	}
	return nil
}

// feedHealth is the feed's state and the sentence that explains it.
func (s *server) feedHealth(now time.Time) (state, message string) {
	source := s.subscriberStatus()
	age, any := s.feed.age(now)
	switch {
	case s.upstream.ended():
		return api.StateStale, "the recording has ended: prices stay as they were at its end"
	case !source.Connected && source.Reason != "":
		return api.StateDisconnected, fmt.Sprintf("source %s is not connected: %s", source.Endpoint, source.Reason)
	case !source.Connected:
		return api.StateDisconnected, fmt.Sprintf("source %s is not connected yet", source.Endpoint)
	case !any:
		return api.StateStale, fmt.Sprintf("source %s is connected and has sent nothing yet", source.Endpoint)
	case age > s.config.StaleAfter:
		return api.StateStale, fmt.Sprintf("source %s has been silent for %s", source.Endpoint, age.Round(time.Second))
	}
	return api.StateHealthy, ""
}

// status answers /v1/status.
func (s *server) status() api.Status {
	now := time.Now()
	v, c := buildInfo()
	source := s.subscriberStatus()
	state, message := s.feedHealth(now)
	if message == "" {
		message = feedNote(s.stream.Feed())
	}
	stats := s.stream.Stats()
	var subscriptions int64
	for _, n := range stats.Subscriptions {
		subscriptions += n
	}
	status := api.Status{
		State:   state,
		Message: message,
		Slot:    s.feed.tipSlot.Load(),
		Sources: []api.Source{{
			Endpoint:   source.Endpoint,
			Connected:  source.Connected,
			Slot:       source.Slot,
			Reason:     source.Reason,
			Reconnects: source.Reconnects,
		}},
		Epoch:         stats.Epoch,
		Version:       v,
		Commit:        c,
		UptimeMS:      now.Sub(s.startedAt).Milliseconds(),
		Connections:   int64(stats.Connections),
		Subscriptions: subscriptions,
		Limits: api.Limits{
			MaxMessageBytes:   int64(s.config.MaxMessageBytes),
			MessagesPerSecond: s.config.MessagesPerSecond,
			MaxSubscriptions:  s.config.MaxSubscriptions,
			MaxConnections:    s.config.MaxConnections,
			MaxConnectionsIP:  s.config.maxPerAddress(),
			MaxWindowMS:       maxWindowMS,
		},
	}
	if age, ok := s.feed.age(now); ok {
		lag := age.Milliseconds()
		status.LagMS = &lag
	}
	return status
}

// maxWindowMS is the largest window_ms that the WebSocket takes.
const maxWindowMS = 5000
