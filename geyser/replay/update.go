package replay

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// kind is what an update carries; its names are the metric's label values.
type kind uint8

const (
	kindTx kind = iota
	kindTxStatus
	kindSlot
	kindBlockMeta
	kindEntry
	kindAccount
	kindBlock
	kindPing
	kindPong
	kinds
)

func (k kind) String() string {
	return [...]string{
		"transaction", "transaction_status", "slot", "block_meta", "entry", "account", "block", "ping", "pong", "",
	}[k]
}

// Field numbers of SubscribeUpdate and of the messages that are put together
// from parts that are already encoded (geyser.proto of yellowstone-grpc 12.6.0).
const (
	fieldStatus    = 10
	fieldBlock     = 5
	fieldCreatedAt = 11
)

// update is one message of the stream: encoded once, with the facts that
// filters ask for beside it. It is shared by all subscribers and never changes
// once it is in the store.
type update struct {
	kind kind
	slot uint64
	bank uint64 // bank_id, 0 none
	at   int64  // when it was published, Unix nanoseconds; for endpoints that are late
	// body is the encoded SubscribeUpdate without `filters`, which differ from
	// subscriber to subscriber.
	body    []byte
	created []byte // encoded created_at field, the tail of body

	status  pb.SlotStatus // of kindSlot
	parent  uint64        // of kindSlot and kindBlockMeta, 0 unknown
	tx      *txFacts      // of kindTx and kindTxStatus
	account *pb.SubscribeUpdateAccount
	meta    *pb.SubscribeUpdateBlockMeta
	block   *blockFacts
	entry   []byte // encoded SubscribeUpdateEntry, part of body
}

// txFacts is what transaction filters look at. keys is nil for a transaction
// of which the source has the status only.
type txFacts struct {
	signature solana.Signature
	keys      []solana.PublicKey
	vote      bool
	failed    bool
	index     uint64
	err       []byte // bincode, as the chain gives it
	info      []byte // encoded SubscribeUpdateTransactionInfo, part of body

	ownersOnce               sync.Once
	ownersAll, ownersChanged []solana.PublicKey // see owners

	once       sync.Once
	statusBody []byte // the SubscribeUpdate that transactions_status sends, made when first wanted
}

var errNothing = errors.New("carries no update")

// newUpdate encodes u and extracts what filters need. now stamps created_at; a
// zero now keeps the source's. It is errNothing for pings and empty updates.
func newUpdate(u *pb.SubscribeUpdate, now time.Time) (*update, error) {
	out := &update{}
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		out.kind, out.slot, out.tx = kindTx, m.Transaction.GetSlot(), factsOfTx(m.Transaction.GetTransaction())
	case *pb.SubscribeUpdate_TransactionStatus:
		s := m.TransactionStatus
		out.kind, out.slot = kindTxStatus, s.GetSlot()
		out.tx = &txFacts{vote: s.GetIsVote(), failed: s.GetErr() != nil, index: s.GetIndex()}
		copy(out.tx.signature[:], s.GetSignature())
	case *pb.SubscribeUpdate_Slot:
		out.kind, out.slot, out.status, out.parent = kindSlot, m.Slot.GetSlot(), m.Slot.GetStatus(), m.Slot.GetParent()
	case *pb.SubscribeUpdate_BlockMeta:
		out.kind, out.slot, out.meta, out.parent = kindBlockMeta, m.BlockMeta.GetSlot(), m.BlockMeta, m.BlockMeta.GetParentSlot()
	case *pb.SubscribeUpdate_Entry:
		out.kind, out.slot = kindEntry, m.Entry.GetSlot()
	case *pb.SubscribeUpdate_Account:
		out.kind, out.slot, out.account = kindAccount, m.Account.GetSlot(), m.Account
	default:
		return nil, errNothing
	}
	out.bank = faults.Bank(u)
	bare := &pb.SubscribeUpdate{UpdateOneof: u.GetUpdateOneof()}
	body := make([]byte, 0, proto.Size(bare)+maxCreatedAt)
	body, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(body, bare)
	if err != nil {
		return nil, fmt.Errorf("encode %s of slot %d: %w", out.kind, out.slot, err)
	}
	if out.kind == kindTx || out.kind == kindEntry {
		inner, err := firstField(body)
		if err != nil {
			return nil, fmt.Errorf("encode %s of slot %d: %w", out.kind, out.slot, err)
		}
		if out.kind == kindEntry {
			out.entry = inner
		} else if out.tx.info, err = firstField(inner); err != nil {
			return nil, fmt.Errorf("transaction of slot %d has no content: %w", out.slot, err)
		}
	}
	n := len(body)
	out.body = appendCreatedAt(body, u, now)
	out.created = out.body[n:]
	return out, nil
}

func factsOfTx(info *pb.SubscribeUpdateTransactionInfo) *txFacts {
	meta := info.GetMeta()
	msg := info.GetTransaction().GetMessage()
	f := &txFacts{
		vote:   info.GetIsVote(),
		failed: meta.GetErr() != nil,
		index:  info.GetIndex(),
		err:    meta.GetErr().GetErr(),
		keys: make([]solana.PublicKey, 0, len(msg.GetAccountKeys())+
			len(meta.GetLoadedWritableAddresses())+len(meta.GetLoadedReadonlyAddresses())),
	}
	sig := info.GetSignature()
	if len(sig) == 0 && len(info.GetTransaction().GetSignatures()) > 0 {
		sig = info.GetTransaction().GetSignatures()[0]
	}
	copy(f.signature[:], sig)
	for _, list := range [...][][]byte{msg.GetAccountKeys(), meta.GetLoadedWritableAddresses(), meta.GetLoadedReadonlyAddresses()} {
		for _, k := range list {
			if len(k) == solana.PublicKeyLength {
				f.keys = append(f.keys, solana.PublicKey(k))
			}
		}
	}
	return f
}

// statusOf returns the transactions_status form of a transaction.
func (u *update) statusOf() []byte {
	if u.kind == kindTxStatus {
		return u.body
	}
	u.tx.once.Do(func() {
		s := &pb.SubscribeUpdateTransactionStatus{
			Slot: u.slot, Signature: u.tx.signature[:], IsVote: u.tx.vote, Index: u.tx.index,
		}
		if u.tx.failed {
			s.Err = &pb.TransactionError{Err: u.tx.err}
		}
		inner, _ := proto.Marshal(s) // bytes and numbers only: cannot fail
		b := protowire.AppendTag(nil, fieldStatus, protowire.BytesType)
		b = protowire.AppendBytes(b, inner)
		u.tx.statusBody = append(b, u.created...)
	})
	return u.tx.statusBody
}

// maxCreatedAt is the length of the longest encoded created_at field.
const maxCreatedAt = 24

// appendCreatedAt appends field 11 of SubscribeUpdate.
func appendCreatedAt(b []byte, u *pb.SubscribeUpdate, now time.Time) []byte {
	sec, nanos := u.GetCreatedAt().GetSeconds(), int64(u.GetCreatedAt().GetNanos())
	if !now.IsZero() {
		sec, nanos = now.Unix(), int64(now.Nanosecond())
	} else if u.GetCreatedAt() == nil {
		return b
	}
	var ts [maxCreatedAt - 2]byte
	t := protowire.AppendVarint(protowire.AppendTag(ts[:0], 1, protowire.VarintType), uint64(sec))
	t = protowire.AppendVarint(protowire.AppendTag(t, 2, protowire.VarintType), uint64(nanos))
	b = protowire.AppendTag(b, fieldCreatedAt, protowire.BytesType)
	return protowire.AppendBytes(b, t)
}

// firstField returns the content of the first field of an encoded message,
// which must be length-delimited. Go's encoder writes fields in the order of
// their numbers, so a message's field 1 comes first where it is set.
func firstField(b []byte) ([]byte, error) {
	_, typ, n := protowire.ConsumeTag(b)
	if n < 0 || typ != protowire.BytesType {
		return nil, errors.New("no length-delimited first field")
	}
	v, n := protowire.ConsumeBytes(b[n:])
	if n < 0 {
		return nil, protowire.ParseError(n)
	}
	return v, nil
}
