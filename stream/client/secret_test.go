package client

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A key that stands in the address is in no log, no event and no error.
func TestKeyInAddressIsNotShown(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer refusing.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for name, address := range map[string]string{
		"nobody there": "ws://hush@" + gone.Addr().String() + "/ws?api_key=hush",
		"refused":      strings.Replace(refusing.URL, "http://", "ws://hush@", 1) + "/ws?api_key=hush",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
			defer stop()
			var log bytes.Buffer
			texts := make(chan string, 64)
			c, err := New(address, Options{
				Logger: slog.New(slog.NewTextHandler(&log, nil)),
				OnEvent: func(e Event) {
					if d, ok := e.(*Disconnected); ok {
						texts <- d.Err.Error()
						stop()
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Run(ctx); err != nil {
				texts <- err.Error()
			}
			close(texts)
			n := 0
			for text := range texts {
				if n++; strings.Contains(text, "hush") {
					t.Errorf("told %q", text)
				}
			}
			if n == 0 || strings.Contains(log.String(), "hush") {
				t.Errorf("%d errors; logged %q", n, log.String())
			}
		})
	}
}
