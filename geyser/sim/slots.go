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

// timed is an update that comes later.
type timed struct {
	slot, parent uint64
}

func stamp(at int64) *timestamppb.Timestamp {
	return &timestamppb.Timestamp{Seconds: at / 1e9, Nanos: int32(at % 1e9)} //nolint:gosec // below 1e9
}

func slotUpdate(slot uint64, parent uint64, st pb.SlotStatus, at int64) *pb.SubscribeUpdate {
	u := &pb.SubscribeUpdateSlot{Slot: slot, Status: st}
	if parent != 0 {
		u.Parent = &parent
	}
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: u}, CreatedAt: stamp(at)}
}

// produceSlot makes all updates of the next slot.
func (m *Market) produceSlot() {
	m.queue, m.head = m.queue[:0], 0
	length := int64(m.opt.Slot)
	start := m.slotAt
	frac := func(f float64) int64 { return start + int64(f*float64(length)) }
	push := func(u *pb.SubscribeUpdate) { m.queue = append(m.queue, u) }

	m.stepMids()
	m.hash = m.blockhash(m.slot).String()
	recent := m.blockhash(m.parent)
	m.recent = append([]byte(nil), recent[:]...)

	push(slotUpdate(m.slot, 0, pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED, start))
	push(slotUpdate(m.slot, m.parent, pb.SlotStatus_SLOT_CREATED_BANK, frac(0.005)))

	n := m.transactions()
	confirmAt := frac(0.3)
	confirmed := len(m.later) == 0
	for i := range n {
		at := frac(0.01 + float64(0.93*float64(i)/float64(n)))
		if !confirmed && at >= confirmAt {
			push(slotUpdate(m.later[len(m.later)-1].slot, 0, pb.SlotStatus_SLOT_CONFIRMED, confirmAt))
			confirmed = true
		}
		m.act()
		push(m.b.finish(uint64(i), at)) //nolint:gosec // a count
	}
	if !confirmed {
		push(slotUpdate(m.later[len(m.later)-1].slot, 0, pb.SlotStatus_SLOT_CONFIRMED, confirmAt))
	}
	push(slotUpdate(m.slot, 0, pb.SlotStatus_SLOT_COMPLETED, frac(0.95)))
	push(m.blockMeta(n, frac(0.97)))
	push(slotUpdate(m.slot, m.parent, pb.SlotStatus_SLOT_PROCESSED, frac(0.97)))
	m.later = append(m.later, timed{m.slot, m.parent})
	if len(m.later) > finalizedDepth {
		f := m.later[0]
		m.later = m.later[:copy(m.later, m.later[1:])]
		push(slotUpdate(f.slot, f.parent, pb.SlotStatus_SLOT_FINALIZED, frac(0.98)))
	}

	m.parent, m.prev = m.slot, m.hash
	m.slot++
	m.height++
	m.slotAt += length
	if m.rng.chance(skipChance) {
		m.slot++
		m.slotAt += length
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
	count := uint64(n) //nolint:gosec // a count
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
	solMove := tokenSpecs[tokSOL].vol * root * m.rng.norm()
	for i := range tokenSpecs {
		s := &tokenSpecs[i]
		switch {
		case i == tokSOL:
			m.mids[i] = m.reflect(i, m.mids[i]*math.Exp(solMove))
		case s.fairSOL > 0:
			// Staked SOL drifts around what it is worth, and comes back.
			m.lst[i] += float64(s.vol*root*m.rng.norm()) - float64((m.lst[i]-1)*root*root*2000)
			m.mids[i] = m.mids[tokSOL] * s.fairSOL * m.lst[i]
		case s.vol > 0 && s.vol < 0.05:
			// A dollar stays near a dollar.
			m.mids[i] += float64(s.vol*root*m.rng.norm()) - float64((m.mids[i]-m.mid0[i])*root*root*2000)
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
