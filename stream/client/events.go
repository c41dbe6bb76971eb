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
	// Commitment is CommitmentProcessed, until when a Retract may take the trade
	// back, or CommitmentConfirmed.
	Commitment string `json:"commitment"`
}

// Candle is the present state of a token's candle: the newest replaces the one
// before. An interval without a trade has none. Intermediate states may be
// skipped, a final one is not, unless a Gap says so; after a reconnect
// GET /v1/candles/{mint} has what was missed. A processed candle that is final may
// come again, final again, when the chain has taken a trade back or added one.
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
	Final     bool    `json:"final"` // the interval is over
	Seq       uint64  `json:"seq"`
	TS        int64   `json:"ts"`
	Feed      string  `json:"feed"`
	Snapshot  bool    `json:"snapshot"` // the newest one when the subscription began

	Commitment string `json:"commitment"` // CommitmentProcessed or CommitmentConfirmed
}

// Balance is what a wallet holds of a token after a transaction.
type Balance struct {
	Wallet   string `json:"wallet"`  // owner of the token accounts
	AssetID  string `json:"assetId"` // mint
	Amount   string `json:"amount"`  // raw units, decimal, over all of the wallet's accounts of the mint
	Decimals uint8  `json:"decimals"`
	// Native says that Amount is the wallet's own lamports; AssetID is then that
	// of wrapped SOL, which is a holding of its own, without Native.
	Native     bool   `json:"native"`
	Slot       uint64 `json:"slot"`
	Signature  string `json:"signature"` // "" unknown
	Commitment string `json:"commitment"`
	Seq        uint64 `json:"seq"` // of the wallet, whatever the mint
	TS         int64  `json:"ts"`
	Feed       string `json:"feed"`
	Snapshot   bool   `json:"snapshot"` // held when the subscription began, or began again: not a change
	Corrects   uint64 `json:"corrects"` // dead slot that had part in the balance before, 0 none
}

// Retract takes trades back that never happened, because their slot died or the
// confirmed chain has left it aside: all of the asset in these transactions of this
// slot, whatever their index. A transaction may come again in another slot, as a
// trade like any other. Prices and candles are corrected by messages of their own.
type Retract struct {
	Channel    string   `json:"channel"` // ChannelTrades
	AssetID    string   `json:"assetId"`
	Slot       uint64   `json:"slot"`
	Signatures []string `json:"signatures"`
	Commitment string   `json:"commitment"` // of the trades
	Seq        uint64   `json:"seq"`        // counts among the asset's trades
	TS         int64    `json:"ts"`
	Feed       string   `json:"feed"`
}

// Reasons of a Gap. The first four are the client's own findings; a server may
// give others, which are passed on as they come.
const (
	GapJump     = "seq_jump"           // updates are missing within one connection
	GapOutage   = "outage"             // updates went out while the client was not connected
	GapOverflow = "client_overflow"    // the reader of Events was too slow
	GapRestart  = wire.GapNewEpoch     // the server's run is another one: the numbering began anew; how much is missing is unknown
	GapHistory  = wire.GapNoHistory    // missed while not connected, and no longer kept by the server
	GapUpstream = wire.GapUpstream     // the server itself never learned of some slots: FromSlot to ToSlot
	GapOverload = wire.GapOverload     // the server had more to send than it could queue
	GapSlow     = wire.GapSlowConsumer // the client read too slowly
)

// Gap says that updates of one asset, or one wallet, are missing at this place.
type Gap struct {
	Channel    string `json:"channel"`
	Interval   string `json:"interval"` // of candles
	Commitment string `json:"commitment"`
	AssetID    string `json:"assetId"` // empty for balances
	Wallet     string `json:"wallet"`  // of balances
	// FromSeq and ToSeq are the first and the last missing number. FromSeq is 0
	// where no number is concerned or the first one is not known, ToSeq is 0 where
	// the end is not known.
	FromSeq uint64 `json:"fromSeq"`
	ToSeq   uint64 `json:"toSeq"`
	Reason  string `json:"reason"`
	// FromSlot and ToSlot are the first and the last slot of which the server has
	// no complete knowledge; 0 where that is not the reason.
	FromSlot uint64 `json:"fromSlot"`
	ToSlot   uint64 `json:"toSlot"`
	Detail   string `json:"detail"` // stable code of why, such as "out_of_range"; may be empty
}

// Missing is how many updates the gap spans, 0 where that is not known.
func (g *Gap) Missing() uint64 {
	if g.FromSeq == 0 || g.ToSeq < g.FromSeq {
		return 0
	}
	return g.ToSeq - g.FromSeq + 1
}

// Status is the health of the server's feed: once at the subscription, then when
// it changes, and every few seconds.
type Status struct {
	Feed     string `json:"feed"`     // "healthy", "stale" (silent for too long) or "disconnected"
	Slot     uint64 `json:"slot"`     // newest heard of, 0 before the first
	LagMS    *int64 `json:"lagMs"`    // milliseconds since a source said anything; nil before it did
	Degraded bool   `json:"degraded"` // something is amiss, though prices may still come
	Message  string `json:"message"`  // one sentence for a person, empty where there is nothing to say
	TS       int64  `json:"ts"`
	Snapshot bool   `json:"snapshot"` // the state when the subscription began
}

// Error is a complaint of the server that answers no request of the user's: one
// without an id, or the refusal of a renewal after a reconnect.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	AssetID string `json:"assetId"`
	Wallet  string `json:"wallet"`
}

// Subscribed reports an acknowledged subscription: the answer to Subscribe, and
// after a reconnect the renewal of what was subscribed before.
type Subscribed struct {
	Channel    string   `json:"channel"`
	Interval   string   `json:"interval"` // of candles
	Commitment string   `json:"commitment"`
	Assets     []string `json:"assets"`
	Wallets    []string `json:"wallets"` // of balances
	Epoch      string   `json:"epoch"`   // of the server's run: seq counts within it
	// Recovered is true where a renewal has resumed and nothing is missing. Where
	// it is false, a Gap follows for each asset of which something is.
	Recovered bool `json:"recovered"`
	// Seqs is the last number before what follows, by asset or wallet; of trades,
	// candles and balances.
	Seqs   map[string]uint64 `json:"seqs"`
	Errors []AssetError      `json:"errors"`
	// Renewal is true where the client subscribed again by itself.
	Renewal bool `json:"-"`
}

// AssetError says why one asset, or wallet, of a list was refused.
type AssetError struct {
	AssetID string `json:"assetId"` // as sent
	Wallet  string `json:"wallet"`  // the same, of balances
	Code    string `json:"code"`
}

func (e *AssetError) name() string { return e.AssetID + e.Wallet } // one of them is empty

// Connected reports a new connection. Subscriptions are renewed after it.
type Connected struct {
	Attempt int // connections tried since the last one that lasted, this one included
}

// Disconnected reports the end of a connection, or a try that failed.
type Disconnected struct {
	Err     error         // why
	RetryIn time.Duration // until the next try; negative where there will be none
}

// The sequences that numbered events belong to.

func (p *Price) key() assetKey {
	return assetKey{newFeed(ChannelPrices, "", p.Commitment), p.AssetID}
}

func (t *Trade) key() assetKey {
	return assetKey{newFeed(ChannelTrades, "", t.Commitment), t.AssetID}
}

func (r *Retract) key() assetKey {
	return assetKey{newFeed(ChannelTrades, "", r.Commitment), r.AssetID}
}

func (k *Candle) key() assetKey {
	return assetKey{newFeed(ChannelCandles, k.Interval, k.Commitment), k.AssetID}
}

func (b *Balance) key() assetKey {
	return assetKey{newFeed(ChannelBalances, "", b.Commitment), b.Wallet}
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
