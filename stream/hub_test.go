package stream

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Mints without subscribers are forgotten beyond the bound, the longest silent
// first; those with subscribers never.
func TestRetention(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	r := newRig(t, Options{Limits: Limits{RetainedAssets: 3}, Metrics: m})
	c := r.dial("")
	c.subscribe("prices", mint(0).String())
	for i := range 6 {
		r.PublishPrice(price(i, float64(i+1)))
	}
	r.PublishPrice(price(3, 33)) // now 4 is the longest silent
	r.PublishPrice(price(6, 7))
	if n := r.Stats().Assets; n != 4 {
		t.Errorf("%d assets", n)
	}
	if n := gather(t, reg)[`swapcast_ws_assets_evicted_total`]; n != 3 {
		t.Errorf("%v evicted", n)
	}
	if p := c.next(); p.Seq != 1 || *p.Price != 1 {
		t.Errorf("%s", p.raw)
	}
	for _, test := range []struct {
		mint  int
		price string
		seq   uint64
	}{
		{3, "33", 2},
		{0, "1", 1},
		{6, "7", 2},
		{5, "6", 2},    // new since another was forgotten: they begin above that
		{4, "null", 1}, // forgotten: what comes next has a higher seq than it ever had
	} {
		c.send(`{"action":"subscribe","assets":%q}`, mint(test.mint))
		got := c.next()
		if got.Seq != test.seq || !strings.Contains(got.raw, `"price":`+test.price+`,`) {
			t.Errorf("mint %d: %s, want price %s, seq %d", test.mint, got.raw, test.price, test.seq)
		}
	}
}

// A shard too far behind keeps the newest price of each asset, takes trades from
// the history, and tells which ones that has forgotten.
func TestShardOverflow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		history, published int
		gap                string // what the history of two blocks has forgotten
		first              uint64 // seq after it
		lost               float64
	}{
		{256, 20, "[]", 6, 0},
		{1, 30, "[trades6 16no_history]", 17, 11},
	} {
		reg := prometheus.NewRegistry()
		m := NewMetrics(reg)
		r := newRig(t, Options{Shards: 1, Limits: Limits{ShardQueue: 10, HistoryTrades: test.history}, Metrics: m})
		c := r.dial("")
		c.subscribe("prices", mint(1).String())
		c.subscribe("trades", mint(1).String())
		r.hold(0, func() {
			for i := range test.published {
				r.PublishPrice(price(1, float64(i+1)))
				r.PublishTrade(trade(1, uint64(i+1)))
			}
		})
		var prices, gaps []string
		var trades []uint64
		for last := uint64(0); last < uint64(test.published); {
			switch got := c.next(); got.Type {
			case "price":
				prices = append(prices, fmt.Sprint(got.Seq))
			case "trade":
				last = got.Seq
				trades = append(trades, last)
			case "gap":
				gaps = append(gaps, fmt.Sprint(got.Channel, got.FromSeq, got.ToSeq, got.Reason))
			}
		}
		var want []uint64
		for seq := uint64(1); seq <= uint64(test.published); seq++ {
			if seq <= 5 || seq >= test.first {
				want = append(want, seq)
			}
		}
		if fmt.Sprint(prices) != fmt.Sprintf("[1 2 3 4 5 %d]", test.published) || !slices.Equal(trades, want) || fmt.Sprint(gaps) != test.gap {
			t.Errorf("%v %v %v", prices, trades, gaps)
		}
		r.PublishPrice(price(1, 31))
		r.PublishTrade(trade(1, 31))
		c.expectBrief(fmt.Sprintf("price #%d snapshot=false", test.published+1), fmt.Sprintf("trade #%d 31", test.published+1))
		values := gather(t, reg)
		for name, want := range map[string]float64{
			`swapcast_ws_dropped_total{channel=prices}{reason=shard_full}`: float64(test.published - 5),
			`swapcast_ws_deferred_total`:                                   float64(test.published - 5),
			`swapcast_ws_dropped_total{channel=trades}{reason=no_history}`: test.lost,
			`swapcast_ws_replayed_total`:                                   float64(test.published-5) - test.lost,
			`swapcast_ws_resumed_total{channel=trades}{outcome=recovered}`: 0,
		} {
			if values[name] != want {
				t.Errorf("%s is %v, want %v", name, values[name], want)
			}
		}
	}
}

type lastValue struct{ values []float64 }

func (l *lastValue) Observe(v float64) { l.values = append(l.values, v) }

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	hub, write, total := &lastValue{}, &lastValue{}, &lastValue{}
	m.StageHub, m.StageWrite, m.StageTotal = hub, write, total
	r := newRig(t, Options{Shards: 1, Metrics: m})
	c := r.dial("")
	c.subscribe("prices", mint(1).String())
	c.subscribe("trades", mint(1).String())
	r.PublishPrice(price(1, 1))
	c.next()
	r.PublishTrade(trade(1, 1))
	c.next()
	c.send("nonsense")
	c.next()
	r.await("the shard to tell", func() bool { return r.Stats().Sent == 6 })
	values := gather(t, reg)
	for name, want := range map[string]float64{
		`swapcast_ws_connections`:                          1,
		`swapcast_ws_messages_sent_total{channel=prices}`:  2,
		`swapcast_ws_messages_sent_total{channel=replies}`: 3,
		`swapcast_ws_messages_sent_total{channel=trades}`:  1,
		`swapcast_ws_subscriptions{channel=prices}`:        1,
		`swapcast_ws_subscriptions{channel=trades}`:        1,
		`swapcast_ws_refused_total{reason=bad_json}`:       1,
		`swapcast_ws_conflated_total`:                      0,
	} {
		if got, ok := values[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	c.Close(1000, "")
	r.stop()
	values = gather(t, reg)
	if values[`swapcast_ws_closed_total{code=1000}`] != 1 || values[`swapcast_ws_connections`] != 0 || values[`swapcast_ws_subscriptions{channel=prices}`] != 0 {
		t.Errorf("after the end: %v", values)
	}
	for name, l := range map[string]*lastValue{"hub": hub, "write": write, "total": total} {
		if len(l.values) != 2 {
			t.Errorf("%s: %v", name, l.values)
		}
		for _, v := range l.values {
			if v < 0 || v > timeLimit.Seconds() {
				t.Errorf("%s: %v s", name, v)
			}
		}
	}
}

// gather reads every counter and gauge of a registry.
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "{" + l.GetName() + "=" + l.GetValue() + "}"
			}
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return values
}

// What a shard hears twice, after somebody left and came back, it passes on
// once.
func TestNothingComesTwiceAfterResubscription(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1})
	c := r.dial("")
	c.subscribe("prices", mint(1).String())
	for round := range uint64(50) {
		r.hold(0, func() {
			c.send(`{"action":"unsubscribe","assets":%q}`, mint(1))
			c.send(`{"action":"subscribe","assets":%q}`, mint(1))
			r.PublishPrice(price(1, 1))
			time.Sleep(time.Millisecond) // the requests come before, after or between: all must be right
			r.PublishPrice(price(1, 1))
		})
		last, snapshots := 2*round, 0
		for last < 2*round+2 || snapshots == 0 {
			got := c.next()
			if got.Snapshot {
				snapshots++
				if got.Seq < last {
					t.Fatalf("round %d: the snapshot has seq %d after %d", round, got.Seq, last)
				}
			} else if got.Seq != last+1 {
				t.Fatalf("round %d: seq %d after %d", round, got.Seq, last)
			}
			last = got.Seq
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{Shards: -1}, {Shards: 65}, {Limits: Limits{MessageBytes: -1}}, {Timing: Timing{ReconnectMin: time.Minute}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	s, err := New(Options{Limits: Limits{Connections: -1}})
	if err != nil || s.opts.Limits.Connections != unlimited || s.opts.Limits.BadRequests != 10 || len(s.Epoch()) == 0 {
		t.Errorf("%+v %v", s.opts, err)
	}
	if s2, _ := New(Options{}); s2.Epoch() == s.Epoch() {
		t.Error("two servers of one epoch")
	}
}

// What clients ask for and nobody has ever published leaves no trace: it
// neither takes the place of a last known price nor is it kept.
func TestJunkMintsForgetNoPrice(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"subscribe", "unsubscribe"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, Options{Shards: 1, Limits: Limits{RetainedAssets: 100}})
			r.PublishPrice(price(1, 42))
			c := r.dial("")
			for k := range 3 {
				list := mints(t, 5000+100*k, 100)
				c.send(`{"action":%q,"assets":%s}`, action, list)
				c.send(`{"action":"unsubscribe","assets":%s,"id":"u"}`, list)
				for c.next().ID != "u" {
				}
			}
			if n := r.Stats().Assets; n != 1 {
				t.Errorf("%d assets, want the one that was published", n)
			}
			c.send(`{"action":"subscribe","assets":%q}`, mint(1))
			if m := c.next(); m.Price == nil || *m.Price != 42 {
				t.Errorf("the known price is gone: %s", m.raw)
			}
		})
	}
}

// A mint that was forgotten because nobody had published it has the numbering
// of a new one when somebody does.
func TestJunkMintComesToLife(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1})
	c := r.dial("")
	c.subscribe("prices", mint(1).String())
	other := r.dial("")
	c.send(`{"action":"unsubscribe","assets":%q,"id":"u"}`, mint(1))
	c.next()
	other.subscribe("prices", mint(1).String())
	r.PublishPrice(price(1, 7))
	if m := other.next(); m.Seq != 1 || *m.Price != 7 {
		t.Errorf("%s", m.raw)
	}
	c.send(`{"action":"subscribe","assets":%q}`, mint(1))
	if m := c.next(); m.Seq != 1 || !m.Snapshot {
		t.Errorf("%s", m.raw)
	}
}
