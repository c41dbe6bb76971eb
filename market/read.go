package market

import (
	"container/heap"
	"math"
	"slices"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// PoolInfo is one pool as seen from the mint that was asked for.
type PoolInfo struct {
	Address solana.PublicKey
	Program solana.PublicKey
	DEX     string
	// Other is the pool's other mint.
	Other solana.PublicKey
	// Price is in whole Other for one whole asset, valid where PriceKnown;
	// USD likewise in dollars, valid where USDKnown.
	Price      float64
	PriceKnown bool
	USD        float64
	USDKnown   bool
	Source     Source
	// Execution is the last trade's own price in Other, 0 unknown.
	Execution float64
	// Reserves are the vaults' raw amounts, valid where ReservesKnown.
	ReserveAsset, ReserveOther uint64
	ReservesKnown              bool
	// FeeBps is what the newest trade that shows it paid to the pool, in basis
	// points; -1 unknown.
	FeeBps int32
	// LiquidityUSD is what the pool holds in dollars, the asset's side counted
	// at no more than the other; 0 unknown.
	LiquidityUSD float64
	// DepthUSD is how much of that is trusted, in dollars, and what it counts for
	// where the vaults are not known: what Share is made of, age left out. Valid
	// where USDKnown.
	DepthUSD float64
	// Share is the pool's part of the weight behind the mint's price, 0 to 1;
	// Agrees whether it stands within the band that makes the price.
	Share  float64
	Agrees bool
	Trades uint64
	// Curve is set where the pool is a bonding curve that sells the asset.
	Curve swapcast.Curve
	// FirstSlot and LastSlot are of the swaps seen; LastAt is Unix ns.
	FirstSlot, LastSlot uint64
	LastAt              int64
}

// Price returns a mint's price as its pools stand now, with the swap that last
// updated it. False where the mint has not been seen; USDC and USDT always are.
func (m *Market) Price(mint solana.PublicKey) (swapcast.Price, bool) {
	p, _, ok := m.Assess(mint)
	return p, ok
}

// Assess returns the price with the reasons behind its confidence.
func (m *Market) Assess(mint solana.PublicKey) (swapcast.Price, Reasons, bool) {
	now := m.opts.Now()
	m.mu.RLock()
	defer m.mu.RUnlock()
	ms := m.mints[mint]
	if ms == nil || ms == m.sol && ms.state.trades == 0 {
		return swapcast.Price{Mint: mint}, 0, false
	}
	var space [16]candidate
	scratch := space[:0]
	p, why := m.assess(ms, &scratch, now)
	return p, why, true
}

func (m *Market) assess(ms *mintState, scratch *[]candidate, now time.Time) (swapcast.Price, Reasons) {
	e := m.estimate(ms, scratch)
	if ms != m.usdc && m.lastAt > 0 && now.UnixNano()-m.lastAt > int64(m.opts.StaleAfter) {
		e.confidence /= 2
		e.reasons |= ReasonStale
	}
	return m.priceOf(ms, &e), e.reasons
}

// Trades returns up to limit last trades of a mint, newest first.
func (m *Market) Trades(mint solana.PublicKey, limit int) []swapcast.Trade {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ms := m.mints[mint]
	if ms == nil || limit <= 0 {
		return nil
	}
	return ms.trades.newest(make([]swapcast.Trade, 0, min(limit, len(ms.trades.buf))), limit)
}

// Pools returns a mint's pools, the heaviest first. A mint that quotes others has
// only those that price it (SOL those against USDC and USDT, USDC none): it
// quotes too many to list.
func (m *Market) Pools(mint solana.PublicKey) []PoolInfo {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ms := m.mints[mint]
	if ms == nil || len(ms.pools) == 0 {
		return nil
	}
	var scratch []candidate
	e := m.estimate(ms, &scratch)
	scratch = m.candidates(ms, scratch[:0], !e.usdKnown)
	infos := make([]PoolInfo, 0, len(ms.pools))
	for _, p := range ms.pools {
		info := p.info(ms)
		for i := range scratch {
			if c := &scratch[i]; c.pool == p {
				info.Share = c.weight / e.total
				info.Agrees = c.price >= e.low && c.price <= e.high
				if e.usdKnown {
					info.USD, info.USDKnown = c.price, true
					info.LiquidityUSD = liquidity(ms, scratch[i:i+1], e.usd)
					info.DepthUSD = c.depth
				}
			}
		}
		infos = append(infos, info)
	}
	slices.SortStableFunc(infos, func(a, b PoolInfo) int {
		switch {
		case a.Share > b.Share:
			return -1
		case a.Share < b.Share:
			return 1
		}
		return 0
	})
	return infos
}

// info is a pool as one of its two mints sees it.
func (p *pool) info(ms *mintState) PoolInfo {
	st := &p.state
	i := PoolInfo{
		Address: p.address, Program: p.program, DEX: p.dex, Other: p.quote.mint, Source: st.source,
		ReserveAsset: st.reserveBase, ReserveOther: st.reserveQuote, ReservesKnown: st.reservesKnown,
		Trades: st.trades, FirstSlot: st.firstSlot, LastSlot: st.slot, LastAt: st.at,
		Curve: p.curveOf(ms), FeeBps: -1,
	}
	if st.feeKnown {
		i.FeeBps = st.fee
	}
	mid, exec, other := st.mid, st.execution, p.quote
	if p.quote == ms {
		i.Other, i.ReserveAsset, i.ReserveOther = p.base.mint, st.reserveQuote, st.reserveBase
		mid, exec, other = inverse(mid), inverse(exec), p.base
	}
	if ms.decimalsKnown && other.decimalsKnown {
		scale := pow10(int(ms.decimals) - int(other.decimals))
		if v := mid * scale; usable(v) {
			i.Price, i.PriceKnown = v, true
		}
		if v := exec * scale; usable(v) {
			i.Execution = v
		}
	}
	return i
}

func inverse(v float64) float64 {
	if v <= 0 {
		return 0
	}
	return 1 / v
}

// ranked is a mint with its place in Top.
type ranked struct {
	ms    *mintState
	score float64
}

// least is a heap of the best so far, the worst of them on top.
type least []ranked

func (h least) Len() int           { return len(h) }
func (h least) Less(i, j int) bool { return h[i].score < h[j].score }
func (h least) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *least) Push(x any)        { *h = append(*h, x.(ranked)) }
func (h *least) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// topChunk is how many mints Top looks at before it lets the writer in.
const topChunk = 2_048

// Top returns the prices of the most liquid and active mints, best first:
// ranked by the geometric mean of liquidity and recent volume (half of it
// forgotten every 10,000 slots), both in dollars. USDC and USDT are left out.
// It looks at the mints in steps, so under way a mint that is forgotten may
// hide another one from it.
func (m *Market) Top(limit int) []swapcast.Price {
	if limit <= 0 {
		return nil
	}
	var best least
	for from := 0; ; from += topChunk {
		m.mu.RLock()
		if from >= len(m.order) {
			m.mu.RUnlock()
			break
		}
		for _, ms := range m.order[from:min(from+topChunk, len(m.order))] {
			f := &ms.state
			if !f.priced || ms == m.usdc || ms == m.usdt {
				continue
			}
			r := ranked{ms, math.Sqrt((1 + f.volumeAt(m.time.slot)) * (1 + f.liquidityUSD))}
			switch {
			case len(best) < limit:
				heap.Push(&best, r)
			case r.score > best[0].score:
				best[0] = r
				heap.Fix(&best, 0)
			}
		}
		m.mu.RUnlock()
	}
	slices.SortFunc(best, func(a, b ranked) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return slices.Compare(a.ms.mint[:], b.ms.mint[:])
	})
	now := m.opts.Now()
	var scratch []candidate
	prices := make([]swapcast.Price, 0, len(best))
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, r := range best {
		if m.mints[r.ms.mint] != r.ms {
			continue // forgotten meanwhile
		}
		if p, _ := m.assess(r.ms, &scratch, now); p.Known {
			prices = append(prices, p)
		}
	}
	return prices
}

// Stats is the size of the state.
type Stats struct {
	Pools, Mints, Trades, Candles int
	Slot                          uint64
}

// Stats returns the size of the state.
func (m *Market) Stats() Stats {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Stats{m.nPools, len(m.mints), m.nTrades, m.nCandles, m.time.slot}
}
