package stream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/stream/wire"
)

// manyConnections is how many TestConnectionsReturnWhatTheyHeld opens; `make churn`
// has it open 100,000.
func manyConnections(t *testing.T) int {
	text := os.Getenv("SWAPCAST_CHURN")
	switch n, err := strconv.Atoi(text); {
	case text == "" && testing.Short():
		return 500
	case text == "":
		return 2000
	case err != nil || n < 1:
		t.Fatalf("SWAPCAST_CHURN is %q, and no number of connections", text)
		return 0
	default:
		return n
	}
}

// held is what the process holds.
type held struct {
	heap, stacks int64
	goroutines   int
	files        int
}

// holds waits for the process to be quiet, and looks.
func holds(t *testing.T) held {
	t.Helper()
	runtime.GC()
	runtime.GC() // what pools held goes with the second one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := openNow()
	if err != nil {
		t.Fatal(err)
	}
	return held{int64(m.HeapAlloc), int64(m.StackInuse), runtime.NumGoroutine(), files}
}

// openNow counts the files that the process has open.
func openNow() (int, error) {
	list, err := os.ReadDir("/dev/fd")
	return len(list), err
}

// Connections of every kind come and go, in every way that they can; once they are
// gone, the process holds no more than before them.
//
// It runs alone, since what it counts is the process's.
func TestConnectionsReturnWhatTheyHeld(t *testing.T) {
	many := manyConnections(t)
	r := newRig(t, Options{
		Compression: true,
		// A history that is full before it begins: what is published meanwhile adds nothing.
		Limits:  Limits{ConnectionsPerAddress: 1000, MessagesPerSecond: -1, HistoryTrades: 64, HistoryTotal: 512},
		Metrics: NewMetrics(prometheus.NewRegistry()),
	})
	u, err := url.Parse(r.http.URL)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 * visited {
		r.PublishPrice(price(i%visited, 1))
		r.PublishTrade(trade(i%visited, 1))
	}
	stop := make(chan struct{})
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				r.PublishPrice(price(i%visited, float64(i+1)))
				r.PublishTrade(trade(i%visited, uint64(i)))
			}
		}
	})
	churn := func(from, n int) {
		var next, failed atomic.Int64
		var workers sync.WaitGroup
		for range 32 {
			workers.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= n || failed.Load() > 10 {
						return
					}
					if err := visit(u.Host, from+i); err != nil {
						failed.Add(1)
						t.Errorf("connection %d: %v", from+i, err)
					}
				}
			})
		}
		workers.Wait()
		r.await("all to have left", func() bool { return r.Stats().Connections == 0 })
	}
	// The first ones fill what is kept: pools, the history, the metrics' series.
	churn(0, min(many, 1000))
	before := holds(t)
	start := time.Now()
	churn(1000, many)
	took := time.Since(start)
	var after held
	r.await("the last of them to end", func() bool {
		after = holds(t)
		return after.goroutines <= before.goroutines+2 && after.files <= before.files+2
	})
	close(stop)
	publisher.Wait()
	t.Logf("%d connections in %v: heap %+d bytes, stacks %+d bytes, goroutines %d and %d, files %d and %d", many, took.Round(time.Millisecond),
		after.heap-before.heap, after.stacks-before.stacks, before.goroutines, after.goroutines, before.files, after.files)
	// What is left of each would be some hundred bytes.
	if grown := after.heap - before.heap; grown > 1<<20+int64(many)*16 {
		t.Errorf("the heap has grown by %d bytes, %d of each connection", grown, grown/int64(many))
	}
	if st := r.Stats(); st.Connections != 0 || st.Subscriptions[wire.ChannelPrices]+st.Subscriptions[wire.ChannelTrades]+st.Subscriptions[wire.ChannelCandles] != 0 {
		t.Errorf("%+v", st)
	}
}

// visited is how many mints there are to subscribe to.
const visited = 50

// visit is connection i's life: it comes from an address of its own, asks for
// something, reads a little, and goes in one of several ways.
func visit(host string, i int) error {
	d := net.Dialer{Timeout: timeLimit, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(1+i>>14&0x7f), byte(i>>7), byte(1+i&0x7f))}}
	nc, err := d.Dial("tcp", host)
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(timeLimit)); err != nil {
		return err
	}
	if i%7 == 0 { // a stream of events
		_, err := fmt.Fprintf(nc, "GET /v1/stream?assets=%s HTTP/1.1\r\nHost: %s\r\n\r\n", mint(i%visited), host)
		if err != nil {
			return err
		}
		_, err = io.ReadFull(nc, make([]byte, 400))
		return err
	}
	c := newRawClient(nil, nc)
	extra := ""
	if i%3 == 0 {
		extra = "Sec-WebSocket-Protocol: " + wire.Subprotocol + "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
	}
	if _, err := fmt.Fprintf(nc, "GET /ws?window_ms=%d&batch=1 HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n", i%2*100, host, extra); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(resp.Status)
	}
	for _, channel := range []string{wire.ChannelPrices, wire.ChannelTrades, wire.ChannelCandles} {
		if err := c.sendFrame(1, fmt.Appendf(nil, `{"action":"subscribe","channel":%q,"assets":[%q,%q],"id":1}`, channel, mint(i%visited), mint((i+1)%visited))); err != nil {
			return err
		}
	}
	if _, err := c.br.ReadByte(); err != nil {
		return err
	}
	return leave(c, i)
}

// leave ends a connection: with a close frame, by a reset, in the middle of a
// message, or by closing.
func leave(c *rawClient, i int) error {
	switch i % 4 {
	case 0:
		if err := c.sendFrame(opClose, []byte{3, 0xe8}); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, c.br)
		return err
	case 1:
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			return tcp.SetLinger(0)
		}
	case 2:
		_, err := c.Conn.Write([]byte{0x81, 0xfe, 1, 0, 1, 2, 3, 4, 5})
		return err
	}
	return nil
}
