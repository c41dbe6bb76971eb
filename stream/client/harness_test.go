package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
)

// A mint or two. The client passes them on as text and reads nothing into them.
const (
	sol  = "So11111111111111111111111111111111111111112"
	bonk = "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"
)

// pipeListener is a listener in memory, so that whole connections run under
// the virtual time of synctest.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, fmt.Errorf("dial: %w", net.ErrClosed)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// server is a real WebSocket server whose behaviour the test plays by hand.
type server struct {
	t      *testing.T
	client *http.Client
	peers  chan *peer
	refuse func(w http.ResponseWriter, r *http.Request) bool // true: answered in place of a handshake
}

// peer is the server's end of one connection.
type peer struct {
	t    *testing.T
	conn *websocket.Conn
	req  *http.Request
	gone chan struct{}
}

// inBubble runs a test under virtual time with a server of its own.
func inBubble(t *testing.T, test func(t *testing.T, srv *server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ln := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		transport := &http.Transport{DialContext: ln.dial}
		srv := &server{t: t, client: &http.Client{Transport: transport}, peers: make(chan *peer)}
		hs := &http.Server{Handler: srv}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = hs.Serve(ln) }()
		t.Cleanup(func() {
			close(ln.done)
			_ = hs.Close()
			<-ended
			transport.CloseIdleConnections()
		})
		test(t, srv)
	})
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.refuse != nil && s.refuse(w, r) {
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		s.t.Errorf("accept: %v", err)
		return
	}
	p := &peer{t: s.t, conn: conn, req: r, gone: make(chan struct{})}
	s.peers <- p
	<-p.gone
	_ = conn.CloseNow()
}

// start makes a client of the server and runs it to the end of the test.
func (s *server) start(opts Options) *Client {
	s.t.Helper()
	c, ended := s.run(opts)
	s.t.Cleanup(func() {
		if err := <-ended; err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
	return c
}

// run makes a client of the server; ended gives what Run returned.
func (s *server) run(opts Options) (c *Client, ended chan error) {
	s.t.Helper()
	opts.HTTPClient = s.client
	c, err := New("ws://swapcast.test", opts)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	ended = make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	s.t.Cleanup(cancel)
	return c, ended
}

// accept waits for the client's next connection.
func (s *server) accept() *peer {
	s.t.Helper()
	select {
	case p := <-s.peers:
		s.t.Cleanup(p.hangUp)
		return p
	case <-s.t.Context().Done():
		s.t.Fatal("no connection came")
		return nil
	}
}

// want reads the client's next command and compares it, but for its id, which
// it returns.
func (p *peer) want(action, channel string, assets ...string) (id string) {
	p.t.Helper()
	_, data, err := p.conn.Read(p.t.Context())
	if err != nil {
		p.t.Fatalf("read a command: %v", err)
	}
	var cmd command
	if err := json.Unmarshal(data, &cmd); err != nil {
		p.t.Fatalf("command %s: %v", data, err)
	}
	if cmd.Action != action || cmd.Channel != channel || fmt.Sprint(cmd.Assets) != fmt.Sprint(assets) {
		p.t.Fatalf("command %s, want %s %s %v", data, action, channel, assets)
	}
	return cmd.ID
}

func (p *peer) send(format string, args ...any) {
	p.t.Helper()
	if err := p.conn.Write(p.t.Context(), websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

// grant acknowledges a subscription.
func (p *peer) grant(id, channel, epoch string, assets ...string) {
	p.t.Helper()
	list, _ := json.Marshal(assets)
	p.send(`{"type":"subscribed","id":%q,"channel":%q,"assets":%s,"epoch":%q}`, id, channel, list, epoch)
}

func (p *peer) price(asset string, seq uint64) {
	p.t.Helper()
	p.send(`{"type":"price","assetId":%q,"price":1.5,"seq":%d}`, asset, seq)
}

func (p *peer) trade(asset string, seq uint64) {
	p.t.Helper()
	p.send(`{"type":"trade","assetId":%q,"side":"buy","price":1.5,"amount":"7","seq":%d}`, asset, seq)
}

// close says goodbye with a code.
func (p *peer) close(code websocket.StatusCode, reason string) {
	_ = p.conn.Close(code, reason)
	p.hangUp()
}

// hangUp drops the connection without a word.
func (p *peer) hangUp() {
	select {
	case <-p.gone:
	default:
		close(p.gone)
	}
	_ = p.conn.CloseNow()
}

// next waits for an event of the given kind; anything else but connection
// events and acknowledgements fails the test.
func next[E Event](t *testing.T, c *Client) E {
	t.Helper()
	for ev := range c.Events() {
		if e, ok := ev.(E); ok {
			return e
		}
		switch ev.(type) {
		case *Connected, *Disconnected, *Subscribed:
			continue
		}
		t.Fatalf("event %T %+v, want %T", ev, ev, *new(E))
	}
	t.Fatalf("events ended, want %T", *new(E))
	return *new(E)
}

// subscribe runs Subscribe in the background; the result comes by the channel.
func subscribe(t *testing.T, c *Client, channel string, assets ...string) chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Subscribe(t.Context(), channel, assets...) }()
	return done
}

func mustDone(t *testing.T, done chan error) {
	t.Helper()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
