package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/swapcast/swapcast/loadtest/compare/yardstick"
)

type protocolName string

// The ways to subscribe.
const (
	byQuery      protocolName = "query"      // GET /ws?tokens=1,2
	bySwapcast   protocolName = "swapcast"   // a subscribe message
	byCentrifuge protocolName = "centrifuge" // a connect command; the server subscribes
	byNATS       protocolName = "nats"       // CONNECT and SUB in binary frames
)

type clientOptions struct {
	addr     string
	protocol protocolName
	query    string
	conns    int
	tokens   int
	each     int
	loops    int
	pid      int
	// published asks the server how many updates it has published; nil where
	// it cannot be asked.
	published func() (uint64, error)
}

// result is what one window brought.
type result struct {
	Delivered uint64  `json:"delivered"`
	Offered   float64 `json:"offeredPerSecond"` // what the publisher really published, times followers
	PerSecond float64 `json:"perSecond"`
	MicrosPer float64 `json:"serverMicrosPerMessage"`
	Cores     float64 `json:"serverCores"`
	P50ms     float64 `json:"p50ms"`
	P99ms     float64 `json:"p99ms"`
	BytesPer  float64 `json:"bytesPerMessage"`
	Closed    uint64  `json:"closed"`
}

// client holds the connections of one run.
type client struct {
	opts   clientOptions
	loops  []*loop
	wg     sync.WaitGroup
	stop   atomic.Bool
	record atomic.Bool
	closed atomic.Uint64
}

// loop is one thread's share of the connections.
type loop struct {
	c     *client
	epoll int
	rest  map[int32][]byte // the beginning of a frame that is not whole yet
	buf   []byte

	mu    sync.Mutex // guards what follows, and rest
	fds   map[int32]struct{}
	times hist
	bytes uint64
}

// dial opens all connections and subscribes; the loops read from then on.
func dial(ctx context.Context, o clientOptions) (*client, error) {
	c := &client{opts: o}
	for range max(o.loops, 1) {
		fd, err := unix.EpollCreate1(0)
		if err != nil {
			return nil, fmt.Errorf("epoll: %w", err)
		}
		l := &loop{c: c, epoll: fd, rest: make(map[int32][]byte), buf: make([]byte, 1<<20), fds: make(map[int32]struct{})}
		c.loops = append(c.loops, l)
		c.wg.Go(l.run)
	}
	var (
		next  atomic.Int64
		wg    sync.WaitGroup
		first atomic.Pointer[error]
	)
	for range 16 {
		wg.Go(func() {
			for first.Load() == nil && ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= o.conns {
					return
				}
				if err := c.open(i); err != nil {
					err = fmt.Errorf("connection %d: %w", i, err)
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := first.Load(); err != nil {
		c.close()
		return nil, *err
	}
	return c, ctx.Err()
}

// open makes connection i and hands it to a loop.
func (c *client) open(i int) error {
	fd, early, err := c.upgraded(i)
	for tries := 0; errors.Is(err, errNotReady) && tries < 100; tries++ {
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo // what Retry-After asks of a client
		fd, early, err = c.upgraded(i)
	}
	if err != nil {
		return err
	}
	l := c.loops[i%len(c.loops)]
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	for ok := true; ok; { // what came with the handshake is no price yet: whole frames can go
		if _, _, early, ok, err = frame(early); err != nil {
			return err
		}
	}
	l.mu.Lock()
	l.fds[int32(fd)] = struct{}{}
	if len(early) > 0 {
		l.rest[int32(fd)] = append([]byte(nil), early...)
	}
	l.mu.Unlock()
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// errNotReady is a server's 503: it has just been started.
var errNotReady = errors.New("server is not ready")

// upgraded makes one attempt at connection i.
func (c *client) upgraded(i int) (fd int, early []byte, err error) {
	if fd, err = connect(c.opts.addr); err != nil {
		return 0, nil, err
	}
	if early, err = c.handshake(fd, i); err != nil {
		_ = unix.Close(fd)
	}
	return fd, early, err
}

func connect(addr string) (int, error) {
	a, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return 0, fmt.Errorf("address: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	sa := &unix.SockaddrInet4{Port: a.Port}
	copy(sa.Addr[:], a.IP.To4())
	for {
		switch err := unix.Connect(fd, sa); {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			_ = unix.Close(fd)
			return 0, fmt.Errorf("connect: %w", err)
		default:
			return fd, nil
		}
	}
}

// handshake upgrades and subscribes; it returns what came after the response.
func (c *client) handshake(fd, i int) ([]byte, error) {
	path := "/ws"
	protocol := ""
	tokens := tokensOf(i, c.opts.each, c.opts.tokens)
	switch c.opts.protocol {
	case byQuery:
		path += "?tokens=" + join(tokens)
	case bySwapcast:
		if c.opts.query != "" {
			path += "?" + c.opts.query
		}
	case byCentrifuge:
		path = "/connection/websocket?tokens=" + join(tokens)
	case byNATS:
		path, protocol = "/", ""
	}
	req := "GET " + path + " HTTP/1.1\r\nHost: " + c.opts.addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + protocol + "\r\n"
	if err := writeAll(fd, []byte(req)); err != nil {
		return nil, err
	}
	var got []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(got, []byte("\r\n\r\n")) {
		n, err := unix.Read(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return nil, fmt.Errorf("handshake: read %d bytes: %w", len(got), err)
		}
		got = append(got, buf[:n]...)
	}
	if !bytes.HasPrefix(got, []byte("HTTP/1.1 101")) {
		line, _, _ := bytes.Cut(got, []byte("\r\n"))
		if bytes.Contains(line, []byte(" 503")) {
			return nil, errNotReady
		}
		return nil, fmt.Errorf("handshake: %s", line)
	}
	_, early, _ := bytes.Cut(got, []byte("\r\n\r\n"))
	if m := c.hello(tokens); m != nil {
		return early, writeAll(fd, m)
	}
	return early, nil
}

// hello is what the client sends after the upgrade, nil for nothing.
func (c *client) hello(tokens []int) []byte {
	const text, binary = 1, 2
	switch c.opts.protocol {
	case bySwapcast:
		mints := make([]string, 0, len(tokens))
		for _, t := range tokens {
			mints = append(mints, `"`+yardstick.MintOf(t).String()+`"`)
		}
		return masked(text, []byte(`{"action":"subscribe","assets":[`+strings.Join(mints, ",")+`]}`))
	case byCentrifuge:
		return masked(text, []byte(`{"id":1,"connect":{}}`))
	case byNATS:
		s := []byte("CONNECT {\"verbose\":false,\"pedantic\":false,\"protocol\":1,\"echo\":false}\r\n")
		for n, t := range tokens {
			s = fmt.Appendf(s, "SUB t.%d %d\r\n", t, n+1)
		}
		return masked(binary, s)
	}
	return nil
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		b = b[n:]
	}
	return nil
}

// run reads whatever comes until the client is closed.
func (l *loop) run() {
	runtime.LockOSThread()
	events := make([]unix.EpollEvent, 256)
	for !l.c.stop.Load() {
		n, err := unix.EpollWait(l.epoll, events, 100)
		if err != nil {
			continue // interrupted
		}
		record := l.c.record.Load()
		l.mu.Lock()
		for i := range max(n, 0) {
			l.read(events[i].Fd, record)
		}
		l.mu.Unlock()
	}
	_ = unix.Close(l.epoll)
	for fd := range l.fds {
		_ = unix.Close(int(fd))
	}
}

// read takes one buffer from a connection and counts the frames in it.
func (l *loop) read(fd int32, record bool) {
	kept := copy(l.buf, l.rest[fd])
	n, err := unix.Read(int(fd), l.buf[kept:])
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return
	}
	if err != nil || n == 0 {
		l.drop(fd)
		return
	}
	now := time.Now().UnixNano()
	b := l.buf[:kept+n]
	for {
		opcode, payload, rest, ok, err := frame(b)
		if err != nil {
			l.drop(fd)
			return
		}
		if !ok {
			break
		}
		b = rest
		switch opcode {
		case 8:
			l.drop(fd)
			return
		case 9:
			_, _ = unix.Write(int(fd), masked(10, payload))
		case 0, 1, 2:
			if record {
				stamps(payload, func(ns int64) { l.times.add(now - ns) })
				l.bytes += uint64(len(payload))
			}
			if l.c.opts.protocol == byNATS && bytes.HasPrefix(payload, []byte("PING")) {
				_, _ = unix.Write(int(fd), masked(2, []byte("PONG\r\n")))
			}
		}
	}
	switch {
	case len(b) == len(l.buf):
		l.drop(fd) // a frame larger than anything that is sent here
	case len(b) > 0:
		l.rest[fd] = append(l.rest[fd][:0], b...)
	case kept > 0:
		delete(l.rest, fd)
	}
}

func (l *loop) drop(fd int32) {
	l.c.closed.Add(1)
	delete(l.rest, fd)
	delete(l.fds, fd)
	_ = unix.Close(int(fd))
}

// reading is what is read off the server at both ends of a window.
type reading struct {
	at        time.Time
	cpu       time.Duration
	published uint64
}

func (c *client) readServer() (r reading, err error) {
	if c.opts.published != nil {
		if r.published, err = c.opts.published(); err != nil {
			return r, err
		}
	}
	if c.opts.pid > 0 {
		if r.cpu, err = cpuTime(c.opts.pid); err != nil {
			return r, err
		}
	}
	r.at = time.Now()
	return r, nil
}

// measure waits for the steady state, then counts for a window.
func (c *client) measure(ctx context.Context, warm, window time.Duration) (result, error) {
	if err := sleep(ctx, warm); err != nil {
		return result{}, err
	}
	from, err := c.readServer()
	if err != nil {
		return result{}, err
	}
	c.record.Store(true)
	if err := sleep(ctx, window); err != nil {
		return result{}, err
	}
	c.record.Store(false)
	to, err := c.readServer()
	if err != nil {
		return result{}, err
	}
	var h hist
	var size uint64
	for _, l := range c.loops {
		l.mu.Lock()
		h.merge(&l.times)
		size += l.bytes
		l.times, l.bytes = hist{}, 0
		l.mu.Unlock()
	}
	took, cpu := to.at.Sub(from.at).Seconds(), to.cpu-from.cpu
	followers := float64(c.opts.conns*min(c.opts.each, c.opts.tokens)) / float64(c.opts.tokens)
	r := result{
		Delivered: h.n, PerSecond: float64(h.n) / took, Cores: cpu.Seconds() / took,
		Offered: float64(to.published-from.published) * followers / took,
		P50ms:   h.quantile(0.5) / 1e6, P99ms: h.quantile(0.99) / 1e6, Closed: c.closed.Load(),
	}
	if h.n > 0 {
		r.MicrosPer = float64(cpu.Microseconds()) / float64(h.n)
		r.BytesPer = float64(size) / float64(h.n)
	}
	return r, nil
}

func (c *client) close() {
	c.stop.Store(true)
	c.wg.Wait()
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
