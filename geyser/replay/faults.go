package replay

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// faultTick is how often a stream looks at the clock for faults timed by it.
const faultTick = 2 * time.Millisecond

// misbehaviour is the faults of one server: those of the server itself are acted
// on here, those of streams are announced to them (see streamFaults). nil where
// there are none.
type misbehaviour struct {
	// Static.
	server  *Server
	script  faults.Endpoint
	onFault func(faults.Event)
	states  []faultState // by number in the script

	late atomic.Int64 // nanoseconds that streams are behind

	// Guarded by mu.
	mu      sync.Mutex
	started time.Time
	looked  time.Time
	slot    uint64    // highest played
	down    time.Time // calls are refused until then
	counts  map[faults.Kind]uint64
	logged  map[faults.Kind]bool
	told    uint64 // the slot that OUT_OF_RANGE names, 0 none
}

// faultState is one fault's, as all streams see it.
type faultState struct {
	*faults.Fault
	trigger *faults.Trigger // guarded by misbehaviour.mu; nil: each stream has its own
	strikes atomic.Uint64   // for streams to compare with what they have seen
	active  atomic.Bool
}

func newMisbehaviour(s *Server) *misbehaviour {
	if len(s.opts.Faults.Faults) == 0 {
		return nil
	}
	m := &misbehaviour{
		server: s, script: s.opts.Faults, onFault: s.opts.OnFault,
		states: make([]faultState, len(s.opts.Faults.Faults)), started: time.Now(),
		counts: make(map[faults.Kind]uint64), logged: make(map[faults.Kind]bool),
	}
	for i := range m.states {
		f := &m.script.Faults[i]
		m.states[i].Fault = f
		if f.Where() == faults.AtServer || f.Where() == faults.AtStream && f.Server {
			m.states[i].trigger = faults.NewTrigger(f, m.script.Seed, uint64(i))
		}
	}
	return m
}

// start begins the server's clock.
func (m *misbehaviour) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.started = time.Now()
}

// feed bends the source by the faults of the endpoint's feed.
func (m *misbehaviour) feed(src Source) Source {
	return m.script.Feed(src, faults.FeedOptions{
		Clock:   func() time.Duration { return time.Since(m.started) },
		OnFault: m.event,
		Now:     m.server.opts.Now,
	})
}

// played moves the server's slots on; the clock is looked at now and then.
func (m *misbehaviour) played(slot uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slot > m.slot || time.Since(m.looked) > faultTick {
		m.advance(slot)
	}
}

// look moves the clock on.
func (m *misbehaviour) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.looked) > faultTick/2 {
		m.advance(0)
	}
}

// advance strikes what is due. Needs mu.
func (m *misbehaviour) advance(slot uint64) {
	m.looked = time.Now()
	m.slot = max(m.slot, slot)
	now := m.looked.Sub(m.started)
	var late time.Duration
	for i := range m.states {
		st := &m.states[i]
		if st.trigger == nil {
			continue
		}
		struck := st.trigger.Advance(now, slot)
		active := st.trigger.Active(now, m.slot)
		st.active.Store(active)
		if struck {
			st.strikes.Add(1)
			m.strike(st)
		}
		if active && st.Kind == faults.Late {
			late += st.Delay
		}
	}
	m.late.Store(int64(late))
}

// strike does what a server's fault does at once. Needs mu.
func (m *misbehaviour) strike(st *faultState) {
	switch st.Kind {
	case faults.Late:
		m.count(st.Fault, 0, st.Delay.String())
	case faults.ForgetHistory:
		m.server.store.forget(st.Count)
		m.count(st.Fault, 0, "")
	case faults.Restart:
		m.down = m.looked.Add(st.Delay)
		m.server.store.forget(st.Count)
		m.server.store.cutAll(errShutdown)
		m.count(st.Fault, 0, "down for "+st.Delay.String())
	case faults.RefuseFromSlot:
		m.told = 0
	default: // streams and calls strike when they meet it
	}
}

// event counts a strike that was met elsewhere.
func (m *misbehaviour) event(e faults.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[e.Kind]++
	m.server.opts.Metrics.fault(string(e.Kind))
	if m.onFault != nil {
		m.onFault(e)
	}
	// What strikes single messages would fill the log.
	switch e.Kind {
	case faults.Duplicate, faults.Lying, faults.Reorder, faults.BlockMetaEarly:
		if m.logged[e.Kind] {
			return
		}
		m.logged[e.Kind] = true
	default:
	}
	m.server.log.Info("fault", "fault", e.Kind, "line", e.Line, "slot", e.Slot, "stream", e.Stream, "detail", e.Detail,
		"others_are_only_counted", m.logged[e.Kind])
}

// count counts a strike. Needs mu.
func (m *misbehaviour) count(f *faults.Fault, stream uint64, detail string) {
	e := faults.Event{Time: m.server.opts.Now(), Kind: f.Kind, Line: f.Line, Slot: m.slot, Stream: stream, Detail: detail}
	m.mu.Unlock()
	defer m.mu.Lock()
	m.event(e)
}

// total returns how often each fault has struck.
func (m *misbehaviour) total() map[faults.Kind]uint64 {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.counts)
}

// admit refuses a call where a fault says so. stream tells Subscribe from the
// others.
func (m *misbehaviour) admit(stream bool) error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(0)
	if m.looked.Before(m.down) {
		return errShutdown
	}
	for i := range m.states {
		st := &m.states[i]
		if st.Kind != faults.RefuseAuth && (st.Kind != faults.ResourceExhausted || !stream) {
			continue
		}
		if !st.trigger.Hit(m.looked.Sub(m.started), m.slot, 0) {
			continue
		}
		m.count(st.Fault, 0, "")
		if st.Kind == faults.RefuseAuth {
			return errToken
		}
		return status.Error(codes.ResourceExhausted, st.Text)
	}
	return nil
}

// fromSlot refuses a request's from_slot where a fault says so.
func (m *misbehaviour) fromSlot(from *uint64) error {
	if m == nil || from == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(0)
	for i := range m.states {
		st := &m.states[i]
		if st.Kind != faults.RefuseFromSlot || !st.trigger.Hit(m.looked.Sub(m.started), m.slot, 0) {
			continue
		}
		switch st.How {
		case "unsupported":
			m.count(st.Fault, 0, st.How)
			return errNoReplay
		case "failed":
			m.count(st.Fault, 0, st.How)
			return errReplayFailed
		default:
			if m.told == 0 {
				m.told = max(m.slot, 1) // who asks for that slot then is let in
			}
			if *from < m.told {
				m.count(st.Fault, 0, st.How)
				return outOfRange(*from, m.told)
			}
		}
	}
	return nil
}

// noReplay reports whether a fault has from_slot switched off.
func (m *misbehaviour) noReplay() bool {
	if m == nil {
		return false
	}
	for i := range m.states {
		if st := &m.states[i]; st.Kind == faults.RefuseFromSlot && st.How == "unsupported" && !st.When.HasRate && st.active.Load() {
			return true
		}
	}
	return false
}

func outOfRange(from, first uint64) error {
	return status.Errorf(codes.OutOfRange, "broadcast from %d is not available, last available: %d", from, first)
}

// lateness is how far streams are behind.
func (m *misbehaviour) lateness() time.Duration {
	if m == nil {
		return 0
	}
	return time.Duration(m.late.Load())
}

// localBank makes a bank id this endpoint's own: another validator numbers its
// banks otherwise.
func localBank(u *pb.SubscribeUpdate, number int) *pb.SubscribeUpdate {
	bank := faults.Bank(u)
	if bank == 0 || number == 0 {
		return u
	}
	u = faults.Shallow(u)
	faults.SetBank(u, bank+uint64(number)*banksApart)
	return u
}

// banksApart is between the bank ids of two endpoints.
const banksApart = 1_000_003

// wrap puts the stream's faults before its sink; nil where there are none.
func (m *misbehaviour) wrap(ctx context.Context, next Sink, id uint64, c *conn) *streamFaults {
	if m == nil {
		return nil
	}
	s := &streamFaults{Sink: next, all: m, ctx: ctx, id: id, conn: c, opened: time.Now(), withheld: make(map[uint64]struct{})}
	for i := range m.states {
		st := &m.states[i]
		if st.Where() != faults.AtStream {
			continue
		}
		one := &streamFault{state: st, seen: st.strikes.Load()}
		if st.trigger == nil || st.Continuous() {
			one.own = faults.NewTrigger(st.Fault, m.script.Seed, uint64(i)+id<<8)
		}
		s.list = append(s.list, one)
	}
	return s
}
