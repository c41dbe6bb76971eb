package stream

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TLS has no descriptor to write to: the same frames go through tls.Conn, on
// the slow writer.
func TestTLS(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Limits: Limits{QueuedPrices: 10_000}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	server := httptest.NewTLSServer(s)
	defer func() {
		cancel()
		<-ended
		server.Close()
	}()
	r := &rig{Server: s, t: t, http: server}
	r.await("the door to open", s.door.isOpen)
	dialling, done := context.WithTimeout(context.Background(), timeLimit)
	defer done()
	ws, _, err := websocket.Dial(dialling, "wss"+strings.TrimPrefix(server.URL, "https")+"/ws?batch=1", &websocket.DialOptions{HTTPClient: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(1 << 20)
	c := &client{Conn: ws, t: t}
	c.subscribe("prices", mint(1).String())
	const updates = 2000
	go func() {
		for i := range updates {
			r.PublishPrice(price(1, float64(i+1)))
			if i%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for i := range uint64(updates) {
		if m := c.next(); m.Seq != i+1 {
			t.Fatalf("seq %d, want %d", m.Seq, i+1)
		}
	}
	c.send("nonsense")
	if m := c.next(); m.Code != "bad_json" {
		t.Errorf("%s", m.raw)
	}
	go r.Drain(dialling)
	if ce := c.expectClose(); ce.Code != 1001 {
		t.Errorf("%v", ce)
	}
}
