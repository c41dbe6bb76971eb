package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// pricesAnswer is the answer of /v1/prices.
type pricesAnswer struct {
	Prices []json.RawMessage `json:"prices"` // each as on the WebSocket
	// Tokens are the facts of the priced assets that are known, by assetId.
	Tokens map[string]tokenFacts `json:"tokens"`
	Errors []assetError          `json:"errors,omitempty"`
}

// tokenFacts are what does not change about a token.
type tokenFacts struct {
	Symbol   string `json:"symbol"` // "" unknown
	Name     string `json:"name"`   // "" unknown
	Decimals *uint8 `json:"decimals"`
}

// prices serves the named assets, or the most liquid ones.
func (h *handler) prices(w http.ResponseWriter, r *http.Request) {
	values, p := readQuery(r.URL.RawQuery)
	if p != nil {
		writeProblem(w, p)
		return
	}
	mints, refused, named, p := readAssets(values)
	if p != nil {
		writeProblem(w, p)
		return
	}
	var found []swapcast.Price
	if !named {
		found = h.Market.Top(topPrices)
	}
	for _, mint := range mints {
		price, ok := h.Market.Price(mint)
		if !ok {
			price = swapcast.Price{Mint: mint}
		}
		found = append(found, price)
	}
	answer := pricesAnswer{Prices: make([]json.RawMessage, 0, len(found)), Tokens: map[string]tokenFacts{}, Errors: refused}
	for i := range found {
		answer.Prices = append(answer.Prices, h.priceJSON(&found[i]))
		if token, ok := h.Market.Token(found[i].Mint); ok {
			facts := tokenFacts{Symbol: token.Symbol, Name: token.Name}
			if token.Known {
				facts.Decimals = &token.Decimals
			}
			answer.Tokens[found[i].Mint.String()] = facts
		}
	}
	writeJSON(w, http.StatusOK, "application/json", answer)
}

// tradesAnswer is the answer of /v1/trades/{mint}.
type tradesAnswer struct {
	AssetID string            `json:"assetId"`
	Trades  []json.RawMessage `json:"trades"` // each as on the WebSocket, newest first
}

// trades serves a mint's newest trades; a mint that never traded has none.
func (h *handler) trades(w http.ResponseWriter, r *http.Request) {
	mint, p := readMint(r.PathValue("mint"))
	if p != nil {
		writeProblem(w, p)
		return
	}
	values, p := readQuery(r.URL.RawQuery)
	if p != nil {
		writeProblem(w, p)
		return
	}
	limit, p := readLimit(values, MaxTrades, defaultTrades)
	if p != nil {
		writeProblem(w, p)
		return
	}
	answer := tradesAnswer{AssetID: mint.String(), Trades: []json.RawMessage{}}
	for _, trade := range h.Market.Trades(mint, limit) {
		answer.Trades = append(answer.Trades, h.tradeJSON(&trade))
	}
	writeJSON(w, http.StatusOK, "application/json", answer)
}

// candlesAnswer is the answer of /v1/candles/{mint}.
type candlesAnswer struct {
	AssetID  string            `json:"assetId"`
	Interval string            `json:"interval"`
	Candles  []json.RawMessage `json:"candles"` // each as on the WebSocket, oldest first
}

// candles serves a mint's newest candles; a mint that never traded has none.
func (h *handler) candles(w http.ResponseWriter, r *http.Request) {
	mint, p := readMint(r.PathValue("mint"))
	if p != nil {
		writeProblem(w, p)
		return
	}
	values, p := readQuery(r.URL.RawQuery)
	if p != nil {
		writeProblem(w, p)
		return
	}
	interval, p := readInterval(values)
	if p != nil {
		writeProblem(w, p)
		return
	}
	limit, p := readLimit(values, MaxCandles, defaultCandles)
	if p != nil {
		writeProblem(w, p)
		return
	}
	answer := candlesAnswer{AssetID: mint.String(), Interval: interval.String(), Candles: []json.RawMessage{}}
	for _, candle := range h.Market.Candles(mint, interval, limit) {
		answer.Candles = append(answer.Candles, wire.AppendCandle(nil, &candle, h.meta(candle.ReceivedAt)))
	}
	writeJSON(w, http.StatusOK, "application/json", answer)
}

// tokenAnswer is the answer of /v1/tokens/{mint}. What is not known is null.
type tokenAnswer struct {
	AssetID      string        `json:"assetId"`
	Symbol       string        `json:"symbol"` // "" unknown
	Name         string        `json:"name"`   // "" unknown
	Decimals     *uint8        `json:"decimals"`
	Supply       *string       `json:"supply"` // raw units, decimal
	Price        *float64      `json:"price"`  // US dollars per whole token
	PriceSOL     *float64      `json:"priceSol"`
	Confidence   *float64      `json:"confidence"` // 0 to 1
	Reasons      []string      `json:"reasons"`    // codes behind the confidence
	LiquidityUSD *float64      `json:"liquidityUsd"`
	MarketCapUSD *float64      `json:"marketCapUsd"`
	Volume24hUSD *float64      `json:"volume24hUsd"`
	Change24hPct *float64      `json:"change24hPct"`
	Since24h     *int64        `json:"since24h"` // Unix seconds
	Source       string        `json:"source"`   // DEX of the swap that last moved the price
	Slot         uint64        `json:"slot"`     // of that swap, 0 none
	Feed         swapcast.Feed `json:"feed,omitempty"`
	Curve        *curveAnswer  `json:"curve"` // of the curve that sells it
	Pools        []poolAnswer  `json:"pools"` // weightiest first
}

// poolAnswer is one pool of a token.
type poolAnswer struct {
	Pool         string       `json:"pool"`
	Source       string       `json:"source"` // DEX
	OtherAssetID string       `json:"otherAssetId"`
	OtherSymbol  string       `json:"otherSymbol"`  // "" unknown
	Price        *float64     `json:"price"`        // US dollars per whole token in this pool
	Reserve      *string      `json:"reserve"`      // raw units of the token, decimal
	OtherReserve *string      `json:"otherReserve"` // raw units of the other side
	LiquidityUSD *float64     `json:"liquidityUsd"`
	DepthUSD     *float64     `json:"depthUsd"`
	Share        float64      `json:"share"`  // of the weight behind the price, 0 to 1
	Agrees       bool         `json:"agrees"` // with the band that makes the price
	LastSlot     uint64       `json:"lastSlot"`
	Trades       uint64       `json:"trades"` // seen by this server run
	Curve        *curveAnswer `json:"curve"`
}

// token serves the facts of one mint.
func (h *handler) token(w http.ResponseWriter, r *http.Request) {
	mint, p := readMint(r.PathValue("mint"))
	if p != nil {
		writeProblem(w, p)
		return
	}
	token, known := h.Market.Token(mint)
	price, traded := h.Market.Price(mint)
	if !known && !traded {
		writeProblem(w, newProblem(CodeUnknownAsset, "mint", fmt.Sprintf("%s has not traded here since the server started", mint)))
		return
	}
	pools := h.Pools(mint)
	answer := tokenAnswer{
		AssetID:      mint.String(),
		Symbol:       token.Symbol,
		Name:         token.Name,
		Source:       price.DEX,
		Slot:         price.Slot,
		Feed:         h.Feed(),
		Reasons:      append([]string{}, h.Reasons(mint)...),
		Curve:        newestCurve(pools),
		Pools:        h.poolAnswers(pools),
		MarketCapUSD: marketCap(&token, &price),
	}
	if token.SupplyKnown {
		supply := strconv.FormatUint(token.Supply, 10)
		answer.Supply = &supply
	}
	if token.Known {
		answer.Decimals = &token.Decimals
	}
	if traded && price.Known {
		answer.Price, answer.Confidence, answer.LiquidityUSD = &price.USD, &price.Confidence, &price.LiquidityUSD
	}
	if h.Day != nil {
		if day, ok := h.Day(mint); ok {
			answer.Volume24hUSD, answer.Change24hPct, answer.Since24h = &day.VolumeUSD, &day.ChangePct, &day.Since
		}
	}
	if traded && price.SOLKnown {
		answer.PriceSOL = &price.SOL
	}
	writeJSON(w, http.StatusOK, "application/json", answer)
}

// newestCurve is the curve that traded last of those that sell the token.
func newestCurve(pools []Pool) *curveAnswer {
	var newest *Pool
	for i := range pools {
		if p := &pools[i]; p.Curve.Stage != swapcast.CurveNone && (newest == nil || p.LastSlot > newest.LastSlot) {
			newest = p
		}
	}
	if newest == nil {
		return nil
	}
	return newCurve(newest.Curve)
}

func (h *handler) poolAnswers(pools []Pool) []poolAnswer {
	answers := make([]poolAnswer, 0, len(pools))
	for _, pool := range pools {
		other, _ := h.Market.Token(pool.Other)
		a := poolAnswer{
			Pool:         address(pool.Address),
			Source:       pool.DEX,
			OtherAssetID: address(pool.Other),
			OtherSymbol:  other.Symbol,
			Share:        pool.Share,
			Agrees:       pool.Agrees,
			LastSlot:     pool.LastSlot,
			Trades:       pool.Trades,
			Curve:        newCurve(pool.Curve),
		}
		if pool.USDKnown {
			a.Price, a.DepthUSD = &pool.USD, &pool.DepthUSD
		}
		if pool.ReservesKnown {
			asset, other := strconv.FormatUint(pool.ReserveAsset, 10), strconv.FormatUint(pool.ReserveOther, 10)
			a.Reserve, a.OtherReserve = &asset, &other
		}
		if pool.LiquidityUSD > 0 {
			a.LiquidityUSD = &pool.LiquidityUSD
		}
		answers = append(answers, a)
	}
	return answers
}

// address is k in base58, or "" where it is not known.
func address(k solana.PublicKey) string {
	if k.IsZero() {
		return ""
	}
	return k.String()
}

// priceJSON is the WebSocket's message for p. Its ts is when the update came
// in, and its seq 0: when, whether and as which number it was published is
// known to the WebSocket alone.
func (h *handler) priceJSON(p *swapcast.Price) json.RawMessage {
	return wire.AppendPrice(nil, p, h.meta(p.ReceivedAt))
}

// tradeJSON is the WebSocket's message for t, with the same remark.
func (h *handler) tradeJSON(t *swapcast.Trade) json.RawMessage {
	return wire.AppendTrade(nil, t, h.meta(t.ReceivedAt))
}

func (h *handler) meta(receivedAt int64) wire.Meta {
	return wire.Meta{TS: receivedAt / int64(time.Millisecond), Feed: h.Feed()}
}
