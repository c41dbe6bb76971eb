package capture

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
)

// NodeError is an error in JSON-RPC form that a node answered with.
type NodeError struct {
	Code    int
	Message string
}

// Error gives both, the message cut.
func (e *NodeError) Error() string {
	return fmt.Sprintf("the node answered with error %d: %.200s", e.Code, e.Message)
}

// ErrNoResult means that a node answered with null.
var ErrNoResult = errors.New("the result is null")

// Block is an answer of getBlock.
type Block struct {
	Meta *pb.SubscribeUpdateBlockMeta
	unit *unit
}

// ReadBlock reads one answer of getBlock for a slot, in its JSON-RPC envelope,
// to its end. The error is a *NodeError where the node answered with one, and
// ErrNoResult for null. Memory is that of the answer: bound r.
func ReadBlock(r io.Reader, slot uint64) (*Block, error) {
	v, err := readAnswer(r)
	if err != nil {
		return nil, err
	}
	u, err := (&jsonFeed{hint: slot}).convert(v)
	switch {
	case err != nil:
		return nil, err
	case u.block == nil:
		return nil, errors.New("a transaction where a block was asked for")
	case u.block.ParentSlot >= slot && slot > 0:
		return nil, fmt.Errorf("the parent of slot %d is slot %d", slot, u.block.ParentSlot)
	}
	u.slot, u.block.Slot, u.where = slot, slot, fmt.Sprintf("slot %d", slot)
	return &Block{Meta: u.block, unit: u}, nil
}

// Len is the number of transactions.
func (b *Block) Len() int { return len(b.unit.txs) }

// Transaction gives the ith one with its index, as Geyser would have told it. It
// may be asked for once. Nil without an error is a vote that jsonParsed does not
// show whole.
func (b *Block) Transaction(i int) (*pb.SubscribeUpdateTransactionInfo, error) {
	tx := &b.unit.txs[i]
	info, err := transactionInfo(tx)
	if err != nil {
		return nil, &ItemError{Where: b.unit.place(i, tx), Err: err}
	}
	*tx = rpcTx{} // its JSON is not needed any more
	if info != nil {
		info.Index = uint64(i)
	}
	return info, nil
}

// LoneTransaction is an answer of getTransaction, or a row of
// getTransactionsForAddress.
type LoneTransaction struct {
	Slot      uint64
	BlockTime int64 // Unix seconds, 0 unknown
	// Info has the index in the block where the answer told it, else 0.
	Info *pb.SubscribeUpdateTransactionInfo
}

// View decodes it as a Subscriber would have given it, with its block's time.
func (t *LoneTransaction) View(d *geyser.Decoder) (*swapcast.Transaction, error) {
	tx := &swapcast.Transaction{}
	if err := d.Transaction(&pb.SubscribeUpdateTransaction{Slot: t.Slot, Transaction: t.Info}, tx); err != nil {
		return nil, err
	}
	tx.BlockTime = t.BlockTime
	return tx, nil
}

// ReadTransaction reads one answer of getTransaction as ReadBlock reads one of
// getBlock.
func ReadTransaction(r io.Reader) (*LoneTransaction, error) {
	v, err := readAnswer(r)
	if err != nil {
		return nil, err
	}
	return lone(v)
}

// ReadTransactions reads one answer of getTransactionsForAddress with
// transactionDetails full: a page of transactions, and where the next one
// begins ("" nowhere).
func ReadTransactions(r io.Reader) (page []*LoneTransaction, next string, err error) {
	var a struct {
		Result *struct {
			Data            []rpcItem `json:"data"`
			PaginationToken *string   `json:"paginationToken"`
		} `json:"result"`
		Error *rpcError `json:"error"`
	}
	switch err := json.NewDecoder(r).Decode(&a); {
	case err != nil:
		return nil, "", err
	case a.Error != nil:
		return nil, "", &NodeError{Code: a.Error.Code, Message: a.Error.Message}
	case a.Result == nil:
		return nil, "", ErrNoResult
	}
	for i := range a.Result.Data {
		t, err := lone(&a.Result.Data[i])
		if err != nil {
			return nil, "", err
		}
		page = append(page, t)
	}
	if a.Result.PaginationToken != nil {
		next = *a.Result.PaginationToken
	}
	return page, next, nil
}

func readAnswer(r io.Reader) (*rpcItem, error) {
	v := &rpcItem{}
	switch err := json.NewDecoder(r).Decode(v); {
	case err != nil:
		return nil, err
	case v.Error != nil:
		return nil, &NodeError{Code: v.Error.Code, Message: v.Error.Message}
	case v.Result == nil:
		return nil, ErrNoResult
	}
	return v.Result, nil
}

func lone(v *rpcItem) (*LoneTransaction, error) {
	u, err := (&jsonFeed{}).convert(v)
	switch {
	case err != nil:
		return nil, err
	case u.block != nil || !u.slotKnown:
		return nil, errors.New("no transaction with its slot")
	}
	info, err := transactionInfo(&u.txs[0])
	if err != nil {
		return nil, &ItemError{Where: u.place(0, &u.txs[0]), Err: err}
	}
	if info == nil {
		return nil, errors.New("a vote that is not shown whole")
	}
	return &LoneTransaction{Slot: u.slot, BlockTime: u.blockTime, Info: info}, nil
}

// ReadParent reads one answer of getBlock with transactionDetails none for a
// slot, as ReadBlock, and gives the parent's slot.
func ReadParent(r io.Reader, slot uint64) (uint64, error) {
	v, err := readAnswer(r)
	switch {
	case err != nil:
		return 0, err
	case v.ParentSlot == nil || v.Blockhash == nil:
		return 0, errors.New("not a block")
	case uint64(*v.ParentSlot) >= slot:
		return 0, fmt.Errorf("the parent of slot %d is slot %d", slot, *v.ParentSlot)
	}
	return uint64(*v.ParentSlot), nil
}
