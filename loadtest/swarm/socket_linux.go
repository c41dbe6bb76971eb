package swarm

import (
	"errors"
	"syscall"
	"time"
)

// ipBindAddressNoPort is IP_BIND_ADDRESS_NO_PORT of ip(7): bind takes the address alone
// and connect the port, so that two connections may have the same one if they go to
// different places.
const ipBindAddressNoPort = 24

// slowReceive is the kernel's receive buffer of a slow reader: with the usual one it
// would read fast for a minute before its server felt anything.
const slowReceive = 4 << 10

// connect begins an attempt.
func (l *loop) connect(c *conn, now int64) {
	fd, err := l.socket(c)
	if err != nil {
		l.fail(c, failedTo("socket", err))
		return
	}
	c.fd, c.state, c.since, c.heard = int32(fd), connecting, now, false
	l.alive++
	t := &l.plan.Targets[int(c.index)%len(l.plan.Targets)]
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(t.Addr.Port()), Addr: t.Addr.Addr().As4()})
	if err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		l.fail(c, failedTo("connect", err))
		return
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLOUT, Fd: l.place(c)}
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		l.fail(c, failedTo("epoll", err))
		return
	}
	l.at(c, now+int64(l.plan.Timeout))
}

// socket makes a socket bound to the connection's local address.
func (l *loop) socket(c *conn) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	// What an old kernel does not know costs ports or milliseconds, no more.
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if c.scenario == Slow {
		_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, slowReceive)
	}
	if from := l.plan.sourceOf(int(c.index)); from.IsValid() {
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
		if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: from.As4()}); err != nil {
			syscall.Close(fd)
			return 0, err
		}
	}
	return fd, nil
}

// watch changes what epoll tells of c.
func (l *loop) watch(c *conn, events uint32) {
	event := syscall.EpollEvent{Events: events, Fd: l.place(c)}
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_MOD, int(c.fd), &event); err != nil {
		l.broken(c, failedTo("epoll", err))
	}
}

// broken ends a connection by what went wrong with its socket.
func (l *loop) broken(c *conn, reason string) {
	switch c.state {
	case connecting, upgrading:
		l.fail(c, reason)
	case open:
		l.lose(c, reason)
	case closing:
		l.drop(c, true)
	case waiting, ended:
	}
}

// ready is what epoll says of c.
func (l *loop) ready(c *conn, events uint32) {
	if c.fd < 0 { // ended by an earlier event of this batch
		return
	}
	if c.state == connecting {
		l.connected(c)
		return
	}
	if events&syscall.EPOLLOUT != 0 {
		l.flush(c)
	}
	if c.fd >= 0 && events&^uint32(syscall.EPOLLOUT) != 0 {
		l.read(c)
	}
}

// connected asks for the upgrade once TCP is there.
func (l *loop) connected(c *conn) {
	if code, err := syscall.GetsockoptInt(int(c.fd), syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil || code != 0 {
		l.fail(c, failedTo("connect", errors.Join(err, syscall.Errno(code))))
		return
	}
	c.state = upgrading
	l.watch(c, syscall.EPOLLIN)
	if c.state != upgrading {
		return
	}
	l.scratch = l.plan.request(l.scratch[:0], int(c.index), c.scenario)
	l.send(c, l.scratch)
}

// send writes b, or as much as the socket takes, and keeps the rest.
func (l *loop) send(c *conn, b []byte) {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return
	}
	n, err := write(int(c.fd), b)
	if err != nil {
		l.broken(c, failedTo("write", err))
		return
	}
	if n < len(b) {
		c.out = append([]byte(nil), b[n:]...)
		l.watch(c, syscall.EPOLLIN|syscall.EPOLLOUT)
	}
}

// flush goes on with what the socket did not take.
func (l *loop) flush(c *conn) {
	n, err := write(int(c.fd), c.out)
	if err != nil {
		l.broken(c, failedTo("write", err))
		return
	}
	if c.out = c.out[n:]; len(c.out) == 0 {
		c.out = nil
		events := uint32(syscall.EPOLLIN)
		if c.state == open && c.scenario == Slow {
			events = 0
		}
		l.watch(c, events)
	}
}

func write(fd int, b []byte) (int, error) {
	for {
		n, err := syscall.Write(fd, b)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		default:
			return max(n, 0), err
		}
	}
}

// opened is the handshake's end.
func (l *loop) opened(c *conn) {
	now := time.Now().UnixNano()
	t := l.tally.of(c.scenario)
	t.Opened++
	record(t.connect, (now-c.since)/1000)
	c.state, c.since, c.fails, c.due = open, now, 0, 0
	l.nOpen[c.scenario]++
	keys := l.plan.keysOf(int(c.index), c.scenario, int(c.session))
	if cap(c.subs) < len(keys) {
		c.subs = make([]sub, 0, len(keys))
	}
	c.subs = c.subs[:0]
	for _, k := range keys {
		c.subs = append(c.subs, sub{key: k})
	}
	l.scratch = l.plan.subscription(l.scratch[:0], c.scenario, keys)
	l.send(c, appendFrame(nil, opText, l.scratch))
	if c.state != open {
		return
	}
	switch c.scenario {
	case Slow:
		if len(c.out) == 0 {
			l.watch(c, 0)
		}
		l.at(c, now+int64(slowEvery))
	case Churn:
		l.at(c, now+int64(l.plan.sessionOf(l.rng)))
	case Streams, Multi, Trades, Balances:
	}
}
