package quote

import (
	"context"
	"sync"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// onChain quotes from the reserves that the market follows: constant-product pools,
// directly or by way of one other mint. It computes what the program would pay, to
// the last unit, if nothing happens in between. No network.
//
// What it does not see: liquidity that came or went since a pool's last swap, which
// is why pools that have not traded for long are left out, and the certainty falls
// with that age.
type onChain struct {
	reserves   Reserves
	maxAge     uint64
	maxSilence time.Duration
	now        func() time.Time
	scratch    sync.Pool // *onChainScratch
}

// onChainScratch is what one quote works on.
type onChainScratch struct {
	pools []Pool
	mids  []midway
}

// midway is the best way from the input to one other mint.
type midway struct {
	mint solana.PublicKey
	pool int // index in pools
	out  uint64
}

func newOnChain(o OnChain, maxSilence time.Duration, now func() time.Time) *onChain {
	s := &onChain{reserves: o.Reserves, maxAge: o.MaxPoolAge, maxSilence: maxSilence, now: now}
	s.scratch.New = func() any { return new(onChainScratch) }
	return s
}

// Name is Source's.
func (s *onChain) Name() string { return NameOnChain }

// Quote is Source's.
func (s *onChain) Quote(_ context.Context, r Request) (*Quote, error) {
	head, at := s.reserves.Head()
	if at.IsZero() || s.now().Sub(at) > s.maxSilence {
		return nil, refusal("stream_stale", "our own stream is silent")
	}
	w := s.scratch.Get().(*onChainScratch)
	defer s.scratch.Put(w)
	w.load(s, r, head)
	var buf [2]int
	path, out := w.best(r, buf[:0])
	if out == 0 {
		return nil, noRoute("no_pools", "no constant-product pools that we follow lead there")
	}
	return s.quote(w, path, r, head), nil
}

// load gathers the pools of both mints and of those that quote others, without the
// old ones.
func (w *onChainScratch) load(s *onChain, r Request, head uint64) {
	w.pools = s.reserves.Pools(w.pools[:0], r.InputMint)
	w.pools = s.reserves.Pools(w.pools, r.OutputMint)
	for _, hub := range [...]solana.PublicKey{swapcast.NativeMint(), swapcast.USDC(), swapcast.USDT()} {
		if hub != r.InputMint && hub != r.OutputMint {
			w.pools = s.reserves.Pools(w.pools, hub)
		}
	}
	kept := w.pools[:0]
	for i := range w.pools {
		if p := &w.pools[i]; p.Slot+s.maxAge >= head && p.FeeBps < MaxSlippageBps {
			kept = append(kept, *p)
		}
	}
	w.pools = kept
}

// best is the way that brings most: the indices of its pools, one or two of them,
// and the amount, 0 where there is no way. With equal amounts it is the shorter one.
func (w *onChainScratch) best(r Request, path []int) ([]int, uint64) {
	var out uint64
	w.mids = w.mids[:0]
	for i := range w.pools {
		p := &w.pools[i]
		to, ok := p.other(r.InputMint)
		if !ok {
			continue
		}
		got := p.swap(r.InputMint, r.Amount)
		switch {
		case got == 0:
		case to == r.OutputMint:
			if got > out {
				path, out = append(path[:0], i), got
			}
		default:
			w.midway(to, i, got)
		}
	}
	for i := range w.pools {
		p := &w.pools[i]
		from, ok := p.other(r.OutputMint)
		if !ok {
			continue
		}
		for k := range w.mids {
			m := &w.mids[k]
			if m.mint != from {
				continue
			}
			if got := p.swap(from, m.out); got > out {
				path, out = append(path[:0], m.pool, i), got
			}
			break
		}
	}
	return path, out
}

func (w *onChainScratch) midway(mint solana.PublicKey, pool int, out uint64) {
	for i := range w.mids {
		if m := &w.mids[i]; m.mint == mint {
			if out > m.out {
				m.pool, m.out = pool, out
			}
			return
		}
	}
	w.mids = append(w.mids, midway{mint, pool, out})
}

// quote tells a way as a quote.
func (s *onChain) quote(w *onChainScratch, path []int, r Request, head uint64) *Quote {
	q := &Quote{
		InputMint: r.InputMint, OutputMint: r.OutputMint, InAmount: r.Amount, SlippageBps: r.SlippageBps,
		ContextSlot: head, MarketSlot: head, Executable: true, ImpactKnown: true,
		Route: make([]Leg, len(path)),
	}
	mint, in, kept := r.InputMint, r.Amount, 1.0
	oldest := head
	for k, i := range path {
		p := &w.pools[i]
		to, _ := p.other(mint)
		out := p.swap(mint, in)
		kept *= p.kept(mint, in, out)
		oldest = min(oldest, p.Slot)
		q.Route[k] = Leg{
			Pool: p.Address, Label: p.DEX, InputMint: mint, OutputMint: to, InAmount: in, OutAmount: out, Bps: MaxSlippageBps,
		}
		mint, in = to, out
	}
	q.OutAmount, q.Threshold = in, threshold(in, r.SlippageBps)
	q.PriceImpact = min(1, max(0, 1-kept))
	q.Certainty = 1 - 0.3*float64(head-oldest)/float64(s.maxAge)
	return q
}

// other is the mint on the other side of one of a pool's mints.
func (p *Pool) other(mint solana.PublicKey) (solana.PublicKey, bool) {
	switch mint {
	case p.MintA:
		return p.MintB, true
	case p.MintB:
		return p.MintA, true
	}
	return solana.PublicKey{}, false
}

// swap is what the pool pays for an amount of one of its mints, 0 where it pays
// nothing. Formulas as the programs have them: Raydium v4 and CPMM take the fee of
// what comes in, rounded up; PumpSwap takes it of the quote, on top of what a buyer
// pays and off what a seller gets.
func (p *Pool) swap(mint solana.PublicKey, in uint64) uint64 {
	rIn, rOut := p.ReserveA, p.ReserveB
	if mint == p.MintB {
		rIn, rOut = rOut, rIn
	}
	if rIn == 0 || rOut == 0 || in == 0 {
		return 0
	}
	fee := uint64(p.FeeBps)
	switch {
	case !p.FeeOnB:
		in -= mulDivUp(in, fee, MaxSlippageBps)
		return mulDivSum(rOut, in, rIn, in)
	case mint == p.MintB:
		in = mulDiv(in, MaxSlippageBps, MaxSlippageBps+fee)
		return mulDivSum(rOut, in, rIn, in)
	}
	out := mulDivSum(rOut, in, rIn, in)
	return out - mulDivUp(out, fee, MaxSlippageBps)
}

// kept is what is left of the pool's price, fee apart, by a trade of this size.
func (p *Pool) kept(mint solana.PublicKey, in, out uint64) float64 {
	rIn, rOut := p.ReserveA, p.ReserveB
	if mint == p.MintB {
		rIn, rOut = rOut, rIn
	}
	at := float64(in) * (1 - float64(p.FeeBps)/MaxSlippageBps) * float64(rOut) / float64(rIn)
	if at <= 0 {
		return 1
	}
	return float64(out) / at
}
