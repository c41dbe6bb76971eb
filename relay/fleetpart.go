package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast"
)

// fleetPart is what an edge follows of the whole fleet: gaps and the chain's time.
// It writes what the edge wants, and looks whether the numbering is still the same.
type fleetPart struct {
	// static after construction
	e     *Edge
	awake chan struct{} // one slot: wants have changed

	mu sync.Mutex
	// guarded by mu
	recorded []recordedGap // the last maxGaps

	// owned by run
	subscriber
	seq   uint64 // of the last gap
	begun bool   // what Redis keeps of gaps was read: later ones are news
	clock [swapcast.Confirmed + 1]int64
}

type recordedGap struct {
	ms  int64 // Unix milliseconds when it was told
	gap swapcast.Gap
}

func newFleetPart(e *Edge) *fleetPart {
	return &fleetPart{e: e, awake: make(chan struct{}, 1), subscriber: newSubscriber(e)}
}

func (f *fleetPart) nudge() {
	select {
	case f.awake <- struct{}{}:
	default: // it is awake, or about to be
	}
}

// run follows until ctx ends, or the fleet numbers anew.
func (f *fleetPart) run(ctx context.Context) error {
	defer f.close()
	sweep := time.NewTicker(f.e.opts.Sweep)
	defer sweep.Stop()
	write := time.NewTicker(wantedFor / 3)
	defer write.Stop()
	channel := f.e.names.fleet("all")
	if err := f.subscribe(ctx, channel); err != nil {
		f.failed("subscribe", err)
	}
	// What is there already is nobody's news. What fails is tried with the next sweep.
	if err := f.sweep(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case in := <-f.incoming:
			f.take(ctx, in)
		case <-f.awake:
			f.write(ctx, false)
		case <-write.C:
			f.write(ctx, true)
		case <-sweep.C:
			if err := f.sweep(ctx); err != nil {
				return err
			}
		}
	}
}

func (f *fleetPart) failed(operation string, err error) {
	f.e.opts.Metrics.failed(operation)
	f.e.opts.Logger.Debug("Redis: "+operation, "error", err)
}

func (f *fleetPart) write(ctx context.Context, force bool) {
	within, cancel := context.WithTimeout(ctx, f.e.opts.Lease)
	defer cancel()
	if err := f.e.writeWants(within, force); err != nil {
		f.failed("wants", err)
	}
}

func (f *fleetPart) take(ctx context.Context, in any) {
	switch in := in.(type) {
	case broken:
		f.close()
		if err := f.subscribe(ctx, f.e.names.fleet("all")); err != nil {
			f.failed("subscribe", err)
		}
	case *redis.Message:
		m, err := parseMessage([]byte(in.Payload))
		if err != nil {
			f.e.opts.Metrics.unread()
			return
		}
		f.e.opts.Metrics.receive(m.kind)
		switch m.kind {
		case kindClock:
			if unix := m.receivedAt; unix != f.clock[m.commitment] {
				f.clock[m.commitment] = unix
				f.e.opts.Stream.CloseCandlesAt(unix, m.commitment)
			}
		case kindGap:
			f.gap(m.seq, m.body, true)
		}
	}
}

// gap notes a gap, and tells of it where that is news.
func (f *fleetPart) gap(seq uint64, body []byte, news bool) {
	if seq <= f.seq {
		return
	}
	var g swapcast.Gap
	if json.Unmarshal(body, &g) != nil {
		f.seq = seq
		f.e.opts.Metrics.unread()
		return
	}
	if news {
		f.e.opts.Stream.PublishGap(&g)
	}
	if !f.begun && news {
		return // the first sweep is to find those before it, and notes it with them
	}
	f.seq = seq
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recorded = append(f.recorded, recordedGap{int64(seq / 1000), g})
	if len(f.recorded) > maxGaps {
		f.recorded = f.recorded[1:]
	}
}

// recordSince has the Stream know of the gaps since a trade, whose message tells
// when it was told: what was followed only now has them in its past.
func (f *fleetPart) recordSince(trade []byte, s Stream) {
	var t struct {
		TS int64 `json:"ts"`
	}
	if json.Unmarshal(trade, &t) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.recorded {
		if f.recorded[i].ms >= t.TS {
			s.RecordGap(&f.recorded[i].gap)
		}
	}
}

// errRenumbered ends a program: its clients resume by an epoch that is gone.
var errRenumbered = errors.New("relay: the fleet numbers anew: Redis has another epoch than this run began with")

// sweep reads gaps that were missed, and looks at the epoch.
func (f *fleetPart) sweep(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, f.e.opts.Lease)
	defer cancel()
	if err := keepEpoch(within, f.e.opts.Redis, f.e.names, f.e.opts.Epoch); err != nil {
		if errors.Is(err, errRenumbered) {
			return err
		}
		f.failed("epoch", err)
		return nil
	}
	entries, err := f.e.opts.Redis.XRange(within, f.e.names.fleet("gaps"), strconv.FormatUint(f.seq+1, 10), "+").Result()
	if err != nil {
		f.failed("gaps", err)
		return nil
	}
	for _, entry := range entries {
		body, _ := entry.Values["g"].(string)
		var seq uint64
		if _, err := fmt.Sscanf(entry.ID, "%d-", &seq); err != nil {
			f.e.opts.Metrics.unread()
			continue
		}
		f.gap(seq, []byte(body), f.begun) // those from before this edge are nobody's news
	}
	f.begun = true
	return nil
}

// keepEpoch has Redis know the epoch where it has forgotten it.
func keepEpoch(ctx context.Context, r redis.UniversalClient, n names, epoch string) error {
	there, err := r.Get(ctx, n.fleet("epoch")).Result()
	switch {
	case errors.Is(err, redis.Nil):
		if err := r.SetNX(ctx, n.fleet("epoch"), epoch, 0).Err(); err != nil {
			return fmt.Errorf("relay: epoch: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("relay: epoch: %w", err)
	case there != epoch:
		return errRenumbered
	}
	return nil
}
