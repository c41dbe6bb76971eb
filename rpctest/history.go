package rpctest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser/capture"
)

// maxBlocksRange is how many slots getBlocks may span.
const maxBlocksRange = 500_000

func (s *Server) blocks(a *arguments, limited bool) (any, error) {
	if err := a.atLeastConfirmed(); err != nil {
		return nil, err
	}
	first, err := a.number(0)
	if err != nil {
		return nil, err
	}
	last, limit := a.slot, maxBlocksRange
	if len(a.list) > 1 && string(a.list[1]) != "null" {
		n, err := a.number(1)
		if err != nil {
			return nil, err
		}
		if limited {
			limit = int(min(n, maxBlocksRange+1))
		} else {
			last = min(last, n)
		}
	}
	if limit > maxBlocksRange || last > first && last-first > maxBlocksRange {
		return nil, invalid("Slot range too large; max %d", maxBlocksRange)
	}
	return orEmpty(s.o.Store.Blocks(first, last, limit)), nil
}

// find gives the block of a slot, or Agave's error.
func (s *Server) find(a *arguments, slot uint64) (*Block, error) {
	if slot > a.slot {
		return nil, &rpcError{Code: -32004, Message: fmt.Sprintf("Block not available for slot %d", slot)}
	}
	if first := s.o.Store.FirstBlock(); slot < first {
		return nil, &rpcError{
			Code:    -32001,
			Message: fmt.Sprintf("Block %d cleaned up, does not exist on node. First available block: %d", slot, first),
		}
	}
	b := s.o.Store.Block(slot)
	switch {
	case b != nil:
		return b, nil
	case s.o.LongTermStorage:
		return nil, &rpcError{Code: -32009, Message: fmt.Sprintf("Slot %d was skipped, or missing in long-term storage", slot)}
	default:
		return nil, &rpcError{Code: -32007, Message: fmt.Sprintf("Slot %d was skipped, or missing due to ledger jump to recent snapshot", slot)}
	}
}

func (s *Server) block(a *arguments) (any, error) {
	if err := a.atLeastConfirmed(); err != nil {
		return nil, err
	}
	slot, err := a.number(0)
	if err != nil {
		return nil, err
	}
	b, err := s.find(a, slot)
	if err != nil {
		return nil, err
	}
	out := map[string]any{
		"blockhash": b.Meta.GetBlockhash(), "previousBlockhash": b.Meta.GetParentBlockhash(), "parentSlot": b.Meta.GetParentSlot(),
		"blockTime": nil, "blockHeight": nil,
	}
	if t := b.Meta.GetBlockTime(); t != nil {
		out["blockTime"] = t.GetTimestamp()
	}
	if h := b.Meta.GetBlockHeight(); h != nil {
		out["blockHeight"] = h.GetBlockHeight()
	}
	if a.conf.Rewards == nil || *a.conf.Rewards {
		out["rewards"] = encodeRewards(b.Meta.GetRewards().GetRewards())
	}
	switch a.conf.TransactionDetails {
	case "", "full":
		list := make([]*uiTransaction, 0, len(b.Infos))
		for _, info := range b.Infos {
			tx, err := a.transaction(info)
			if err != nil {
				return nil, err
			}
			list = append(list, tx)
		}
		out["transactions"] = list
	case "signatures":
		list := make([]string, 0, len(b.Infos))
		for _, info := range b.Infos {
			list = append(list, base58.Encode(info.GetSignature()))
		}
		out["signatures"] = list
	case "none":
	default:
		return nil, invalid("rpctest knows no transactionDetails %q", a.conf.TransactionDetails)
	}
	return out, nil
}

// transaction encodes one as the request wants it, if it takes its version.
func (a *arguments) transaction(info *pb.SubscribeUpdateTransactionInfo) (*uiTransaction, error) {
	encoding := a.conf.Encoding
	switch encoding {
	case "":
		encoding = encodingJSON
	case encodingJSON, encodingBase64:
	default:
		return nil, invalid("rpctest knows no encoding %q of transactions", encoding)
	}
	version, _ := messageVersion(info.GetTransaction().GetMessage())
	if highest := a.conf.MaxSupportedTransactionVersion; version >= 0 && (highest == nil || version > *highest) {
		return nil, &rpcError{Code: -32015, Message: fmt.Sprintf(
			"Transaction version (%d) is not supported by the requesting client. Please try the request again with the following configuration parameter: \"maxSupportedTransactionVersion\": %d",
			version, version)}
	}
	tx, err := encodeTransaction(info, encoding)
	if err == nil && a.conf.MaxSupportedTransactionVersion == nil {
		tx.Version = nil // told to those only who ask
	}
	return tx, err
}

// placed is a transaction with its place, as getTransaction gives it.
type placed struct {
	Slot      uint64  `json:"slot"`
	BlockTime *int64  `json:"blockTime"`
	Index     *uint64 `json:"transactionIndex,omitempty"`
	*uiTransaction
}

func (s *Server) transaction(a *arguments) (any, error) {
	if err := a.atLeastConfirmed(); err != nil {
		return nil, err
	}
	signature, err := a.signature(0)
	if err != nil {
		return nil, err
	}
	at, ok := s.o.Store.Transaction(signature)
	if !ok || at.Slot > a.slot {
		return nil, nil //nolint:nilnil // null is the answer
	}
	tx, err := a.transaction(at.Info)
	if err != nil {
		return nil, err
	}
	return placed{Slot: at.Slot, BlockTime: at.time(), uiTransaction: tx}, nil
}

func (l *Located) time() *int64 {
	if l.BlockTime == 0 {
		return nil
	}
	return &l.BlockTime
}

func (a *arguments) signature(i int) (solana.Signature, error) {
	text, err := a.text(i)
	if err != nil {
		return solana.Signature{}, err
	}
	return parseSignature(text)
}

func parseSignature(text string) (solana.Signature, error) {
	var sig [64]byte
	if len(text) > 88 || base58.Decode64(text, &sig) != nil {
		return solana.Signature{}, invalid("Invalid")
	}
	return sig, nil
}

const maxSignatures = 1000

// limit is how many rows are asked for.
func (a *arguments) limit() (int, error) {
	if a.conf.Limit == nil {
		return maxSignatures, nil
	}
	if n := *a.conf.Limit; n < 1 || n > maxSignatures {
		return 0, invalid("Invalid limit; max %d", maxSignatures)
	}
	return *a.conf.Limit, nil
}

type signatureRow struct {
	Signature          string          `json:"signature"`
	Slot               uint64          `json:"slot"`
	Index              *uint64         `json:"transactionIndex,omitempty"`
	Err                json.RawMessage `json:"err"`
	Memo               *string         `json:"memo"`
	BlockTime          *int64          `json:"blockTime"`
	ConfirmationStatus string          `json:"confirmationStatus"`
}

func (s *Server) row(l *Located) signatureRow {
	r := signatureRow{Signature: base58.Encode(l.Info.GetSignature()), Slot: l.Slot, BlockTime: l.time(), ConfirmationStatus: "confirmed"}
	if l.Slot <= s.newest(2) {
		r.ConfirmationStatus = "finalized"
	}
	if e := l.Info.GetMeta().GetErr(); e != nil {
		r.Err = capture.ErrorJSON(e.GetErr())
	}
	return r
}

func (s *Server) signatures(a *arguments) (any, error) {
	if err := a.atLeastConfirmed(); err != nil {
		return nil, err
	}
	key, err := a.key(0)
	if err != nil {
		return nil, err
	}
	limit, err := a.limit()
	if err != nil {
		return nil, err
	}
	rows := []signatureRow{}
	skipping := a.conf.Before != ""
	for _, l := range s.o.Store.Mentioning(key) {
		signature := base58.Encode(l.Info.GetSignature())
		if signature == a.conf.Until || len(rows) == limit {
			break
		}
		if !skipping && l.Slot <= a.slot && named(&l, key) {
			rows = append(rows, s.row(&l))
		}
		skipping = skipping && signature != a.conf.Before
	}
	return rows, nil
}

// named reports whether a key stands among a transaction's accounts: the node's
// index of addresses knows nothing of owners of token accounts.
func named(l *Located, key solana.PublicKey) bool {
	meta := l.Info.GetMeta()
	for _, list := range [...][][]byte{
		l.Info.GetTransaction().GetMessage().GetAccountKeys(), meta.GetLoadedWritableAddresses(), meta.GetLoadedReadonlyAddresses(),
	} {
		if slices.ContainsFunc(list, func(k []byte) bool { return string(k) == string(key[:]) }) {
			return true
		}
	}
	return false
}

// filters of getTransactionsForAddress that are known here.
type filters struct {
	Slot *struct {
		Gte *uint64 `json:"gte"`
		Gt  *uint64 `json:"gt"`
		Lte *uint64 `json:"lte"`
		Lt  *uint64 `json:"lt"`
	} `json:"slot"`
	Status        string `json:"status"`
	TokenAccounts string `json:"tokenAccounts"`
}

func (f *filters) pass(l *Located, key solana.PublicKey) bool {
	tokens := ""
	if f != nil {
		tokens = f.TokenAccounts
		if r := f.Slot; r != nil && (r.Gte != nil && l.Slot < *r.Gte || r.Gt != nil && l.Slot <= *r.Gt ||
			r.Lte != nil && l.Slot > *r.Lte || r.Lt != nil && l.Slot >= *r.Lt) {
			return false
		}
		if ok := l.Info.GetMeta().GetErr() == nil; f.Status == "succeeded" && !ok || f.Status == "failed" && ok {
			return false
		}
	}
	return named(l, key) || tokens == "balanceChanged" || tokens == "all"
}

// transactionsFor is getTransactionsForAddress as Helius describes it.
func (s *Server) transactionsFor(a *arguments) (any, error) {
	if err := a.atLeastConfirmed(); err != nil {
		return nil, err
	}
	key, err := a.key(0)
	if err != nil {
		return nil, err
	}
	limit, err := a.limit()
	if err != nil {
		return nil, err
	}
	list := s.o.Store.Mentioning(key)
	ascending := a.conf.SortOrder == "asc"
	if ascending {
		slices.Reverse(list)
	}
	passed := func(l *Located) bool { return true }
	if a.conf.PaginationToken != "" {
		if passed, err = after(a.conf.PaginationToken, ascending); err != nil {
			return nil, err
		}
	}
	rows := []any{}
	var next *string
	for i := range list {
		l := &list[i]
		if l.Slot > a.slot || !passed(l) || !a.conf.Filters.pass(l, key) {
			continue
		}
		if len(rows) == limit {
			break
		}
		row, err := s.rowFor(a, l)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
		if len(rows) == limit {
			token := fmt.Sprintf("%d:%d", l.Slot, l.Info.GetIndex())
			next = &token
		}
	}
	return map[string]any{"data": rows, "paginationToken": next}, nil
}

func (s *Server) rowFor(a *arguments, l *Located) (any, error) {
	index := l.Info.GetIndex()
	if a.conf.TransactionDetails == "full" {
		tx, err := a.transaction(l.Info)
		return placed{Slot: l.Slot, BlockTime: l.time(), Index: &index, uiTransaction: tx}, err
	}
	row := s.row(l)
	row.Index = &index
	return row, nil
}

// after reads a pagination token, "slot:index" of the last row given.
func after(token string, ascending bool) (func(*Located) bool, error) {
	slotText, indexText, ok := strings.Cut(token, ":")
	slot, err1 := strconv.ParseUint(slotText, 10, 64)
	index, err2 := strconv.ParseUint(indexText, 10, 64)
	if err := errors.Join(err1, err2); !ok || err != nil {
		return nil, invalid("paginationToken")
	}
	return func(l *Located) bool {
		above := l.Slot > slot || l.Slot == slot && l.Info.GetIndex() > index
		below := l.Slot < slot || l.Slot == slot && l.Info.GetIndex() < index
		return ascending && above || !ascending && below
	}, nil
}
