package client

import (
	"time"

	"github.com/swapcast/swapcast/stream/wire"
)

// Channels of the server.
const (
	ChannelPrices   = wire.ChannelPrices
	ChannelTrades   = wire.ChannelTrades
	ChannelCandles  = wire.ChannelCandles // of one minute; CandleChannel names the others
	ChannelBalances = wire.ChannelBalances
	ChannelStatus   = wire.ChannelStatus
)

// CandleChannel is the channel of candles of an interval ("1s", "5s", "15s",
// "1m", "5m", "15m", "1h", "4h" or "1d") as Subscribe, Unsubscribe and
// Subscriptions take it.
func CandleChannel(interval string) string { return ChannelCandles + ":" + interval }

// Event is one of *Price, *Trade, *Candle, *Balance, *Retract, *Gap, *Status, *Error,
// *Subscribed, *Connected and *Disconnected. Events are shared with nobody: the
// receiver may keep them.
type Event interface{ isEvent() }

// Price is one update of a token's price.
type Price struct {
	AssetID string `json:"assetId"`
	// Price is US dollars per whole token; nil where none can be told.
	Price *float64 `json:"price"`
	// PriceSOL is whole SOL per whole token; nil where none can be told.
	PriceSOL     *float64 `json:"priceSol"`
	Confidence   float64  `json:"confidence"`   // 0 to 1
	LiquidityUSD float64  `json:"liquidityUsd"` // of the token's followed pools, both sides
	Source       string   `json:"source"`       // DEX of the swap that caused the update
	Pool         string   `json:"pool"`
	Slot         uint64   `json:"slot"`
	Commitment   string   `json:"commitment"`
	Signature    string   `json:"signature"`
	BlockTime    int64    `json:"blockTime"` // Unix seconds, 0 unknown
	Seq          uint64   `json:"seq"`
	TS           int64    `json:"ts"`       // Unix milliseconds, when the server published
	Feed         string   `json:"feed"`     // "" a live chain, "simulated" or "replay"
	Snapshot     bool     `json:"snapshot"` // the last known price, not a new one
	Corrects     uint64   `json:"corrects"` // dead slot whose price this one replaces, 0 none
}

// Trade is one swap as seen from the asset.
type Trade struct {
	AssetID   string   `json:"assetId"`
	Side      string   `json:"side"`      // "buy" or "sell", the trader's
	Price     *float64 `json:"price"`     // US dollars per whole token in this trade; nil unknown
	Amount    string   `json:"amount"`    // raw units of the asset, decimal
	Decimals  *uint8   `json:"decimals"`  // of the asset; nil where the server does not say
	AmountUSD *float64 `json:"amountUsd"` // nil unknown
	Trader    string   `json:"trader"`
	Source    string   `json:"source"`
	Pool      string   `json:"pool"`
	Slot      uint64   `json:"slot"`
	Signature string   `json:"signature"`
	Index     int      `json:"index"` // of the swap in its transaction
	BlockTime int64    `json:"blockTime"`
	Seq       uint64   `json:"seq"`
	TS        int64    `json:"ts"`
	Feed      string   `json:"feed"`
}

// Candle is the present state of a token's candle: the newest replaces the one
// before. An interval without a trade has none. Intermediate states may be
// skipped, a final one is not, unless a Gap says so; after a reconnect
// GET /v1/candles/{mint} has what was missed.
type Candle struct {
	AssetID   string  `json:"assetId"`
	Interval  string  `json:"interval"`
	Start     int64   `json:"t"` // Unix seconds
	Open      float64 `json:"o"` // US dollars per whole token, as are the next three
	High      float64 `json:"h"`
	Low       float64 `json:"l"`
	Close     float64 `json:"c"`
	VolumeUSD float64 `json:"volumeUsd"`
	Trades    uint64  `json:"trades"`
	Final     bool    `json:"final"` // the interval is over: it changes no more
	Seq       uint64  `json:"seq"`
	TS        int64   `json:"ts"`
	Feed      string  `json:"feed"`
	Snapshot  bool    `json:"snapshot"` // the newest one when the subscription began
}

// Balance is what a wallet holds of a token after a transaction.
type Balance struct {
	Wallet    string `json:"wallet"`
	AssetID   string `json:"assetId"`
	Amount    string `json:"amount"` // raw units, decimal
	Decimals  uint8  `json:"decimals"`
	Slot      uint64 `json:"slot"`
	Signature string `json:"signature"`
	TS        int64  `json:"ts"`
}

// Retract takes trades back whose slot died.
type Retract struct {
	Channel    string   `json:"channel"`
	AssetID    string   `json:"assetId"`
	Slot       uint64   `json:"slot"`
	Signatures []string `json:"signatures"`
	Seq        uint64   `json:"seq"`
	TS         int64    `json:"ts"`
}

// Reasons of a Gap that the client itself found. A server's own reasons, such
// as "slow_consumer", are passed on as they come.
const (
	GapJump     = "seq_jump"        // updates are missing within one connection
	GapOutage   = "outage"          // updates went out while the client was not connected
	GapRestart  = "server_restart"  // the numbering began anew; how much is missing is unknown
	GapOverflow = "client_overflow" // the reader of Events was too slow
)

// Gap says that updates of one asset are missing at this place.
type Gap struct {
	Channel  string `json:"channel"`
	Interval string `json:"interval"` // of candles
	AssetID  string `json:"assetId"`
	// FromSeq and ToSeq are the first and the last missing number. ToSeq is 0
	// where the end is not known.
	FromSeq uint64 `json:"fromSeq"`
	ToSeq   uint64 `json:"toSeq"`
	Reason  string `json:"reason"`
}

// Missing is how many updates the gap spans, 0 where that is not known.
func (g *Gap) Missing() uint64 {
	if g.ToSeq < g.FromSeq {
		return 0
	}
	return g.ToSeq - g.FromSeq + 1
}

// Status is the health of the server's feed.
type Status struct {
	Feed     string `json:"feed"`
	Slot     uint64 `json:"slot"`
	LagMS    int64  `json:"lagMs"`
	Degraded bool   `json:"degraded"`
	Message  string `json:"message"`
}

// Error is a complaint of the server that answers no request of the user's: one
// without an id, or the refusal of a renewal after a reconnect.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	AssetID string `json:"assetId"`
}

// Subscribed reports an acknowledged subscription: the answer to Subscribe, and
// after a reconnect the renewal of what was subscribed before.
type Subscribed struct {
	Channel   string       `json:"channel"`
	Interval  string       `json:"interval"` // of candles
	Assets    []string     `json:"assets"`
	Epoch     string       `json:"epoch"` // of the server's run: seq counts within it
	Recovered bool         `json:"recovered"`
	Errors    []AssetError `json:"errors"`
	// Renewal is true where the client subscribed again by itself.
	Renewal bool `json:"-"`
}

// AssetError says why one asset of a list was refused.
type AssetError struct {
	AssetID string `json:"assetId"` // as sent
	Code    string `json:"code"`
}

// Connected reports a new connection. Subscriptions are renewed after it.
type Connected struct {
	Attempt int // connections tried since the last one that lasted, this one included
}

// Disconnected reports the end of a connection, or a try that failed.
type Disconnected struct {
	Err     error         // why
	RetryIn time.Duration // until the next try; negative where there will be none
}

func (*Price) isEvent()        {}
func (*Trade) isEvent()        {}
func (*Candle) isEvent()       {}
func (*Balance) isEvent()      {}
func (*Retract) isEvent()      {}
func (*Gap) isEvent()          {}
func (*Status) isEvent()       {}
func (*Error) isEvent()        {}
func (*Subscribed) isEvent()   {}
func (*Connected) isEvent()    {}
func (*Disconnected) isEvent() {}
