package stream

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/swapcast/swapcast/stream/wire"
)

// Everything at once, with buffers so small that nearly every write is
// partial: a broadcast, clients that ping, read slowly, say goodbye in the
// middle, and a drain. Each of them must see whole frames, in order, an answer
// to its goodbye, and nothing after a close frame.
func TestStormWithSmallBuffers(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{
		Limits: Limits{QueuedPrices: 16, MessagesPerSecond: -1, QueuedTrades: 100_000},
		Timing: Timing{SendBuffer: 4096, PingInterval: 20 * time.Millisecond},
	})
	var clients sync.WaitGroup
	for i := range 24 {
		c := r.dialRaw("batch="+string('0'+rune(i%2)), 4096)
		c.sendText(`{"action":"subscribe","assets":[%q,%q],"id":"p"}`, mint(1), mint(2))
		c.sendText(`{"action":"subscribe","channel":"trades","assets":%q,"id":"t"}`, mint(1))
		goodbye := 0
		if i%3 == 0 {
			goodbye = 25 + 2*i
		}
		clients.Go(func() { c.weather(t, i, goodbye) })
	}
	stop := make(chan struct{})
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				r.PublishPrice(price(1+i%2, float64(i+1)))
				r.PublishTrade(trade(1, uint64(i)))
				time.Sleep(200 * time.Microsecond)
			}
		}
	})
	r.await("eight goodbyes", func() bool { return r.Stats().Connections == 16 })
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	if err := r.Drain(ctx); err != nil {
		t.Error(err)
	}
	close(stop)
	publisher.Wait()
	clients.Wait()
}

// weather reads frames to the end, pings now and then, and after goodbye text
// frames, if any, sends a close frame.
func (c *rawClient) weather(t *testing.T, i, goodbye int) {
	last := map[string]uint64{}
	texts, pongs := 0, 0
	var closed rawFrame
	c.SetReadDeadline(time.Now().Add(timeLimit))
	for {
		f, err := c.frame()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if !isReset(err) || closed.op == 0 {
				t.Errorf("client %d: %v", i, err)
			}
			break
		}
		switch f.op {
		case 1:
			texts++
			for _, m := range f.messages(t) {
				key := m.Type + m.AssetID
				if m.Type == "trade" && last[key] != 0 && m.Seq != last[key]+1 || m.Seq < last[key] {
					t.Errorf("client %d: %s seq %d after %d", i, m.Type, m.Seq, last[key])
				}
				last[key] = m.Seq
			}
			if texts%10 == 0 {
				c.sendFrame(9, []byte("are you there"))
			}
			if texts == goodbye {
				c.sendFrame(8, []byte{0x0b, 0xb9}) // 3001
			}
		case 8:
			closed = f
			c.sendFrame(8, f.payload)
		case 9:
			c.sendFrame(10, f.payload)
		case 10:
			pongs++
		}
	}
	want := wire.CloseGoingAway
	if goodbye > 0 {
		want = 3001
	}
	if closed.closeCode() != want {
		t.Errorf("client %d: closed with %d, want %d", i, closed.closeCode(), want)
	}
	if texts < 20 || pongs == 0 {
		t.Errorf("client %d: %d text frames and %d pongs", i, texts, pongs)
	}
}

// FuzzConnection sends any bytes after the handshake. Whatever they are, the
// server answers with whole frames that keep to the protocol, and goes on
// serving.
func FuzzConnection(f *testing.F) {
	f.Add([]byte{0x81, 0x80, 0, 0, 0, 0})
	f.Add(append([]byte{0x81, 0x80 | 17, 0, 0, 0, 0}, `{"action":"ping"}`...))
	f.Add([]byte{0x89, 0x81, 1, 2, 3, 4, 5, 0x88, 0x82, 0, 0, 0, 0, 3, 0xe8})
	f.Add([]byte{0x01, 0xfe, 0xff, 0xff, 0, 0, 0, 0})
	f.Add([]byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	r := newRig(f, Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		began := time.Now()
		defer func() {
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("took %v: %q", d, b)
			}
		}()
		c, err := dialRaw(r.http.URL, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Conn.Close()
		c.t = t
		c.SetDeadline(time.Now().Add(timeLimit))
		if _, err := c.Conn.Write(b); err != nil {
			return // cut in the middle: as good as an answer
		}
		if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			return
		}
		for {
			_, err := c.frame()
			if errors.Is(err, io.EOF) || (err != nil && isReset(err)) {
				return
			}
			if err != nil {
				t.Fatalf("%q: %v", b, err)
			}
		}
	})
}
