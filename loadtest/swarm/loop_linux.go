package swarm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

// loop is one goroutine's share of the connections.
type loop struct {
	// static
	plan  *plan
	epoll int
	out   chan<- *tally // one a second, then closed by run

	// owned by run
	conns   []conn
	timers  timers
	tally   *tally
	nOpen   [scenarios]int
	alive   int // connections with a socket
	ending  bool
	stormed bool
	storm   int64 // when the storm begins, Unix nanoseconds; 0: never
	rng     *rand.Rand
	buf     []byte // read buffer, shared
	scratch []byte
	seen    uint64 // messages, for the sampled check
}

// readBuffer is large: under load one read then takes hundreds of messages.
const readBuffer = 256 << 10

func newLoop(p *plan, first, step int, out chan<- *tally) (*loop, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	l := &loop{
		plan: p, epoll: epoll, out: out, tally: newTally(time.Now().Unix()),
		rng: rand.New(rand.NewPCG(p.Seed, uint64(first))), buf: make([]byte, readBuffer),
	}
	if p.Storm > 0 {
		l.storm = p.storm().UnixNano()
	}
	for i := first; i < p.To; i += step {
		at := p.startOf(i).UnixNano()
		l.conns = append(l.conns, conn{index: int32(i), fd: -1, scenario: p.Mix.pick(i), due: at})
		l.timers.add(at, int32(len(l.conns)-1))
	}
	return l, nil
}

// run does everything until the plan's end, or ctx's, then says goodbye on all
// connections.
func (l *loop) run(ctx context.Context) error {
	defer close(l.out)
	defer syscall.Close(l.epoll)
	defer func() {
		for i := range l.conns {
			if c := &l.conns[i]; c.fd >= 0 {
				syscall.Close(int(c.fd))
			}
		}
	}()
	end, cut := l.plan.end().UnixNano(), int64(0)
	events := make([]syscall.EpollEvent, 512)
	for {
		now := time.Now().UnixNano()
		l.turn(now)
		if !l.ending && (now >= end || ctx.Err() != nil) {
			l.endAll(now)
			cut = now + int64(drainFor)
		}
		if l.ending && (l.alive == 0 || now >= cut) {
			l.deliver(l.tally.second + 1)
			return nil
		}
		if l.storm != 0 && !l.stormed && now >= l.storm {
			l.stormed = true
			l.everybodyOut(now)
		}
		n, err := syscall.EpollWait(l.epoll, events, l.patience(now, end, cut))
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("epoll: %w", err)
		}
		for i := range max(n, 0) {
			l.ready(&l.conns[events[i].Fd], events[i].Events)
		}
		now = time.Now().UnixNano()
		for {
			t, ok := l.timers.next(now)
			if !ok {
				break
			}
			if c := &l.conns[t.conn]; c.due == t.due {
				c.due = 0
				l.expired(c, now)
			}
		}
	}
}

// patience is how long to wait for events, in milliseconds.
func (l *loop) patience(now, end, cut int64) int {
	until := min(now+int64(100*time.Millisecond), (now/int64(time.Second)+1)*int64(time.Second))
	if len(l.timers) > 0 {
		until = min(until, l.timers[0].due)
	}
	if l.ending {
		until = min(until, cut)
	} else {
		until = min(until, end)
	}
	return int(max(0, until-now+int64(time.Millisecond)-1) / int64(time.Millisecond))
}

// turn hands over the seconds that are past.
func (l *loop) turn(now int64) {
	if second := now / int64(time.Second); second > l.tally.second {
		l.deliver(second)
	}
}

// deliver hands over all seconds before that one. A loop that was away for longer hands
// over empty ones too, so that whoever adds up misses none.
func (l *loop) deliver(second int64) {
	for s := l.tally.second; s < second; s++ {
		for i, n := range l.nOpen {
			if n > 0 || l.tally.shares[i] != nil {
				l.tally.of(Scenario(i)).Open = n
			}
		}
		l.out <- l.tally
		l.tally = newTally(s + 1)
	}
}

func (l *loop) at(c *conn, due int64) {
	c.due = due
	// Its place among the connections: they are every step-th of the plan's.
	l.timers.add(due, l.place(c))
}

// place is c's index into conns.
func (l *loop) place(c *conn) int32 {
	if len(l.conns) < 2 {
		return 0
	}
	return (c.index - l.conns[0].index) / (l.conns[1].index - l.conns[0].index)
}

// expired is c's timer.
func (l *loop) expired(c *conn, now int64) {
	switch c.state {
	case waiting:
		l.connect(c, now)
	case connecting:
		l.fail(c, "connect: no answer in time")
	case upgrading:
		l.fail(c, "handshake: no answer in time")
	case open:
		if c.scenario == Slow {
			l.readSlowly(c, now)
			return
		}
		l.leave(c, now)
	case closing: // it has had its time
		l.drop(c, true)
	case ended:
	}
}

// endAll ends the run: who is connected says goodbye, everybody else is done.
func (l *loop) endAll(now int64) {
	l.ending = true
	for i := range l.conns {
		switch c := &l.conns[i]; c.state {
		case open:
			l.leave(c, now)
		case waiting:
			c.state, c.due = ended, 0
		case connecting, upgrading:
			l.release(c)
			c.state = ended
		case closing, ended:
		}
	}
}

// everybodyOut is the storm: all leave at once and come back within its time.
func (l *loop) everybodyOut(now int64) {
	for i := range l.conns {
		if c := &l.conns[i]; c.state == open {
			l.leave(c, now)
		}
	}
}

// leave sends a close frame and awaits the server's.
func (l *loop) leave(c *conn, now int64) {
	l.nOpen[c.scenario]--
	c.state = closing
	l.send(c, appendFrame(nil, opClose, []byte{1000 >> 8, 1000 & 255}))
	if c.state != closing { // the socket was gone
		return
	}
	if c.scenario == Slow {
		l.watch(c, syscall.EPOLLIN)
	}
	l.at(c, now+int64(drainFor)-int64(time.Millisecond))
}

// drop is the end of a connection. planned says that it was ours to end.
func (l *loop) drop(c *conn, planned bool) {
	if c.state == open {
		l.nOpen[c.scenario]--
	}
	l.release(c)
	t := l.tally.of(c.scenario)
	if !planned {
		t.Lost++
		l.again(c, pauseAfter(c.fails))
		return
	}
	t.Left++
	switch now := time.Now().UnixNano(); {
	case l.stormed && now < l.storm+int64(l.plan.Storm):
		l.again(c, time.Duration(l.rng.Int64N(l.storm+int64(l.plan.Storm)-now)))
	default:
		l.again(c, 0)
	}
}

// fail is the end of an attempt.
func (l *loop) fail(c *conn, reason string) {
	l.tally.of(c.scenario).Failed++
	l.tally.because(reason, 1)
	l.release(c)
	pause := pauseAfter(c.fails)
	c.fails = min(c.fails+1, 20)
	// Jitter, so that who failed together does not come back together.
	l.again(c, pause/2+time.Duration(l.rng.Int64N(int64(pause))))
}

// lose is the end of a connection that was open and that somebody else ended.
func (l *loop) lose(c *conn, reason string) {
	l.tally.because(reason, 1)
	l.drop(c, false)
}

// release gives the socket and all that hangs on it back.
func (l *loop) release(c *conn) {
	if c.fd >= 0 {
		syscall.Close(int(c.fd)) // which takes it out of epoll too
		c.fd = -1
		l.alive--
	}
	c.rest, c.out, c.due = nil, nil, 0
}

// again has c connect after a pause, unless the run is over.
func (l *loop) again(c *conn, pause time.Duration) {
	if l.ending {
		c.state = ended
		return
	}
	c.state = waiting
	c.session++
	l.at(c, time.Now().Add(pause).UnixNano())
}
