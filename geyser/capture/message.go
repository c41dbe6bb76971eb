package capture

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser"
)

// Bounds on single fields. Base58 takes time that grows with the square of
// the length, so longer texts are refused before decoding.
const (
	// maxTransactionText is above the base58 and base64 text of a v1
	// transaction of 4,096 bytes, the largest that the chain takes.
	maxTransactionText = 8 << 10
	// maxDataText is above the base58 text of 10 KiB, the largest data that a
	// program may pass to another.
	maxDataText = 16 << 10
)

// transactionInfo builds what Geyser would have sent for one RPC transaction.
// It returns nil for a vote of a jsonParsed block (see the package comment).
func transactionInfo(t *rpcTx) (*pb.SubscribeUpdateTransactionInfo, error) {
	if t.Meta == nil {
		return nil, errors.New("no meta: the transaction's result is missing")
	}
	tx, parsed, err := rawTransaction(t)
	if err != nil {
		return nil, err
	}
	if tx == nil {
		if tx, err = parsed.transaction(t); tx == nil || err != nil {
			return nil, err
		}
	}
	if len(tx.Signatures) == 0 {
		return nil, errors.New("no signature")
	}
	info := &pb.SubscribeUpdateTransactionInfo{
		Signature:   tx.Signatures[0],
		IsVote:      isVote(tx),
		Transaction: tx,
	}
	if t.TransactionIndex != nil {
		info.Index = uint64(*t.TransactionIndex)
	}
	if info.Meta, err = buildMeta(t.Meta, tx.Message, parsed); err != nil {
		return nil, err
	}
	return info, nil
}

// isVote follows Agave's rule for a simple vote: a legacy message with one
// instruction, which calls the vote program, and at most two signatures.
func isVote(tx *pb.Transaction) bool {
	m := tx.Message
	if m.Versioned || len(m.Instructions) != 1 || len(tx.Signatures) > 2 {
		return false
	}
	p := m.Instructions[0].ProgramIdIndex
	return p < uint32(len(m.AccountKeys)) && string(m.AccountKeys[p]) == string(solana.VoteProgramID[:])
}

// rawTransaction reads the field "transaction" where it is text: [data,
// encoding], or a bare base58 string as old nodes gave. Where it is an object
// it gives that back undecoded.
func rawTransaction(t *rpcTx) (*pb.Transaction, *jsonTransaction, error) {
	var text, encoding string
	switch first := firstByte(t.Transaction); first {
	case '{':
		j := &jsonTransaction{}
		if err := json.Unmarshal(t.Transaction, j); err != nil {
			return nil, nil, err
		}
		return nil, j, nil
	case '[':
		var pair []string
		if err := json.Unmarshal(t.Transaction, &pair); err != nil || len(pair) != 2 {
			return nil, nil, errors.New("the field transaction is a list, but not [data, encoding]")
		}
		text, encoding = pair[0], pair[1]
	case '"':
		if err := json.Unmarshal(t.Transaction, &text); err != nil {
			return nil, nil, err
		}
		encoding = "base58"
	default:
		return nil, nil, errors.New("no field transaction")
	}
	if len(text) > maxTransactionText {
		return nil, nil, fmt.Errorf("transaction of %d characters: longer than any can be", len(text))
	}
	var wire []byte
	var err error
	switch encoding {
	case "base64":
		wire, err = base64.StdEncoding.DecodeString(text)
	case "base58":
		wire, err = base58.Decode(text)
	default:
		return nil, nil, fmt.Errorf("transaction in encoding %.20q: only json, jsonParsed, base64 and base58 are known", encoding)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("transaction is no %s: %w", encoding, err)
	}
	tx, err := decodeWire(wire)
	return tx, nil, err
}

func firstByte(b []byte) byte {
	for _, c := range b {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

// decodeWire reads a transaction as the network carries it (legacy, v0, v1).
func decodeWire(wire []byte) (*pb.Transaction, error) {
	t, err := solana.TransactionFromBytes(wire)
	if err != nil {
		return nil, fmt.Errorf("transaction bytes: %w", err)
	}
	m := &t.Message
	out := &pb.Message{
		Header: &pb.MessageHeader{
			NumRequiredSignatures:       uint32(m.Header.NumRequiredSignatures),
			NumReadonlySignedAccounts:   uint32(m.Header.NumReadonlySignedAccounts),
			NumReadonlyUnsignedAccounts: uint32(m.Header.NumReadonlyUnsignedAccounts),
		},
		RecentBlockhash: m.RecentBlockhash[:],
		Versioned:       m.GetVersion() != solana.MessageVersionLegacy,
	}
	for i := range m.AccountKeys {
		out.AccountKeys = append(out.AccountKeys, m.AccountKeys[i][:])
	}
	for _, ins := range m.Instructions {
		accounts := make([]byte, len(ins.Accounts))
		for i, a := range ins.Accounts {
			if a > 255 {
				return nil, fmt.Errorf("transaction bytes: account index %d", a)
			}
			accounts[i] = byte(a)
		}
		out.Instructions = append(out.Instructions, &pb.CompiledInstruction{
			ProgramIdIndex: uint32(ins.ProgramIDIndex), Accounts: accounts, Data: ins.Data,
		})
	}
	for _, l := range m.AddressTableLookups {
		out.AddressTableLookups = append(out.AddressTableLookups, &pb.MessageAddressTableLookup{
			AccountKey: l.AccountKey[:], WritableIndexes: l.WritableIndexes, ReadonlyIndexes: l.ReadonlyIndexes,
		})
	}
	if m.GetVersion() == solana.MessageVersionV1 {
		geyser.MarkV1(out, &m.TransactionConfig)
	}
	tx := &pb.Transaction{Message: out}
	for i := range t.Signatures {
		tx.Signatures = append(tx.Signatures, t.Signatures[i][:])
	}
	return tx, nil
}

// decodeBytes32 reads a base58 key or hash.
func decodeBytes32(text string) ([]byte, error) {
	var k [32]byte
	if err := base58.Decode32(text, &k); err != nil {
		return nil, fmt.Errorf("%.50q is no base58 of 32 bytes", text)
	}
	return k[:], nil
}

func decodeKeys(texts []string) ([][]byte, error) {
	out := make([][]byte, 0, len(texts))
	for _, s := range texts {
		k, err := decodeBytes32(s)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// decodeData reads an instruction's data, base58 of any length.
func decodeData(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxDataText {
		return nil, fmt.Errorf("instruction data of %d characters: longer than any can be", len(text))
	}
	b, err := base58.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("instruction data is no base58: %w", err)
	}
	return b, nil
}
