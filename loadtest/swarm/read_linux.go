package swarm

import (
	"errors"
	"syscall"
	"time"
)

// slowEvery is the time between two messages of a slow reader.
const slowEvery = time.Second

// read takes what has come, as far as the buffer reaches; epoll calls again for more.
func (l *loop) read(c *conn) {
	kept := copy(l.buf, c.rest)
	n, err := syscall.Read(int(c.fd), l.buf[kept:])
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
		return
	}
	if err != nil || n <= 0 {
		l.gone(c, err)
		return
	}
	l.tally.of(c.scenario).Bytes += uint64(n)
	l.take(c, l.buf[:kept+n])
}

// gone is a read that ended the connection: nil is the end of the stream.
func (l *loop) gone(c *conn, err error) {
	if err == nil {
		err = errors.New("end without a close frame")
	}
	l.broken(c, failedTo("read", err))
}

// take goes through what has come and keeps what is not whole.
func (l *loop) take(c *conn, b []byte) {
	if c.state == upgrading {
		rest, problem, done := readResponse(b, l.plan.accept)
		switch {
		case !done:
			l.keep(c, b)
			return
		case problem != "":
			l.fail(c, "handshake: "+problem)
			return
		}
		l.opened(c)
		b = rest
	}
	now := time.Now().UnixNano()
	for c.state == open || c.state == closing {
		if c.state == open && c.scenario == Slow {
			break // its timer takes one at a time
		}
		opcode, payload, rest, whole, err := cut(b)
		if err != nil {
			l.broken(c, failedTo("read", err))
			return
		}
		if !whole {
			break
		}
		b = rest
		l.frame(c, opcode, payload, now)
	}
	if c.fd >= 0 {
		l.keep(c, b)
	}
}

// keep notes what is not whole yet. b may point into the shared buffer or into rest.
func (l *loop) keep(c *conn, b []byte) {
	switch {
	case len(b) == 0:
		c.rest = nil
	case len(b) >= len(l.buf):
		l.broken(c, "read: a frame larger than the buffer")
	default:
		c.rest = append(make([]byte, 0, len(b)), b...)
	}
}

// readSlowly takes one message, and reads only if there is none yet.
func (l *loop) readSlowly(c *conn, now int64) {
	for {
		opcode, payload, rest, whole, err := cut(c.rest)
		if err != nil {
			l.broken(c, failedTo("read", err))
			return
		}
		if whole {
			l.frame(c, opcode, payload, time.Now().UnixNano())
			if c.fd < 0 {
				return
			}
			if l.keep(c, rest); opcode == opText {
				break
			}
			continue
		}
		kept := copy(l.buf, c.rest)
		n, err := syscall.Read(int(c.fd), l.buf[kept:min(len(l.buf), kept+slowReceive)])
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
			break
		}
		if err != nil || n <= 0 {
			l.gone(c, err)
			return
		}
		l.tally.of(c.scenario).Bytes += uint64(n)
		if l.keep(c, l.buf[:kept+n]); c.fd < 0 {
			return
		}
	}
	if c.state == open {
		l.at(c, now+int64(slowEvery))
	}
}

// frame is one frame from the server.
func (l *loop) frame(c *conn, opcode byte, payload []byte, now int64) {
	switch opcode {
	case opText:
		if c.state != open {
			return // we are leaving: what comes now counts for nobody
		}
		t := l.tally.of(c.scenario)
		if !eachMessage(payload, func(one []byte) { l.message(c, t, one, now) }) {
			t.Invalid++
		}
	case opPing:
		l.send(c, appendFrame(nil, opPong, payload))
	case opPong:
	case opClose:
		if c.state == closing {
			l.drop(c, true)
			return
		}
		code, stay := closeCode(payload), hint(payload)
		l.send(c, appendFrame(nil, opClose, payload[:min(2, len(payload))]))
		if c.state != open {
			return
		}
		l.lose(c, closedBy(code))
		if stay > 0 && c.state == waiting {
			l.at(c, now+int64(stay))
		}
	default:
		l.broken(c, "read: a frame of no known kind")
	}
}

// wholeEvery is how many messages there are to one that is parsed as a whole.
const wholeEvery = 1024

// message is one message.
func (l *loop) message(c *conn, t *share, b []byte, now int64) {
	if l.seen++; l.seen%wholeEvery == 0 && !checkWhole(b) {
		t.Invalid++
	}
	m, ok := readMessage(b)
	if !ok {
		t.Invalid++
		return
	}
	if !c.heard {
		c.heard = true
		record(t.first, (now-c.since)/1000)
	}
	switch m.kind {
	case kindOther:
		return
	case kindError:
		t.Refused++
		return
	case kindGap:
		t.Told++
	case kindUpdate:
		if m.snapshot {
			t.Snapshot++
			break
		}
		t.Messages++
		record(t.latency, now/1000-m.ts*1000)
	}
	key, known := l.plan.index[string(m.key)]
	v, missing := unasked, int64(0)
	if known {
		v, missing = c.follow(key, &m)
	}
	switch v {
	case fine:
	case jumped:
		t.Jumps++
		t.Missing += uint64(missing)
	case disorder:
		t.Disorder++
	case unasked:
		t.Invalid++
	}
}
