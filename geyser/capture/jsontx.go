package capture

import (
	"errors"
	"fmt"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser"
)

// jsonTransaction is the field "transaction" of the encodings json and
// jsonParsed.
type jsonTransaction struct {
	Signatures []string    `json:"signatures"`
	Message    *rpcMessage `json:"message"`

	// keyAt maps every account's text to its index, for jsonParsed, which
	// names accounts where json counts them.
	keyAt map[string]uint8
	// loaded are the keys behind the message's own, for jsonParsed, whose
	// meta does not list them.
	loaded rpcLoaded
}

// transaction builds the protobuf form. It returns nil without error for a
// vote that is parsed.
func (j *jsonTransaction) transaction(t *rpcTx) (*pb.Transaction, error) {
	m := j.Message
	if m == nil {
		return nil, errors.New("no message: was transactionDetails something else than full?")
	}
	out := &pb.Message{Versioned: m.AddressTableLookups != nil}
	if t.Version != nil {
		out.Versioned = *t.Version >= 0
	}
	if err := j.accounts(m, out); err != nil {
		return nil, err
	}
	if len(m.Instructions) == 1 && m.Instructions[0].Parsed != nil && m.Instructions[0].ProgramID == solana.VoteProgramID.String() {
		return nil, nil
	}
	var err error
	if out.RecentBlockhash, err = decodeBytes32(m.RecentBlockhash); err != nil {
		return nil, fmt.Errorf("recent blockhash: %w", err)
	}
	for i := range m.Instructions {
		ins, err := j.instruction(&m.Instructions[i])
		if err != nil {
			return nil, fmt.Errorf("instruction %d: %w", i, err)
		}
		out.Instructions = append(out.Instructions, &pb.CompiledInstruction{
			ProgramIdIndex: ins.ProgramIdIndex, Accounts: ins.Accounts, Data: ins.Data,
		})
	}
	if m.TransactionConfig != nil || t.Version != nil && *t.Version == 1 {
		cfg := &solana.TransactionConfig{}
		if c := m.TransactionConfig; c != nil {
			*cfg = solana.TransactionConfig{
				PriorityFee: c.PriorityFee.pointer(), ComputeUnitLimit: c.ComputeUnitLimit,
				LoadedAccountsDataSizeLimit: c.LoadedAccountsDataSizeLimit, HeapSize: c.HeapSize,
			}
		}
		geyser.MarkV1(out, cfg)
	}
	tx := &pb.Transaction{Message: out}
	for _, s := range j.Signatures {
		var sig [64]byte
		if err := base58.Decode64(s, &sig); err != nil {
			return nil, fmt.Errorf("signature %.90q is no base58 of 64 bytes", s)
		}
		tx.Signatures = append(tx.Signatures, sig[:])
	}
	return tx, nil
}

// accounts fills header, keys and lookups, and learns where each key stands.
func (j *jsonTransaction) accounts(m *rpcMessage, out *pb.Message) error {
	var lookups []rpcLookup
	if m.AddressTableLookups != nil {
		lookups = *m.AddressTableLookups
	}
	writable, readonly := 0, 0
	for _, l := range lookups {
		key, err := decodeBytes32(l.AccountKey)
		if err != nil {
			return fmt.Errorf("lookup table: %w", err)
		}
		writable, readonly = writable+len(l.WritableIndexes), readonly+len(l.ReadonlyIndexes)
		out.AddressTableLookups = append(out.AddressTableLookups, &pb.MessageAddressTableLookup{
			AccountKey: key, WritableIndexes: l.WritableIndexes, ReadonlyIndexes: l.ReadonlyIndexes,
		})
	}
	keys := m.AccountKeys
	if len(keys) > 256 {
		return fmt.Errorf("%d accounts: more than an index can count", len(keys))
	}
	if m.Header == nil { // jsonParsed: own and loaded keys stand in one list
		static := len(keys) - writable - readonly
		if static < 1 || !keys[0].Parsed {
			return errors.New("message without header")
		}
		j.keyAt = make(map[string]uint8, len(keys))
		for i, k := range keys {
			if _, twice := j.keyAt[k.Pubkey]; !twice {
				j.keyAt[k.Pubkey] = uint8(i)
			}
			if (k.Source == "lookupTable") != (i >= static) && k.Source != "" {
				return fmt.Errorf("account %d: its source %.20q does not fit the lookup tables", i, k.Source)
			}
			switch {
			case i >= static+writable:
				j.loaded.Readonly = append(j.loaded.Readonly, k.Pubkey)
			case i >= static:
				j.loaded.Writable = append(j.loaded.Writable, k.Pubkey)
			}
		}
		keys = keys[:static]
		m.Header = headerOf(keys)
	}
	out.Header = &pb.MessageHeader{
		NumRequiredSignatures:       uint32(m.Header.NumRequiredSignatures),
		NumReadonlySignedAccounts:   uint32(m.Header.NumReadonlySignedAccounts),
		NumReadonlyUnsignedAccounts: uint32(m.Header.NumReadonlyUnsignedAccounts),
	}
	for _, k := range keys {
		b, err := decodeBytes32(k.Pubkey)
		if err != nil {
			return fmt.Errorf("account key: %w", err)
		}
		out.AccountKeys = append(out.AccountKeys, b)
	}
	return nil
}

// headerOf counts a header from the flags that jsonParsed gives instead.
// Signers stand first, so their number is exact. The read-only counts may be
// too high: nodes show accounts that no one may write (programs, sysvars) as
// read-only even where the message asked for more.
func headerOf(keys []rpcKey) *rpcHeader {
	h := &rpcHeader{}
	for _, k := range keys {
		switch {
		case k.Signer && k.Writable:
			h.NumRequiredSignatures++
		case k.Signer:
			h.NumRequiredSignatures++
			h.NumReadonlySignedAccounts++
		case !k.Writable:
			h.NumReadonlyUnsignedAccounts++
		}
	}
	return h
}

// instruction builds one instruction, outer or inner, from any of the three
// forms that RPC gives.
func (j *jsonTransaction) instruction(r *rpcInstruction) (*pb.InnerInstruction, error) {
	out := &pb.InnerInstruction{StackHeight: r.StackHeight, Accounts: r.Accounts.indexes}
	text := r.Accounts.keys
	switch {
	case r.Parsed != nil:
		raw, err := encodeParsed(r)
		if err != nil {
			return nil, err
		}
		text, out.Data = raw.accounts, raw.data
	default:
		var err error
		if out.Data, err = decodeData(r.Data); err != nil {
			return nil, err
		}
	}
	for _, k := range text {
		at, ok := j.index(k)
		if !ok {
			return nil, fmt.Errorf("account %.50q is none of the transaction's", k)
		}
		out.Accounts = append(out.Accounts, at)
	}
	switch at, ok := j.index(r.ProgramID); {
	case r.ProgramIDIndex != nil:
		out.ProgramIdIndex = *r.ProgramIDIndex
	case ok:
		out.ProgramIdIndex = uint32(at)
	default:
		return nil, fmt.Errorf("program %.50q is none of the transaction's accounts", r.ProgramID)
	}
	return out, nil
}

func (j *jsonTransaction) index(key string) (uint8, bool) {
	if j == nil {
		return 0, false
	}
	at, ok := j.keyAt[key]
	return at, ok
}
