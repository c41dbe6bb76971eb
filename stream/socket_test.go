package stream

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/swapcast/swapcast/stream/wire"
)

// pair is a socket over real TCP with small kernel buffers, and its peer.
func pair(t *testing.T, buffer int) (*socket, *rawClient, chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := net.Dialer{Control: receiveBuffer(buffer)}
	peer, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.(*net.TCPConn).SetWriteBuffer(buffer); err != nil {
		t.Fatal(err)
	}
	s, writable := newTestSocket(t, nc)
	t.Cleanup(func() { peer.Close() })
	return s, newRawClient(t, peer), writable
}

func newTestSocket(t *testing.T, nc net.Conn) (*socket, chan struct{}) {
	var writers sync.WaitGroup
	writable := make(chan struct{}, 1)
	s := &socket{spawn: writers.Go, limit: timeLimit, writable: func() { writable <- struct{}{} }}
	s.attach(nc)
	t.Cleanup(func() {
		s.shut()
		nc.Close()
		writers.Wait()
	})
	return s, writable
}

// numbered makes n frames that count up from first.
func numbered(first, n, size int) (b []byte, marks []mark) {
	for i := range n {
		f := newFrame(kindPrice, size, func(dst []byte) []byte {
			dst = fmt.Appendf(dst, `{"n":%d,"pad":"`, first+i)
			for len(dst) < size {
				dst = append(dst, 'x')
			}
			return append(dst, `"}`...)
		})
		b = append(b, f.bytes...)
		marks = append(marks, mark{len(b), 1})
	}
	return b, marks
}

// fill sends numbered frames until the socket is full, and returns how many it
// took over.
func fill(t *testing.T, s *socket) (frames int) {
	t.Helper()
	for range 10000 {
		b, marks := numbered(frames, 7, 3000)
		n, result := s.send(b, marks)
		frames += n
		switch result {
		case sentSlow:
			if n == 0 {
				t.Fatal("full, and nothing was begun: nobody would ever learn that there is room")
			}
			return frames
		case sentDead:
			t.Fatal("dead")
		}
	}
	t.Fatal("never full")
	return 0
}

// The case that cost others a close frame: it comes while a frame is half
// written. It must wait, arrive whole, and be the last.
func TestCloseFrameBehindAPartialWrite(t *testing.T) {
	t.Parallel()
	for round := range 20 {
		s, peer, _ := pair(t, 4096)
		frames := fill(t, s)
		for range 5 {
			s.ping()
		}
		if _, err := s.Write([]byte{finPong, 2, 'h', 'i'}); err != nil {
			t.Fatal(err)
		}
		if !s.sendClose(wire.CloseSlowConsumer, "slow") {
			t.Error("not the first close frame")
		}
		if s.sendClose(wire.CloseGoingAway, "again") {
			t.Error("a second close frame")
		}
		s.ping()
		if n, err := s.Write(closeFrame(1000, "")); n != 4 || err != nil { // the library's echo is swallowed
			t.Errorf("%d %v", n, err)
		}
		b, marks := numbered(0, 1, 100)
		if n, result := s.send(b, marks); n != 0 || result != sentDead {
			t.Errorf("data after a close frame: %d %v", n, result)
		}
		if round%2 == 0 {
			s.Close() // as the library does after its echo, and the reader: what is pending still leaves
			s.shut()
		}
		texts, pings, pongs := 0, 0, 0
		var closed rawFrame
		for closed.op == 0 {
			f, err := peer.frame()
			if err != nil {
				t.Fatal(err)
			}
			switch f.op {
			case 1:
				if want := fmt.Sprintf(`{"n":%d,`, texts); !strings.HasPrefix(string(f.payload), want) {
					t.Fatalf("%.30s, want %s", f.payload, want)
				}
				texts++
			case 8:
				closed = f
			case 9:
				pings++
			case 10:
				pongs++
			}
		}
		if texts != frames || pings != 5 || pongs != 1 || closed.closeCode() != wire.CloseSlowConsumer || string(closed.payload[2:]) != "slow" {
			t.Errorf("%d of %d frames, %d pings, %d pongs, close %q", texts, frames, pings, pongs, closed.payload)
		}
		peer.expectEnd()
	}
}

// Pongs beyond the bound are dropped while a peer does not read.
func TestPongsAreBounded(t *testing.T) {
	t.Parallel()
	s, peer, writable := pair(t, 4096)
	frames := fill(t, s)
	dropped := 0
	s.mu.Lock()
	s.dropped = func() { dropped++ }
	s.mu.Unlock()
	for range 10000 {
		if _, err := s.Write([]byte{finPong, 2, 'h', 'i'}); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	if s.controls > maxPendingControl || len(s.pending) > 3100+maxPendingControl {
		t.Errorf("%d bytes pending, %d of them control frames", len(s.pending), s.controls)
	}
	s.mu.Unlock()
	pongs := 0
	for texts := 0; texts < frames; {
		f, err := peer.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.op == 1 {
			texts++
		} else {
			pongs++
		}
	}
	<-writable
	s.sendClose(wire.CloseNormal, "")
	for {
		f, err := peer.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.op == 8 {
			break
		}
		pongs++
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if pongs == 0 || pongs+dropped != 10000 {
		t.Errorf("%d pongs came, %d were counted as dropped, of 10000", pongs, dropped)
	}
}

// Two hands write at once: whatever happens, the peer sees whole frames in
// order.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	for _, buffer := range []int{4096, 1 << 20} {
		s, peer, writable := pair(t, buffer)
		const total = 1500
		var hands sync.WaitGroup
		stop := make(chan struct{})
		hands.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					s.ping()
					s.Write([]byte{finPong, 0})
					time.Sleep(20 * time.Microsecond) // or the slow writer would never be done
				}
			}
		})
		hands.Go(func() {
			defer s.sendClose(wire.CloseGoingAway, "done")
			defer close(stop)
			for sent := 0; sent < total; {
				b, marks := numbered(sent, min(5, total-sent), 700)
				n, result := s.send(b, marks)
				sent += n
				switch result {
				case sentSlow:
					<-writable
				case sentDead:
					t.Error("dead")
					return
				}
			}
		})
		next := 0
		peer.SetReadDeadline(time.Now().Add(timeLimit))
		for {
			f, err := peer.frame()
			if err != nil {
				t.Fatal(err)
			}
			if f.op == 8 {
				break
			}
			if f.op == 1 {
				if want := fmt.Appendf(nil, `{"n":%d,`, next); !bytes.HasPrefix(f.payload, want) {
					t.Fatalf("%.30s, want %s", f.payload, want)
				}
				next++
			}
		}
		hands.Wait()
		if next != total {
			t.Errorf("%d frames of %d", next, total)
		}
		peer.expectEnd()
	}
}

// A peer that reads nothing at all is given up after the limit.
func TestSlowWriteGivesUp(t *testing.T) {
	t.Parallel()
	s, _, writable := pair(t, 4096)
	s.limit = 30 * time.Millisecond
	closed := make(chan error, 1)
	go func() {
		_, err := s.Conn.Read(make([]byte, 1))
		closed <- err
	}()
	for open := true; open; {
		fill(t, s)
		select {
		case <-writable: // the peer's kernel took some more
		case err := <-closed:
			if !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			open = false
		case <-time.After(timeLimit):
			t.Fatal("still open")
		}
	}
	if e := s.cause(end{}); e.code != wire.CloseSlowConsumer {
		t.Errorf("%+v", e)
	}
}

// What is no plain TCP goes the slow way, whole and in order.
func TestSocketOverAPipe(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	s, writable := newTestSocket(t, here)
	peer := newRawClient(t, there)
	t.Cleanup(func() { there.Close() })
	b, marks := numbered(0, 3, 100)
	if n, result := s.send(b, marks); n != 3 || result != sentSlow {
		t.Fatalf("%d %v", n, result)
	}
	if n, result := s.send(b, marks); n != 0 || result != sentSlow {
		t.Fatalf("%d %v", n, result)
	}
	for i := range 3 {
		if f := peer.expect(1); !strings.HasPrefix(string(f.payload), fmt.Sprintf(`{"n":%d,`, i)) {
			t.Errorf("%s", f.payload)
		}
	}
	<-writable
	s.sendClose(wire.CloseGoingAway, "bye")
	if f := peer.expect(8); f.closeCode() != wire.CloseGoingAway {
		t.Errorf("%q", f.payload)
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 125, 126, 127, 65535, 65536, 1 << 20} {
		payload := bytes.Repeat([]byte("1"), n)
		f := newFrame(kindReply, 0, func(dst []byte) []byte { return append(dst, payload...) })
		here, there := net.Pipe()
		go func() {
			here.Write(f.bytes)
			here.Close()
		}()
		got, err := newRawClient(t, there).frame()
		if err != nil || got.op != 1 || !bytes.Equal(got.payload, payload) || !bytes.Equal(f.payload(), payload) {
			t.Errorf("%d bytes: opcode %d, %d bytes, %v", n, got.op, len(got.payload), err)
		}
	}
	long := closeFrame(wire.CloseGoingAway, strings.Repeat("x", 1000))
	if len(long) != 127 || long[1] != 125 {
		t.Errorf("close frame of %d bytes", len(long))
	}
}
