package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// client is one user: it follows everything at one commitment, notes what it is
// told in its book, and comes back with `since` whenever its connection ends.
type client struct {
	// static after construction
	name  string
	url   string // of the WebSocket
	query string
	every time.Duration // how often its connection is cut, 0 never
	truth *truth
	book  *book
	owner []string // wallets
	// tradesOnly follows no prices and candles.
	tradesOnly bool

	cutting  atomic.Bool // cuts go on
	heard    atomic.Int64
	sessions atomic.Int64
	ready    chan struct{} // closed once everything is subscribed for the first time
}

// session is one connection.
type session struct {
	*client
	conn *websocket.Conn
	tcp  *net.TCPConn
	acks int           // that are still to come, of the first requests
	all  chan struct{} // closed once they have
}

// run follows until ctx ends.
func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := c.session(ctx); err != nil && ctx.Err() == nil {
			c.book.ended(err)
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

// session is from one connection's beginning to its end.
func (c *client) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &session{client: c, all: make(chan struct{})}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			s.tcp, _ = conn.(*net.TCPConn)
		}
		return conn, err
	}}
	defer transport.CloseIdleConnections()
	conn, _, err := websocket.Dial(ctx, c.url+c.query, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}}) //nolint:bodyclose // the library's own
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	s.conn = conn
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(64 << 20)
	c.sessions.Add(1)
	c.book.begin(int(c.sessions.Load()))
	mints := c.truth.known(0)
	if s.acks, err = s.ask(ctx, mints, c.book.since(mints), c.owner); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.tend(ctx, len(mints))
	}()
	err = s.read(ctx)
	cancel()
	<-done
	return err
}

// read notes what comes until the connection ends.
func (s *session) read(ctx context.Context) error {
	for {
		_, data, err := s.conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		now := time.Now()
		s.heard.Store(now.UnixNano())
		if len(data) > 0 && data[0] == '[' {
			var list []json.RawMessage
			if err := json.Unmarshal(data, &list); err != nil {
				s.book.problems.add("protocol", "%s: a frame that is no JSON: %v", s.name, err)
				continue
			}
			for _, one := range list {
				s.take(one, now)
			}
			continue
		}
		s.take(data, now)
	}
}

func (s *session) take(data []byte, now time.Time) {
	if acked := s.book.take(data, now); acked && s.acks > 0 {
		if s.acks--; s.acks == 0 {
			close(s.all)
		}
	}
}

// tend follows tokens that are new, cuts the connection when it is due, and says
// once that the client is ready.
func (s *session) tend(ctx context.Context, known int) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	begun, all := time.Now(), s.all
	for {
		select {
		case <-ctx.Done():
			return
		case <-all:
			all = nil
			if s.sessions.Load() == 1 {
				close(s.ready)
			}
			s.book.repair(ctx)
			continue
		case <-ticker.C:
		}
		if s.every > 0 && s.cutting.Load() && time.Since(begun) >= s.every {
			s.book.cut()
			_ = s.tcp.SetLinger(0) // the connection is broken on purpose
			_ = s.tcp.Close()
			return
		}
		if all != nil {
			continue // the epoch is not known yet
		}
		if fresh := s.truth.known(known); len(fresh) > 0 {
			known += len(fresh)
			if _, err := s.ask(ctx, fresh, s.book.since(fresh), nil); err != nil {
				return // the reader sees it too
			}
		}
	}
}

// request is what a client sends.
type request struct {
	Action     string   `json:"action"`
	Channel    string   `json:"channel"`
	Assets     []string `json:"assets,omitempty"`
	Wallets    []string `json:"wallets,omitempty"`
	Interval   string   `json:"interval,omitempty"`
	Commitment string   `json:"commitment"`
	Since      *since   `json:"since,omitempty"`
	ID         string   `json:"id"`
}

type since struct {
	Epoch string            `json:"epoch"`
	Seqs  map[string]uint64 `json:"seqs"`
}

// ask subscribes to everything there is of tokens and wallets.
func (s *session) ask(ctx context.Context, mints []string, from map[string]*since, owners []string) (asked int, err error) {
	var list []request
	const most = 500 // names in one message
	for part := range slices.Chunk(mints, most) {
		list = append(list, request{Channel: "trades", Assets: part, Since: from["trades"]})
		if s.tradesOnly {
			continue
		}
		list = append(list, request{Channel: "prices", Assets: part, Since: from["prices"]})
		for _, interval := range followed() {
			list = append(list, request{Channel: "candles", Assets: part, Interval: interval.String(), Since: from["candles "+interval.String()]})
		}
	}
	if len(owners) > 0 {
		list = append(list, request{Channel: "balances", Wallets: owners, Since: from["balances"]})
	}
	for i := range list {
		r := &list[i]
		r.Action, r.Commitment, r.ID = "subscribe", s.book.commitment, fmt.Sprint(i+1)
		data, err := json.Marshal(r)
		if err != nil {
			return i, fmt.Errorf("encode: %w", err)
		}
		if err := s.conn.Write(ctx, websocket.MessageText, data); err != nil {
			return i, fmt.Errorf("ask: %w", err)
		}
	}
	return len(list), nil
}
