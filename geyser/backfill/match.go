package backfill

import (
	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser"
)

// matcher is a geyser.Filter made ready: it selects what the streams' filters
// select. It never changes.
type matcher struct {
	firehose, all bool
	programs      map[string]struct{}
	wallets       map[string]struct{} // 32 bytes
	owners        map[string]struct{} // the same in base58, as token balances have them
	list          []solana.PublicKey  // wallets
}

func newMatcher(f geyser.Filter) *matcher {
	m := &matcher{
		firehose: f.Firehose, all: len(f.Programs)+len(f.Wallets) == 0,
		programs: make(map[string]struct{}, len(f.Programs)),
		wallets:  make(map[string]struct{}, len(f.Wallets)), owners: make(map[string]struct{}, len(f.Wallets)),
	}
	for _, k := range f.Programs {
		m.programs[string(k[:])] = struct{}{}
	}
	for _, k := range f.Wallets {
		if _, twice := m.wallets[string(k[:])]; twice {
			continue
		}
		m.wallets[string(k[:])] = struct{}{}
		m.owners[k.String()] = struct{}{}
		m.list = append(m.list, k)
	}
	return m
}

// byAddress reports whether the wallets alone decide.
func (m *matcher) byAddress() bool { return !m.firehose && len(m.programs) == 0 && len(m.wallets) > 0 }

// selects reports whether the filter asks for a transaction.
func (m *matcher) selects(info *pb.SubscribeUpdateTransactionInfo) bool {
	if info.GetIsVote() {
		return false
	}
	failed := info.GetMeta().GetErr() != nil
	switch {
	case m.firehose:
		return true
	case m.all:
		return !failed
	}
	meta := info.GetMeta()
	for _, list := range [...][][]byte{
		info.GetTransaction().GetMessage().GetAccountKeys(), meta.GetLoadedWritableAddresses(), meta.GetLoadedReadonlyAddresses(),
	} {
		for _, k := range list {
			if _, ok := m.programs[string(k)]; ok && !failed {
				return true
			}
			if _, ok := m.wallets[string(k)]; ok {
				return true
			}
		}
	}
	return len(m.owners) > 0 && m.tokensMoved(meta)
}

// tokensMoved reports whether a watched wallet's token account holds another
// amount than before.
func (m *matcher) tokensMoved(meta *pb.TransactionStatusMeta) bool {
	pre, post := meta.GetPreTokenBalances(), meta.GetPostTokenBalances()
	for i, rows := range [...][]*pb.TokenBalance{pre, post} {
		others := [...][]*pb.TokenBalance{post, pre}[i]
		for _, row := range rows {
			if _, ok := m.owners[row.GetOwner()]; ok && amountAt(others, row.GetAccountIndex()) != row.GetUiTokenAmount().GetAmount() {
				return true
			}
		}
	}
	return false
}

// amountAt is the amount that a list has of an account, "" none.
func amountAt(rows []*pb.TokenBalance, index uint32) string {
	for _, row := range rows {
		if row.GetAccountIndex() == index {
			return row.GetUiTokenAmount().GetAmount()
		}
	}
	return ""
}
