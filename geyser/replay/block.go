package replay

import (
	"slices"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Field numbers of SubscribeUpdateBlock beyond those it shares with
// SubscribeUpdateBlockMeta.
const (
	fieldBlockTransactions = 6
	fieldBlockAccountCount = 10
	fieldBlockAccounts     = 11
	fieldBlockEntries      = 13
)

// blockParts collects what a block is put together from. A block is complete
// once its meta is there, as many transactions as the meta says were executed,
// and, where the source has entries at all, as many entries. Account updates
// that come later than that are not in the block.
type blockParts struct {
	meta      *update
	txs       []*update
	entries   []*update
	accounts  []*update
	assembled bool
}

// blockFacts is a complete block. Its parts are encoded already: what a filter
// wants of them is copied together for each filter.
type blockFacts struct {
	meta     *pb.SubscribeUpdateBlockMeta
	txs      []*update
	entries  []*update
	accounts []*update
	created  []byte
}

// collect adds u and returns the block's update when that completes it.
func (b *blockParts) collect(u *update) *update {
	if b.assembled {
		return nil
	}
	switch u.kind {
	case kindBlockMeta:
		b.meta = u
	case kindTx:
		b.txs = append(b.txs, u)
	case kindEntry:
		b.entries = append(b.entries, u)
	case kindAccount:
		b.accounts = append(b.accounts, u)
	default:
		return nil
	}
	if b.meta == nil {
		return nil
	}
	meta := b.meta.meta
	if uint64(len(b.txs)) < meta.GetExecutedTransactionCount() ||
		len(b.entries) > 0 && uint64(len(b.entries)) < meta.GetEntriesCount() {
		return nil
	}
	b.assembled = true
	f := &blockFacts{
		meta: meta, created: u.created,
		txs: b.txs, entries: b.entries, accounts: b.accounts,
	}
	b.txs, b.entries, b.accounts = nil, nil, nil
	slices.SortStableFunc(f.txs, func(x, y *update) int { return compare(x.tx.index, y.tx.index) })
	return &update{kind: kindBlock, slot: u.slot, bank: u.bank, block: f, created: u.created}
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// encode makes the SubscribeUpdate of the block as one filter wants it.
func (b *blockFacts) encode(f *blockFilter, slices []dataSlice) ([]byte, error) {
	m := b.meta
	head, err := proto.Marshal(&pb.SubscribeUpdateBlock{
		Slot: m.GetSlot(), Blockhash: m.GetBlockhash(), Rewards: m.GetRewards(), BlockTime: m.GetBlockTime(),
		BlockHeight: m.GetBlockHeight(), ParentSlot: m.GetParentSlot(), ParentBlockhash: m.GetParentBlockhash(),
		ExecutedTransactionCount: m.GetExecutedTransactionCount(),
		UpdatedAccountCount:      uint64(len(b.accounts)),
		EntriesCount:             max(m.GetEntriesCount(), uint64(len(b.entries))),
	})
	if err != nil {
		return nil, err
	}
	if f.transactions {
		for _, u := range b.txs {
			if f.include == nil || f.include.any(u.tx.keys) {
				head = appendField(head, fieldBlockTransactions, u.tx.info)
			}
		}
	}
	if f.accounts {
		for _, u := range b.accounts {
			info := u.account.GetAccount()
			if key, ok := keyOf(info.GetPubkey()); f.include != nil && (!ok || !f.include.has(&key)) {
				continue
			}
			one, err := proto.Marshal(sliced(info, slices))
			if err != nil {
				return nil, err
			}
			head = appendField(head, fieldBlockAccounts, one)
		}
	}
	if f.entries {
		for _, u := range b.entries {
			head = appendField(head, fieldBlockEntries, u.entry)
		}
	}
	body := appendField(make([]byte, 0, len(head)+32), fieldBlock, head)
	return append(body, b.created...), nil
}

func appendField(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func keyOf(b []byte) (solana.PublicKey, bool) {
	if len(b) != solana.PublicKeyLength {
		return solana.PublicKey{}, false
	}
	return solana.PublicKey(b), true
}
