package market

import (
	"math"

	"github.com/gagliardetto/solana-go"
)

// rank orders mints as quote side: the higher one of a pair quotes the other.
type rank uint8

const (
	rankToken  rank = iota
	rankStaked      // SOL that is staked and traded all the same
	rankDollar      // dollar stables beside the two below
	rankSOL
	rankUSDT
	rankUSDC
)

// root tells whether a mint of this rank quotes without the help of another
// quote: every path to a price ends at one of the three.
func (r rank) root() bool { return r >= rankSOL }

// secondQuotes are the mints that quote others and are priced by their own pools
// against the roots: never at par, never at the rate of their stake pool, for
// what a pool pays out is worth what it sells for. Whoever holds such a mint's
// pools against the roots sets the prices through it, so the list has deep ones
// only. The addresses are those of builtinTokens, checked there.
func secondQuotes() map[solana.PublicKey]rank {
	list := make(map[solana.PublicKey]rank)
	for address, r := range map[string]rank{
		"USD1ttGY1N17NEEHLmELoaybftRBUSErhqYiQzvEmuB":  rankDollar,
		"2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo": rankDollar, // PYUSD
		"J1toso1uCk3RLmjorhTtrVwY9HJ7X8V9yYac6Y7kGCPn": rankStaked, // JitoSOL
		"mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So":  rankStaked,
		"bSo13r4TkiE4KumL71LsHTPpL2euBYLFx6h9HP3piy1":  rankStaked,
		"jupSoLaHXQiZZTSfEWMTRRgpnyFm8f6sZdosWBjx93v":  rankStaked,
		"5oVNBeEEQvYi1cX3ir8Dx5n1P7pdxydbGF2X4TxVusJm": rankStaked, // INF
	} {
		list[solana.MustPublicKeyFromBase58(address)] = r
	}
	return list
}

// quoteValue is what one whole quote token is worth in dollars.
type quoteValue struct {
	usd        float64
	known      bool
	confidence float64
	depth      float64 // dollars of the pools behind usd; infinite for the roots
}

// secondQuote is the value of a second quote as of its last swap, with SOL's price
// then and the share of its depth that is quoted in SOL.
type secondQuote struct {
	quoteValue
	solShare, sol float64
	slot          uint64
}

// quoteValue is what a mint counts as when it quotes another.
func (m *Market) quoteValue(q *mintState) quoteValue {
	switch q.rank {
	case rankUSDC, rankUSDT:
		return quoteValue{usd: 1, known: true, confidence: 1, depth: math.Inf(1)}
	case rankSOL:
		return m.solUSD
	case rankStaked, rankDollar:
		return m.secondValue(q)
	default:
		return quoteValue{}
	}
}

// secondValue brings a second quote's value from its last swap to the present:
// the part of it that is quoted in SOL moves with SOL.
func (m *Market) secondValue(q *mintState) quoteValue {
	v := q.quote
	if !v.known {
		return quoteValue{}
	}
	if m.solUSD.known && v.sol > 0 {
		v.usd *= 1 + v.solShare*(m.solUSD.usd/v.sol-1)
	}
	v.confidence *= decay(distance(m.time.slot, v.slot), 4*m.opts.HalfLifeSlots)
	v.known = priceable(v.usd)
	return v.quoteValue
}

// keepQuote keeps what others are priced with, where ms quotes any.
func (m *Market) keepQuote(ms *mintState, e *estimate) {
	v := quoteValue{usd: e.usd, known: e.usdKnown, confidence: e.confidence}
	switch ms.rank {
	case rankSOL:
		v.depth = math.Inf(1)
		m.solUSD = v
	case rankStaked, rankDollar:
		v.depth = e.depth
		m.journal.quote(ms)
		ms.quote = secondQuote{v, e.solShare, m.solUSD.usd, m.time.slot}
	default: // tokens quote nothing, the two stables count as one
	}
}
