package replay

import (
	"context"
	"errors"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// streamFaults is the Sink that does wrong on one stream. Its state belongs to the
// stream's writing goroutine.
type streamFaults struct {
	Sink

	// Static.
	all    *misbehaviour
	ctx    context.Context //nolint:containedctx // the stream's lifetime, as in Stream
	id     uint64
	conn   *conn // nil not known
	opened time.Time
	list   []*streamFault

	// Owned by the writing goroutine.
	slot     uint64 // highest so far
	halfOpen bool
	silent   bool
	slow     *faults.Fault
	due      time.Time // when slow_down lets the next message go
	withheld map[uint64]struct{}
}

// streamFault is one fault on one stream.
type streamFault struct {
	state *faultState
	own   *faults.Trigger // nil: the server's strikes count
	seen  uint64          // strikes of the server
	on    bool
	armed bool // waits for a message
}

// errBroken ends a stream whose connection was broken.
//
//nolint:gochecknoglobals // constant error
var errBroken = status.Error(codes.Unavailable, "the connection was broken")

// at moves the stream on to an update of a slot, or, with slot 0, the clock alone,
// and strikes what is due. An error ends the stream.
func (s *streamFaults) at(slot uint64) error {
	if slot == 0 {
		s.all.look()
	}
	s.slot = max(s.slot, slot)
	now := time.Since(s.opened)
	s.halfOpen, s.silent, s.slow = false, false, nil
	for _, f := range s.list {
		struck := false
		was := f.on
		if f.own != nil {
			struck = f.own.Advance(now, slot)
			f.on = f.own.Active(now, s.slot)
		} else {
			n := f.state.strikes.Load()
			struck = n != f.seen
			f.seen, f.on = n, f.state.active.Load()
		}
		if struck {
			if err := s.strike(f); err != nil {
				return err
			}
		}
		if err := s.lasting(f, was && !f.on, slot); err != nil {
			return err
		}
	}
	return nil
}

// strike does what a fault does at once.
func (s *streamFaults) strike(f *streamFault) error {
	switch f.state.Kind {
	case faults.Cut:
		s.struck(f, cutBy(f.state.Fault))
		if f.state.How == faults.HowTCP {
			return s.broken()
		}
		return status.Error(f.state.Status, f.state.Text)
	case faults.Lagged:
		s.struck(f, "")
		return errLaggedSend
	case faults.HalfOpen:
		s.struck(f, "keepalive "+f.state.How)
		if f.state.How == "false" && s.conn != nil {
			s.conn.freeze()
		}
	case faults.Duplicate, faults.Corrupt:
		f.armed = true
	default:
		s.struck(f, "")
	}
	return nil
}

// lasting keeps a fault that is on going, or ends it.
func (s *streamFaults) lasting(f *streamFault, ended bool, slot uint64) error {
	switch {
	case ended && f.state.Kind == faults.SilentFilter:
		s.all.server.log.Info("fault", "fault", f.state.Kind, "line", f.state.Line, "slot", s.slot, "stream", s.id, "detail", "cut after the silence")
		return status.Error(f.state.Status, f.state.Text)
	case ended && f.state.Kind == faults.HalfOpen:
		return s.broken()
	case !f.on:
		return nil
	}
	switch f.state.Kind {
	case faults.HalfOpen:
		s.halfOpen = true
	case faults.SilentFilter:
		s.silent = true
	case faults.SlowDown:
		s.slow = f.state.Fault
	case faults.WithholdSlots:
		if slot != 0 && slot == s.slot {
			s.withheld[slot] = struct{}{}
		}
	default:
	}
	return nil
}

// broken breaks the stream's connection where it is known; else the stream ends
// with a status, which is the nearest thing.
func (s *streamFaults) broken() error {
	if s.conn != nil {
		s.conn.cut()
	}
	return errBroken
}

func (s *streamFaults) struck(f *streamFault, detail string) {
	s.all.event(faults.Event{
		Time: s.all.server.opts.Now(), Kind: f.state.Kind, Line: f.state.Line, Slot: s.slot, Stream: s.id, Detail: detail,
	})
}

// Send passes a message on as the faults have it.
func (s *streamFaults) Send(m *Message) error {
	if s.halfOpen {
		return nil
	}
	if s.silent && silenced(m.kind) {
		return nil
	}
	if len(s.withheld) > 0 && m.Slot != 0 {
		if _, gone := s.withheld[m.Slot]; gone {
			return nil
		}
	}
	if s.slow != nil {
		if err := s.wait(m); err != nil {
			return err
		}
	}
	if m.Slot == 0 { // pings and pongs are let be
		return s.Sink.Send(m)
	}
	times := 1
	for _, f := range s.list {
		switch f.state.Kind {
		case faults.Duplicate:
			if s.hits(f) {
				s.struck(f, "")
				times++
			}
		case faults.Corrupt:
			if s.hits(f) {
				s.struck(f, f.state.How)
				m = corrupted(m, f.state.How)
			}
		default:
		}
	}
	for range times {
		if err := s.Sink.Send(m); err != nil {
			return err
		}
	}
	return nil
}

// hits reports whether a fault of messages strikes the next one.
func (s *streamFaults) hits(f *streamFault) bool {
	if f.own != nil {
		return f.own.Hit(time.Since(s.opened), s.slot, 0)
	}
	hit := f.armed || f.on && f.state.When.Lasts()
	f.armed = false
	return hit
}

// silenced reports whether silent_filter withholds a kind of message.
func silenced(k kind) bool {
	switch k {
	case kindTx, kindTxStatus, kindAccount, kindBlock:
		return true
	default:
		return false
	}
}

// wait holds a message back for slow_down.
func (s *streamFaults) wait(m *Message) error {
	n := uint64(len(m.Body))
	if s.slow.How == faults.HowUpdates {
		n = 1
	}
	now := time.Now()
	if s.due.Before(now) {
		s.due = now
	}
	pause := s.due.Sub(now)
	s.due = s.due.Add(time.Duration(n * uint64(time.Second) / s.slow.PerSecond))
	if pause < minSleep {
		return nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// garbage is no protobuf: a field that ends after the message does.
//
//nolint:gochecknoglobals // constant bytes
var garbage = []byte{0x22, 0xff, 0xff, 0x03, 'n', 'o', 't', ' ', 'a', ' ', 'm', 'e', 's', 's', 'a', 'g', 'e'}

// corrupted is a message that no client can read.
func corrupted(m *Message, how string) *Message {
	out := *m
	switch {
	case how == "truncated" && len(m.Body) > 8:
		// Cut inside the update, which is the body's first field.
		out.Body = m.Body[:len(m.Body)/2]
	default:
		out.Body = garbage
	}
	return &out
}

// Request passes the client's requests on, but where from_slot is refused.
func (s *streamFaults) Request(r *pb.SubscribeRequest) error {
	if err := s.Sink.Request(r); err != nil {
		return err
	}
	return s.all.fromSlot(r.FromSlot)
}

// End of a broken connection is nothing that a client gets to read.
func (s *streamFaults) End(err error) error {
	if errors.Is(err, errBroken) {
		return errBroken
	}
	return s.Sink.End(err)
}

// cutBy is what a stream is cut with, for the log.
func cutBy(f *faults.Fault) string {
	if f.How == faults.HowTCP {
		return f.How
	}
	return f.Status.String()
}
