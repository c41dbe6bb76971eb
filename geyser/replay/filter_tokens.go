package replay

import (
	"fmt"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// tokenMode is the `token_accounts` field of a transactions filter. It came
// with proto 12.6.0; the Go stubs do not know it, so it is read from the
// filter's unknown fields.
type tokenMode uint8

const (
	tokensOff     tokenMode = iota
	tokensAll               // ALL: owners of any token balance before or after
	tokensChanged           // BALANCE_CHANGED: owners of balances that differ
)

// fieldTokenAccounts is the number of `token_accounts` in
// SubscribeRequestFilterTransactions.
const fieldTokenAccounts = 30

// tokenModeOf reads field 30; the last of several counts.
func tokenModeOf(r *pb.SubscribeRequestFilterTransactions) (tokenMode, error) {
	mode := tokensOff
	for b := r.ProtoReflect().GetUnknown(); len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return mode, protowire.ParseError(n)
		}
		b = b[n:]
		if num != fieldTokenAccounts || typ != protowire.VarintType {
			return mode, fmt.Errorf("field %d has the wrong type", num)
		}
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return mode, protowire.ParseError(n)
		}
		b = b[n:]
		switch v {
		case 0:
			mode = tokensAll
		case 1:
			mode = tokensChanged
		default:
			return mode, fmt.Errorf("invalid token_accounts mode value %d; expected ALL (0) or BALANCE_CHANGED (1)", int32(v))
		}
	}
	return mode, nil
}

// owners returns the owners of the transaction's token balances. They are read
// out of the encoded transaction when the first filter asks for them.
func (f *txFacts) owners(mode tokenMode) []solana.PublicKey {
	f.ownersOnce.Do(func() {
		var info pb.SubscribeUpdateTransactionInfo
		if err := proto.Unmarshal(f.info, &info); err != nil {
			return // cannot be: these bytes were made by encoding
		}
		f.ownersAll, f.ownersChanged = balanceOwners(info.GetMeta())
	})
	if mode == tokensAll {
		return f.ownersAll
	}
	return f.ownersChanged
}

// balanceOwners lists who owns a token balance, and who owns one that changed,
// was opened or was closed.
func balanceOwners(meta *pb.TransactionStatusMeta) (all, changed []solana.PublicKey) {
	pre := make(map[uint32]*pb.TokenBalance, len(meta.GetPreTokenBalances()))
	for _, b := range meta.GetPreTokenBalances() {
		pre[b.GetAccountIndex()] = b
		all = appendOwner(all, b)
	}
	for _, b := range meta.GetPostTokenBalances() {
		all = appendOwner(all, b)
		before, ok := pre[b.GetAccountIndex()]
		delete(pre, b.GetAccountIndex())
		if !ok || before.GetUiTokenAmount().GetAmount() != b.GetUiTokenAmount().GetAmount() {
			changed = appendOwner(changed, b)
		}
	}
	for _, b := range pre { // closed
		changed = appendOwner(changed, b)
	}
	return all, changed
}

func appendOwner(list []solana.PublicKey, b *pb.TokenBalance) []solana.PublicKey {
	key, err := solana.PublicKeyFromBase58(b.GetOwner())
	if err != nil { // very old transactions name no owner
		return list
	}
	return append(list, key)
}
