package stream

import (
	"runtime/debug"
	"time"

	"github.com/swapcast/swapcast/stream/wire"
)

// ConnHooks are told what becomes of one connection; those that are nil are not
// called, and cost nothing.
type ConnHooks struct {
	// Request is called once for each message of the client, when all has been done
	// that it asks for. A shard's goroutine calls it, or the connection's: it must
	// return at once, may be called on both at the same time, and must not call the
	// server.
	Request func(RequestInfo)
	// Panic is called with what was recovered, from within the deferred function, so
	// that the stack is still the one that panicked. The connection is closed then
	// with 1011. What holds for Request holds for it.
	Panic func(recovered any)
	// End is called on the connection's own goroutine once all counts are complete.
	End func(ConnEnd)
}

// RequestInfo is what became of one message of a client. Nothing in it is the
// client's own words.
type RequestInfo struct {
	Action     string // subscribe, unsubscribe, ping or stream (of server-sent events); "" for others
	Channel    string // "" where there is none, or none that is known
	Commitment string // as Channel
	Assets     int    // assets or wallets that it names and that are served
	Refused    int    // those that are not
	Resumed    bool   // it goes on where a client had left off
	// Code is the first error that it was answered with, "" none.
	Code wire.Code

	// When it was read, understood, taken up by the shard and done. Zero where it
	// did not come so far; Done always is set.
	Begun, Parsed, Taken, Done time.Time
}

// begin is called when a message has been read.
func (h *ConnHooks) begin() *RequestInfo {
	if h.Request == nil {
		return nil
	}
	return &RequestInfo{Begun: time.Now()}
}

// opening is begin for what a stream of events has come for.
func (h *ConnHooks) opening(q *request) *RequestInfo {
	i := h.begin()
	i.asked(q)
	if i != nil {
		i.Action = "stream"
	}
	return i
}

// unread tells of a message over the client's rate.
func (h *ConnHooks) unread() {
	if i := h.begin(); i != nil {
		h.answered(i, wire.RateLimited)
	}
}

// answered tells of a message with which the shard has nothing to do; i is nil
// where the shard tells, or nobody.
func (h *ConnHooks) answered(i *RequestInfo, code wire.Code) {
	if i == nil {
		return
	}
	i.Done = time.Now()
	if i.Parsed.IsZero() {
		i.Parsed = i.Done
	}
	i.Code = code
	h.Request(*i)
}

// parsed notes what is asked for, in words of ours.
func (i *RequestInfo) parsed(r *wire.Request) {
	if i == nil {
		return
	}
	switch r.Action {
	case wire.ActionPing, wire.ActionSubscribe, wire.ActionUnsubscribe:
		i.Action = r.Action
	}
}

// asked notes what the shard is asked for.
func (i *RequestInfo) asked(q *request) {
	if i == nil {
		return
	}
	i.Parsed = time.Now()
	i.Channel, i.Assets, i.Refused, i.Resumed = q.channel.name(), len(q.topics), len(q.refused), q.since != nil
	if q.channel != chanStatus {
		i.Commitment = q.commitment.String()
	}
}

// request does what a client asks for, and lets a panic end that client's
// connection and no other.
func (s *shard) request(c *conn, r *request) {
	defer s.rescue(c)
	if r.info == nil {
		s.serve(c, r)
		return
	}
	r.info.Taken = time.Now()
	s.serve(c, r)
	i := r.info
	i.Done = time.Now()
	// The shard may have refused more.
	i.Assets -= len(r.refused) - i.Refused
	i.Refused = len(r.refused)
	if i.Refused > 0 {
		i.Code = r.refused[0].Code
	}
	c.hooks.Request(*i)
}

// rescue is deferred around what a shard does for one client.
func (s *shard) rescue(c *conn) {
	if v := recover(); v != nil {
		c.panicked(v)
		s.close(c, wire.CloseInternalError, "internal error")
	}
}

// panicked tells of a panic; the deferred function that recovered it calls this.
func (c *conn) panicked(v any) {
	c.srv.opts.Logger.Error("connection panicked", "conn", c.info.ID, "panic", v, "stack", string(debug.Stack()))
	if c.hooks.Panic == nil {
		return
	}
	defer func() {
		if again := recover(); again != nil {
			c.srv.opts.Logger.Error("the report of a panic panicked", "conn", c.info.ID, "panic", again)
		}
	}()
	c.hooks.Panic(v)
}

// TraceHeader is the header sentry-trace where it has its form: 32 hexadecimal
// digits, 16, and perhaps a flag.
func TraceHeader(v string) string {
	const ids = 32 + 1 + 16
	if len(v) < ids || len(v) > ids+2 || v[32] != '-' {
		return ""
	}
	for i := range ids {
		c := v[i]
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if i != 32 && !hex {
			return ""
		}
	}
	return string([]byte(v[:ids])) // not the whole request with it, nor the flag: who samples is ours to say
}
