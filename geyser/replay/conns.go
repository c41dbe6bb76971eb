package replay

import (
	"fmt"
	"net"
	"sync"
)

// conns knows the connections of a listener, so that faults can break the one
// that a stream goes over.
type conns struct {
	net.Listener

	// Guarded by mu.
	mu     sync.Mutex
	byAddr map[string]*conn
	count  uint64
}

func newConns(lis net.Listener) *conns {
	return &conns{Listener: lis, byAddr: make(map[string]*conn)}
}

// Accept gives each connection an address of its own, which those in memory lack.
func (c *conns) Accept() (net.Conn, error) {
	in, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	out := &conn{Conn: in, of: c, addr: in.RemoteAddr(), closed: make(chan struct{}), frozen: make(chan struct{})}
	if c.byAddr[out.addr.String()] != nil || in.RemoteAddr().Network() == "bufconn" {
		out.addr = memoryAddr(fmt.Sprintf("memory-%d", c.count))
	}
	c.byAddr[out.addr.String()] = out
	return out, nil
}

// find returns the connection with a peer's address, nil where it is not known.
func (c *conns) find(addr string) *conn {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byAddr[addr]
}

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }

// conn is a connection that can be broken or frozen.
type conn struct {
	net.Conn
	of     *conns
	addr   net.Addr
	closed chan struct{}
	frozen chan struct{}

	closeOnce, freezeOnce sync.Once
}

func (c *conn) RemoteAddr() net.Addr { return c.addr }

// Read reads nothing any more once the connection is frozen.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	select {
	case <-c.frozen:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

// Write pretends to write once the connection is frozen.
func (c *conn) Write(b []byte) (int, error) {
	select {
	case <-c.frozen:
		return len(b), nil
	default:
		return c.Conn.Write(b)
	}
}

func (c *conn) Close() error {
	var err error
	c.closeOnce.Do(func() {
		c.of.mu.Lock()
		delete(c.of.byAddr, c.addr.String())
		c.of.mu.Unlock()
		close(c.closed)
		err = c.Conn.Close()
	})
	return err
}

// cut breaks the connection, over TCP with a reset.
func (c *conn) cut() {
	if tcp, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0) // it is broken on purpose, one way or the other
	}
	_ = c.Close()
}

// freeze leaves the connection open and deaf and dumb.
func (c *conn) freeze() { c.freezeOnce.Do(func() { close(c.frozen) }) }
