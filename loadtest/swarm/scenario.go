package swarm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Scenario is what a connection does.
type Scenario uint8

// The scenarios. All but Churn keep their connection until the run ends.
const (
	Streams  Scenario = iota // prices of one token
	Multi                    // prices of several tokens, popular ones more often
	Trades                   // trades of one token
	Balances                 // balances of one wallet
	Churn                    // prices of one token for a session, then anew with another
	Slow                     // as Multi, but reads one message a second
	scenarios
)

// String is the name in --mix, in tags and in reports.
func (s Scenario) String() string {
	switch s {
	case Streams:
		return "streams"
	case Multi:
		return "multi"
	case Trades:
		return "trades"
	case Balances:
		return "balances"
	case Churn:
		return "churn"
	case Slow:
		return "slow"
	default:
		return "scenario(" + strconv.Itoa(int(s)) + ")"
	}
}

func (s Scenario) channel() string {
	switch s {
	case Trades:
		return "trades"
	case Balances:
		return "balances"
	default:
		return "prices"
	}
}

// windowed says that window_ms may hold its messages back: trades wait for no window.
func (s Scenario) windowed() bool { return s != Trades && s != Balances }

func scenarioOf(name string) (Scenario, bool) {
	for s := range scenarios {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}

// Mix is the share of each scenario, in any unit.
type Mix [scenarios]float64

// ParseMix reads "streams=95,slow=5"; a name alone has share 1.
func ParseMix(text string) (Mix, error) {
	var m Mix
	for part := range strings.SplitSeq(text, ",") {
		name, value, given := strings.Cut(strings.TrimSpace(part), "=")
		s, ok := scenarioOf(name)
		if !ok {
			return m, fmt.Errorf("no scenario is named %q: there are streams, multi, trades, balances, churn and slow", name)
		}
		w := 1.0
		if given {
			var err error
			if w, err = strconv.ParseFloat(value, 64); err != nil || !(w >= 0) || w > 1e9 {
				return m, fmt.Errorf("share of %s: %q is not a number of 0 or more", name, value)
			}
		}
		m[s] += w
	}
	if m.sum() == 0 {
		return m, fmt.Errorf("all shares are 0")
	}
	return m, nil
}

func (m Mix) sum() float64 {
	sum := 0.0
	for _, w := range m {
		sum += w
	}
	return sum
}

func (m Mix) has(s Scenario) bool { return m[s] > 0 }

// pick gives connection i its scenario: shares hold for any run of connections, not
// only for all of them, so that each process and each moment of the ramp has the mix.
func (m Mix) pick(i int) Scenario {
	const golden = 0.6180339887498949
	at := float64(i) * golden
	at = (at - float64(int(at))) * m.sum()
	last := Streams
	for s, w := range m {
		if w == 0 {
			continue
		}
		last = Scenario(s)
		if at -= w; at < 0 {
			break
		}
	}
	return last
}

// keysOf chooses what connection i subscribes to in its nth session: indexes into the
// plan's keys, distinct.
func (p *plan) keysOf(i int, s Scenario, session int) []int32 {
	rng := rand.New(rand.NewPCG(p.Seed, uint64(i)<<20|uint64(session)))
	switch s {
	case Balances:
		return []int32{int32(len(p.Assets) + i%len(p.Wallets))}
	case Multi, Slow:
		n := min(p.TokensEach, len(p.Assets))
		zipf := rand.NewZipf(rng, p.Zipf, 1, uint64(len(p.Assets)-1))
		keys := make([]int32, 0, n)
		for tries := 0; len(keys) < n; tries++ {
			k := int32(zipf.Uint64())
			if tries > 20*n { // the popular ones are all there: fill up in order
				k = int32(tries % len(p.Assets))
			}
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
		return keys
	case Churn:
		return []int32{int32(rng.IntN(len(p.Assets)))}
	default:
		return []int32{int32(i % len(p.Assets))}
	}
}

// sessionOf is how long one session of Churn lasts: half to one and a half of what was
// asked for, so that connections do not march in step.
func (p *plan) sessionOf(rng *rand.Rand) time.Duration {
	return p.Session/2 + time.Duration(rng.Int64N(int64(p.Session)+1))
}

// key is a mint or a wallet by its index.
func (p *plan) key(i int32) string {
	if int(i) < len(p.Assets) {
		return p.Assets[i]
	}
	return p.Wallets[int(i)-len(p.Assets)]
}

// subscription appends the subscribe message of a connection.
func (p *plan) subscription(dst []byte, s Scenario, keys []int32) []byte {
	dst = append(dst, `{"action":"subscribe","channel":"`...)
	dst = append(dst, s.channel()...)
	if s == Balances {
		dst = append(dst, `","wallets":[`...)
	} else {
		dst = append(dst, `","assets":[`...)
	}
	for n, k := range keys {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendQuote(dst, p.key(k))
	}
	return append(dst, `]}`...)
}
