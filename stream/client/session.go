package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast/stream/wire"
)

// session is one connection.
type session struct {
	// Static.
	conn    *websocket.Conn
	start   time.Time
	silence time.Duration // Options.SilentAfter
	done    chan struct{} // closed when reading has ended
	limited chan struct{} // one slot: the server has left a message unread

	// Shared.
	heard  atomic.Int64 // nanoseconds after start of the last sign of life
	silent atomic.Bool  // the watchdog has given up
}

// ending says why a connection ended, or never came to be.
type ending struct {
	err     error
	refused *RefusedError // where another try is of no use
	hint    time.Duration
	hinted  bool
	lasted  bool // long enough for the backoff to start over
}

// writeTimeout bounds one write. A peer that takes nothing for so long is gone.
const writeTimeout = 10 * time.Second

// lasting is how long a connection must hold for the backoff to start over: a
// server that accepts and closes at once must not be hammered.
const lasting = 10 * time.Second

// connect makes one connection and reads it to its end.
func (c *Client) connect(ctx context.Context) ending {
	s := &session{start: time.Now(), silence: c.opts.SilentAfter, done: make(chan struct{}), limited: make(chan struct{}, 1)}
	dialCtx, cancel := context.WithTimeout(ctx, c.opts.AckTimeout)
	dial := &websocket.DialOptions{
		HTTPClient:     c.opts.HTTPClient,
		HTTPHeader:     c.header,
		OnPingReceived: func(context.Context, []byte) bool { s.touch(); return true },
	}
	if c.opts.MessagePack {
		dial.Subprotocols = []string{wire.Subprotocol}
	}
	if c.opts.Compression {
		dial.CompressionMode = websocket.CompressionNoContextTakeover
	}
	conn, resp, err := websocket.Dial(dialCtx, c.url, dial)
	cancel()
	if err != nil {
		return c.dialFailed(resp, err)
	}
	conn.SetReadLimit(c.opts.MaxMessage)
	s.touch()
	s.conn = conn
	renew := c.connected(s)

	var helpers sync.WaitGroup
	helpers.Go(func() { s.watch() })
	helpers.Go(func() { s.closeOn(ctx) })
	helpers.Go(func() { c.renew(ctx, s, renew) })
	helpers.Go(func() { c.resend(s) })
	err = c.read(s)
	close(s.done)
	c.disconnected()
	helpers.Wait()
	_ = conn.CloseNow() // releases what a failed read has left
	return s.ending(err)
}

// dialFailed tells a refusal from a failure.
func (c *Client) dialFailed(resp *http.Response, err error) ending {
	if resp == nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			failed.URL = shown(failed.URL) // what wraps it has its text already
			err = failed
		}
		return ending{err: err}
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		text := ""
		if resp.Body != nil {
			b, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // the reason is a courtesy
			text = string(b)
		}
		refused := &RefusedError{Code: resp.StatusCode, Reason: text}
		return ending{err: refused, refused: refused}
	}
	end := ending{err: fmt.Errorf("handshake answered with %s", resp.Status)}
	end.hint, end.hinted = retryAfter(resp.Header.Get("Retry-After"))
	return end
}

// ending classifies the error that ended the reading.
func (s *session) ending(err error) ending {
	end := ending{err: err, lasted: time.Since(s.start) >= lasting}
	if s.silent.Load() {
		end.err = fmt.Errorf("%w for %s", ErrSilent, s.silence)
		return end
	}
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		return end
	}
	end.err = closed
	switch closed.Code {
	case websocket.StatusCode(wire.ClosePolicy), websocket.StatusCode(wire.CloseTooBig),
		websocket.StatusCode(wire.CloseBadRequest), websocket.StatusCode(wire.CloseBadKey):
		end.refused = &RefusedError{Code: int(closed.Code), Reason: closed.Reason}
		end.err = end.refused
	case websocket.StatusCode(wire.CloseGoingAway):
		end.hint, end.hinted = reconnectHint(closed.Reason)
	}
	return end
}

// connected publishes the session and returns what has to be subscribed again.
func (c *Client) connected(s *session) (renew []command) {
	c.mu.Lock()
	first := c.stats.Connects == 0
	c.stats.Connects++
	c.seqs.connected()
	renew = c.renewals()
	waiting := c.unanswered()
	c.conn = s
	c.mu.Unlock()
	if first {
		close(c.ready)
	}
	c.opts.Logger.Info("connected", "url", shown(c.url), "attempt", c.attempt)
	c.deliver(&Connected{Attempt: c.attempt})
	for _, cmd := range waiting {
		s.send(cmd)
	}
	return renew
}

// disconnected withdraws the session. Requests to subscribe stay for the next
// connection; the others have lost their meaning.
func (c *Client) disconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = nil
	for id, r := range c.pending {
		if r.Action == wire.ActionSubscribe && r.renewal == nil {
			continue
		}
		delete(c.pending, id)
		r.done <- answer{err: ErrDisconnected}
	}
}

// renew subscribes again, one request after the other, at the pace at which the
// server answers.
func (c *Client) renew(ctx context.Context, s *session, cmds []command) {
	for _, cmd := range cmds {
		if !c.renewOne(ctx, s, cmd) {
			return
		}
	}
}

// renewOne reports whether the session still stands.
func (c *Client) renewOne(ctx context.Context, s *session, cmd command) bool {
	for try := 0; ; try++ {
		ackCtx, cancel := context.WithTimeout(ctx, c.opts.AckTimeout)
		_, err := c.roundTrip(ackCtx, cmd, s)
		cancel()
		var refusal *RequestError
		switch {
		case err == nil:
			c.dropUnwanted(s, cmd)
			return true
		case errors.As(err, &refusal) && refusal.Code == string(wire.RateLimited):
		case errors.As(err, &refusal):
			c.opts.Logger.Warn("subscription not renewed", "channel", cmd.Channel, "err", err)
			return true
		case errors.Is(err, context.DeadlineExceeded):
			_ = s.conn.CloseNow() // it answers nothing: the next connection may
			return false
		default:
			return false
		}
		if !s.pause(backoff(try+2, c.opts.MinBackoff, c.opts.MaxBackoff, 1)) {
			return false
		}
	}
}

// A server that is asked too fast leaves messages unread and says so, but not
// which. What has no answer is then sent again: after a while, and slowly.
const (
	resendAfter = time.Second
	resendEvery = 50 * time.Millisecond
)

// resend repeats unanswered requests whenever the server has left one unread.
func (c *Client) resend(s *session) {
	for {
		select {
		case <-s.limited:
		case <-s.done:
			return
		}
		if !s.pause(resendAfter) {
			return
		}
		c.mu.Lock()
		waiting := c.unanswered()
		c.mu.Unlock()
		for _, cmd := range waiting {
			c.mu.Lock()
			_, still := c.pending[cmd.ID]
			c.mu.Unlock()
			if !still {
				continue
			}
			s.send(cmd)
			if !s.pause(resendEvery) {
				return
			}
		}
	}
}

// pause waits, and reports whether the session still stands.
func (s *session) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
		return false
	}
}

// dropUnwanted unsubscribes what the user has unsubscribed while its renewal
// was on its way.
func (c *Client) dropUnwanted(s *session, cmd command) {
	var stale []string
	c.mu.Lock()
	for _, a := range cmd.names() {
		if !c.wants(assetKey{cmd.feed(), a}) {
			stale = append(stale, a)
		}
	}
	c.mu.Unlock()
	if len(stale) > 0 {
		s.send(newCommand(wire.ActionUnsubscribe, cmd.feed(), stale))
	}
}

// send writes one command. An error needs no handling of its own: it ends the
// connection, and with it the reading, which reports it.
func (s *session) send(cmd command) {
	timeout := writeTimeout
	if s.silence > 0 {
		timeout = min(timeout, s.silence)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_ = s.conn.Write(ctx, websocket.MessageText, encode(cmd))
}

func (s *session) touch() { s.heard.Store(int64(time.Since(s.start))) }

// watch asks for a sign of life when none has come for half of the allowed
// silence, and ends the connection when none comes for all of it.
func (s *session) watch() {
	if s.silence < 0 {
		return
	}
	asked := int64(-1) // the sign of life after which a ping went out
	for {
		heard := s.heard.Load()
		idle := time.Since(s.start) - time.Duration(heard)
		next := s.silence/2 - idle
		switch {
		case idle >= s.silence:
			s.silent.Store(true)
			_ = s.conn.CloseNow() // wakes the reading
			return
		case idle >= s.silence/2:
			next = s.silence - idle
			if asked != heard {
				asked = heard
				s.send(command{Action: wire.ActionPing, ID: "alive"})
			}
		}
		if !s.pause(next) {
			return
		}
	}
}

// closeOn says goodbye when ctx ends.
func (s *session) closeOn(ctx context.Context) {
	select {
	case <-ctx.Done():
		_ = s.conn.Close(websocket.StatusNormalClosure, "")
	case <-s.done:
	}
}
