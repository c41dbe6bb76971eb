package relay

import (
	"context"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/cache/cachetest"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/wire"
)

// metric is a counter or a gauge, over all of its labels.
func metric(t *testing.T, registry *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// TestUnencodable: an update that has no form to be told in is counted, and takes none
// of its mint's others with it.
func TestUnencodable(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	o := options(t, server.Client(t))
	registry := prometheus.NewRegistry()
	o.Metrics = NewMetrics(registry)
	p := publisher(t, o)
	h := newHeard()
	e := edge(t, options(t, server.Client(t)), h)
	start(t, e.Run)
	m := mint(1)
	follow(t, e, m)
	p.PublishTrade(trade(m, 0)) // before it leads, so that all are of one batch
	p.PublishCandle(&swapcast.Candle{Mint: m, Open: math.NaN()})
	p.PublishTrade(trade(m, 1))
	start(t, p.Run)
	eventually(t, "both trades", toldOf(h, m, 2))
	once(t, h, m, 2)
	if n := metric(t, registry, "swapcast_relay_skipped_total"); n != 1 {
		t.Errorf("%v updates are counted, want 1", n)
	}
}

// TestUnreadableWants: wishes that cannot be read cost nobody else's.
func TestUnreadableWants(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	c := server.Client(t)
	n := names{"swapcast"}
	if err := c.Set(t.Context(), n.fleet("wants:new"), `{"again":"often"}`, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.SAdd(t.Context(), n.fleet("edges"), "new").Err(); err != nil {
		t.Fatal(err)
	}
	p := publisher(t, options(t, server.Client(t)))
	start(t, p.Run)
	e := edge(t, options(t, server.Client(t)), newHeard())
	start(t, e.Run)
	m := mint(2)
	if err := e.Follow(t.Context(), []stream.Subject{{Channel: wire.ChannelCandles, Key: m, Interval: swapcast.Interval1m}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its candles are wanted", func() bool { return p.CandlesWantedAt(m, swapcast.Processed) != 0 })
}

// TestWantedForAMoment: a wallet that is wanted no more before anybody has begun with
// it is not begun with.
func TestWantedForAMoment(t *testing.T) {
	t.Parallel()
	w, owner := newWants(), mint(3)
	w.take(map[string]*wanted{"e": {Wallets: []WalletWant{{owner, swapcast.Confirmed}}}})
	w.take(map[string]*wanted{"e": {}})
	if _, begun, gone := w.takeFresh(); len(begun) != 0 || !slices.Equal(gone, []solana.PublicKey{owner}) {
		t.Errorf("begun %v, gone %v", begun, gone)
	}
	w.take(map[string]*wanted{"e": {Wallets: []WalletWant{{owner, swapcast.Confirmed}}}})
	w.take(map[string]*wanted{"e": {}})
	w.take(map[string]*wanted{"e": {Wallets: []WalletWant{{owner, swapcast.Confirmed}}}})
	if _, begun, gone := w.takeFresh(); len(begun) != 1 || len(gone) != 0 {
		t.Errorf("begun %v, gone %v", begun, gone)
	}
}

// during calls f once, while the first script runs.
type during struct {
	f func()
}

func (d during) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d during) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "eval") {
			d.f()
		}
		return next(ctx, cmd)
	}
}

func (d during) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestGapWhileOthersAreTold: of as many gaps as may wait, one that comes while the
// first is told is told too.
func TestGapWhileOthersAreTold(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	c := server.Client(t)
	p := publisher(t, options(t, c))
	c.AddHook(during{sync.OnceFunc(func() { p.PublishGap(&swapcast.Gap{FromSlot: 9_000, ToSlot: 9_001, Reason: "last"}) })})
	p.fence.Store(1)
	for i := range uint64(maxGaps) {
		p.PublishGap(&swapcast.Gap{FromSlot: 10 * i, ToSlot: 10*i + 1})
	}
	if p.backlog() <= 0 {
		t.Error("gaps that wait are no backlog")
	}
	for p.fleet.oldest() != 0 {
		if err := p.fleet.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := server.Client(t).XRange(t.Context(), p.names.fleet("gaps"), "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(kept, func(x redis.XMessage) bool { return strings.Contains(fmt.Sprint(x.Values["g"]), "9001") }) {
		t.Errorf("the last of %d gaps is not among them", len(kept))
	}
}

// TestGapBeforeTheFirstSweep: where Redis did not answer an edge at its start, a gap
// that comes then is told all the same, once, and noted with those before it.
func TestGapBeforeTheFirstSweep(t *testing.T) {
	t.Parallel()
	server := cachetest.StartRedis(t)
	p := publisher(t, options(t, server.Client(t)))
	p.fence.Store(1)
	h := newHeard()
	e := edge(t, options(t, server.Client(t)), h)
	p.PublishGap(&swapcast.Gap{FromSlot: 1, ToSlot: 2})
	p.PublishGap(&swapcast.Gap{FromSlot: 3, ToSlot: 4})
	if err := p.fleet.turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept, err := server.Client(t).XRange(t.Context(), p.names.fleet("gaps"), "-", "+").Result()
	if err != nil || len(kept) != 2 {
		t.Fatalf("%d gaps, %v", len(kept), err)
	}
	seq, _, _ := strings.Cut(kept[1].ID, "-")
	e.fleet.take(t.Context(), &redis.Message{Payload: "g 0 " + seq + " 0 " + fmt.Sprint(kept[1].Values["g"])})
	for range 2 {
		if err := e.fleet.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.gaps) != 1 || h.gaps[0].ToSlot != 4 {
		t.Errorf("told %+v, want the second one", h.gaps)
	}
	if len(e.fleet.recorded) != 2 {
		t.Errorf("noted %+v, want both", e.fleet.recorded)
	}
}

// TestNobodyWaitsForever: what clients wanted who have gone again, while Redis was
// away, is forgotten.
func TestNobodyWaitsForever(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	c := redis.NewClient(&redis.Options{Addr: gone.Addr().String(), MaxRetries: -1})
	defer c.Close()
	h := newHeard()
	o := Options{Redis: c, Epoch: newEpoch(time.Now()), Lease: time.Second, Sweep: 20 * time.Millisecond, Linger: 50 * time.Millisecond}
	registry := prometheus.NewRegistry()
	o.Metrics = NewMetrics(registry)
	e := edge(t, o, h)
	r := start(t, e.Run)
	defer r.stop()
	for i := range byte(8) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := e.Follow(ctx, []stream.Subject{{Channel: wire.ChannelTrades, Key: mint(i)}}); err == nil {
			t.Error("had what Redis has not told")
		}
		cancel()
	}
	h.look(func() {
		for i := range byte(8) {
			h.gone[mint(i)] = true
		}
	})
	eventually(t, "all is given up", func() bool { return metric(t, registry, "swapcast_relay_followed") == 0 })
}
