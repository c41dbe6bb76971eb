package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// The shapes below are those of the Solana JSON-RPC methods getTransaction
// and getBlock (Agave's UiTransaction types). Unknown fields are ignored: they
// come and go with node versions.

// rpcItem is one JSON value of the input: a response envelope, a transaction
// or a block. Which one it is shows in the fields that are there.
type rpcItem struct {
	Result *rpcItem  `json:"result"`
	Error  *rpcError `json:"error"`

	Slot      *number `json:"slot"` // getTransaction; some tools add it to blocks
	BlockTime *number `json:"blockTime"`
	rpcTx

	Blockhash         *string      `json:"blockhash"`
	PreviousBlockhash string       `json:"previousBlockhash"`
	ParentSlot        *number      `json:"parentSlot"`
	BlockHeight       *number      `json:"blockHeight"`
	Transactions      []rpcTx      `json:"transactions"`
	Rewards           []*rpcReward `json:"rewards"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// rpcTx is a transaction with its result, the part that getTransaction and
// the entries of getBlock share.
type rpcTx struct {
	Transaction      json.RawMessage `json:"transaction"`
	Meta             *rpcMeta        `json:"meta"`
	Version          *rpcVersion     `json:"version"`
	TransactionIndex *number         `json:"transactionIndex"` // getTransactionsForAddress
}

// number is an unsigned number, or its decimal text: JavaScript clients that
// read into BigInt write it back so.
type number uint64

func (n *number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) >= 2 && b[0] == '"' {
		b = b[1 : len(b)-1]
	}
	v, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return fmt.Errorf("%.30q is no unsigned number", b)
	}
	*n = number(v)
	return nil
}

func (n *number) pointer() *uint64 { return (*uint64)(n) }

// numbers is a list of them. Balances are a good part of a block, so it is
// read by hand.
type numbers []uint64

func (x *numbers) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	*x = make([]uint64, 0, bytes.Count(b, []byte(","))+1)
	start := -1
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
			if start < 0 {
				start = i
			}
		case c == ',' || c == ']':
			if start < 0 {
				break // an empty list
			}
			v, err := strconv.ParseUint(string(bytes.TrimRight(b[start:i], "\" \n\r\t")), 10, 64)
			if err != nil {
				return fmt.Errorf("%.30q is no unsigned number", b[start:i])
			}
			*x = append(*x, v)
			start = -1
		case c == '[' || c == '"' || c == ' ' || c == '\n' || c == '\r' || c == '\t':
		default:
			return errors.New("a list of unsigned numbers holds something else")
		}
	}
	return nil
}

// rpcVersion is "legacy" (as -1) or a number.
type rpcVersion int

func (v *rpcVersion) UnmarshalJSON(b []byte) error {
	if string(b) == `"legacy"` {
		*v = -1
		return nil
	}
	n, err := strconv.ParseUint(string(bytes.Trim(b, `"`)), 10, 7)
	if err != nil {
		return fmt.Errorf("version %.20q is neither \"legacy\" nor a number", b)
	}
	*v = rpcVersion(n)
	return nil
}

type rpcMessage struct {
	Header              *rpcHeader       `json:"header"`
	AccountKeys         []rpcKey         `json:"accountKeys"`
	RecentBlockhash     string           `json:"recentBlockhash"`
	Instructions        []rpcInstruction `json:"instructions"`
	AddressTableLookups *[]rpcLookup     `json:"addressTableLookups"`
	TransactionConfig   *rpcConfig       `json:"transactionConfig"`
}

type rpcConfig struct {
	PriorityFee                 *number `json:"priorityFee"`
	ComputeUnitLimit            *uint32 `json:"computeUnitLimit"`
	LoadedAccountsDataSizeLimit *uint32 `json:"loadedAccountsDataSizeLimit"`
	HeapSize                    *uint32 `json:"heapSize"`
}

type rpcHeader struct {
	NumRequiredSignatures       uint8 `json:"numRequiredSignatures"`
	NumReadonlySignedAccounts   uint8 `json:"numReadonlySignedAccounts"`
	NumReadonlyUnsignedAccounts uint8 `json:"numReadonlyUnsignedAccounts"`
}

// rpcKey is a bare string in encoding json and an object in jsonParsed.
type rpcKey struct {
	Pubkey   string
	Signer   bool
	Writable bool
	Source   string // "transaction", "lookupTable" or absent
	Parsed   bool
}

func (k *rpcKey) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &k.Pubkey)
	}
	var o struct {
		Pubkey   string `json:"pubkey"`
		Signer   bool   `json:"signer"`
		Writable bool   `json:"writable"`
		Source   string `json:"source"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	*k = rpcKey{Pubkey: o.Pubkey, Signer: o.Signer, Writable: o.Writable, Source: o.Source, Parsed: true}
	return nil
}

type rpcLookup struct {
	AccountKey      string  `json:"accountKey"`
	WritableIndexes indexes `json:"writableIndexes"`
	ReadonlyIndexes indexes `json:"readonlyIndexes"`
}

// rpcInstruction is compiled (programIdIndex), partially decoded (programId,
// accounts as keys, data) or parsed (programId, program, parsed).
type rpcInstruction struct {
	ProgramIDIndex *uint32         `json:"programIdIndex"`
	ProgramID      string          `json:"programId"`
	Program        string          `json:"program"`
	Accounts       accountRefs     `json:"accounts"`
	Data           string          `json:"data"`
	StackHeight    *uint32         `json:"stackHeight"`
	Parsed         json.RawMessage `json:"parsed"`
}

// indexes is a JSON list of numbers 0 to 255 (encoding/json would take a
// []byte for base64).
type indexes []byte

func (x *indexes) UnmarshalJSON(b []byte) error {
	refs := accountRefs{}
	if err := refs.UnmarshalJSON(b); err != nil {
		return err
	}
	if refs.keys != nil {
		return errors.New("a list of numbers is needed")
	}
	*x = refs.indexes
	return nil
}

// accountRefs is an instruction's account list: indexes, or keys as text.
type accountRefs struct {
	indexes []byte
	keys    []string
}

func (a *accountRefs) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if bytes.IndexByte(b, '"') >= 0 {
		return json.Unmarshal(b, &a.keys)
	}
	// Lists of small numbers are most of a block: read them by hand.
	n, in := 0, false
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			n, in = n*10+int(c-'0'), true
			if n > 255 {
				return errors.New("an account index is greater than 255")
			}
		case c == ',' || c == ']':
			if in {
				a.indexes = append(a.indexes, byte(n))
			}
			n, in = 0, false
		case c == '[' || c == ' ' || c == '\n' || c == '\r' || c == '\t':
		default:
			return errors.New("an account list holds neither indexes nor keys")
		}
	}
	return nil
}

type rpcMeta struct {
	Err                  json.RawMessage   `json:"err"`
	Fee                  number            `json:"fee"`
	PreBalances          numbers           `json:"preBalances"`
	PostBalances         numbers           `json:"postBalances"`
	InnerInstructions    *[]rpcInner       `json:"innerInstructions"`
	LogMessages          *[]string         `json:"logMessages"`
	PreTokenBalances     []rpcTokenBalance `json:"preTokenBalances"`
	PostTokenBalances    []rpcTokenBalance `json:"postTokenBalances"`
	LoadedAddresses      *rpcLoaded        `json:"loadedAddresses"`
	ReturnData           *rpcReturnData    `json:"returnData"`
	ComputeUnitsConsumed *number           `json:"computeUnitsConsumed"`
	CostUnits            *number           `json:"costUnits"`
	Rewards              []*rpcReward      `json:"rewards"`
}

type rpcInner struct {
	Index        uint32           `json:"index"`
	Instructions []rpcInstruction `json:"instructions"`
}

type rpcLoaded struct {
	Writable []string `json:"writable"`
	Readonly []string `json:"readonly"`
}

type rpcReturnData struct {
	ProgramID string   `json:"programId"`
	Data      []string `json:"data"` // text, encoding
}

type rpcTokenBalance struct {
	AccountIndex  uint32 `json:"accountIndex"`
	Mint          string `json:"mint"`
	Owner         string `json:"owner"`
	ProgramID     string `json:"programId"`
	UITokenAmount struct {
		Amount         string   `json:"amount"`
		Decimals       uint32   `json:"decimals"`
		UIAmount       *float64 `json:"uiAmount"`
		UIAmountString string   `json:"uiAmountString"`
	} `json:"uiTokenAmount"`
}

type rpcReward struct {
	Pubkey      string  `json:"pubkey"`
	Lamports    int64   `json:"lamports"`
	PostBalance number  `json:"postBalance"`
	RewardType  *string `json:"rewardType"`
	Commission  *uint8  `json:"commission"`
}
