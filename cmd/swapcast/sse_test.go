package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/swapcast/swapcast"
)

// The messages of the WebSocket can be read without one.
func TestServeServerSentEvents(t *testing.T) {
	s := serveForTest(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.public.Addr().String()+"/v1/stream?assets="+swapcast.NativeMintAddress, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(got, "text/event-stream") {
		t.Fatalf("%s %q", response.Status, got)
	}
	prices := 0
	lines := bufio.NewScanner(response.Body)
	for prices < 3 && lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue
		}
		var m struct {
			Type, AssetID, Feed string
			Price               *float64
		}
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if m.Type == "price" && m.Price != nil {
			prices++
			if m.AssetID != swapcast.NativeMintAddress || m.Feed != "simulated" || *m.Price <= 0 {
				t.Fatalf("%s", data)
			}
		}
	}
	if prices < 3 {
		t.Fatalf("%d prices, then %v", prices, lines.Err())
	}
}
