package stream

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// conn is one client, of the WebSocket or of its SSE twin. Its one goroutine reads; what there is to write is its
// shard's business.
type conn struct {
	// static after construction
	srv    *Server
	shard  *shard
	sock   *socket
	ws     *websocket.Conn // nil: sse
	sse    bool
	first  *request // what an SSE client has come for
	info   ConnInfo
	hooks  ConnHooks // set before the shard hears of the connection
	key    *apiKey   // nil: none asked for
	door   ticket
	opened time.Duration // when, in the server's time
	window time.Duration
	phase  time.Duration // of its windows, so that not all end together
	batch  bool
	form   form
	maxSub int

	allowance // owned by the reader
	delivery  // owned by the shard

	// alive and messageBegun are in the server's time; messageBegun is 0
	// between messages. Written by the reader, alive by the slow writer too;
	// read by the shard's sweep.
	alive        atomic.Int64
	messageBegun atomic.Int64
	// Written by the shard, read by whoever asks.
	sent      atomic.Uint64
	conflated atomic.Uint64
}

// allowance is how much more a client may ask for. Owned by the reader.
type allowance struct {
	bucket bucket // of messages
	pings  bucket
	bad    int          // refused requests in a row
	over   bool         // the shard was asked to end the connection over its pings
	asking *RequestInfo // the message that is being read; nil where nobody is told

	unserved end // why the last request could not be served; code 0: it could
}

// delivery is what there is to write to a client. Owned by the shard.
type delivery struct {
	dirty    bool // in the shard's list of those with something due
	full     bool // the socket takes nothing; itemWritable will come
	ending   bool // was told to close, or has ended: nothing more is sent
	awaited  bool // the shard's wheel has the window's end
	box      mailbox
	lost     swapcast.Gap // to be told once earlier gaps have left; ToSlot 0: none
	subs     map[subKey]*subscription
	held     []*subscription // those whose price waits for the window's end
	ids      *eventIDs       // of a stream of relayed trades, made before the shard hears of it; nil: others
	behind   []*subscription // those that are given what they lack, the first one first
	wallets  int             // of subs, those to balances
	closeBy  time.Duration   // when an ending connection is cut
	nextPing time.Duration
}

// windowEnd is the end of the window that now is in.
func (c *conn) windowEnd(now time.Duration) time.Duration {
	return now + c.window - (now-c.phase+c.window)%c.window
}

// run reads until the connection ends. It is the connection's goroutine.
func (c *conn) run() {
	if c.srv.opts.OnConn != nil {
		c.guard(func() { c.hooks = c.srv.opts.OnConn(c.info) })
	}
	c.shard.do(item{what: itemJoin, conn: c})
	var e end
	c.guard(func() {
		if c.sse {
			e = c.serveStream()
		} else {
			e = c.read()
		}
	})
	e = c.sock.cause(e)
	c.bye()
	leave := item{what: itemLeave, conn: c}
	if c.hooks.End == nil {
		c.shard.do(leave)
	} else {
		left := make(chan struct{})
		leave.call = func(*shard) { close(left) }
		c.shard.do(leave)
		<-left // the counts are complete
		told := ConnEnd{
			Code: int(e.code), Reason: e.reason, Duration: c.srv.elapsed() - c.opened,
			Sent: c.sent.Load(), Conflated: c.conflated.Load(),
		}
		c.guard(func() { c.hooks.End(told) })
	}
	c.srv.depart(c, e)
}

// lingerBytes is how much of a client's message is read and forgotten after
// the connection was closed over it.
const lingerBytes = 8 << 20

// turnAway ends a connection that was accepted only so that its client, which
// may be a browser and see nothing of an HTTP status, learns the reason.
func (c *conn) turnAway(e end) {
	c.sock.sendClose(e.code, e.reason)
	c.bye()
	c.srv.depart(c, e)
}

// bye closes the connection once the client has, or has had the time to. Where
// the connection is broken it returns at once.
func (c *conn) bye() {
	c.sock.linger(c.srv.opts.Timing.CloseTimeout, lingerBytes)
	if c.ws != nil {
		// An error means that the library has seen the end already.
		_ = c.ws.CloseNow()
	}
	c.sock.shut()
}

// guard lets a panic end this connection and no other.
func (c *conn) guard(f func()) {
	defer func() {
		if r := recover(); r != nil {
			c.panicked(r)
			c.sock.sendClose(wire.CloseInternalError, "internal error")
		}
	}()
	f()
}

// read takes messages until there are no more, and returns why.
func (c *conn) read() end {
	for {
		typ, r, err := c.ws.Reader(reading())
		if err != nil {
			return c.readEnd(err)
		}
		c.messageBegun.Store(int64(max(c.srv.elapsed(), 1)))
		buf := c.srv.buffers.get()
		data, err := readAll(r, *buf)
		*buf = data
		if err != nil {
			c.srv.buffers.put(buf)
			return c.readEnd(err)
		}
		c.messageBegun.Store(0)
		c.touch()
		e := c.elsewhere(func() end { return c.message(typ, data) })
		c.srv.buffers.put(buf)
		if e.code != 0 {
			// By way of the shard, so that the answers that wait leave first.
			c.shard.do(item{what: itemEnd, conn: c, end: e})
			return e
		}
	}
}

// elsewhere runs f on a goroutine of its own and waits for it. To understand a
// request takes a deep stack, which the reader would keep for as long as its
// connection lives: 8 KB, where 4 do to wait for the next one.
func (c *conn) elsewhere(f func() end) end {
	done := make(chan end, 1)
	go func() {
		e := end{wire.CloseInternalError, "internal error"} // unless f returns
		defer func() { done <- e }()
		c.guard(func() { e = f() })
	}()
	return <-done
}

// touch notes a sign of life. The reader calls it, and the slow writer when the
// client has made room.
func (c *conn) touch() { c.alive.Store(int64(c.srv.elapsed())) }

// readAll reads a message into buf and what it grows to.
func readAll(r io.Reader, buf []byte) ([]byte, error) {
	buf = buf[:0]
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

// readEnd is the cause of a connection's end as the reader sees it: the
// client's close code, or none. Where we closed, the socket knows better.
func (c *conn) readEnd(err error) end {
	var ce websocket.CloseError
	var broken net.Error
	switch {
	case errors.As(err, &ce):
		return end{wire.CloseCode(ce.Code), "closed by the client"}
	case errors.Is(err, websocket.ErrMessageTooBig):
		return end{wire.CloseTooBig, "message too big"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.As(err, &broken):
		return end{wire.CloseAbnormal, "connection lost"}
	default:
		// For some breaches of the protocol coder/websocket sends no close
		// frame; where it has, this one is not sent.
		c.sock.sendClose(wire.CloseProtocolError, "the frames break RFC 6455")
		return end{wire.CloseProtocolError, "protocol error"}
	}
}

// message handles one message, and returns the end that it leads to, if any.
func (c *conn) message(typ websocket.MessageType, data []byte) end {
	if ok, abuse := c.bucket.take(c.srv.elapsed()); !ok {
		c.refuse(wire.Error{Code: wire.RateLimited, Message: "too many messages; this one was not read"})
		c.hooks.unread()
		if abuse {
			return end{wire.ClosePolicy, "too many messages for too long"}
		}
		return end{}
	}
	c.asking = c.hooks.begin()
	refused := c.request(typ, data)
	c.hooks.answered(c.asking, refused.Code)
	switch {
	case refused.Code == "":
		c.bad = 0
		return c.unserved
	case refused.Code == wire.TooManySubscriptions: // understood, but too much
		c.refuse(refused)
		c.bad = 0
		return end{}
	}
	c.refuse(refused)
	if c.bad++; c.bad >= c.srv.opts.Limits.BadRequests {
		return end{wire.CloseBadRequest, fmt.Sprintf("%d bad requests in a row, the last: %s", c.bad, refused.Code)}
	}
	return end{}
}

// refuse sends an error.
func (c *conn) refuse(e wire.Error) {
	c.srv.opts.Metrics.refuse(string(e.Code))
	c.reply(errorFrame(e))
}

func errorFrame(e wire.Error) *frame {
	return newFrame(kindReply, replySize, func(dst []byte) []byte { return wire.AppendError(dst, &e) })
}

// replySize holds most answers.
const replySize = 256

func (c *conn) reply(f *frame) { c.shard.do(item{what: itemReply, conn: c, frame: f}) }

// pinged is called by coder/websocket for each ping, and reports whether to
// answer it.
func (c *conn) pinged() bool {
	c.touch()
	ok, abuse := c.pings.take(c.srv.elapsed())
	if abuse && !c.over {
		c.over = true
		c.shard.do(item{what: itemEnd, conn: c, end: end{wire.ClosePolicy, "too many pings for too long"}})
	}
	return ok
}

// newPhase spreads the windows of the connections over their length.
func newPhase(window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	return rand.N(window)
}
