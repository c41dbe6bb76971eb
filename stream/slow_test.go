package stream

import (
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/swapcast/swapcast/stream/wire"
)

// A client that does not read gets the newest price of each asset once it
// reads again, older ones are skipped and counted, and nobody else notices.
func TestSlowReaderOfPrices(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Limits: Limits{QueuedPrices: 8}, Timing: Timing{SendBuffer: 4096}})
	slow := r.dialRaw("", 4096)
	slow.sendText(`{"action":"subscribe","assets":[%q,%q],"id":"1"}`, mint(1), mint(2))
	for range 3 {
		slow.expect(1)
	}
	quick := r.dial("")
	quick.subscribe("prices", mint(1).String())

	const updates = 3000
	for i := range updates {
		r.PublishPrice(price(1, float64(i+1)))
		r.PublishPrice(price(2, float64(i+1)))
		if m := quick.next(); m.Seq != uint64(i)+1 {
			t.Fatalf("the quick reader lost something: %s", m.raw)
		}
	}
	last := map[string]uint64{}
	got := 0
	for last[mint(1).String()] < updates || last[mint(2).String()] < updates {
		m := slow.expect(1).message(t)
		if m.Seq <= last[m.AssetID] {
			t.Fatalf("seq %d after %d", m.Seq, last[m.AssetID])
		}
		if m.Price == nil || *m.Price != float64(m.Seq) {
			t.Fatalf("%v at seq %d", m.Price, m.Seq)
		}
		last[m.AssetID] = m.Seq
		got++
	}
	r.await("the shard to tell", func() bool { return r.Stats().Conflated+uint64(got) >= 2*updates })
	s := r.Stats()
	if s.Conflated == 0 || s.Conflated+uint64(got) != 2*updates {
		t.Errorf("%d got and %d conflated of %d", got, s.Conflated, 2*updates)
	}
	// Having caught up, it misses nothing any more.
	r.PublishPrice(price(1, 7))
	r.PublishPrice(price(1, 8))
	for _, want := range []uint64{updates + 1, updates + 2} {
		if m := slow.expect(1).message(t); m.Seq != want {
			t.Errorf("seq %d, want %d", m.Seq, want)
		}
	}
}

// Trades are all kept, up to a bound; then the client is closed with 4408.
func TestSlowReaderOfTrades(t *testing.T) {
	t.Parallel()
	ends := make(chan ConnEnd, 2)
	r := newRig(t, Options{
		Shards: 1, Limits: Limits{QueuedTrades: 50}, Timing: Timing{SendBuffer: 4096},
		OnConn: func(ConnInfo) ConnHooks { return ConnHooks{End: func(e ConnEnd) { ends <- e }} },
	})
	slow := r.dialRaw("", 4096)
	slow.sendText(`{"action":"subscribe","channel":"trades","assets":%q,"id":"1"}`, mint(1))
	slow.expect(1)
	quick := r.dial("")
	quick.subscribe("trades", mint(1).String())
	sent := 0
	for subscribed := true; subscribed; subscribed = r.Stats().Subscriptions["trades"] == 2 && sent < 100_000 {
		select {
		case e := <-ends:
			t.Fatalf("ended early: %+v", e)
		default:
		}
		r.PublishTrade(trade(1, uint64(sent)))
		sent++
		if m := quick.next(); m.Seq != uint64(sent) {
			t.Fatalf("the quick reader lost something: %s", m.raw)
		}
		if r.closing() {
			break
		}
	}
	next := uint64(1)
	for {
		f, err := slow.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.op == 8 {
			if f.closeCode() != wire.CloseSlowConsumer {
				t.Errorf("closed with %d", f.closeCode())
			}
			break
		}
		if m := f.message(t); m.Seq != next {
			t.Fatalf("seq %d, want %d", m.Seq, next)
		}
		next++
	}
	slow.expectEnd()
	slow.Close()
	if e := <-ends; e.Code != 4408 {
		t.Errorf("%+v", e)
	}
	if next < 2 || next > uint64(sent)-50 { // what waits for a slow client is not flushed to it
		t.Errorf("%d trades arrived of %d", next-1, sent)
	}
}

// closing reports whether a connection was told to close. It asks the shards,
// in their own goroutines' stead, by way of the socket's lock.
func (r *rig) closing() bool {
	got := make(chan bool, 1)
	r.inShard(0, func(s *shard) {
		for c := range s.conns {
			if c.ending {
				got <- true
				return
			}
		}
		got <- false
	})
	return <-got
}

// A client that sends requests and never reads the answers is closed, too.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Limits: Limits{QueuedReplies: 20, MessagesPerSecond: -1}, Timing: Timing{SendBuffer: 4096, CloseTimeout: time.Minute}})
	c := r.dialRaw("", 4096)
	ended := make(chan error, 1)
	go func() {
		for range 200_000 {
			if err := c.sendFrame(1, []byte(`{"action":"ping","id":"0123456789012345678901234567890123456789012345678901234567890123456789"}`)); err != nil {
				break
			}
		}
		ended <- nil
	}()
	r.await("the close", func() bool { return r.Stats().Connections == 0 || r.closing() })
	if f := c.expect(8); f.closeCode() != wire.CloseSlowConsumer {
		t.Errorf("closed with %d", f.closeCode())
	}
	c.Close()
	<-ended
}

// With a window, at most one update of an asset comes in each, the newest.
func TestWindow(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	c := r.dial("window_ms=100")
	c.send(`{"action":"subscribe","assets":[%q,%q]}`, mint(1), mint(2))
	c.next()
	c.next()
	plain := r.dial("")
	plain.subscribe("prices", mint(1).String())
	stop := make(chan struct{})
	published := make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				published <- n
				return
			case <-time.After(time.Millisecond):
				r.PublishPrice(price(1, 1))
				n++
			}
		}
	}()
	var times []time.Time
	var lastSeq uint64
	for range 8 {
		m := c.next()
		if m.AssetID != mint(1).String() || m.Seq <= lastSeq {
			t.Errorf("%s after seq %d", m.raw, lastSeq)
		}
		lastSeq = m.Seq
		times = append(times, time.Now())
	}
	close(stop)
	n := uint64(<-published)
	if d := times[7].Sub(times[0]); d < 500*time.Millisecond {
		t.Errorf("eight windows in %v", d)
	}
	for lastSeq < n { // the newest wins: the last one comes in any case
		lastSeq = c.next().Seq
	}
	for i := range n {
		if m := plain.next(); m.Seq != i+1 {
			t.Fatalf("without a window: %s", m.raw)
		}
	}
	// Answers and snapshots do not wait for a window.
	c.send(`{"action":"subscribe","assets":%q,"id":"x"}`, mint(3))
	if m := c.next(); m.ID != "x" {
		t.Errorf("%s", m.raw)
	}
	if m := c.next(); !m.Snapshot {
		t.Errorf("%s", m.raw)
	}
}

func TestWindowForgetsWhatWasUnsubscribed(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	c := r.dial("window_ms=50")
	c.send(`{"action":"subscribe","assets":[%q,%q]}`, mint(1), mint(2))
	c.next()
	c.next()
	r.PublishPrice(price(1, 1))
	c.send(`{"action":"unsubscribe","assets":%q}`, mint(1))
	c.send(`{"action":"ping"}`)
	for c.next().Type != "pong" { // the window may have ended before
	}
	r.PublishPrice(price(2, 2))
	if m := c.next(); m.AssetID != mint(2).String() {
		t.Errorf("%s", m.raw)
	}
}

// With batch=1 updates share frames, as arrays; answers stay alone.
func TestBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1})
	c := r.dialRaw("batch=1&window_ms=50", 0)
	assets := make([]string, 40)
	for i := range assets {
		assets[i] = mint(i).String()
	}
	list, err := json.Marshal(assets)
	if err != nil {
		t.Fatal(err)
	}
	c.sendText(`{"action":"subscribe","assets":%s,"id":"1"}`, list)
	if m := c.expect(1).message(t); m.Type != "subscribed" || len(m.Assets) != 40 {
		t.Errorf("%+v", m)
	}
	read := func(want int, check func(m message)) (frames int) {
		for n := 0; n < want; frames++ {
			f := c.expect(1)
			var batch []message
			if f.payload[0] != '[' {
				batch = append(batch, f.message(t))
			} else if err := json.Unmarshal(f.payload, &batch); err != nil {
				t.Fatal(err)
			}
			for _, m := range batch {
				check(m)
			}
			n += len(batch)
		}
		return frames
	}
	if n := read(40, func(m message) {
		if !m.Snapshot {
			t.Errorf("%+v", m)
		}
	}); n > 4 {
		t.Errorf("snapshots in %d frames", n)
	}
	r.hold(0, func() {
		for i := range assets {
			r.PublishPrice(price(i, 1))
			r.PublishPrice(price(i, 2))
		}
	})
	seen := map[string]bool{}
	n := read(40, func(m message) {
		if m.Seq != 2 || seen[m.AssetID] {
			t.Errorf("%+v", m)
		}
		seen[m.AssetID] = true
	})
	if n > 3 { // 40 of 450 bytes: two of 16 KB, if no window ended meanwhile
		t.Errorf("updates in %d frames", n)
	}
	c.sendText(`{"action":"ping","id":"p"}`)
	if m := c.expect(1).message(t); m.Type != "pong" {
		t.Errorf("%+v", m)
	}
}

// Without batch=1 every frame is one object even when many leave in one write.
func TestNoBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1})
	c := r.dialRaw("", 0)
	c.sendText(`{"action":"subscribe","assets":%q}`, mint(1))
	c.expect(1)
	r.hold(0, func() {
		for i := range 300 {
			r.PublishPrice(price(1, float64(i+1)))
		}
	})
	for i := range 300 {
		if m := c.expect(1).message(t); m.Seq != uint64(i)+1 {
			t.Fatalf("%+v", m)
		}
	}
}

// hold keeps a shard busy while f runs, so that all that f publishes is taken
// up in one turn.
func (r *rig) hold(index int, f func()) {
	busy, done := make(chan struct{}), make(chan struct{})
	r.inShard(index, func(*shard) {
		close(busy)
		<-done
	})
	<-busy
	f()
	close(done)
}

// A burst within one turn does not make a client a slow one.
func TestBurstIsNoSlowReader(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Limits: Limits{QueuedPrices: 4, QueuedTrades: 4, QueuedReplies: 1}})
	c := r.dial("")
	c.subscribe("prices", mint(1).String())
	c.subscribe("trades", mint(1).String())
	r.hold(0, func() {
		for i := range 100 {
			r.PublishPrice(price(1, float64(i+1)))
			r.PublishTrade(trade(1, uint64(i)))
		}
	})
	seqs := map[string]uint64{}
	for range 200 {
		m := c.next()
		if seqs[m.Type]++; m.Seq != seqs[m.Type] {
			t.Fatalf("%s", m.raw)
		}
	}
}

// Half-open: the peer is there no more, or answers nothing. It is pinged, and
// cut when it gives no sign of life.
func TestHalfOpenSocketsGo(t *testing.T) {
	t.Parallel()
	ends := make(chan ConnEnd, 2)
	r := newRig(t, Options{
		Shards: 1, Timing: Timing{PingInterval: 40 * time.Millisecond, DeadAfter: 400 * time.Millisecond},
		OnConn: func(ConnInfo) ConnHooks { return ConnHooks{End: func(e ConnEnd) { ends <- e }} },
	})
	silent := r.dialRaw("", 0) // reads pings, answers none
	lively := r.dial("")       // coder/websocket answers pings while it reads
	got := make(chan message, 1)
	go func() {
		if m, err := lively.read(); err == nil {
			got <- m
		}
	}()
	pings := 0
	silent.SetReadDeadline(time.Now().Add(timeLimit))
	var err error
	for err == nil {
		var f rawFrame
		if f, err = silent.frame(); err == nil && f.op == 9 {
			pings++
		}
	}
	if err != io.EOF && !isReset(err) {
		t.Error(err)
	}
	if pings < 2 {
		t.Errorf("%d pings", pings)
	}
	if e := <-ends; e.Code != 1006 || e.Reason != "no sign of life" || e.Duration < 400*time.Millisecond {
		t.Errorf("%+v", e)
	}
	// The other, alone now, has sent nothing: pongs have kept it alive, and
	// more than one.
	r.await("pongs of the other", func() bool {
		return only(r, func(_ *shard, c *conn) bool { return time.Duration(c.alive.Load())-c.opened > 1200*time.Millisecond })
	})
	lively.send(`{"action":"ping"}`)
	if m := <-got; m.Type != "pong" {
		t.Errorf("%s", m.raw)
	}
}

// A client whose socket was full and has room again lives: it reads, however
// slowly, though the pings and what it could answer them with lie far behind.
func TestReadingIsASignOfLife(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Limits: Limits{QueuedPrices: 8}, Timing: Timing{SendBuffer: 4096}})
	c := r.dialRaw("", 4096)
	c.sendText(`{"action":"subscribe","assets":%q}`, mint(1))
	c.expect(1)
	full := func(_ *shard, c *conn) bool { return c.full }
	r.await("the socket to be full", func() bool {
		r.PublishPrice(price(1, 1))
		return only(r, full)
	})
	r.PublishPrice(price(1, 2)) // comes once there is room
	const never = -1
	only(r, func(_ *shard, c *conn) bool { c.alive.Store(never); return true })
	r.await("room", func() bool { // the client does nothing but read
		c.expect(1)
		return !only(r, full)
	})
	if only(r, func(_ *shard, c *conn) bool { return c.alive.Load() == never }) {
		t.Error("a client that reads gives no sign of life")
	}
}

// A message that is begun and never ends is given up.
func TestMessageThatNeverEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Timing: Timing{MessageTimeout: 50 * time.Millisecond, CloseTimeout: 50 * time.Millisecond}})
	c := r.dialRaw("", 0)
	// A masked text frame that announces 100 bytes and sends three.
	if _, err := c.Conn.Write([]byte{0x81, 0x80 | 100, 0, 0, 0, 0, 'a', 'b', 'c'}); err != nil {
		t.Fatal(err)
	}
	// Not 1008, after which clients do not come back: it may be the network.
	if f := c.expect(8); f.closeCode() != wire.CloseSlowConsumer {
		t.Errorf("closed with %d", f.closeCode())
	}
	r.await("the connection to be cut", func() bool { return r.Stats().Connections == 0 })
}

func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	for name, b := range map[string][]byte{
		"reserved bits":       {0xc1, 0x80, 0, 0, 0, 0},
		"unknown opcode":      {0x83, 0x80, 0, 0, 0, 0},
		"lone continuation":   {0x80, 0x80, 0, 0, 0, 0},
		"fragmented ping":     {0x09, 0x80, 0, 0, 0, 0},
		"close with one byte": {0x88, 0x81, 0, 0, 0, 0, 3},
		"not masked":          {0x81, 0x02, '{', '}'},
		"negative length":     {0x81, 0x80 | 127, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		c := r.dialRaw("", 0)
		if _, err := c.Conn.Write(b); err != nil {
			t.Fatal(err)
		}
		if f := c.expect(8); f.closeCode() != wire.CloseProtocolError {
			t.Errorf("%s: closed with %d", name, f.closeCode())
		}
		c.expectEnd()
	}
	c := r.dialRaw("", 0) // a message in fragments is as good as any
	for _, b := range [][]byte{{0x01, 0x82, 0, 0, 0, 0, '{', '"'}, {0x00, 0x86, 0, 0, 0, 0, 'a', 'c', 't', 'i', 'o', 'n'}, {0x89, 0x80, 0, 0, 0, 0}, {0x80, 0x88, 0, 0, 0, 0, '"', ':', '"', 'p', 'i', 'n', 'g', '"'}} {
		if _, err := c.Conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if f := c.expect(1); f.message(t).Code != "bad_json" { // its brace is missing
		t.Errorf("%s", f.payload)
	}
}

func TestPanicEndsOneConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	var victim *conn
	done := make(chan struct{})
	c := r.dial("")
	c.subscribe("prices", mint(1).String())
	r.inShard(0, func(s *shard) {
		for c := range s.conns {
			victim = c
		}
		close(done)
	})
	<-done
	other := r.dial("")
	if victim == nil { // it is in another shard
		done = make(chan struct{})
		r.inShard(1, func(s *shard) {
			for c := range s.conns {
				victim = c
			}
			close(done)
		})
		<-done
	}
	victim.guard(func() { panic("on purpose") })
	if ce := c.expectClose(); ce.Code != 1011 {
		t.Errorf("%v", ce)
	}
	other.subscribe("prices", mint(1).String())
}

func TestPanicInAHookEndsOneConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{OnConn: func(i ConnInfo) ConnHooks {
		if i.TestID == "bad" {
			panic("on purpose")
		}
		return ConnHooks{End: func(ConnEnd) { panic("on purpose, too") }}
	}})
	if ce := r.dial("test_id=bad").expectClose(); ce.Code != 1011 {
		t.Errorf("%v", ce)
	}
	c := r.dial("test_id=good")
	c.subscribe("prices", mint(1).String())
	c.Close(1000, "")
	r.await("both to go", func() bool { return r.Stats().Connections == 0 })
}
