package swapcast

import "github.com/gagliardetto/solana-go"

// Swap is one exchange between one trader and one pool, as the pool's vaults
// saw it.
type Swap struct {
	Signature solana.Signature
	Slot      uint64
	TxIndex   uint64 // position of the transaction in its block
	Index     int    // number of this swap within its transaction, from 0
	BlockTime int64
	Path      Path // where in the transaction the pool's instruction stands

	DEX     string // name as the contract lists it, such as "raydium-v4"
	Program solana.PublicKey
	Pool    solana.PublicKey
	Trader  solana.PublicKey // owner whose tokens moved; the fee payer where that cannot be told

	// MintIn is what the trader gave and the pool received. AmountIn is what
	// the pool's vault received and AmountOut what its vault paid out: after a
	// Token-2022 transfer fee on the way in, before one on the way out.
	MintIn      solana.PublicKey
	AmountIn    uint64
	DecimalsIn  uint8
	MintOut     solana.PublicKey
	AmountOut   uint64
	DecimalsOut uint8

	// UserAmountIn and UserAmountOut are the trader's side. They equal the
	// amounts above unless a fee was taken on the way.
	UserAmountIn  uint64
	UserAmountOut uint64

	// ReserveIn and ReserveOut are the vaults' balances after the transaction,
	// valid where ReservesKnown. For a bonding curve they are the real
	// reserves; Virtual* are then the curve's own, and VirtualKnown is set.
	ReservesKnown bool
	ReserveIn     uint64
	ReserveOut    uint64
	VirtualKnown  bool
	VirtualIn     uint64
	VirtualOut    uint64

	// FeeBps is the fee that the trade paid to the pool where the transaction
	// shows it, in basis points; -1 unknown.
	FeeBps int32

	// Spot is the pool's own price after the swap, valid where SpotKnown: raw
	// units of MintOut for one raw unit of MintIn, fees left out, as the pool's
	// event or curve states it.
	SpotKnown bool
	Spot      float64

	// Curve is set where the pool is a bonding curve.
	Curve Curve `json:",omitzero"`

	// Interim says that a later swap of the same transaction goes through the
	// same pool: nobody else could trade at the price that this one left.
	Interim bool `json:",omitempty"`

	ReceivedAt int64 // copied from the transaction
	CreatedAt  int64
}

// Path is an instruction's place: the outer instruction's index, then the
// index within its inner instructions, or -1 for the outer one itself.
type Path struct {
	Outer int
	Inner int
}

// BalanceChange is what one transaction did to one owner's holding of one
// mint: over all of the owner's token accounts for it, or where Account is set in
// that one alone. Native SOL is reported under the wrapped SOL mint, per account
// key.
type BalanceChange struct {
	Signature solana.Signature
	Slot      uint64
	Index     int // number of this change within its transaction, from 0
	Owner     solana.PublicKey
	Mint      solana.PublicKey
	Native    bool // lamports of the account itself rather than wrapped SOL
	Pre       uint64
	Post      uint64
	Decimals  uint8
	BlockTime int64

	// Account is the token account, or Owner where Native; zero in a row that
	// adds up an owner's accounts. Program is its token program where that is
	// known, and Fee what of a native change was the transaction's fee, in
	// lamports: 0 for who did not pay it. Both are set in rows with Account only.
	Account solana.PublicKey `json:",omitzero"`
	Program solana.PublicKey `json:",omitzero"`
	Fee     uint64           `json:",omitzero"`
}

// Unparsed is an instruction of a known DEX that should have been a swap and
// could not be read as one. It never becomes a price.
type Unparsed struct {
	Signature solana.Signature
	Slot      uint64
	DEX       string
	Path      Path
	Reason    string // stable code, such as "short_data"
}
