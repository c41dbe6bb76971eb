package swapcast

import "github.com/gagliardetto/solana-go"

// Retract takes trades of one asset back: their slot died, or the confirmed
// chain left it aside.
type Retract struct {
	Mint solana.PublicKey // the asset
	Slot uint64
	// Signatures are the transactions whose trades of the asset in this slot never
	// happened, all of them whatever their index.
	Signatures []solana.Signature
	Commitment Commitment // with which the trades were told
}

// Gap says that what happened in some slots will never be known.
type Gap struct {
	FromSlot, ToSlot uint64 // the first and the last slot concerned
	Reason           string // stable code, such as "out_of_range"; "" where none is known
}
