package client_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/client"
)

// stalling is a network that loses its way once within a message: of the first
// large write, half leaves.
type stalling struct {
	net.Conn
	once *atomic.Bool
}

func (s stalling) Write(p []byte) (int, error) {
	if len(p) > 1000 && s.once.CompareAndSwap(false, true) {
		_, err := s.Conn.Write(p[:len(p)/2])
		return len(p), err
	}
	return s.Conn.Write(p)
}

// A stall of the network within a message ends the connection, not the client:
// it comes back and gets what it asked for.
func TestStallWithinAMessage(t *testing.T) {
	s, err := stream.New(stream.Options{Timing: stream.Timing{MessageTimeout: 100 * time.Millisecond, CloseTimeout: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	hs := httptest.NewServer(s)
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		hs.Close()
	})
	var once atomic.Bool
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, network, addr)
		return stalling{nc, &once}, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.Dial(t.Context(), hs.URL, client.Options{HTTPClient: &http.Client{Transport: transport}, MinBackoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	assets := make([]string, 60)
	for i := range assets {
		assets[i] = mint(byte(i)).String()
	}
	wait, done := context.WithTimeout(t.Context(), patience)
	defer done()
	if err := c.Subscribe(wait, client.ChannelPrices, assets...); err != nil {
		t.Fatalf("after the stall: %v", err)
	}
	if !once.Load() {
		t.Error("the network did not stall")
	}
	if d := next[*client.Disconnected](t, c); d.RetryIn < 0 {
		t.Errorf("%+v", d)
	}
}
