package swapcast

import "github.com/gagliardetto/solana-go"

// Balance is what a wallet holds of one mint after a transaction.
type Balance struct {
	Owner solana.PublicKey // the wallet
	Mint  solana.PublicKey
	// Native says that Amount is the wallet's own lamports. Mint is then the
	// native mint, as it is for wrapped SOL, which is a holding of its own.
	Native     bool
	Amount     uint64 // raw units, over all of the wallet's token accounts for the mint
	Decimals   uint8
	Slot       uint64
	Signature  solana.Signature
	Commitment Commitment
	// Corrects is the slot that died and had part in the balance told before this
	// one, 0 for one that corrects nothing.
	Corrects   uint64
	ReceivedAt int64 // Unix nanoseconds, of the transaction; 0 unknown
}
