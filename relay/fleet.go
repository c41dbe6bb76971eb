package relay

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast"
)

// fleetLane publishes what is about no asset: gaps, and the chain's time.
type fleetLane struct {
	// static after construction
	p     *Publisher
	awake chan struct{} // one slot

	mu sync.Mutex
	// guarded by mu
	gaps   []timedGap
	named  uint64 // of the newest gap
	clocks [swapcast.Confirmed + 1]int64

	// owned by run
	told [swapcast.Confirmed + 1]int64
}

type timedGap struct {
	at   int64
	name uint64 // a new one where it has grown: then it is another one
	gap  swapcast.Gap
}

// maxGaps is how many gaps wait, and how many Redis keeps: of more, the two oldest
// become one that spans them.
const maxGaps = 64

// gapScript writes a gap, unless the last ones say the same, and publishes it.
//
//nolint:gochecknoglobals // a constant: go-redis hashes it once
var gapScript = redis.NewScript(`
for _, e in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-')) do
  if e[2][2] == ARGV[1] then return '0' end
end
local top = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local last = 0
if top[1] then last = tonumber(string.match(top[1][1], '^%d+')) end
local t = redis.call('TIME')
local seq = string.format('%.0f', math.max(tonumber(t[1]) * 1000000 + tonumber(t[2]), last + 1))
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], seq, 'g', ARGV[1])
redis.call('SPUBLISH', KEYS[2], 'g 0 ' .. seq .. ' 0 ' .. ARGV[1])
return seq
`)

func newFleetLane(p *Publisher) *fleetLane { return &fleetLane{p: p, awake: make(chan struct{}, 1)} }

func (f *fleetLane) wake() {
	select {
	case f.awake <- struct{}{}:
	default: // it is awake, or about to be
	}
}

func (f *fleetLane) gap(g swapcast.Gap) {
	f.mu.Lock()
	f.named++
	f.gaps = append(f.gaps, timedGap{f.p.opts.Now().UnixNano(), f.named, g})
	if len(f.gaps) > maxGaps {
		a, b := f.gaps[0].gap, &f.gaps[1]
		f.named++
		b.name = f.named
		b.gap.FromSlot, b.gap.ToSlot = min(a.FromSlot, b.gap.FromSlot), max(a.ToSlot, b.gap.ToSlot)
		f.gaps = slices.Delete(f.gaps, 0, 1)
	}
	f.mu.Unlock()
	f.wake()
}

// oldest is when the oldest gap came that waits, 0: none does.
func (f *fleetLane) oldest() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.gaps) == 0 {
		return 0
	}
	return f.gaps[0].at
}

func (f *fleetLane) clock(unix int64, c swapcast.Commitment) {
	f.mu.Lock()
	f.clocks[c] = unix
	f.mu.Unlock()
	f.wake()
}

// run publishes until ctx ends.
func (f *fleetLane) run(ctx context.Context) {
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.awake:
		case <-retry.C:
		}
		if err := f.turn(ctx); err != nil {
			f.p.opts.Metrics.failed("fleet")
			f.p.opts.Logger.Debug("gaps wait for Redis", "error", err)
			retry.Reset(retryAfter)
		}
	}
}

func (f *fleetLane) turn(ctx context.Context) error {
	if !f.p.Leads() {
		f.mu.Lock()
		defer f.mu.Unlock()
		until := f.p.until.Load()
		f.gaps = slices.DeleteFunc(f.gaps, func(g timedGap) bool { return g.at < until })
		return nil
	}
	f.mu.Lock()
	clocks, gaps := f.clocks, slices.Clone(f.gaps)
	f.mu.Unlock()
	for c, unix := range clocks {
		if unix == f.told[c] {
			continue
		}
		m := message{kind: kindClock, commitment: swapcast.Commitment(c), receivedAt: unix}
		if err := f.p.opts.Redis.SPublish(ctx, f.p.names.fleet("all"), m.append(nil)).Err(); err != nil {
			return err
		}
		f.told[c] = unix
	}
	for _, g := range gaps {
		body, err := json.Marshal(g.gap)
		if err != nil {
			return err
		}
		keys := []string{f.p.names.fleet("gaps"), f.p.names.fleet("all")}
		if err := gapScript.Run(ctx, f.p.opts.Redis, keys, body, maxGaps).Err(); err != nil {
			return err
		}
		f.p.opts.Metrics.publish(kindGap, 1)
		f.mu.Lock()
		// Those that were merged meanwhile stay, and are told with the next turn.
		f.gaps = slices.DeleteFunc(f.gaps, func(x timedGap) bool { return x.name == g.name })
		f.mu.Unlock()
	}
	return nil
}
