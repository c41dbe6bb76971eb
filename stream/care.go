package stream

import (
	"time"

	"github.com/swapcast/swapcast/stream/wire"
)

// close tells a client to go. What waits for it is dropped but for the frame
// that was begun: a slow client would never read it.
func (s *shard) close(c *conn, code wire.CloseCode, reason string) {
	if c.ending {
		return
	}
	c.ending = true
	c.closeBy = s.srv.elapsed() + s.srv.opts.Timing.CloseTimeout
	c.box.clear()
	c.sock.sendClose(code, reason)
}

// drain tells a client to come back elsewhere, after what waits for it.
func (s *shard) drain(c *conn) {
	if c.ending {
		return
	}
	s.flush(c)
	s.close(c, wire.CloseGoingAway, s.srv.reconnectHint())
}

// cut ends a connection at once.
func (s *shard) cut(c *conn) {
	c.sock.sendClose(wire.CloseGoingAway, s.srv.reconnectHint())
	c.sock.abort(wire.CloseGoingAway, "server stopped")
}

func (s *shard) join(c *conn) {
	s.conns[c] = struct{}{}
	c.nextPing = s.srv.elapsed() + s.srv.pingJitter()
	switch {
	case s.srv.cutting.Load():
		s.cut(c)
	case s.srv.draining.Load():
		s.close(c, wire.CloseGoingAway, s.srv.reconnectHint())
	}
	s.checkKey(c) // it was read before the connection was in anybody's list
}

// leave forgets a connection that has ended.
func (s *shard) leave(c *conn) {
	c.ending = true
	c.box.clear()
	for _, sub := range c.subs {
		s.drop(sub)
	}
	c.subs, c.held, c.behind = nil, nil, nil
	delete(s.refilling, c)
	delete(s.conns, c)
}

// sweep looks after every connection: pings that are due, deadlines that have
// passed. It is coarse on purpose: no write and no read sets a timer.
func (s *shard) sweep() {
	now := s.srv.elapsed()
	t := &s.srv.opts.Timing
	for c := range s.conns {
		begun := time.Duration(c.messageBegun.Load())
		switch {
		case c.ending:
			if c.closeBy == 0 {
				c.closeBy = now + t.CloseTimeout
			}
			if now > c.closeBy {
				c.sock.abort(wire.CloseAbnormal, "did not close when told")
			}
		case !c.sse && now-time.Duration(c.alive.Load()) > t.DeadAfter:
			c.ending = true
			c.sock.abort(wire.CloseAbnormal, "no sign of life")
		case begun != 0 && now-begun > t.MessageTimeout:
			s.close(c, wire.CloseSlowConsumer, "a message took too long to arrive")
		case now >= c.nextPing:
			c.nextPing = now + s.srv.pingJitter()
			c.sock.ping()
		}
	}
}

// checkKey closes a connection whose key is not known any more.
func (s *shard) checkKey(c *conn) {
	if c.key != nil && !s.srv.keys.Load().has(c.key) {
		s.close(c, wire.CloseBadKey, "the API key is not valid any more")
	}
}
