package market

import (
	"math"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// mintState is what is kept of one mint.
type mintState struct {
	// Static after creation.
	mint solana.PublicKey
	rank rank

	// Owned by the goroutine that applies, written under Market.mu.
	decimals      uint8
	decimalsKnown bool
	order         int     // place in Market.order
	pools         []*pool // as base, or as quote where it is no reference mint
	state         mintFacts
	trades        ring
	cause         cause            // of the price that was published last
	quote         secondQuote      // of second quotes
	links         links[mintState] // in Market.mintUse
	tradeLinks    links[mintState] // in Market.tradeUse, where trades are kept
	candles       *candleBook      // nil: none kept
	candleLinks   links[mintState] // in Market.candleUse, where candles are kept
}

// mintFacts is all that a swap changes in a mint beside its pools, its trades, its
// candles, its cause and its value as a quote; a plain value, so that an earlier one can be put back.
type mintFacts struct {
	firstSlot    uint64
	lastSlot     uint64
	trades       uint64
	volume       float64 // US dollars, decayed, as of volumeSlot
	volumeSlot   uint64
	liquidityUSD float64 // as last computed, for Top
	quoting      float64 // what the pools that it quotes hold, in its raw units; reference mints only
	usd          float64 // as last published, 0 unknown
	priced       bool
}

// cause names the swap behind a price.
type cause struct {
	dex        string
	pool       solana.PublicKey
	slot       uint64
	signature  solana.Signature
	blockTime  int64
	receivedAt int64
}

func causeOf(s *swapcast.Swap) cause {
	return cause{s.DEX, s.Pool, s.Slot, s.Signature, s.BlockTime, s.ReceivedAt}
}

func (ms *mintState) reference() bool { return ms.rank != rankToken }

// whole turns raw units into whole tokens.
func (ms *mintState) whole(raw float64) float64 { return raw / pow10(int(ms.decimals)) }

// learn takes a mint's decimals from a swap, and reports false where they
// contradict what is known: decimals never change on chain. 0 means unknown.
func (ms *mintState) learn(decimals uint8) bool {
	switch {
	case decimals == 0 || decimals > maxDecimals:
		return true
	case !ms.decimalsKnown:
		ms.decimals, ms.decimalsKnown = decimals, true
		return true
	}
	return ms.decimals == decimals
}

// drop forgets a pool and returns the place that it had.
func (ms *mintState) drop(p *pool) int {
	for i, q := range ms.pools {
		if q == p {
			last := len(ms.pools) - 1
			ms.pools[i] = ms.pools[last]
			ms.pools[last] = nil
			ms.pools = ms.pools[:last]
			return i
		}
	}
	return -1
}

// addVolume adds a trade's dollars to the decayed volume.
func (f *mintFacts) addVolume(usd float64, slot uint64) {
	f.volume = f.volumeAt(slot) + usd
	f.volumeSlot = slot
}

func (f *mintFacts) volumeAt(slot uint64) float64 {
	return f.volume * decay(distance(slot, f.volumeSlot), volumeHalfLife)
}

const (
	// maxDecimals is beyond what any real mint has; 10^maxDecimals is exact
	// enough in a float64 and far from its limit.
	maxDecimals = 30
	// volumeHalfLife is in slots, about forty minutes.
	volumeHalfLife = 10_000
)

// decay halves for every half life of age.
func decay(age, halfLife uint64) float64 {
	if age == 0 {
		return 1
	}
	return math.Exp2(-float64(age) / float64(halfLife))
}

// distance is how far apart two slots are, whichever comes first: on a timeline
// that began again, a state from later slots is as foreign as one from earlier.
func distance(a, b uint64) uint64 {
	if a < b {
		return b - a
	}
	return a - b
}

// pow10 returns 10^n for any difference of two decimals.
func pow10(n int) float64 { return math.Pow10(n) }
