package sim

import (
	"math"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A slot's life, as a real Yellowstone stream of February 2026 showed it:
// FIRST_SHRED (no parent), CREATED_BANK (parent), its transactions, COMPLETED
// (no parent), the block's meta, PROCESSED (parent), then FINALIZED (parent) of
// the slot 31 produced ones before; CONFIRMED (no parent) of a slot comes soon
// after its successor has begun. A few slots are skipped by their leader.
const (
	finalizedDepth = 31
	skipChance     = 0.02
)

// slotID is a produced slot that is not finalized yet.
type slotID struct{ slot, parent uint64 }

// chain is the state of the slots.
type chain struct {
	slot, parent uint64
	height       uint64
	recent       []byte // blockhash that transactions name
	hash, prev   string // blockhashes of this slot and of its parent
	slotAt       int64  // Unix nanoseconds
	txs          uint64 // made so far
	carry        float64
	open         bool   // the slot has begun
	done, count  int    // transactions made of the slot's
	confirmed    uint64 // the slot in which its parent was confirmed
	past         []slotID
}

func stamp(at int64) *timestamppb.Timestamp {
	return &timestamppb.Timestamp{Seconds: at / 1e9, Nanos: int32(at % 1e9)}
}

func slotUpdate(slot uint64, parent uint64, st pb.SlotStatus, at int64) *pb.SubscribeUpdate {
	u := &pb.SubscribeUpdateSlot{Slot: slot, Status: st}
	if parent != 0 {
		u.Parent = &parent
	}
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: u}, CreatedAt: stamp(at)}
}

// advance puts the next updates into the queue: those that open a slot, one
// transaction, or those that close the slot.
func (m *Market) advance() {
	m.queue, m.head = m.queue[:0], 0
	switch {
	case !m.open:
		m.openSlot()
	case m.done < m.count:
		m.transaction()
	default:
		m.closeSlot()
	}
}

func (m *Market) push(u *pb.SubscribeUpdate) { m.queue = append(m.queue, u) }

// when is a moment within the slot.
func (m *Market) when(part float64) int64 {
	return m.slotAt + int64(part*float64(m.opt.Slot))
}

func (m *Market) openSlot() {
	m.open, m.done, m.count = true, 0, m.transactions()
	m.stepMids()
	m.hash = m.blockhash(m.slot).String()
	recent := m.blockhash(m.parent)
	m.recent = append([]byte(nil), recent[:]...)
	m.push(slotUpdate(m.slot, 0, pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED, m.slotAt))
	m.push(slotUpdate(m.slot, m.parent, pb.SlotStatus_SLOT_CREATED_BANK, m.when(0.005)))
}

// confirmPart is when, within a slot, its predecessor is confirmed.
const confirmPart = 0.3

// transaction makes the slot's next one.
func (m *Market) transaction() {
	at := m.when(0.01 + float64(0.93*float64(m.done)/float64(m.count)))
	if at >= m.when(confirmPart) {
		m.confirm()
	}
	m.act()
	m.push(m.b.finish(uint64(m.done), at))
	m.done++
}

// confirm confirms the slot before, once.
func (m *Market) confirm() {
	if m.confirmed == m.slot || len(m.past) == 0 {
		return
	}
	m.confirmed = m.slot
	m.push(slotUpdate(m.past[len(m.past)-1].slot, 0, pb.SlotStatus_SLOT_CONFIRMED, m.when(confirmPart)))
}

func (m *Market) closeSlot() {
	m.confirm()
	m.push(slotUpdate(m.slot, 0, pb.SlotStatus_SLOT_COMPLETED, m.when(0.95)))
	m.push(m.blockMeta(m.count, m.when(0.97)))
	m.push(slotUpdate(m.slot, m.parent, pb.SlotStatus_SLOT_PROCESSED, m.when(0.97)))
	m.past = append(m.past, slotID{m.slot, m.parent})
	if len(m.past) > finalizedDepth {
		f := m.past[0]
		m.past = m.past[:copy(m.past, m.past[1:])]
		m.push(slotUpdate(f.slot, f.parent, pb.SlotStatus_SLOT_FINALIZED, m.when(0.98)))
	}
	m.open = false
	m.parent, m.prev = m.slot, m.hash
	m.slot++
	m.height++
	m.slotAt += int64(m.opt.Slot)
	if m.rng.chance(skipChance) {
		m.slot++
		m.slotAt += int64(m.opt.Slot)
	}
}

// transactions is how many the slot holds.
func (m *Market) transactions() int {
	want := float64(m.opt.TPS)*m.opt.Slot.Seconds()*m.rng.between(0.8, 1.2) + m.carry
	n := int(want)
	m.carry = want - float64(n)
	return n
}

func (m *Market) blockMeta(n int, at int64) *pb.SubscribeUpdate {
	count := uint64(n)
	return &pb.SubscribeUpdate{
		UpdateOneof: &pb.SubscribeUpdate_BlockMeta{BlockMeta: &pb.SubscribeUpdateBlockMeta{
			Slot:                     m.slot,
			Blockhash:                m.hash,
			Rewards:                  &pb.Rewards{},
			BlockTime:                &pb.UnixTimestamp{Timestamp: m.unixNow()},
			BlockHeight:              &pb.BlockHeight{BlockHeight: m.height},
			ParentSlot:               m.parent,
			ParentBlockhash:          m.prev,
			ExecutedTransactionCount: count,
			EntriesCount:             count/8 + 64,
		}},
		CreatedAt: stamp(at),
	}
}

// midBound is how far, as a factor, a true mid may go from where it started:
// it is reflected there, so that pools stay inside their positions.
const midBound = 3

// stepMids moves the true mids by one slot of a geometric random walk.
func (m *Market) stepMids() {
	const year = 365 * 24 * time.Hour
	root := math.Sqrt(float64(m.opt.Slot)/float64(year)) * m.opt.Volatility
	pull := min(root*root*2000, 0.5) // how fast what has a fair value returns to it
	solMove := tokenSpecs[tokSOL].vol * root * m.rng.norm()
	for i := range tokenSpecs {
		s := &tokenSpecs[i]
		switch {
		case i == tokSOL:
			m.mids[i] = m.reflect(i, m.mids[i]*math.Exp(solMove))
		case s.fairSOL > 0:
			// Staked SOL drifts around what it is worth, and comes back.
			m.lst[i] += float64(s.vol*root*m.rng.norm()) - float64((m.lst[i]-1)*pull)
			m.mids[i] = m.mids[tokSOL] * s.fairSOL * m.lst[i]
		case s.vol > 0 && s.vol < 0.05:
			// A dollar stays near a dollar.
			m.mids[i] += float64(s.vol*root*m.rng.norm()) - float64((m.mids[i]-m.mid0[i])*pull)
		case s.vol > 0:
			move := float64(s.vol*root*m.rng.norm()) + float64(s.beta*solMove)
			m.mids[i] = m.reflect(i, m.mids[i]*math.Exp(move))
		}
		if m.truth != nil {
			m.truth.Mids = append(m.truth.Mids, Mid{Slot: m.slot, Mint: m.mints[i].key, USD: m.mids[i]})
		}
	}
}

func (m *Market) reflect(i int, usd float64) float64 {
	hi, lo := m.mid0[i]*midBound, m.mid0[i]/midBound
	if usd > hi {
		return hi * hi / usd
	}
	if usd < lo {
		return lo * lo / usd
	}
	return usd
}
