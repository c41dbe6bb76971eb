package market

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Launch is a token that was seen trading on a bonding curve.
type Launch struct {
	// Price is the token's, with its mint; Known is false where there is none.
	Price swapcast.Price
	// DEX, Pool and Curve are of the curve, which may be migrated meanwhile.
	DEX   string
	Pool  solana.PublicKey
	Curve swapcast.Curve
	// FirstSlot and FirstAt (receipt, Unix ns) are of the first swap of the curve
	// that was seen, Trades counts all swaps of the token.
	FirstSlot uint64
	FirstAt   int64
	Trades    uint64
}

// Newest returns the tokens that were seen trading on a bonding curve, the one
// whose curve was first seen last before the others. A token whose first swap was
// seen in a pool of another kind is not among them: that it is first seen now does
// not make it new. Like Top it looks at the mints in steps.
func (m *Market) Newest(limit int) []Launch {
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
			p := ms.launch()
			if p == nil {
				continue
			}
			r := ranked{ms, float64(p.state.firstAt)}
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
	now := m.opts.Now()
	var scratch []candidate
	launches := make([]Launch, 0, len(best))
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, r := range best {
		p := r.ms.launch()
		if p == nil || m.mints[r.ms.mint] != r.ms {
			continue // forgotten meanwhile
		}
		l := Launch{
			DEX: p.dex, Pool: p.address, Curve: p.curveOf(r.ms),
			FirstSlot: p.state.firstSlot, FirstAt: p.state.firstAt, Trades: r.ms.state.trades,
		}
		l.Price, _ = m.assess(r.ms, &scratch, now)
		launches = append(launches, l)
	}
	slices.SortFunc(launches, func(a, b Launch) int {
		if c := cmp.Compare(b.FirstAt, a.FirstAt); c != 0 {
			return c
		}
		return slices.Compare(a.Price.Mint[:], b.Price.Mint[:])
	})
	return launches
}

// launch is the curve that sells the mint, the one that traded last where there
// are several; nil where there is none.
func (ms *mintState) launch() *pool {
	var newest *pool
	for _, p := range ms.pools {
		if p.launches(ms) && (newest == nil || p.state.at > newest.state.at) {
			newest = p
		}
	}
	return newest
}

// launches tells whether the pool is a curve that sells the mint. Against a quote
// that is a token like any other it is not told which of the two is for sale: no.
func (p *pool) launches(ms *mintState) bool {
	return p.state.curve.Stage != swapcast.CurveNone && p.base == ms && p.quote.reference()
}

const (
	// nearlyComplete is the progress from which a curve may have been completed by
	// swaps that were not seen.
	nearlyComplete = 0.9
	// silentSlots is how long such a curve has to be silent while the mint trades
	// elsewhere, about a minute.
	silentSlots = 150
)

// curveOf is how far the curve that sells the mint has come. It is migrated once
// the mint has traded elsewhere since the curve was complete. Where the swap that
// completed it was not seen, it is once it was nearly complete, or of unknown
// progress, and the mint trades in a pool of the kind that such a curve migrates to,
// which opened after the curve's last swap, silentSlots after that: anybody can open
// such a pool at any time. A swap of the curve takes that back.
func (p *pool) curveOf(ms *mintState) swapcast.Curve {
	if !p.launches(ms) {
		return swapcast.Curve{}
	}
	st := &p.state
	for _, q := range ms.pools {
		to := &q.state
		if to.curve.Stage != swapcast.CurveNone || to.timeline != st.timeline {
			continue
		}
		if st.curve.Stage == swapcast.CurveComplete && to.slot >= st.slot ||
			st.nearlyComplete() && migratesTo(p.dex, q.dex) && to.firstSlot > st.slot && to.slot >= st.slot+silentSlots {
			return swapcast.Curve{Stage: swapcast.CurveMigrated, Progress: 1, Known: true}
		}
	}
	return st.curve
}

// nearlyComplete tells whether swaps that were not seen may have completed a curve.
func (st *poolState) nearlyComplete() bool {
	return !st.curve.Known || st.curve.Progress >= nearlyComplete
}

// migratesTo says where a DEX's complete curves go, past homes included.
func migratesTo(curve, dex string) bool {
	switch curve {
	case "pumpfun":
		return dex == "pumpswap" || dex == "raydium-v4"
	case "raydium-launchlab":
		return dex == "raydium-cpmm" || dex == "raydium-v4"
	case "meteora-dbc":
		return dex == "meteora-damm-v2" || dex == "meteora-damm-v1"
	case "moonshot":
		return dex == "raydium-v4" || dex == "raydium-cpmm" || dex == "meteora-damm-v1" || dex == "meteora-damm-v2"
	case "boop":
		return dex == "raydium-cpmm"
	}
	return false
}
