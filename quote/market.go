package quote

import (
	"time"

	"github.com/gagliardetto/solana-go"
)

// Mid is the streamed market's price of a mint.
type Mid struct {
	USD        float64 // US dollars per whole token, above 0
	Confidence float64 // 0 to 1
	Slot       uint64  // of the swap behind it
}

// Reference is the streamed market as far as quotes are judged by it. Every method
// answers from memory, in microseconds, to any number of goroutines.
type Reference interface {
	// Head is the newest slot seen on the stream and when that was; 0 nothing yet.
	Head() (slot uint64, at time.Time)
	// Mid is false where the mint has no price.
	Mid(mint solana.PublicKey) (Mid, bool)
	// Decimals is false where they are not known.
	Decimals(mint solana.PublicKey) (uint8, bool)
	// Liquidity is what a pool holds in dollars, false where that is not known.
	Liquidity(pool solana.PublicKey) (usd float64, ok bool)
}

// Pool is one constant-product pool with its exact reserves.
type Pool struct {
	Address solana.PublicKey
	DEX     string
	MintA   solana.PublicKey
	MintB   solana.PublicKey
	// ReserveA and ReserveB are raw units that the curve counts.
	ReserveA, ReserveB uint64
	// FeeBps is the whole fee of a trade in basis points, below 10,000.
	FeeBps uint16
	// FeeOnB says that the fee is always taken of MintB (PumpSwap's quote); else it
	// is taken of what comes in.
	FeeOnB bool
	// Slot is that of the swap that left these reserves.
	Slot uint64
}

// Reserves is the on-chain source's view of the market.
type Reserves interface {
	Head() (slot uint64, at time.Time)
	// Pools appends the constant-product pools of a mint to dst and returns it: only
	// those whose reserves and fee are known and whose mints take no transfer fee. A
	// mint that quotes thousands of others may list only those that price itself;
	// the rest are found from their other mint.
	Pools(dst []Pool, mint solana.PublicKey) []Pool
}
