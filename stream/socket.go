package stream

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/swapcast/swapcast/stream/wire"
)

// socket is one client's connection below coder/websocket, which does the
// handshake, reads frames, and answers pings and close frames through Write.
// Data frames do not pass through the library: shards write them with send.
//
// Both hands hold mu for a write that never blocks, and both write whole
// frames. What the kernel does not take at once becomes pending, and a
// goroutine of the socket's own writes it out with blocking writes; while it
// runs nobody else touches the socket, control frames queue behind pending,
// and data stays in the mailbox. After a close frame nothing more is accepted.
//
// The fields that a send looks at come first: they share a line of the cache.
type socket struct {
	mu sync.Mutex
	// guarded by mu
	slow       bool // the slow writer has the socket
	closeSent  bool // a close frame was accepted
	closeAfter bool // close once pending is written
	closed     bool
	// static after construction
	sse   bool // a stream of events: comments for pings, an event or a retry line for the close frame
	plain bool // fd is there; else (TLS, a test's pipe) every write goes the slow way
	// fd is the descriptor of Conn, which is closed by nobody but the socket, after
	// closed is set: who holds mu and sees it unset may use fd.
	fd int
	net.Conn
	spawn func(func())  // runs the slow writer; the server waits for it
	limit time.Duration // of one slow write
	// writable is called by the slow writer when the socket takes data again.
	// A socket that never will is closed, which ends its reader.
	writable func()
	// dropped is told of a control frame that found no room behind a slow
	// write; nil is told nothing. Called with mu held.
	dropped func()

	// owned by the reader
	early []byte // what the HTTP server had read beyond the handshake

	// guarded by mu
	pending  []byte // the rest of a frame that was begun, then control frames
	controls int    // bytes of control frames in pending
	end      end    // first cause of the end
}

// end is why a connection ended.
type end struct {
	code   wire.CloseCode // 0: not known yet
	reason string
}

// maxPendingControl bounds the control frames that wait behind a slow write. A
// pong beyond it is dropped: RFC 6455 lets the latest ping's pong answer all.
const maxPendingControl = 1 << 10

// hijacker hands coder/websocket our socket in place of the TCP connection,
// with buffers that fit what clients send rather than net/http's 4 KB twice.
type hijacker struct {
	http.ResponseWriter
	sock *socket
}

// Buffers of coder/websocket: requests are small, and it writes nothing but
// control frames, which must each fit to leave in one Write.
const (
	readBuffer  = 256
	writeBuffer = 256
)

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hj, ok := h.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the HTTP connection cannot be taken over")
	}
	nc, brw, err := hj.Hijack()
	if err != nil {
		return nil, nil, err
	}
	if n := brw.Reader.Buffered(); n > 0 {
		b, err := brw.Peek(n)
		if err != nil {
			nc.Close()
			return nil, nil, err
		}
		h.sock.early = append([]byte(nil), b...)
	}
	h.sock.attach(nc)
	return h.sock, bufio.NewReadWriter(bufio.NewReaderSize(h.sock, readBuffer), bufio.NewWriterSize(h.sock, writeBuffer)), nil
}

// attach gives the socket its connection.
func (s *socket) attach(nc net.Conn) {
	s.Conn = nc
	if tcp, ok := nc.(*net.TCPConn); ok {
		s.fd, s.plain = descriptor(tcp)
	}
}

// Read implements io.Reader for coder/websocket.
func (s *socket) Read(p []byte) (int, error) {
	if len(s.early) > 0 {
		n := copy(p, s.early)
		if s.early = s.early[n:]; len(s.early) == 0 {
			s.early = nil
		}
		return n, nil
	}
	return s.Conn.Read(p)
}

// Write takes one whole control frame from coder/websocket. It never blocks:
// what cannot leave now is queued. After a close frame it swallows the frame,
// as the protocol demands, and reports success so that the library goes on.
func (s *socket) Write(p []byte) (int, error) {
	if len(p) < 2 {
		return 0, errors.New("stream: not a frame")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, net.ErrClosed
	}
	s.control(p, p[0]&opcodeMask == opClose)
	return len(p), nil
}

// ping sends a ping frame.
func (s *socket) ping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.sse:
		s.control([]byte(heartbeat), false)
	default:
		s.control([]byte{finPing, 0}, false)
	}
}

// sendClose sends a close frame, and nothing after it. It reports whether it
// was the first.
func (s *socket) sendClose(code wire.CloseCode, reason string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.closeSent {
		return false
	}
	s.because(code, reason)
	last := closeFrame(code, reason)
	if s.sse {
		last = streamEnd(code, reason)
	}
	s.control(last, true)
	return true
}

// control sends or queues one control frame, the last thing that is sent where it
// is closing. Called with mu held.
func (s *socket) control(p []byte, closing bool) {
	if s.closeSent {
		return
	}
	if closing {
		s.closeSent = true
		if len(p) >= 4 {
			s.because(wire.CloseCode(binary.BigEndian.Uint16(p[2:])), string(p[4:]))
		}
	}
	if s.slow {
		if closing || s.controls+len(p) <= maxPendingControl {
			s.pending = append(s.pending, p...)
			s.controls += len(p)
		} else if s.dropped != nil {
			s.dropped()
		}
		return
	}
	n := 0
	if s.plain {
		var err error
		if n, err = writeNow(s.fd, p); err != nil {
			s.fail()
			return
		}
	}
	if n < len(p) {
		s.pending = append(s.pending, p[n:]...)
		s.startSlow()
		return
	}
	if closing {
		s.halfClose() // plain TCP here, which does not block
	}
}

// because notes the first cause of the connection's end. Called with mu held.
func (s *socket) because(code wire.CloseCode, reason string) {
	if s.end.code == 0 {
		s.end = end{code, reason}
	}
}

// cause returns why the connection ended; other stands in where nothing was noted.
func (s *socket) cause(other end) end {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end.code == 0 {
		s.end = other
	}
	return s.end
}

// sent is what became of a send.
type sent uint8

const (
	sentAll  sent = iota
	sentSlow      // the socket is full: the slow writer will call writable
	sentDead      // closed, or closing: nothing more will leave
)

// send writes whole frames without blocking. marks are their ends in b. It
// returns how many frames it took over: those after them are still the
// caller's, to be sent, or replaced by newer ones, once the socket is writable.
func (s *socket) send(b []byte, marks []mark) (taken int, result sent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.closeSent {
		return 0, sentDead
	}
	if s.slow {
		return 0, sentSlow
	}
	if !s.plain {
		s.pending = append(s.pending, b...)
		s.startSlow()
		return len(marks), sentSlow
	}
	n, err := writeNow(s.fd, b)
	if err != nil {
		s.fail()
		return 0, sentDead
	}
	if n == len(b) {
		return len(marks), sentAll
	}
	// The frame that was begun must be finished before anything else. Where
	// none was, the first is begun by the slow writer, which learns by it
	// that there is room again.
	for marks[taken].end <= n {
		taken++
	}
	s.pending = append(s.pending, b[n:marks[taken].end]...)
	s.startSlow()
	return taken + 1, sentSlow
}

// mark is the end of a frame in a buffer, and how many messages it holds.
type mark struct {
	end      int
	messages int
}

// startSlow hands the socket to the slow writer. Called with mu held, with
// something pending.
func (s *socket) startSlow() {
	s.slow = true
	s.spawn(s.writeSlow)
}

// writeSlow writes what is pending, and what is added meanwhile, with blocking
// writes; then it gives the socket back.
func (s *socket) writeSlow() {
	for {
		s.mu.Lock()
		b := s.pending
		s.pending, s.controls = nil, 0
		if len(b) == 0 || s.closed {
			s.endSlow()
			return
		}
		s.mu.Unlock()

		// shut may set a nearer deadline meanwhile: that one stands.
		err := s.setWriteLimit()
		if err == nil {
			_, err = s.Conn.Write(b)
		}
		if err != nil {
			s.mu.Lock()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.because(wire.CloseSlowConsumer, "read nothing for too long")
			}
			s.fail()
			s.mu.Unlock()
			return
		}
	}
}

func (s *socket) setWriteLimit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closeAfter {
		return nil // shut has set a nearer one
	}
	return s.Conn.SetWriteDeadline(time.Now().Add(s.limit))
}

// endSlow gives the socket back. Called with mu held; releases it.
func (s *socket) endSlow() {
	s.slow = false
	if s.closed {
		s.mu.Unlock()
		return
	}
	if s.closeAfter {
		s.closed = true
		s.mu.Unlock()
		s.Conn.Close()
		return
	}
	closing := s.closeSent
	if !closing && s.Conn.SetWriteDeadline(time.Time{}) != nil {
		s.fail()
	}
	s.mu.Unlock()
	if closing {
		s.halfClose()
		return
	}
	s.writable()
}

// halfClose says that nothing follows the close frame: the peer sees the end
// at once, while what it still sends can be read, so that the kernel does not
// answer it with a reset that would overtake the close frame. An error means
// that the connection is gone, which its reader finds out.
func (s *socket) halfClose() {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// fail cuts the connection, which ends its reader. Called with mu held: TLS is
// not asked to say goodbye, since that could block.
func (s *socket) fail() {
	if s.closed {
		return
	}
	s.closed = true
	s.pending = nil
	if tls, ok := s.Conn.(interface{ NetConn() net.Conn }); ok {
		tls.NetConn().Close()
		return
	}
	s.Conn.Close()
}

// Close is called by coder/websocket, right after it has handed over its
// answer to the client's close frame among others. Where a close frame is on
// its way the connection stays open: closing now would lose what waits, and
// what the client still sends would reset the connection under it. The reader
// lingers and then calls shut.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.closeSent {
		return nil
	}
	s.closed = true
	return s.Conn.Close()
}

// shut closes the connection for good. What still waits for a slow client is
// given a last moment.
func (s *socket) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.slow && s.Conn.SetWriteDeadline(time.Now().Add(lastMoment)) == nil:
		s.closeAfter = true
	default:
		s.closed = true
		// The reader has ended; there is nothing to be done about an error.
		_ = s.Conn.Close()
	}
}

// lastMoment is how long a close frame may still wait when the reader has
// ended.
const lastMoment = time.Second

// abort cuts the connection at once.
func (s *socket) abort(code wire.CloseCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.because(code, reason)
	s.fail()
}

// linger reads and forgets what the client still sends after a close frame of
// ours, until it closes: see Close. Only the reader may call it.
func (s *socket) linger(d time.Duration, most int64) {
	if s.Conn.SetReadDeadline(time.Now().Add(d)) != nil {
		return
	}
	// Whatever ends it, the connection is closed next.
	_, _ = io.CopyN(io.Discard, s.Conn, most)
}

// writeNow writes what the kernel takes at once. A full socket is no error.
func writeNow(fd int, b []byte) (int, error) {
	for {
		n, err := write(fd, b)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		default:
			return 0, err
		}
	}
}

// reading is the context of all reads: it never ends, since a context that
// ends closes the connection in coder/websocket without a close frame.
func reading() context.Context { return context.Background() }
