package swapcast

import (
	"iter"
	"math/bits"
	"time"

	"github.com/gagliardetto/solana-go"
)

// Interval is the length of a candle. Each one divides all that are longer, and
// all begin at whole multiples of their length since 1970 (so a 1d candle begins
// at midnight UTC).
type Interval uint8

// The intervals that candles are made of, shortest first.
const (
	Interval1s Interval = iota
	Interval5s
	Interval15s
	Interval1m
	Interval5m
	Interval15m
	Interval1h
	Interval4h
	Interval1d
	Intervals // how many there are
)

// DefaultInterval is the one of a request that names none.
const DefaultInterval = Interval1m

// ParseInterval reads an interval's name on the wire, such as "15s".
func ParseInterval(name string) (Interval, bool) {
	for i := range Intervals {
		if i.String() == name {
			return i, true
		}
	}
	return 0, false
}

// String returns the name used on the wire.
func (i Interval) String() string {
	switch i {
	case Interval1s:
		return "1s"
	case Interval5s:
		return "5s"
	case Interval15s:
		return "15s"
	case Interval1m:
		return "1m"
	case Interval5m:
		return "5m"
	case Interval15m:
		return "15m"
	case Interval1h:
		return "1h"
	case Interval4h:
		return "4h"
	case Interval1d:
		return "1d"
	default:
		return "unknown"
	}
}

// Seconds is the interval's length, 0 where it is none of those above.
func (i Interval) Seconds() int64 { return int64(i.Duration() / time.Second) }

// Duration is the interval's length, 0 where it is none of those above.
func (i Interval) Duration() time.Duration {
	switch i {
	case Interval1s:
		return time.Second
	case Interval5s:
		return 5 * time.Second
	case Interval15s:
		return 15 * time.Second
	case Interval1m:
		return time.Minute
	case Interval5m:
		return 5 * time.Minute
	case Interval15m:
		return 15 * time.Minute
	case Interval1h:
		return time.Hour
	case Interval4h:
		return 4 * time.Hour
	case Interval1d:
		return 24 * time.Hour
	default:
		return 0
	}
}

// IntervalSet is a set of intervals, bit i for interval i.
type IntervalSet uint16

// Add puts an interval into the set.
func (s *IntervalSet) Add(i Interval) { *s |= 1 << i }

// All yields the intervals of the set, shortest first.
func (s IntervalSet) All() iter.Seq[Interval] {
	return func(yield func(Interval) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(Interval(bits.TrailingZeros16(uint16(s)))) {
				return
			}
		}
	}
}

// Candle is what a mint's price did within one interval, in US dollars per
// whole token, and what was traded in it.
type Candle struct {
	Mint     solana.PublicKey
	Interval Interval
	Start    int64 // Unix seconds, a multiple of the interval
	// Open, High, Low and Close are of the mint's published price as its trades
	// left it, not of single trades.
	Open, High, Low, Close float64
	VolumeUSD              float64
	Trades                 uint64
	// Final says that the interval is over: the candle changes no more, unless
	// the chain takes a trade back.
	Final      bool
	Commitment Commitment // of the slots whose trades are in it
	ReceivedAt int64      // Unix nanoseconds, of the newest trade in it; 0 unknown
}
