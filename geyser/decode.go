package geyser

import (
	"math"
	"strconv"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/swapcast/swapcast"
)

// DecodeError says why a transaction update could not be turned into a
// swapcast.Transaction. Its text is a stable code, fit for a metric label.
type DecodeError string

// The reasons that exist. None of them occurs on an honest stream.
const (
	ErrNoTransaction   DecodeError = "no_transaction"   // update without transaction or message
	ErrNoMeta          DecodeError = "no_meta"          // transaction without execution result
	ErrBadSignature    DecodeError = "bad_signature"    // not 64 bytes
	ErrBadKey          DecodeError = "bad_key"          // an account key is not 32 bytes
	ErrTooManyKeys     DecodeError = "too_many_keys"    // more than 256 keys: indexes are bytes
	ErrBadHeader       DecodeError = "bad_header"       // more signers than keys
	ErrIndexRange      DecodeError = "index_range"      // an index points behind its list
	ErrTooManyInner    DecodeError = "too_many_inner"   // more instructions than Instruction can number
	ErrDuplicateInner  DecodeError = "duplicate_inner"  // two lists for one outer instruction
	ErrBalanceCount    DecodeError = "balance_count"    // not one lamport balance for each key
	ErrBadTokenBalance DecodeError = "bad_token_amount" // amount or decimals is no number of its size
	ErrBadMint         DecodeError = "bad_mint"         // mint, owner or token program is no base58 key
)

// Error returns the code.
func (e DecodeError) Error() string { return string(e) }

// maxKeys is how many accounts a byte can point at.
const maxKeys = 256

// Decoder turns transaction updates into swapcast.Transaction values. It keeps
// scratch space, so it allocates nothing once warm. One goroutine at a time.
type Decoder struct {
	inner []int32 // for each outer instruction: 1 + index of its inner list, 0 none
}

// NewDecoder returns a Decoder.
func NewDecoder() *Decoder { return &Decoder{} }

// Transaction reads u into tx, overwriting all of it but reusing its slices;
// ReceivedAt, CreatedAt and BlockTime become 0, for the message does not carry
// them. Accounts, Data and Logs alias u. Every index in tx is in range
// afterwards. The error is a DecodeError; tx then holds nothing of use.
func (d *Decoder) Transaction(u *pb.SubscribeUpdateTransaction, tx *swapcast.Transaction) error {
	resetTransaction(tx)
	info := u.GetTransaction()
	msg := info.GetTransaction().GetMessage()
	if msg == nil {
		return ErrNoTransaction
	}
	meta := info.GetMeta()
	if meta == nil {
		return ErrNoMeta
	}
	sig := info.GetSignature()
	if len(sig) == 0 && len(info.Transaction.Signatures) > 0 {
		sig = info.Transaction.Signatures[0]
	}
	if len(sig) != len(tx.Signature) {
		return ErrBadSignature
	}
	copy(tx.Signature[:], sig)
	tx.Slot, tx.Bank = u.GetSlot(), unknownVarint(u, bankInTransaction)
	tx.Index = info.GetIndex()
	tx.Version = messageVersion(msg)
	tx.Vote = info.GetIsVote()
	tx.Failed = meta.GetErr() != nil
	tx.Fee = meta.GetFee()

	if err := accounts(msg, meta, tx); err != nil {
		return err
	}
	if err := d.instructions(msg, meta, tx); err != nil {
		return err
	}
	return balances(meta, tx)
}

// resetTransaction empties tx and keeps the capacity of its slices.
func resetTransaction(tx *swapcast.Transaction) {
	clear(tx.Instructions) // else they would pin the messages that they alias
	*tx = swapcast.Transaction{
		Keys:         tx.Keys[:0],
		Instructions: tx.Instructions[:0],
		PreBalances:  tx.PreBalances[:0],
		PostBalances: tx.PostBalances[:0],
		PreTokens:    tx.PreTokens[:0],
		PostTokens:   tx.PostTokens[:0],
	}
}

// accounts fills Keys in the order that indexes count in: the message's own,
// loaded writable, loaded read-only.
func accounts(msg *pb.Message, meta *pb.TransactionStatusMeta, tx *swapcast.Transaction) error {
	if len(msg.AccountKeys)+len(meta.LoadedWritableAddresses)+len(meta.LoadedReadonlyAddresses) > maxKeys {
		return ErrTooManyKeys
	}
	for _, list := range [...][][]byte{msg.AccountKeys, meta.LoadedWritableAddresses, meta.LoadedReadonlyAddresses} {
		for _, k := range list {
			if len(k) != solana.PublicKeyLength {
				return ErrBadKey
			}
			tx.Keys = append(tx.Keys, solana.PublicKey(k))
		}
	}
	tx.NumStatic = len(msg.AccountKeys)
	signers := msg.GetHeader().GetNumRequiredSignatures()
	if uint64(signers) > uint64(tx.NumStatic) || signers == 0 {
		return ErrBadHeader
	}
	tx.NumSigners = int(signers)
	return nil
}

// instructions flattens outer and inner instructions into execution order.
func (d *Decoder) instructions(msg *pb.Message, meta *pb.TransactionStatusMeta, tx *swapcast.Transaction) error {
	if len(msg.Instructions) > math.MaxUint16 {
		return ErrTooManyInner
	}
	tx.InnerKnown = !meta.InnerInstructionsNone
	d.inner = d.inner[:0]
	for range msg.Instructions {
		d.inner = append(d.inner, 0)
	}
	for i, list := range meta.InnerInstructions {
		switch at := list.GetIndex(); {
		case uint64(at) >= uint64(len(d.inner)):
			return ErrIndexRange
		case d.inner[at] != 0:
			return ErrDuplicateInner
		case len(list.Instructions) > math.MaxInt16:
			return ErrTooManyInner
		default:
			d.inner[at] = int32(i) + 1
		}
	}
	for o, ins := range msg.Instructions {
		flat := swapcast.Instruction{Depth: 1, Outer: uint16(o), Inner: -1, Accounts: ins.GetAccounts(), Data: ins.GetData()}
		if err := appendInstruction(tx, flat, ins.GetProgramIdIndex()); err != nil {
			return err
		}
		if d.inner[o] == 0 {
			continue
		}
		for i, ins := range meta.InnerInstructions[d.inner[o]-1].Instructions {
			flat := swapcast.Instruction{
				Depth: stackDepth(ins), Outer: uint16(o), Inner: int16(i),
				Accounts: ins.GetAccounts(), Data: ins.GetData(),
			}
			if err := appendInstruction(tx, flat, ins.GetProgramIdIndex()); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendInstruction checks every index of one instruction and keeps it.
func appendInstruction(tx *swapcast.Transaction, ins swapcast.Instruction, program uint32) error {
	n := len(tx.Keys)
	if uint64(program) >= uint64(n) {
		return ErrIndexRange
	}
	if n < maxKeys { // with 256 keys no byte can be out of range
		for _, a := range ins.Accounts {
			if int(a) >= n {
				return ErrIndexRange
			}
		}
	}
	ins.Program = uint8(program)
	tx.Instructions = append(tx.Instructions, ins)
	return nil
}

// stackDepth is the recorded stack height, or 0 where the node recorded none
// or nonsense (an inner instruction's height is 2 or more).
func stackDepth(ins *pb.InnerInstruction) uint8 {
	if ins == nil || ins.StackHeight == nil || *ins.StackHeight < 2 || *ins.StackHeight > math.MaxUint8 {
		return 0
	}
	return uint8(*ins.StackHeight)
}

func balances(meta *pb.TransactionStatusMeta, tx *swapcast.Transaction) error {
	if len(meta.PreBalances) != len(tx.Keys) || len(meta.PostBalances) != len(tx.Keys) {
		return ErrBalanceCount
	}
	tx.PreBalances = append(tx.PreBalances, meta.PreBalances...)
	tx.PostBalances = append(tx.PostBalances, meta.PostBalances...)
	var err error
	if tx.PreTokens, err = tokens(meta.PreTokenBalances, tx.PreTokens, len(tx.Keys)); err != nil {
		return err
	}
	if tx.PostTokens, err = tokens(meta.PostTokenBalances, tx.PostTokens, len(tx.Keys)); err != nil {
		return err
	}
	if !meta.LogMessagesNone {
		tx.Logs = meta.LogMessages
	}
	return nil
}

func tokens(rows []*pb.TokenBalance, dst []swapcast.TokenBalance, keys int) ([]swapcast.TokenBalance, error) {
	for _, r := range rows {
		if uint64(r.GetAccountIndex()) >= uint64(keys) {
			return dst, ErrIndexRange
		}
		ui := r.GetUiTokenAmount()
		amount, err := strconv.ParseUint(ui.GetAmount(), 10, 64)
		if err != nil || ui.GetDecimals() > math.MaxUint8 {
			return dst, ErrBadTokenBalance
		}
		row := swapcast.TokenBalance{Account: uint8(r.GetAccountIndex()), Decimals: uint8(ui.GetDecimals()), Amount: amount}
		if !decodeKey(r.GetMint(), &row.Mint) ||
			r.GetOwner() != "" && !decodeKey(r.GetOwner(), &row.Owner) ||
			r.GetProgramId() != "" && !decodeKey(r.GetProgramId(), &row.Program) {
			return dst, ErrBadMint
		}
		dst = append(dst, row)
	}
	return dst, nil
}

// configField is the number of Message.config (a TransactionConfig) in the
// protos since plugin 15.1 of August 2026. Only v1 messages carry it.
const configField = 7

// messageVersion tells the three message formats apart. The stubs that we
// build with know no config field, so it stays among the unknown bytes; being
// there, empty or not, is the only sign of v1, for versioned is true on v0
// and on v1 alike.
func messageVersion(msg *pb.Message) swapcast.TxVersion {
	if !msg.GetVersioned() {
		return swapcast.TxLegacy
	}
	for rest := msg.ProtoReflect().GetUnknown(); len(rest) > 0; {
		num, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			break
		}
		if num == configField {
			return swapcast.TxV1
		}
		rest = rest[n:]
	}
	return swapcast.TxV0
}

// MarkV1 makes msg a v1 message with the given compute budget, which is the
// inverse of what the decoder looks for. The values follow the field numbers
// of TransactionConfig: priority fee 1 (lamports), compute unit limit 2,
// loaded accounts data size limit 3, heap size 4; nil ones are not set.
func MarkV1(msg *pb.Message, cfg *solana.TransactionConfig) {
	var body []byte
	if cfg.PriorityFee != nil {
		body = protowire.AppendVarint(protowire.AppendTag(body, 1, protowire.VarintType), *cfg.PriorityFee)
	}
	for i, v := range [...]*uint32{cfg.ComputeUnitLimit, cfg.LoadedAccountsDataSizeLimit, cfg.HeapSize} {
		if v != nil {
			body = protowire.AppendTag(body, protowire.Number(i+2), protowire.VarintType)
			body = protowire.AppendVarint(body, uint64(*v))
		}
	}
	unknown := protowire.AppendTag(nil, configField, protowire.BytesType)
	msg.Versioned = true
	msg.ProtoReflect().SetUnknown(protowire.AppendBytes(unknown, body))
}

// decodeKey reports whether text is a base58 key, and stores it in out. The
// decoder of solana-go needs about 20 ns, as much as a look-up in a table of
// strings seen before would (measured), so there is no such table.
func decodeKey(text string, out *solana.PublicKey) bool {
	return base58.Decode32(text, (*[32]byte)(out)) == nil
}
