package rpctest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/swapcast/swapcast/geyser/capture"
)

// The shapes below are Agave's UiTransaction types. What is nil there is null in
// the JSON, what is left out there is left out.

type uiTransaction struct {
	Transaction any     `json:"transaction"`
	Meta        *uiMeta `json:"meta"`
	Version     any     `json:"version,omitempty"`
}

type uiMeta struct {
	Err                  json.RawMessage     `json:"err"`
	Status               map[string]any      `json:"status"`
	Fee                  uint64              `json:"fee"`
	PreBalances          []uint64            `json:"preBalances"`
	PostBalances         []uint64            `json:"postBalances"`
	InnerInstructions    *[]uiInner          `json:"innerInstructions"`
	LogMessages          *[]string           `json:"logMessages"`
	PreTokenBalances     []uiTokenBalance    `json:"preTokenBalances"`
	PostTokenBalances    []uiTokenBalance    `json:"postTokenBalances"`
	Rewards              []uiReward          `json:"rewards"`
	LoadedAddresses      map[string][]string `json:"loadedAddresses"`
	ReturnData           *uiReturnData       `json:"returnData,omitempty"`
	ComputeUnitsConsumed *uint64             `json:"computeUnitsConsumed,omitempty"`
	CostUnits            *uint64             `json:"costUnits,omitempty"`
}

type uiInner struct {
	Index        uint32          `json:"index"`
	Instructions []uiInstruction `json:"instructions"`
}

type uiInstruction struct {
	ProgramIDIndex uint32  `json:"programIdIndex"`
	Accounts       []int   `json:"accounts"`
	Data           string  `json:"data"`
	StackHeight    *uint32 `json:"stackHeight"`
}

type uiTokenBalance struct {
	AccountIndex  uint32        `json:"accountIndex"`
	Mint          string        `json:"mint"`
	UITokenAmount uiTokenAmount `json:"uiTokenAmount"`
	Owner         string        `json:"owner,omitempty"`
	ProgramID     string        `json:"programId,omitempty"`
}

type uiTokenAmount struct {
	UIAmount       *float64 `json:"uiAmount"`
	Decimals       uint32   `json:"decimals"`
	Amount         string   `json:"amount"`
	UIAmountString string   `json:"uiAmountString"`
}

type uiReturnData struct {
	ProgramID string    `json:"programId"`
	Data      [2]string `json:"data"`
}

type uiReward struct {
	Pubkey      string  `json:"pubkey"`
	Lamports    int64   `json:"lamports"`
	PostBalance uint64  `json:"postBalance"`
	RewardType  *string `json:"rewardType"`
	Commission  *uint8  `json:"commission"`
}

// encodeTransaction gives a transaction in one of the two encodings.
func encodeTransaction(info *pb.SubscribeUpdateTransactionInfo, encoding string) (*uiTransaction, error) {
	out := &uiTransaction{Meta: encodeMeta(info.GetMeta())}
	version, config := messageVersion(info.GetTransaction().GetMessage())
	out.Version = version
	if version < 0 {
		out.Version = "legacy"
	}
	if encoding == encodingJSON {
		out.Transaction = encodeMessage(info.GetTransaction(), version, config)
		return out, nil
	}
	wire, err := wireTransaction(info.GetTransaction(), version, config)
	if err != nil {
		return nil, err
	}
	out.Transaction = [2]string{base64.StdEncoding.EncodeToString(wire), "base64"}
	return out, nil
}

// messageVersion is -1 for legacy, else the number, with v1's compute budget:
// field 7 of Message, which the stubs do not know (see geyser.MarkV1).
func messageVersion(m *pb.Message) (version int, config solana.TransactionConfig) {
	if !m.GetVersioned() {
		return -1, config
	}
	const configField = 7
	for rest := []byte(m.ProtoReflect().GetUnknown()); len(rest) > 0; {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return 0, config
		}
		body, size := protowire.ConsumeBytes(rest[n:])
		if number == configField && kind == protowire.BytesType && size >= 0 {
			return 1, readConfig(body)
		}
		skip := protowire.ConsumeFieldValue(number, kind, rest[n:])
		if skip < 0 {
			return 0, config
		}
		rest = rest[n+skip:]
	}
	return 0, config
}

func readConfig(body []byte) solana.TransactionConfig {
	var c solana.TransactionConfig
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 || kind != protowire.VarintType {
			return c
		}
		v, size := protowire.ConsumeVarint(body[n:])
		if size < 0 {
			return c
		}
		body = body[n+size:]
		small := uint32(v)
		switch number {
		case 1:
			c.PriorityFee = &v
		case 2:
			c.ComputeUnitLimit = &small
		case 3:
			c.LoadedAccountsDataSizeLimit = &small
		case 4:
			c.HeapSize = &small
		}
	}
	return c
}

// encodeMessage is the encoding json.
func encodeMessage(tx *pb.Transaction, version int, config solana.TransactionConfig) any {
	m := tx.GetMessage()
	h := m.GetHeader()
	message := map[string]any{
		"header": map[string]uint32{
			"numRequiredSignatures":       h.GetNumRequiredSignatures(),
			"numReadonlySignedAccounts":   h.GetNumReadonlySignedAccounts(),
			"numReadonlyUnsignedAccounts": h.GetNumReadonlyUnsignedAccounts(),
		},
		"accountKeys":     base58All(m.GetAccountKeys()),
		"recentBlockhash": base58.Encode(m.GetRecentBlockhash()),
	}
	one := uint32(1)
	instructions := make([]uiInstruction, 0, len(m.GetInstructions()))
	for _, ins := range m.GetInstructions() {
		instructions = append(instructions, uiInstruction{
			ProgramIDIndex: ins.GetProgramIdIndex(), Accounts: ints(ins.GetAccounts()),
			Data: base58.Encode(ins.GetData()), StackHeight: &one,
		})
	}
	message["instructions"] = instructions
	switch version {
	case 0:
		lookups := make([]map[string]any, 0, len(m.GetAddressTableLookups()))
		for _, l := range m.GetAddressTableLookups() {
			lookups = append(lookups, map[string]any{
				"accountKey":      base58.Encode(l.GetAccountKey()),
				"writableIndexes": ints(l.GetWritableIndexes()), "readonlyIndexes": ints(l.GetReadonlyIndexes()),
			})
		}
		message["addressTableLookups"] = lookups
	case 1:
		message["transactionConfig"] = config
	}
	signatures := base58All(tx.GetSignatures())
	return map[string]any{"signatures": signatures, "message": message}
}

// wireTransaction writes a transaction as the network carries it.
func wireTransaction(tx *pb.Transaction, version int, config solana.TransactionConfig) ([]byte, error) {
	m := tx.GetMessage()
	h := m.GetHeader()
	out := solana.Transaction{}
	for _, s := range tx.GetSignatures() {
		if len(s) != solana.SignatureLength {
			return nil, fmt.Errorf("a signature of %d bytes", len(s))
		}
		out.Signatures = append(out.Signatures, solana.Signature(s))
	}
	msg := &out.Message
	msg.Header = solana.MessageHeader{
		NumRequiredSignatures:       uint8(h.GetNumRequiredSignatures()),
		NumReadonlySignedAccounts:   uint8(h.GetNumReadonlySignedAccounts()),
		NumReadonlyUnsignedAccounts: uint8(h.GetNumReadonlyUnsignedAccounts()),
	}
	for _, list := range [][][]byte{m.GetAccountKeys(), {m.GetRecentBlockhash()}} {
		for _, k := range list {
			if len(k) != solana.PublicKeyLength {
				return nil, fmt.Errorf("a key of %d bytes", len(k))
			}
		}
	}
	for _, k := range m.GetAccountKeys() {
		msg.AccountKeys = append(msg.AccountKeys, solana.PublicKey(k))
	}
	msg.RecentBlockhash = solana.Hash(m.GetRecentBlockhash())
	for _, ins := range m.GetInstructions() {
		compiled := solana.CompiledInstruction{ProgramIDIndex: uint16(ins.GetProgramIdIndex()), Data: ins.GetData()}
		for _, a := range ins.GetAccounts() {
			compiled.Accounts = append(compiled.Accounts, uint16(a))
		}
		msg.Instructions = append(msg.Instructions, compiled)
	}
	switch version {
	case 0:
		lookups := make(solana.MessageAddressTableLookupSlice, 0, len(m.GetAddressTableLookups()))
		for _, l := range m.GetAddressTableLookups() {
			if len(l.GetAccountKey()) != solana.PublicKeyLength {
				return nil, fmt.Errorf("a lookup table's key of %d bytes", len(l.GetAccountKey()))
			}
			lookups = append(lookups, solana.MessageAddressTableLookup{
				AccountKey: solana.PublicKey(l.GetAccountKey()), WritableIndexes: l.GetWritableIndexes(), ReadonlyIndexes: l.GetReadonlyIndexes(),
			})
		}
		msg.AddressTableLookups = lookups
		if _, err := msg.SetVersion(solana.MessageVersionV0); err != nil {
			return nil, err
		}
	case 1:
		msg.TransactionConfig = config
		if _, err := msg.SetVersion(solana.MessageVersionV1); err != nil {
			return nil, err
		}
	}
	return out.MarshalBinary()
}

func encodeMeta(m *pb.TransactionStatusMeta) *uiMeta {
	if m == nil {
		return nil
	}
	out := &uiMeta{
		Status:       map[string]any{"Ok": nil},
		Fee:          m.GetFee(),
		PreBalances:  orEmpty(m.GetPreBalances()),
		PostBalances: orEmpty(m.GetPostBalances()),
		Rewards:      encodeRewards(m.GetRewards()),
		LoadedAddresses: map[string][]string{
			"writable": base58All(m.GetLoadedWritableAddresses()), "readonly": base58All(m.GetLoadedReadonlyAddresses()),
		},
		PreTokenBalances:     encodeTokens(m.GetPreTokenBalances()),
		PostTokenBalances:    encodeTokens(m.GetPostTokenBalances()),
		ComputeUnitsConsumed: m.ComputeUnitsConsumed,
		CostUnits:            m.CostUnits,
	}
	if m.GetErr() != nil {
		out.Err = capture.ErrorJSON(m.GetErr().GetErr())
		out.Status = map[string]any{"Err": out.Err}
	}
	if !m.GetLogMessagesNone() {
		logs := orEmpty(m.GetLogMessages())
		out.LogMessages = &logs
	}
	if !m.GetInnerInstructionsNone() {
		inner := make([]uiInner, 0, len(m.GetInnerInstructions()))
		for _, group := range m.GetInnerInstructions() {
			g := uiInner{Index: group.GetIndex(), Instructions: make([]uiInstruction, 0, len(group.GetInstructions()))}
			for _, ins := range group.GetInstructions() {
				g.Instructions = append(g.Instructions, uiInstruction{
					ProgramIDIndex: ins.GetProgramIdIndex(), Accounts: ints(ins.GetAccounts()),
					Data: base58.Encode(ins.GetData()), StackHeight: ins.StackHeight,
				})
			}
			inner = append(inner, g)
		}
		out.InnerInstructions = &inner
	}
	if r := m.GetReturnData(); r != nil && !m.GetReturnDataNone() {
		out.ReturnData = &uiReturnData{
			ProgramID: base58.Encode(r.GetProgramId()),
			Data:      [2]string{base64.StdEncoding.EncodeToString(r.GetData()), "base64"},
		}
	}
	return out
}

func encodeTokens(rows []*pb.TokenBalance) []uiTokenBalance {
	out := make([]uiTokenBalance, 0, len(rows))
	for _, r := range rows {
		a := r.GetUiTokenAmount()
		row := uiTokenBalance{
			AccountIndex: r.GetAccountIndex(), Mint: r.GetMint(), Owner: r.GetOwner(), ProgramID: r.GetProgramId(),
			UITokenAmount: uiTokenAmount{Decimals: a.GetDecimals(), Amount: a.GetAmount(), UIAmountString: a.GetUiAmountString()},
		}
		if ui := a.GetUiAmount(); ui != 0 {
			row.UITokenAmount.UIAmount = &ui
		}
		out = append(out, row)
	}
	return out
}

func encodeRewards(rows []*pb.Reward) []uiReward {
	out := make([]uiReward, 0, len(rows))
	for _, r := range rows {
		row := uiReward{Pubkey: r.GetPubkey(), Lamports: r.GetLamports(), PostBalance: r.GetPostBalance()}
		if r.GetRewardType() != pb.RewardType_Unspecified {
			name := r.GetRewardType().String()
			row.RewardType = &name
		}
		if n, err := strconv.ParseUint(r.GetCommission(), 10, 8); err == nil {
			small := uint8(n)
			row.Commission = &small
		}
		out = append(out, row)
	}
	return out
}

func base58All(list [][]byte) []string {
	out := make([]string, 0, len(list))
	for _, b := range list {
		out = append(out, base58.Encode(b))
	}
	return out
}

// ints makes a list that encoding/json does not write as base64.
func ints(b []byte) []int {
	out := make([]int, len(b))
	for i, v := range b {
		out[i] = int(v)
	}
	return out
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
