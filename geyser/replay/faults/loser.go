package faults

import (
	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// lose lets out a fork, dead slot or bank beside st: its statuses, copies of
// st's transactions and altered ones, its block meta, and, unless it is left
// aside, its death, which a whole slot meets once the surviving one is processed.
func (c *Chain) lose(l loser, st *chainSlot, at *timestamppb.Timestamp) {
	c.struck(l.f, l.slot)
	b := &loserLife{chain: c, loser: l, at: at, parent: st.parent}
	if l.f.Kind != Banks {
		b.status(pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED, "")
	}
	b.status(pb.SlotStatus_SLOT_CREATED_BANK, "")
	txs := st.txs[:(len(st.txs)*3+3)/4] // it had no time for the rest
	if l.f.Kind == Dead {
		txs = st.txs[:(len(st.txs)+1)/2]
	}
	for i, tx := range txs {
		b.transaction(tx.GetTransaction(), mix(l.salt+uint64(i)))
	}
	if l.f.Kind == Dead {
		b.status(pb.SlotStatus_SLOT_DEAD, l.f.Text)
		b.tell(FateDead)
		return
	}
	if l.f.Kind == Fork {
		b.status(pb.SlotStatus_SLOT_COMPLETED, "")
	}
	b.blockMeta(st.meta)
	b.status(pb.SlotStatus_SLOT_PROCESSED, "")
	if l.f.How == "aside" {
		b.tell(FateAside)
		return
	}
	b.tell(FateDead)
	end := loserEnd{loser: l, with: st}
	if l.f.Order == "after" {
		end.with = nil // st is processed already: the next one is waited for
	}
	c.ends = append(c.ends, end)
}

// endLosers lets out the deaths that a slot's being processed brings with it, all
// of them where st is nil.
func (c *Chain) endLosers(st *chainSlot) {
	rest := c.ends[:0]
	for _, e := range c.ends {
		if st != nil && e.with != nil && e.with != st {
			rest = append(rest, e)
			continue
		}
		b := &loserLife{chain: c, loser: e.loser, at: c.at}
		b.status(pb.SlotStatus_SLOT_DEAD, e.f.Text)
	}
	c.ends = rest
}

// loserEnd is the end of a loser that is still to come.
type loserEnd struct {
	loser
	with *chainSlot // comes when this slot is processed; nil: when any is
}

// loserLife writes the updates of one loser.
type loserLife struct {
	chain *Chain
	loser
	parent uint64
	at     *timestamppb.Timestamp
	count  uint64
}

func (b *loserLife) put(u *pb.SubscribeUpdate) {
	u.CreatedAt = b.at
	if b.bank > 0 && hasBank(u) {
		SetBank(u, b.bank)
	}
	b.chain.out = append(b.chain.out, u)
}

func (b *loserLife) status(st pb.SlotStatus, deadError string) {
	s := &pb.SubscribeUpdateSlot{Slot: b.slot, Status: st}
	if b.parent != 0 && (st == pb.SlotStatus_SLOT_CREATED_BANK || st == pb.SlotStatus_SLOT_PROCESSED) {
		s.Parent = &b.parent
	}
	if st == pb.SlotStatus_SLOT_DEAD {
		s.DeadError = &deadError
	}
	b.put(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: s}})
}

// transaction puts a copy, or one of the loser's own.
func (b *loserLife) transaction(info *pb.SubscribeUpdateTransactionInfo, salt uint64) {
	out, lands := shallowInfo(info), true
	if b.f.Kind != Dead && chance(salt) < b.f.Share {
		if own, ok := altered(info, salt); ok {
			resigned(own, salt)
			out, lands = own, false
		}
	}
	out.Index = b.count
	b.count++
	b.put(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Transaction{
		Transaction: &pb.SubscribeUpdateTransaction{Slot: b.slot, Transaction: out},
	}})
	t := txTruth(TruthOrphan, b.slot, b.bank, out)
	t.Lands = lands
	b.chain.tell(t)
}

func (b *loserLife) blockMeta(of *pb.SubscribeUpdateBlockMeta) {
	m := &pb.SubscribeUpdateBlockMeta{
		Slot: b.slot, Blockhash: b.hash(), Rewards: &pb.Rewards{}, ParentSlot: b.parent,
		ParentBlockhash: of.GetParentBlockhash(), BlockTime: of.GetBlockTime(), BlockHeight: of.GetBlockHeight(),
		ExecutedTransactionCount: b.count,
	}
	b.put(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_BlockMeta{BlockMeta: m}})
}

// hash is the loser's made-up blockhash.
func (b *loserLife) hash() string {
	var k solana.PublicKey
	for i := range k {
		k[i] = byte(mix(b.salt + uint64(i)))
	}
	return k.String()
}

func (b *loserLife) tell(fate string) {
	b.chain.tell(Truth{Kind: TruthSlot, Slot: b.slot, Bank: b.bank, Parent: b.parent, Transactions: b.count, Fate: fate})
}

func txTruth(kind TruthKind, slot, bank uint64, info *pb.SubscribeUpdateTransactionInfo) Truth {
	t := Truth{
		Kind: kind, Slot: slot, Bank: bank, Index: info.GetIndex(),
		Vote: info.GetIsVote(), Failed: info.GetMeta().GetErr() != nil,
	}
	copy(t.Signature[:], info.GetSignature())
	return t
}

// shallowInfo copies a transaction's own fields; what is below stays shared.
func shallowInfo(info *pb.SubscribeUpdateTransactionInfo) *pb.SubscribeUpdateTransactionInfo {
	out := &pb.SubscribeUpdateTransactionInfo{
		Signature: info.GetSignature(), IsVote: info.GetIsVote(), Transaction: info.GetTransaction(),
		Meta: info.GetMeta(), Index: info.GetIndex(),
	}
	out.ProtoReflect().SetUnknown(info.ProtoReflect().GetUnknown())
	return out
}
