package rpctest

import (
	"encoding/json"
	"fmt"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

const (
	encodingJSON   = "json"
	encodingBase64 = "base64"
	encodingBase58 = "base58"
)

func invalid(format string, args ...any) error {
	return &rpcError{Code: -32602, Message: "Invalid params: " + fmt.Sprintf(format, args...)}
}

// config is what any method takes as its last parameter.
type config struct {
	Commitment     string  `json:"commitment"`
	MinContextSlot *uint64 `json:"minContextSlot"`
	Encoding       string  `json:"encoding"`

	TransactionDetails             string `json:"transactionDetails"`
	MaxSupportedTransactionVersion *int   `json:"maxSupportedTransactionVersion"`
	Rewards                        *bool  `json:"rewards"`

	DataSlice *struct {
		Offset uint64 `json:"offset"`
		Length uint64 `json:"length"`
	} `json:"dataSlice"`

	Limit  *int   `json:"limit"`
	Before string `json:"before"`
	Until  string `json:"until"`

	SortOrder       string   `json:"sortOrder"`
	PaginationToken string   `json:"paginationToken"`
	Filters         *filters `json:"filters"`
}

// arguments are the parameters of one request.
type arguments struct {
	list []json.RawMessage
	conf config
	at   swapcast.Commitment
	slot uint64 // the node's newest at that commitment
}

// call runs one method.
func (s *Server) call(q *request) (any, error) {
	a := &arguments{list: q.Params}
	if n := len(a.list); n > 0 && len(a.list[n-1]) > 0 && a.list[n-1][0] == '{' && !firstIsFilter(q.Method, n) {
		if err := json.Unmarshal(a.list[n-1], &a.conf); err != nil {
			return nil, invalid("%v", err)
		}
		a.list = a.list[:n-1]
	}
	switch a.conf.Commitment {
	case "", "finalized":
		a.at = swapcast.Finalized
	case "confirmed":
		a.at = swapcast.Confirmed
	case "processed":
		a.at = swapcast.Processed
	default:
		return nil, invalid("unknown commitment %q", a.conf.Commitment)
	}
	a.slot = s.newest(a.at)
	if stateMethod(q.Method) {
		a.slot = min(a.slot, s.newest(swapcast.Confirmed))
	}
	if m := a.conf.MinContextSlot; m != nil && a.slot < *m {
		return nil, &rpcError{
			Code: -32016, Message: "Minimum context slot has not been reached",
			Data: map[string]uint64{"contextSlot": a.slot},
		}
	}
	switch q.Method {
	case "getHealth":
		return s.health()
	case "getVersion":
		return map[string]any{"solana-core": s.o.Version, "feature-set": 0}, nil
	case "getGenesisHash":
		return s.o.GenesisHash, nil
	case "getSlot":
		return a.slot, nil
	case "getFirstAvailableBlock":
		return s.o.Store.FirstBlock(), nil
	case "getBlocks", "getBlocksWithLimit":
		return s.blocks(a, q.Method == "getBlocksWithLimit")
	case "getBlock":
		return s.block(a)
	case "getTransaction":
		return s.transaction(a)
	case "getSignaturesForAddress":
		return s.signatures(a)
	case "getTransactionsForAddress":
		if s.o.TransactionsForAddress {
			return s.transactionsFor(a)
		}
	case "getAccountInfo":
		return s.account(a)
	case "getMultipleAccounts":
		return s.accounts(a)
	case "getTokenAccountsByOwner":
		return s.tokenAccounts(a)
	case "getBalance":
		return s.balance(a)
	}
	return nil, &rpcError{Code: -32601, Message: "Method not found"}
}

// stateMethod reports whether a method asks for accounts, which are as the
// confirmed chain left them.
func stateMethod(method string) bool {
	switch method {
	case "getAccountInfo", "getMultipleAccounts", "getTokenAccountsByOwner", "getBalance":
		return true
	default:
		return false
	}
}

// firstIsFilter tells getTokenAccountsByOwner's second parameter, an object, from
// a config.
func firstIsFilter(method string, n int) bool { return method == "getTokenAccountsByOwner" && n == 2 }

// newest is this node's newest slot at a commitment.
func (s *Server) newest(c swapcast.Commitment) uint64 {
	slot, lag := s.o.Store.Slot(c), s.lag.Load()
	if slot < lag {
		return 0
	}
	return slot - lag
}

func (s *Server) health() (any, error) {
	const bearable = 128 // slots; Agave's DELINQUENT_VALIDATOR_SLOT_DISTANCE
	if lag := s.lag.Load(); lag > bearable {
		return nil, &rpcError{
			Code: -32005, Message: fmt.Sprintf("Node is behind by %d slots", lag),
			Data: map[string]uint64{"numSlotsBehind": lag},
		}
	}
	return "ok", nil
}

// number reads the ith parameter.
func (a *arguments) number(i int) (uint64, error) {
	var n uint64
	if i >= len(a.list) {
		return 0, invalid("parameter %d is missing", i+1)
	}
	if err := json.Unmarshal(a.list[i], &n); err != nil {
		return 0, invalid("parameter %d: %v", i+1, err)
	}
	return n, nil
}

// text reads the ith parameter.
func (a *arguments) text(i int) (string, error) {
	var v string
	if i >= len(a.list) {
		return "", invalid("parameter %d is missing", i+1)
	}
	if err := json.Unmarshal(a.list[i], &v); err != nil {
		return "", invalid("parameter %d: %v", i+1, err)
	}
	return v, nil
}

func (a *arguments) key(i int) (solana.PublicKey, error) {
	v, err := a.text(i)
	if err != nil {
		return solana.PublicKey{}, err
	}
	k, err := swapcast.ParseKey(v)
	if err != nil {
		return k, invalid("%v", err)
	}
	return k, nil
}

// atLeastConfirmed refuses what the history of the chain cannot be asked at.
func (a *arguments) atLeastConfirmed() error {
	if a.at == swapcast.Processed {
		return &rpcError{Code: -32602, Message: "Method does not support commitment below `confirmed`"}
	}
	return nil
}
