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
