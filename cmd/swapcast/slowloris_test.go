package main

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Clients that send their request a byte at a time, or nothing at all, are cut
// after a few seconds and cost nobody else anything.
func TestSlowloris(t *testing.T) {
	s := serveForTest(t, "--source", "market:?seed=1&tps=10")
	address := s.public.Addr().String()
	const slow = 200
	ended := make(chan error, slow)
	for i := range slow {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if i%2 == 0 {
			if _, err := io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
				t.Fatal(err)
			}
		}
		go func() {
			_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
			_, err := io.Copy(io.Discard, c)
			ended <- err
		}()
	}
	for range 20 {
		getJSON(t, "http://"+address+"/v1/status", http.StatusOK, nil)
	}
	for range slow {
		if err := <-ended; err != nil {
			t.Fatalf("a slow client was not cut within 30 s: %v", err)
		}
	}
}

// A client that never finishes its body, one that never reads its answers, and
// more idle connections than are kept: all are cut, and the others served.
func TestSlowBodiesAndReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 40 s")
	}
	t.Parallel()
	s := serveForTest(t, "--source", "market:?seed=1&tps=100")
	address := s.public.Addr().String()
	base := "http://" + address
	var prices struct{ Prices []any }
	for deadline := time.Now().Add(20 * time.Second); len(prices.Prices) < 5 && time.Now().Before(deadline); {
		getJSON(t, base+"/v1/prices", http.StatusOK, &prices)
	}
	body := dialForTest(t, address)
	if _, err := io.WriteString(body, "POST /v1/prices HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx"); err != nil {
		t.Fatal(err)
	}
	deaf := dialForTest(t, address)
	began := time.Now()
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		for { // until the server gives up on us
			_ = deaf.SetWriteDeadline(time.Now().Add(60 * time.Second))
			if _, err := io.WriteString(deaf, "GET /v1/prices HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				return
			}
		}
	}()
	_ = body.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.Copy(io.Discard, body); err != nil {
		t.Errorf("the unfinished body was not cut: %v", err)
	}
	<-cut
	if took := time.Since(began); took > 50*time.Second {
		t.Errorf("the client that does not read was cut after %v", took)
	}
	getJSON(t, base+"/v1/status", http.StatusOK, nil)
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	s := serveForTest(t, "--source", "market:?seed=1&tps=10")
	address := s.public.Addr().String()
	closed := make(chan struct{}, 2*maxIdleHTTP)
	for range maxIdleHTTP + 50 {
		c := dialForTest(t, address)
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.Copy(io.Discard, c)
			closed <- struct{}{}
		}()
	}
	for range 50 {
		select {
		case <-closed:
		case <-time.After(20 * time.Second):
			t.Fatal("idle connections beyond the bound stay open")
		}
	}
	getJSON(t, "http://"+address+"/healthz", http.StatusOK, nil)
}

func dialForTest(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
