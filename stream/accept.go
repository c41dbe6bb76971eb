package stream

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast/stream/wire"
)

// SetHTTPLimits bounds what a client can hold of the HTTP server before it is
// a connection of ours: a handshake that trickles in, headers that never end.
// WebSocket connections themselves are out of the HTTP server's reach. It also lets
// the server see how many files are open when a client comes: see Limits.OpenFiles.
func SetHTTPLimits(srv *http.Server) {
	srv.ReadHeaderTimeout = 5 * time.Second
	srv.IdleTimeout = 60 * time.Second
	srv.MaxHeaderBytes = 16 << 10
	srv.ConnContext = noteDescriptor
}

// ServeHTTP answers GET /ws. It returns as soon as the handshake is done: the
// connection has its own goroutine, and the memory of the HTTP request goes.
// What is refused before the handshake is answered as application/problem+json
// with a code: not_websocket (426), method_not_allowed (405), origin_refused
// (403), bad_parameter (400), overloaded, out_of_files, too_many_connections and
// draining (503, with Retry-After).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := s.refusal(r); p != nil {
		s.opts.Metrics.refuse(p.Code)
		p.write(w)
		return
	}
	query := r.URL.Query()
	window, err := parseWindow(query.Get("window_ms"))
	if err != "" {
		s.opts.Metrics.refuse(codeBadParameter)
		(&problem{http.StatusBadRequest, codeBadParameter, err, "window_ms"}).write(w)
		return
	}
	keys := s.keys.Load()
	var key *apiKey
	if keys != nil {
		key = keys.find(secret(r, query))
	}
	c, full, p := s.admit(r, query, key, window)
	if p != nil {
		s.opts.Metrics.refuse(p.Code)
		p.write(w)
		return
	}
	c.batch = query.Get("batch") == "1"
	c.info.Batch = c.batch
	if !s.upgrade(c, w, r) {
		s.door.leave(c.door)
		s.readers.Done()
		return
	}
	s.opts.Metrics.connected(c, 1)
	switch {
	case keys != nil && key == nil:
		go c.turnAway(end{wire.CloseBadKey, "no valid API key"})
	case full:
		go c.turnAway(end{wire.CloseOverload, "the API key has as many connections as it may"})
	default:
		go c.run()
	}
}

// admit counts a client in and makes its connection, or says why not. full says
// that its key has as many connections as it may, which it is let in to be told.
func (s *Server) admit(r *http.Request, query url.Values, key *apiKey, window time.Duration) (c *conn, full bool, p *problem) {
	if s.fewFiles(r) {
		return nil, false, &problem{http.StatusServiceUnavailable, codeFiles, "the server has as many files open as it may", ""}
	}
	client := s.clientAddr(r)
	door, v := s.door.admit(client, key, func() { s.readers.Add(1) })
	if p := v.problem(s.draining.Load()); p != nil {
		return nil, false, p
	}
	c = s.newConn(key, window)
	c.door = door
	c.info = ConnInfo{
		ID: s.nextConn.Add(1), TestID: Tag(query.Get("test_id")), VUID: Tag(query.Get("vu_id")), Scenario: Tag(query.Get("scenario")),
		RemoteAddr: client.String(), UserAgent: strings.Clone(clip(r.UserAgent())), Beta: query.Get("beta") == "1", Window: window,
		Trace: TraceHeader(r.Header.Get("Sentry-Trace")),
	}
	if key != nil {
		c.info.Key = key.name
	}
	return c, v == tooManyOfKey, nil
}

func (s *Server) newConn(key *apiKey, window time.Duration) *conn {
	l := s.opts.Limits
	if key != nil && key.rate > 0 {
		l.MessagesPerSecond, l.MessageBurst = key.rate, int(4*key.rate)
	}
	c := &conn{
		srv: s, key: key, opened: s.elapsed(), window: window, phase: newPhase(window),
		maxSub: l.Subscriptions, allowance: allowance{bucket: newBucket(&l), pings: newBucket(&l)},
	}
	if key != nil && key.subscriptions > 0 {
		c.maxSub = key.subscriptions
	}
	// Connections come and go at random, so that turns keep shards even.
	c.shard = s.shards[s.nextConn.Load()%uint64(len(s.shards))]
	c.sock = &socket{
		spawn: s.writers.Go, limit: s.opts.Timing.DeadAfter,
		dropped: func() { s.opts.Metrics.drop("control", "slow_write") },
	}
	c.sock.writable = func() {
		c.touch() // it reads
		c.shard.do(item{what: itemWritable, conn: c})
	}
	c.touch()
	return c
}

// upgrade does the handshake. Where it fails, the answer is written.
func (s *Server) upgrade(c *conn, w http.ResponseWriter, r *http.Request) bool {
	ws, err := websocket.Accept(&hijacker{ResponseWriter: w, sock: c.sock}, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the origin is checked above, with an answer that has a code
		Subprotocols:       []string{wire.Subprotocol},
		CompressionMode:    s.compression(),
		OnPingReceived:     func(context.Context, []byte) bool { return c.pinged() },
		OnPongReceived:     func(context.Context, []byte) { c.touch() },
	})
	if err != nil {
		s.opts.Metrics.refuse(codeNotWebSocket)
		s.opts.Logger.Debug("handshake failed", "err", err, "remote", c.info.RemoteAddr)
		return false
	}
	ws.SetReadLimit(int64(s.opts.Limits.MessageBytes))
	c.ws = ws
	c.form = formOf(ws.Subprotocol(), w.Header().Get("Sec-WebSocket-Extensions"))
	c.info.Form = c.form.String()
	s.sizeSendBuffer(c.sock.Conn)
	return true
}

// compression is what is negotiated where a client asks for it: no message needs
// another one, in either direction. Of the server's this is what lets all clients
// share them, and of the clients' it is 32 KB a connection that need not be kept.
func (s *Server) compression() websocket.CompressionMode {
	if s.opts.Compression {
		return websocket.CompressionNoContextTakeover
	}
	return websocket.CompressionDisabled
}

func (s *Server) sizeSendBuffer(nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok && s.opts.Timing.SendBuffer > 0 {
		// The kernel's own size does as well.
		_ = tcp.SetWriteBuffer(s.opts.Timing.SendBuffer)
	}
}

// depart counts a connection out.
func (s *Server) depart(c *conn, e end) {
	s.opts.Logger.Debug("connection ended", "conn", c.info.ID, "remote", c.info.RemoteAddr, "test_id", c.info.TestID, "vu_id", c.info.VUID,
		"code", int(e.code), "reason", e.reason, "sent", c.sent.Load(), "conflated", c.conflated.Load())
	s.opts.Metrics.connected(c, -1)
	s.opts.Metrics.close(e.code)
	s.door.leave(c.door)
	s.readers.Done()
}

// Codes of what is refused before the handshake.
const (
	codeNotWebSocket  = "not_websocket"
	codeMethod        = "method_not_allowed"
	codeOrigin        = "origin_refused"
	codeBadParameter  = "bad_parameter"
	codeOverloaded    = "overloaded"
	codeTooManyOfAddr = "too_many_connections"
	codeFiles         = "out_of_files"
	codeDraining      = "draining"
	codeBadKey        = "bad_key"
	codeNotHTTP1      = "not_http1"
)

// problem is an answer as RFC 9457 has it.
type problem struct {
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	Parameter string `json:"parameter,omitempty"`
}

func (p *problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	switch p.Status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	case http.StatusUpgradeRequired:
		h.Set("Upgrade", "websocket")
		h.Set("Connection", "Upgrade")
		h.Set("Sec-WebSocket-Version", "13")
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodGet)
	}
	w.WriteHeader(p.Status)
	body := struct {
		Type  string `json:"type"`
		Title string `json:"title"`
		*problem
	}{"about:blank", http.StatusText(p.Status), p}
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// refusal checks what needs no counting.
func (s *Server) refusal(r *http.Request) *problem {
	switch {
	case r.Method != http.MethodGet:
		return &problem{http.StatusMethodNotAllowed, codeMethod, "a WebSocket handshake is a GET", ""}
	case !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		return &problem{http.StatusUpgradeRequired, codeNotWebSocket, "this address speaks WebSocket", ""}
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return &problem{http.StatusUpgradeRequired, codeNotWebSocket, "the version of the protocol is 13", ""}
	case !s.originAllowed(r):
		return &problem{http.StatusForbidden, codeOrigin, "pages of this origin may not connect", ""}
	default:
		return nil
	}
}

// problem is what a newcomer is told that was not let in.
func (v verdict) problem(draining bool) *problem {
	switch v {
	case notOpen:
		if draining {
			return &problem{http.StatusServiceUnavailable, codeDraining, "the server is going away", ""}
		}
		return &problem{http.StatusServiceUnavailable, codeOverloaded, "the server is not ready", ""}
	case tooMany:
		return &problem{http.StatusServiceUnavailable, codeOverloaded, "the server has as many connections as it may", ""}
	case tooManyFromAddress:
		return &problem{http.StatusServiceUnavailable, codeTooManyOfAddr, "the address has as many connections as it may", ""}
	default:
		return nil
	}
}

func hasToken(h http.Header, name, token string) bool {
	for _, v := range h.Values(name) {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// originAllowed checks where a browser's page is from; see
// Options.AllowedOrigins.
func (s *Server) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return slices.Contains(s.opts.AllowedOrigins, "*")
	}
	if strings.EqualFold(u.Host, r.Host) {
		return true
	}
	return slices.ContainsFunc(s.opts.AllowedOrigins, func(pattern string) bool {
		target := u.Host
		if strings.Contains(pattern, "://") {
			target = u.Scheme + "://" + u.Host
		}
		ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(target))
		return pattern == "*" || (err == nil && ok)
	})
}

// parseWindow reads window_ms; problem is empty where it is well.
func parseWindow(v string) (window time.Duration, problem string) {
	if v == "" {
		return 0, ""
	}
	ms, err := strconv.Atoi(v)
	if err != nil || ms < 0 || time.Duration(ms)*time.Millisecond > MaxWindow {
		return 0, "window_ms is a whole number of milliseconds from 0 to 5000"
	}
	return time.Duration(ms) * time.Millisecond, ""
}

// secret is the API key that a client shows.
func secret(r *http.Request, query url.Values) string {
	const scheme = "bearer "
	if h := r.Header.Get("Authorization"); len(h) > len(scheme) && strings.EqualFold(h[:len(scheme)], scheme) {
		return strings.TrimSpace(h[len(scheme):])
	}
	return query.Get("api_key")
}

// maxTag is the length of the longest tag.
const maxTag = 64

// Tag makes what a client says of itself fit for logs: at most 64 of
// A-Za-z0-9_.:- or else "invalid".
func Tag(v string) string {
	if len(v) > maxTag {
		return "invalid"
	}
	for i := range len(v) {
		c := v[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '_', c == '.', c == ':', c == '-':
		default:
			return "invalid"
		}
	}
	return strings.Clone(v) // not the whole request line with it
}

// clientAddr is the address that connections are counted by: the peer's, or
// where that is a trusted proxy, the nearest one in X-Forwarded-For that is
// none. It is not valid where the peer has no IP address.
func (s *Server) clientAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	return addr
}

func (s *Server) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(s.opts.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
