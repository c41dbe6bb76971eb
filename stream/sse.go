package stream

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/swapcast/swapcast/stream/wire"
)

// ServeSSE answers GET /v1/stream: one subscription as server-sent events, for
// who cannot or need not speak WebSocket. The query is what a subscribe message
// is: channel, assets or wallets (separated by commas), interval, commitment;
// beside it window_ms, api_key and the tags as GET /ws has them. The messages are
// the same, one a data line; the first one is the acknowledgement, with the id
// "stream".
//
// It takes the connection over from the HTTP server, writes HTTP/1.1 on it, and
// is then a connection like any other: same shards, same mailboxes, same bounds.
// Heartbeats are comments. Where a WebSocket is told to come back elsewhere, the
// stream has a retry line; where it is closed for another reason, an event named
// error whose data is an error message; then it ends. One that cannot be served now,
// as where an edge's Redis is away, has both.
//
// Messages that must not be missed, and the acknowledgement, carry an event id,
// RUN.POSITION. A client that comes with it as Last-Event-ID goes on behind
// that message, as with since: trades and retracts of all its assets come in the
// order of their positions, so that one number says how far it is. A server whose
// numbers are those of others (Options.Epoch) gives streams of trades ids that these
// understand as well, with the seq of each asset (see eventIDs): the client goes on
// at any of them. Its acknowledgement has none where something is missing. Final
// candles are numbered by each server: who comes from another one is told of a gap.
//
// What is refused is answered as application/problem+json: what ServeHTTP
// refuses, bad_key (401), and the codes of refused requests (400).
func (s *Server) ServeSSE(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" && s.originAllowed(r) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
	}
	w.Header().Add("Vary", "Origin")
	if r.Method == http.MethodOptions {
		h := w.Header()
		h.Set("Access-Control-Allow-Methods", http.MethodGet)
		h.Set("Access-Control-Allow-Headers", "Authorization, Last-Event-ID, Cache-Control")
		h.Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if p := s.openStream(w, r); p != nil {
		s.opts.Metrics.refuse(p.Code)
		p.write(w)
	}
}

// openStream lets a client in, or says why not.
func (s *Server) openStream(w http.ResponseWriter, r *http.Request) *problem {
	switch {
	case r.Method != http.MethodGet:
		return &problem{http.StatusMethodNotAllowed, codeMethod, "a stream is read with GET", ""}
	case !s.originAllowed(r):
		return &problem{http.StatusForbidden, codeOrigin, "pages of this origin may not connect", ""}
	}
	query := r.URL.Query()
	window, wrong := parseWindow(query.Get("window_ms"))
	if wrong != "" {
		return &problem{http.StatusBadRequest, codeBadParameter, wrong, "window_ms"}
	}
	q, names, p := s.streamRequest(query, r.Header.Get("Last-Event-ID"))
	if p != nil {
		return p
	}
	keys := s.keys.Load()
	var key *apiKey
	if keys != nil {
		if key = keys.find(secret(r, query)); key == nil {
			return &problem{http.StatusUnauthorized, codeBadKey, "no valid API key", "api_key"}
		}
	}
	c, full, p := s.admit(r, query, key, window)
	if p != nil {
		return p
	}
	c.sse, c.info.SSE, c.sock.sse = true, true, true
	if full {
		p = &problem{http.StatusServiceUnavailable, codeOverloaded, "the API key has as many connections as it may", ""}
	} else {
		p = c.openStream(w, q, names, r.Header.Get("Last-Event-ID"))
	}
	if p != nil {
		s.door.leave(c.door)
		s.readers.Done()
		return p
	}
	s.opts.Metrics.connected(c, 1)
	go c.run()
	return nil
}

// openStream finds the topics of a stream and takes the connection over.
func (c *conn) openStream(w http.ResponseWriter, q *request, names []string, lastID string) *problem {
	if refused := c.topics(q, names); len(q.topics) == 0 {
		return &problem{http.StatusBadRequest, string(refused.Code), refused.Message, refused.Code.Parameter()}
	}
	if c.srv.relayed() && q.channel == chanTrades {
		c.ids = newEventIDs(c.srv.epoch, q.topics)
		if lastID != "" {
			q.since = c.ids.parse(lastID)
		}
	}
	c.first = q
	if p := c.takeOver(w); p != nil {
		for _, t := range q.topics {
			c.srv.registry.release(t)
		}
		return p
	}
	return nil
}

// streamRequest reads what a stream asks for.
func (s *Server) streamRequest(query map[string][]string, lastID string) (q *request, names []string, p *problem) {
	get := func(name string) string { return strings.Join(query[name], ",") }
	r := &wire.Request{
		Channel: get("channel"), Assets: splitList(get("assets")), Wallets: splitList(get("wallets")),
		Interval: get("interval"), Commitment: get("commitment"),
	}
	if r.Channel == "" {
		r.Channel = wire.ChannelPrices
	}
	q = &request{id: `"stream"`, subscribe: true}
	names, refused := q.read(r)
	if refused.Code != "" {
		return nil, nil, &problem{http.StatusBadRequest, string(refused.Code), refused.Message, refused.Code.Parameter()}
	}
	if most := s.opts.Limits.StreamAssets; len(names) > most {
		return nil, nil, &problem{
			http.StatusBadRequest, string(wire.TooManySubscriptions), "a stream may name " + strconv.Itoa(most) + " assets or wallets", "assets",
		}
	}
	if lastID != "" {
		epoch, at, _ := strings.Cut(lastID, ".")
		position, err := strconv.ParseUint(at, positionBase, 64)
		if err != nil {
			epoch = "" // none of ours: as from another run
		}
		q.since = &since{epoch: epoch, positioned: true, position: position}
	}
	return q, names, nil
}

func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// positionBase is the base in which event ids have their position.
const positionBase = 36

// takeOver takes the connection from the HTTP server and begins the answer.
func (c *conn) takeOver(w http.ResponseWriter) *problem {
	unable := &problem{http.StatusHTTPVersionNotSupported, codeNotHTTP1, "a stream is served over HTTP/1.1", ""}
	hijack, ok := w.(http.Hijacker)
	if !ok {
		return unable
	}
	nc, _, err := hijack.Hijack()
	if err != nil {
		return unable
	}
	c.sock.attach(nc)
	c.srv.sizeSendBuffer(c.sock.Conn)
	c.sock.dieUnheard(c.srv.opts.Timing.DeadAfter)
	head := append([]byte(nil), "HTTP/1.1 200 OK\r\n"+
		"Content-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nConnection: close\r\nVary: Origin\r\n"...)
	if origin := w.Header().Get("Access-Control-Allow-Origin"); origin != "" {
		head = append(head, "Access-Control-Allow-Origin: "+origin+"\r\n"...)
	}
	head = append(head, "\r\n"...)
	// What fails here, the reader of the connection finds out.
	_ = nc.SetDeadline(time.Now().Add(c.srv.opts.Timing.CloseTimeout))
	_, _ = nc.Write(head)
	_ = nc.SetDeadline(time.Time{})
	return nil
}

// serveStream gives a client what it has come for, until it goes, and returns why.
func (c *conn) serveStream() end {
	c.first.info = c.hooks.opening(c.first)
	if e := c.follow(c.first); e.code != 0 {
		c.shard.do(item{what: itemEnd, conn: c, end: e})
		return e
	}
	c.shard.do(item{what: itemRequest, conn: c, request: c.first})
	return c.readStream()
}

// readStream waits for a client that has nothing to say to go.
func (c *conn) readStream() end {
	_, err := io.CopyN(io.Discard, c.sock.Conn, int64(c.srv.opts.Limits.MessageBytes))
	switch {
	case err == nil:
		e := end{wire.ClosePolicy, "a stream is only read"}
		c.shard.do(item{what: itemEnd, conn: c, end: e})
		return e
	case errors.Is(err, io.EOF):
		return end{wire.CloseNormal, "closed by the client"}
	default:
		return end{wire.CloseAbnormal, "connection lost"}
	}
}

// fillEvents is fill for a stream of events.
func (m *mailbox) fillEvents(buf []byte, marks []mark, run string, ids *eventIDs) ([]byte, []mark) {
	if ids != nil {
		ids.filling = append(ids.filling[:0], ids.seen...)
	}
	for i := m.first; i < len(m.queue) && len(buf) < maxWrite; i++ {
		f := m.queue[i].frame
		if f.position != 0 {
			buf = append(buf, "id: "...)
			if ids != nil {
				buf = ids.append(buf, f)
			} else {
				buf = append(buf, run...)
				buf = append(buf, '.')
				buf = strconv.AppendUint(buf, f.position, positionBase)
			}
			buf = append(buf, '\n')
		}
		buf = append(buf, "data: "...)
		buf = append(buf, f.payload()...) // JSON of ours has no line ends
		buf = append(buf, "\n\n"...)
		marks = append(marks, mark{len(buf), 1})
	}
	return buf, marks
}

// streamEnd is what a stream ends with in place of a close frame.
func streamEnd(code wire.CloseCode, reason string) []byte {
	if code == wire.CloseGoingAway {
		return wire.AppendRetry(nil, reason)
	}
	var b []byte
	if code == wire.CloseOverload { // the line is read whatever becomes of the event that it stands in
		wait := overloadRetryMin + rand.N(overloadRetryMax-overloadRetryMin)
		b = fmt.Appendf(b, "retry: %d\n", wait.Milliseconds())
	}
	b = append(b, "event: error\ndata: "...)
	b = wire.AppendError(b, &wire.Error{Code: code.StreamCode(), Message: reason})
	return append(b, "\n\n"...)
}

// When a stream that cannot be served now is to come back: soon, and not all at once.
const (
	overloadRetryMin = time.Second
	overloadRetryMax = 5 * time.Second
)

// heartbeat is a comment, which keeps proxies from taking a stream for dead.
const heartbeat = ":\n\n"

// position is what the acknowledgement of a stream has as its id: everything
// that the client is to get comes after it.
func (s *shard) position(r *request, granted []*topic) uint64 {
	switch {
	case r.since != nil && s.srv.knows(r.since):
		return r.since.position
	case r.since != nil && r.channel == chanTrades:
		return 0 // all that is kept of this run
	case r.position != 0:
		return r.position
	}
	now := s.srv.history.now()
	for _, t := range granted {
		lane := r.channel.lane()
		if t.numbered(lane) != t.shards[s.index].seqs[lane] {
			return s.taken // something of it waits to be taken up
		}
	}
	return now
}

// dieUnheard makes the kernel give up a connection whose peer has acknowledged
// nothing for d: a stream's client says nothing that would show that it is alive.
func (s *socket) dieUnheard(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plain && !s.closed {
		setUserTimeout(s.fd, d) // without it the kernel's own patience holds, some 15 minutes
	}
}
