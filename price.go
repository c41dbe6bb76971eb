package swapcast

import "github.com/gagliardetto/solana-go"

// Commitment is how settled the chain holds a fact to be.
type Commitment uint8

// Commitments in rising order.
const (
	Processed Commitment = iota
	Confirmed
	Finalized
)

// String returns the name used on the wire.
func (c Commitment) String() string {
	switch c {
	case Processed:
		return "processed"
	case Confirmed:
		return "confirmed"
	case Finalized:
		return "finalized"
	default:
		return "unknown"
	}
}

// Feed says where the data of this run comes from, so that nobody takes a
// simulated price for a real one.
type Feed string

// The kinds of feed. The empty Feed means a live chain.
const (
	FeedLive      Feed = ""
	FeedSimulated Feed = "simulated"
	FeedReplay    Feed = "replay"
	// FeedUnknown is what a server says that has not heard from its source yet.
	FeedUnknown Feed = "unknown"
)

// Price is one update of a mint's price.
type Price struct {
	Mint solana.PublicKey
	// USD is US dollars per whole token, valid only where Known: a price that
	// cannot be computed is unknown, never 0 or NaN.
	USD   float64
	Known bool
	// SOL is the price in whole SOL per whole token, valid where SOLKnown.
	SOL          float64
	SOLKnown     bool
	Confidence   float64 // 0 to 1
	LiquidityUSD float64 // what the mint's followed pools hold, both sides, US dollars
	DEX          string  // of the swap that caused the update
	Pool         solana.PublicKey
	Slot         uint64
	Commitment   Commitment
	Signature    solana.Signature
	BlockTime    int64 // Unix seconds, 0 unknown
	// Corrects is the slot that died and had part in the price told before this
	// one, 0 for a price that corrects nothing.
	Corrects   uint64
	ReceivedAt int64 // Unix nanoseconds, of the transaction that caused it
}

// Side is the trader's side of a trade, as seen from the asset.
type Side uint8

// The two sides.
const (
	Buy Side = iota
	Sell
)

// String returns "buy" or "sell".
func (s Side) String() string {
	if s == Sell {
		return "sell"
	}
	return "buy"
}

// Trade is one swap as seen from one of its two mints, the asset.
type Trade struct {
	Mint      solana.PublicKey // the asset
	Side      Side
	Amount    uint64 // raw units of the asset
	Decimals  uint8
	USD       float64 // US dollars per whole asset in this very trade, valid where Known
	AmountUSD float64
	Known     bool
	Trader    solana.PublicKey
	DEX       string
	Pool      solana.PublicKey
	Slot      uint64
	Signature solana.Signature
	// Index is the number of the swap within its transaction: signature and
	// index together name a trade.
	Index      int
	Commitment Commitment // of the slot when the trade was told
	BlockTime  int64
	ReceivedAt int64
}

// Token is what is known of a mint beside its price.
type Token struct {
	Mint     solana.PublicKey
	Symbol   string // "" unknown
	Name     string
	Decimals uint8
	Known    bool // Decimals is known
	// Supply is what exists, in raw units, valid where SupplyKnown: as old as the
	// last look at the mint account.
	Supply      uint64
	SupplyKnown bool
	Program     solana.PublicKey // token program that owns the mint; zero unknown
}
