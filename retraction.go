package swapcast

import "github.com/gagliardetto/solana-go"

// RetractedTrade names a trade that was told and never happened: the chain
// dropped the slot that its transaction was in.
type RetractedTrade struct {
	Mint      solana.PublicKey // the asset
	Slot      uint64           // that the trade was told with
	Signature solana.Signature
	// Index is the number of the swap within its transaction, as Trade.Index.
	Index int
}
