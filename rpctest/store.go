package rpctest

import (
	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
)

// Store is what a Server answers from.
type Store interface {
	// Slot is the newest slot at a commitment.
	Slot(swapcast.Commitment) uint64
	// FirstBlock is the oldest slot whose block is kept.
	FirstBlock() uint64
	// Block gives the block of a slot, nil where there is none: above
	// Slot(confirmed) it is not there yet, below FirstBlock it has been let go,
	// and between them the slot was skipped.
	Block(slot uint64) *Block
	// Blocks lists the slots from first to last that have a block, rising, at
	// most limit.
	Blocks(first, last uint64, limit int) []uint64
	// Transaction finds one by its signature.
	Transaction(solana.Signature) (Located, bool)
	// Mentioning lists the transactions that name a key among their accounts or
	// as the owner of a token balance, newest first.
	Mentioning(solana.PublicKey) []Located
	// Account gives an account's state.
	Account(solana.PublicKey) (Account, bool)
	// TokenAccounts lists the token accounts of an owner.
	TokenAccounts(owner solana.PublicKey) []KeyedAccount
}

// Block is one block as Geyser tells it. Infos are in the order of the block.
type Block struct {
	Meta  *pb.SubscribeUpdateBlockMeta
	Infos []*pb.SubscribeUpdateTransactionInfo
}

// Located is a transaction with its place.
type Located struct {
	Slot      uint64
	BlockTime int64 // Unix seconds, 0 unknown
	Info      *pb.SubscribeUpdateTransactionInfo
}

// Account is the state of an account.
type Account struct {
	Lamports   uint64
	Owner      solana.PublicKey
	Data       []byte
	Executable bool
}

// KeyedAccount is an account with its address.
type KeyedAccount struct {
	Key solana.PublicKey
	Account
}
