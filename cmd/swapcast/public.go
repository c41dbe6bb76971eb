package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/market"
	"github.com/swapcast/swapcast/stream/web"
	"github.com/swapcast/swapcast/stream/wire"
)

// publicHandler joins the WebSocket, the HTTP API and the page.
func (s *server) publicHandler() http.Handler {
	if s.edge != nil {
		return s.edgeHandler()
	}
	options := api.Options{
		Market:         settledMarket{s.processed.market, s.confirmed.market},
		Pools:          s.pools,
		Reasons:        s.reasons,
		Day:            s.day,
		NewTokens:      s.newTokens,
		Quote:          s.quote,
		Wallets:        newWalletAnswers(s),
		Status:         s.status,
		Ready:          s.ready,
		Feed:           s.teller.Feed,
		QuoteFeed:      s.quoteFeed,
		AllowedOrigins: s.config.AllowedOrigins,
	}
	s.serveSwaps(&options)
	rest := api.New(options)
	mux := http.NewServeMux()
	if s.relay != nil {
		mux.HandleFunc("/ws", notHere)
		mux.HandleFunc("/v1/stream", notHere)
	} else {
		mux.Handle("/ws", s.stream)
		mux.HandleFunc("/v1/stream", s.stream.ServeSSE)
	}
	for _, path := range []string{"/v1/", "/openapi.json", "/asyncapi.json", "/healthz", "/readyz"} {
		mux.Handle(path, rest)
	}
	mux.Handle("/", web.Handler())
	return s.reported(mux)
}

// reasons are the codes behind the confidence in a token's price.
func (s *server) reasons(mint solana.PublicKey) []string {
	_, why, _ := s.processed.market.Assess(mint)
	return why.Codes()
}

// pools turns the market's view of a token's pools into the API's.
func (s *server) pools(mint solana.PublicKey) []api.Pool {
	infos := s.processed.market.Pools(mint)
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
	launches := s.processed.market.Newest(limit)
	tokens := make([]api.NewToken, 0, len(launches))
	for i := range launches {
		tokens = append(tokens, api.NewToken(launches[i]))
	}
	return tokens
}

// day turns the market's view of a token's last 24 hours into the API's.
func (s *server) day(mint solana.PublicKey) (api.Day, bool) {
	d, ok := s.processed.market.Day(mint)
	return api.Day{VolumeUSD: d.VolumeUSD, ChangePct: d.ChangePct, Since: d.Since}, ok
}

var errDraining = errors.New("the server is draining")

// ready is nil when clients should be sent here, else the reason why not.
func (s *server) ready() error {
	if s.draining.Load() {
		return errDraining
	}
	state, message, _ := s.feedHealth(time.Now())
	if state != api.StateHealthy {
		return fmt.Errorf("%s", message)
	}
	return nil
}

// feedHealth is the feed's state and the sentence that explains it.
func (s *server) feedHealth(now time.Time) (state, message string, degraded bool) {
	sources := s.upstream.statuses()
	var away []string
	for _, source := range sources {
		switch {
		case !source.Connected && source.Reason != "":
			away = append(away, fmt.Sprintf("source %s is not connected: %s", source.Endpoint, source.Reason))
		case !source.Connected:
			away = append(away, fmt.Sprintf("source %s is not connected yet", source.Endpoint))
		}
	}
	why := strings.Join(away, "; ")
	names := make([]string, 0, len(sources))
	for _, source := range sources {
		names = append(names, source.Endpoint)
	}
	subject, has, is := "source "+names[0], "has", "is"
	if len(names) > 1 {
		subject, has, is = "sources "+strings.Join(names, ", "), "have", "are"
	}
	age, any := s.feed.age(now)
	switch {
	case s.upstream.ended():
		return api.StateStale, "the recording has ended: prices stay as they were at its end", false
	case len(away) == len(sources):
		return api.StateDisconnected, why, true
	case !any:
		return api.StateStale, fmt.Sprintf("%s %s connected and %s sent nothing yet", subject, is, has), true
	case age > s.config.StaleAfter:
		return api.StateStale, fmt.Sprintf("%s %s been silent for %s", subject, has, age.Round(time.Second)), true
	case len(away) > 0:
		return api.StateHealthy, why, true
	}
	if stats := s.pipeline.stats.Load(); stats != nil && stats.MissingSlots > 0 {
		return api.StateHealthy, fmt.Sprintf("%d missed slots are being fetched", stats.MissingSlots), true
	}
	return api.StateHealthy, "", false
}

// tellStatus keeps the subscribers of the status channel informed.
func (s *server) tellStatus(ctx context.Context) error {
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			state, message, degraded := s.feedHealth(now)
			if message == "" {
				message = feedNote(s.teller.Feed())
			}
			status := wire.Status{Feed: state, Slot: s.feed.tipSlot.Load(), Degraded: degraded, Message: message}
			if age, ok := s.feed.age(now); ok {
				status.LagMS, status.LagKnown = age.Milliseconds(), true
			}
			s.teller.PublishStatus(&status)
		}
	}
}

// statusEvery is how soon a change of the feed's health is told.
const statusEvery = 250 * time.Millisecond

// status answers /v1/status.
func (s *server) status() api.Status {
	now := time.Now()
	status := s.ownStatus(now)
	status.State, status.Message, status.Degraded = s.feedHealth(now)
	if status.Message == "" {
		status.Message = feedNote(s.teller.Feed())
	}
	status.Slot, status.Checkpoint = s.feed.tipSlot.Load(), s.pipeline.checkpoint.Load()
	if age, ok := s.feed.age(now); ok {
		lag := age.Milliseconds()
		status.LagMS = &lag
	}
	s.chainStatus(&status)
	return status
}

// ownStatus is what a server of any role knows of itself.
func (s *server) ownStatus(now time.Time) api.Status {
	v, c := buildInfo()
	stats := s.stream.Stats()
	var subscriptions int64
	for _, n := range stats.Subscriptions {
		subscriptions += n
	}
	return api.Status{
		Epoch:         s.teller.Epoch(),
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
}

// chainStatus adds what the ledger knows.
func (s *server) chainStatus(status *api.Status) {
	stats := s.pipeline.stats.Load()
	for _, source := range s.upstream.statuses() {
		one := api.Source{
			Endpoint:   source.Endpoint,
			Connected:  source.Connected,
			Slot:       source.Slot,
			Reason:     source.Reason,
			Reconnects: source.Reconnects,

			UncoveredKeys: source.Uncovered,
			WalletsBy:     source.Wallets,
		}
		if stats != nil {
			for _, e := range stats.Endpoints {
				if e.Endpoint == source.Endpoint {
					one.First, one.Behind, one.Disagreements = e.First, e.Behind, e.Disagreements
					one.BehindMS = float64(e.BehindMean.Microseconds()) / 1000
				}
			}
		}
		status.Sources = append(status.Sources, one)
	}
	if stats == nil {
		return
	}
	status.ConfirmedSlot = stats.Confirmed
	status.SlotMS = float64(stats.SlotLength.Microseconds()) / 1000
	if gaps := s.pipeline.gaps.Load(); gaps != nil {
		for _, g := range *gaps {
			status.Gaps = append(status.Gaps, api.Gap{FromSlot: g.From, ToSlot: g.To, Reason: g.Reason, TS: g.At / 1e6})
		}
	}
}

// settledMarket is the processed market but for candles whose interval the
// confirmed market has closed: those are the ones that stand.
type settledMarket struct {
	*market.Market
	confirmed *market.Market
}

// Candles are those of the confirmed market where it has closed them, and of the
// processed one since.
func (m settledMarket) Candles(mint solana.PublicKey, interval swapcast.Interval, limit int) []swapcast.Candle {
	candles, settled := m.Market.Candles(mint, interval, limit), m.confirmed.Candles(mint, interval, limit)
	for len(settled) > 0 && !settled[len(settled)-1].Final {
		settled = settled[:len(settled)-1]
	}
	if len(settled) == 0 {
		return candles
	}
	for i := range settled {
		settled[i].Commitment = swapcast.Processed
	}
	last := settled[len(settled)-1].Start
	for i := range candles {
		if candles[i].Start > last {
			settled = append(settled, candles[i])
		}
	}
	return settled[max(0, len(settled)-limit):]
}

// maxWindowMS is the largest window_ms that the WebSocket takes.
const maxWindowMS = 5000
