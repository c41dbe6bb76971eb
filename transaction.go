package swapcast

import "github.com/gagliardetto/solana-go"

// TxVersion is the message format of a transaction.
type TxVersion int8

// The message formats that exist on mainnet. Lookup tables exist in v0 only;
// v1 (SIMD-0385) has none and carries its compute budget in the message.
const (
	TxLegacy TxVersion = -1
	TxV0     TxVersion = 0
	TxV1     TxVersion = 1
)

// Transaction is our own view of one executed transaction: the same whether it
// came as Geyser protobuf or as RPC JSON, so that one parser serves both.
//
// A Transaction may be reused by its producer once the consumer has returned
// from handling it: a consumer copies what it keeps. Byte slices and strings
// alias the message they were decoded from.
type Transaction struct {
	Signature solana.Signature
	Slot      uint64
	// Bank tells several versions of one slot apart where the server names them
	// (bank_id, from Yellowstone 16 on); 0 unknown. It is local to one validator:
	// two of them give the same block different numbers.
	Bank      uint64
	Index     uint64 // position in its block; 0 where the source does not tell (getTransaction)
	BlockTime int64  // Unix seconds, 0 unknown (Geyser transactions carry none)
	Version   TxVersion
	Vote      bool
	Failed    bool
	Fee       uint64 // lamports

	// Keys is the full account list that every index below points into:
	// the message's own keys, then loaded writable, then loaded read-only ones.
	Keys []solana.PublicKey
	// NumStatic counts the keys that stand in the message itself.
	NumStatic int
	// NumSigners counts the leading keys that signed. Keys[0] pays the fee.
	NumSigners int

	// Instructions are outer and inner ones in execution order: outer 0, its
	// inner ones, outer 1, and so on.
	Instructions []Instruction
	// InnerKnown is false where the source recorded no inner instructions at
	// all (an old node): swaps cannot be told from their transfers then.
	InnerKnown bool

	PreBalances  []uint64 // lamports, one for each of Keys
	PostBalances []uint64
	PreTokens    []TokenBalance
	PostTokens   []TokenBalance

	Logs []string // nil where the source recorded none

	// ReceivedAt is when the update left the socket, CreatedAt when the
	// server says that it made it; Unix nanoseconds, 0 unknown.
	ReceivedAt int64
	CreatedAt  int64
}

// Instruction is one executed instruction. Program and Accounts are indexes
// into Transaction.Keys; a producer guarantees that they are in range.
type Instruction struct {
	Program  uint8
	Depth    uint8 // stack height: 1 outer, 2 called by it, ...; 0 where an inner one's is not known
	Outer    uint16
	Inner    int16 // index within the outer instruction's inner list; -1 for the outer one itself
	Accounts []byte
	Data     []byte
}

// TokenBalance is one row of preTokenBalances or postTokenBalances.
type TokenBalance struct {
	Account  uint8 // index into Transaction.Keys
	Decimals uint8
	Amount   uint64 // raw units
	Mint     solana.PublicKey
	Owner    solana.PublicKey // zero in very old transactions
	Program  solana.PublicKey // token program; zero in old transactions
}

// SlotStatus is a slot's stage of life, numbered as Yellowstone numbers it.
type SlotStatus uint8

// The stages that Yellowstone reports.
const (
	SlotProcessed SlotStatus = iota
	SlotConfirmed
	SlotFinalized
	SlotFirstShred
	SlotCompleted
	SlotCreatedBank
	SlotDead
)

// String returns the lower-case name that status pages use.
func (s SlotStatus) String() string {
	switch s {
	case SlotProcessed:
		return "processed"
	case SlotConfirmed:
		return "confirmed"
	case SlotFinalized:
		return "finalized"
	case SlotFirstShred:
		return "first_shred"
	case SlotCompleted:
		return "completed"
	case SlotCreatedBank:
		return "created_bank"
	case SlotDead:
		return "dead"
	default:
		return "unknown"
	}
}

// SlotUpdate reports that a slot entered a stage.
type SlotUpdate struct {
	Slot      uint64
	Bank      uint64 // as Transaction.Bank
	Parent    uint64 // 0 where the server did not say
	Status    SlotStatus
	DeadError string
}

// BlockMeta is what Geyser tells of a whole block. It may come before the
// last transactions of its slot.
type BlockMeta struct {
	Slot         uint64
	Bank         uint64 // as Transaction.Bank
	ParentSlot   uint64
	Blockhash    string // base58
	ParentHash   string
	BlockTime    int64 // Unix seconds, 0 unknown
	BlockHeight  uint64
	Transactions uint64 // executed ones, votes and failed ones included
}

// TxRef names a transaction in a slot. One that lands again after its slot died,
// or a durable-nonce transaction, has one signature and several of these.
type TxRef struct {
	Slot      uint64
	Signature solana.Signature
}
