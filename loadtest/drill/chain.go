package main

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser/replay/faults"
	"github.com/swapcast/swapcast/geyser/sim"
)

// leadSlots is how many slots without transactions come first: no subscriber has
// seen the whole life of a chain's first slot, so nothing may be in it.
const leadSlots = 4

// market is the built-in market up to a slot behind so many swaps. Its last slot
// is confirmed and finalized, and no fork hangs over it. One goroutine reads it.
type market struct {
	sim   *sim.Market
	truth *truth
	swaps uint64 // that are to be played at least

	first, last uint64 // of the market's slots; 0 not known yet
	candidate   uint64
	made        []swapcast.Swap          // of the transaction at hand
	changed     []swapcast.BalanceChange // of the transaction at hand
	held        []sim.Holding            // of the transaction at hand
	played      atomic.Uint64            // swaps
	ended       bool
}

func newMarket(o sim.Options, t *truth, swaps uint64) (*market, error) {
	m := &market{truth: t, swaps: swaps}
	o.OnSwap = func(s *swapcast.Swap) { m.made = append(m.made, *s) }
	o.OnBalance = func(b *swapcast.BalanceChange) { m.changed = append(m.changed, *b) }
	o.OnHolding = func(h sim.Holding) { m.held = append(m.held, h) }
	var err error
	m.sim, err = sim.New(o)
	return m, err
}

// Next yields the next update of the market.
func (m *market) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	m.decide()
	for !m.ended {
		u, err := m.sim.Next(ctx)
		if err != nil {
			return nil, err
		}
		if m.keep(u) {
			return u, nil
		}
	}
	return nil, io.EOF
}

// decide makes the slot that was processed last the last one of all, if enough
// was played and no fork or bank competes with it: by now the truth tells.
func (m *market) decide() {
	if m.last == 0 && m.candidate != 0 && m.truth.undisputed() {
		m.last = m.candidate
	}
	m.candidate = 0
}

// keep tells whether an update is part of the chain, and counts it.
func (m *market) keep(u *pb.SubscribeUpdate) bool {
	slot := faults.SlotOf(u)
	if m.first == 0 {
		m.first = slot
	}
	var made []swapcast.Swap
	var changed []swapcast.BalanceChange
	var held []sim.Holding
	if u.GetTransaction() != nil { // other updates may come between the word and the transaction
		made, changed, held = m.made, m.changed, m.held
		m.made, m.changed, m.held = m.made[:0], m.changed[:0], m.held[:0]
	}
	switch {
	case m.last != 0 && slot > m.last:
		return false
	case u.GetTransaction() != nil:
		if slot-m.first < leadSlots {
			return false
		}
		m.played.Add(uint64(len(made)))
		m.truth.happened(signatureOf(u), made, changed, held)
	case u.GetBlockMeta() != nil && slot < m.first+leadSlots:
		u.GetBlockMeta().ExecutedTransactionCount = 0
	case u.GetSlot().GetStatus() == pb.SlotStatus_SLOT_PROCESSED && m.played.Load() >= m.swaps:
		m.candidate = slot
	case u.GetSlot().GetStatus() == pb.SlotStatus_SLOT_FINALIZED && slot == m.last:
		m.ended = true
	}
	return true
}

func signatureOf(u *pb.SubscribeUpdate) (s solana.Signature) {
	copy(s[:], u.GetTransaction().GetTransaction().GetSignature())
	return s
}

// tap shows the truth what the chain yields, once the drill has begun.
type tap struct {
	src interface {
		Next(context.Context) (*pb.SubscribeUpdate, error)
	}
	truth *truth
	begin <-chan struct{}
}

// Next waits for the beginning. Whoever comes for the next update has played the
// one before: that is when it happened, as far as clients can know.
func (t *tap) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	select {
	case <-t.begin:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	t.truth.played(time.Now())
	u, err := t.src.Next(ctx)
	if err == nil {
		t.truth.see(u)
	} else if ctx.Err() == nil {
		t.truth.end()
	}
	return u, err
}

// busiest are wallets of the market with many balance changes, in a market of
// the same options that nobody sees.
func busiest(o sim.Options, n int) ([]solana.PublicKey, error) {
	counts := make(map[solana.PublicKey]int)
	o.OnBalance = func(b *swapcast.BalanceChange) {
		if !b.Native {
			counts[b.Owner]++
		}
	}
	m, err := sim.New(o)
	if err != nil {
		return nil, err
	}
	for range 20_000 {
		if _, err := m.Next(context.Background()); err != nil {
			return nil, err
		}
	}
	return top(counts, n), nil
}
