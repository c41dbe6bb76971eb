package market

import (
	"time"

	"github.com/gagliardetto/solana-go"
)

// Reserves is a constant-product pool of which everything is known that tells what
// it would pay.
type Reserves struct {
	Address solana.PublicKey
	DEX     string
	// Base and Quote are the pool's mints, by the market's order.
	Base, Quote               solana.PublicKey
	ReserveBase, ReserveQuote uint64 // raw units in the vaults
	FeeBps                    int32  // the whole fee of a trade, in basis points
	// FeeOnQuote says that the fee is always taken of the quote, on top of what a
	// buyer pays and off what a seller gets; else of what comes in.
	FeeOnQuote bool
	Slot       uint64 // of the swap that left these reserves
}

// maxCurveGap is how far a pool's stated price may be from its vaults' ratio for
// the vaults to be what its curve counts: beyond it they hold untaken fees, or the
// curve counts more than they hold.
const maxCurveGap = 0.001

// feeRule is how a constant-product program takes its fee.
type feeRule struct {
	onQuote  bool
	standard int32 // basis points where trades do not show it, -1 none
}

// feeRuleOf lists the programs whose arithmetic is known to the last unit.
func feeRuleOf(dex string) (feeRule, bool) {
	switch dex {
	case "raydium-v4":
		// 25/10,000 is in the pool's account, and the same in all but a handful.
		return feeRule{false, 25}, true
	case "raydium-cpmm": // by tier; the event shows it
		return feeRule{false, -1}, true
	case "pumpswap": // by the coin's market cap; the event shows it
		return feeRule{true, -1}, true
	}
	return feeRule{}, false
}

// Reserves appends a mint's constant-product pools to dst: those whose reserves and
// fee are known, whose stated price, where there is one, is their reserves' ratio,
// and of whose mints the newest swap shows that no transfer fee is taken. A mint
// that quotes others has only the pools that price itself.
func (m *Market) Reserves(dst []Reserves, mint solana.PublicKey) []Reserves {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ms := m.mints[mint]
	if ms == nil {
		return dst
	}
	for _, p := range ms.pools {
		if r, ok := p.exact(); ok {
			dst = append(dst, r)
		}
	}
	return dst
}

// exact is the pool as Reserves tells it, false where something is not known.
func (p *pool) exact() (Reserves, bool) {
	st := &p.state
	rule, ok := feeRuleOf(p.dex)
	if !ok || !st.reservesKnown || st.closed || min(st.reserveBase, st.reserveQuote) == 0 {
		return Reserves{}, false
	}
	fee := st.fee
	if !st.feeKnown {
		fee = rule.standard
	}
	if fee < 0 || !st.baseWhole || !st.quoteWhole && !rule.onQuote {
		return Reserves{}, false
	}
	if rule.onQuote && p.quote.rank == rankToken {
		return Reserves{}, false // the quote may take a transfer fee that hides in the pool's
	}
	if ratio := float64(st.reserveQuote) / float64(st.reserveBase); st.source != SourceReserves && !within(ratio, st.mid, 1+maxCurveGap) {
		return Reserves{}, false
	}
	return Reserves{
		Address: p.address, DEX: p.dex, Base: p.base.mint, Quote: p.quote.mint,
		ReserveBase: st.reserveBase, ReserveQuote: st.reserveQuote, FeeBps: fee, FeeOnQuote: rule.onQuote, Slot: st.slot,
	}, true
}

// PoolLiquidity is what the pools at an address hold in dollars: the quote's side,
// and the base's at no more than that. False where nothing tells.
func (m *Market) PoolLiquidity(address solana.PublicKey) (usd float64, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for p := m.pools[address]; p != nil; p = p.next {
		st := &p.state
		if !st.reservesKnown || !p.quote.decimalsKnown {
			continue
		}
		value := m.quoteValue(p.quote)
		if !value.known {
			continue
		}
		quote := float64(st.reserveQuote)
		usd += (quote + min(quote, float64(st.reserveBase)*st.mid)) * value.usd / pow10(int(p.quote.decimals))
		ok = true
	}
	return usd, ok
}

// Head is the newest slot that a swap came from and when that was received; slot 0
// before the first.
func (m *Market) Head() (slot uint64, at time.Time) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.lastAt == 0 {
		return 0, time.Time{}
	}
	return m.time.slot, time.Unix(0, m.lastAt)
}

// Decimals is a mint's, false where they are not known.
func (m *Market) Decimals(mint solana.PublicKey) (uint8, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ms := m.mints[mint]
	if ms == nil || !ms.decimalsKnown {
		return 0, false
	}
	return ms.decimals, true
}
