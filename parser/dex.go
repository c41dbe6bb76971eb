package parser

import (
	"encoding/binary"

	"github.com/gagliardetto/solana-go"
)

// DEX names one exchange that this package reads.
type DEX struct {
	Name    string // as the contract lists it, such as "raydium-v4"
	Program solana.PublicKey
}

// dex is one exchange: all that its own file knows, as one value.
type dex struct {
	name    string
	program string // base58
	// decode reads one instruction of the program that is no event. It adds the
	// swaps it finds to the call and reports whether the instruction is one that
	// swaps at all: false means that it is something else (liquidity, orders,
	// admin), which is no error. A reason means that it swaps and could not be
	// read; whatever it added is then taken back.
	decode func(c *call) (ok bool, why reason)
	// notSwaps lists the instructions that may move the two vaults against each
	// other without being a trade, such as a rebalanced position. Any other
	// instruction that does so and is not read is reported as unread.
	notSwaps []uint64
	// logs says that decode looks at the program's own log lines: those of others
	// are passed over.
	logs bool
}

// DEXes lists the exchanges that Parse reads, in the order of dexes.go.
func DEXes() []DEX {
	list := dexes()
	out := make([]DEX, len(list))
	for i := range list {
		out[i] = DEX{Name: list[i].name, Program: solana.MustPublicKeyFromBase58(list[i].program)}
	}
	return out
}

// reason is why an instruction that should be a swap could not be read: a
// stable code, shown in `swapcast parse` and counted by it. Empty is none.
type reason string

// The reasons. Each may be counted, so none is ever renamed.
const (
	// shortData: the instruction's data ends before its arguments do.
	shortData reason = "short_data"
	// shortAccounts: fewer accounts than the instruction has, or one that is
	// not among the transaction's keys.
	shortAccounts reason = "short_accounts"
	// noInner: the source recorded no inner instructions, so nothing can be
	// told about what moved.
	noInner reason = "no_inner_instructions"
	// noTransfers: no token transfer of this instruction touches the vaults.
	noTransfers reason = "no_transfers"
	// zeroAmount: one side of the exchange moved nothing (dust rounded away).
	zeroAmount reason = "zero_amount"
	// sameDirection: both vaults gained, or both lost.
	sameDirection reason = "same_direction"
	// unknownMint: the transaction names no mint or decimals for a vault.
	unknownMint reason = "unknown_mint"
	// sameMint: both vaults hold the same mint.
	sameMint reason = "same_mint"
	// transferFee: a Token-2022 transfer fee was withheld that cannot be
	// assigned to one of several transfers.
	transferFee reason = "transfer_fee"
	// noEvent: the program's event is needed and is not there.
	noEvent reason = "no_event"
	// eventMismatch: the program's event and what moved differ.
	eventMismatch reason = "event_mismatch"
	// overflow: amounts that do not fit 64 bits.
	overflow reason = "overflow"
	// unknownInstruction: an instruction that this package does not know moved
	// two vaults of one owner against each other.
	unknownInstruction reason = "unknown_instruction"
)

// discriminator returns the first 8 bytes of an instruction's or an event's
// data in reading order, so that constants look as the chain's explorers show
// them. Shorter data has none: 0.
func discriminator(data []byte) uint64 {
	if len(data) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(data)
}

// eventTag is the prefix of an Anchor event that a program sends to itself.
const eventTag = 0xe445a52e51cb9a1d

// u64 reads a little-endian integer; the caller has checked the length.
func u64(data []byte, at int) uint64 { return binary.LittleEndian.Uint64(data[at:]) }
