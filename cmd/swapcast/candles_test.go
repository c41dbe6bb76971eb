package main

import (
	"cmp"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/stream/client"
)

// TestSparseCandles follows tokens that do not trade every second. A processed
// trade is placed by the newest block known, which is often that of the second
// before; once it is confirmed it stands in its own, and the candle that it was in
// at first is told to be empty.
func TestSparseCandles(t *testing.T) {
	s := serveForTest(t, "--source", "market:?seed=7&tps=20")
	base := "http://" + s.public.Addr().String()
	var mu sync.Mutex
	told := map[string]map[int64]client.Candle{} // by mint and start, as told last
	ws, err := client.Dial(t.Context(), base, client.Options{OnEvent: func(e client.Event) {
		if c, ok := e.(*client.Candle); ok && !c.Snapshot {
			mu.Lock()
			defer mu.Unlock()
			if told[c.AssetID] == nil {
				told[c.AssetID] = map[int64]client.Candle{}
			}
			told[c.AssetID][c.Start] = *c
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	listed := sim.Tokens()
	mints := make([]string, 0, len(listed))
	for _, token := range listed {
		mints = append(mints, token.Mint.String())
	}
	if err := ws.Subscribe(t.Context(), client.CandleChannel("1s"), mints...); err != nil {
		t.Fatal(err)
	}
	var wrong string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		mu.Lock()
		emptied := 0
		wrong = ""
		for mint, candles := range told {
			var served struct{ Candles []servedCandle }
			getJSON(t, base+"/v1/candles/"+mint+"?interval=1s", http.StatusOK, &served)
			for _, c := range served.Candles[:max(len(served.Candles)-5, 0)] { // the rest may not be confirmed yet
				was, ok := candles[c.T]
				if ok && was.Trades != c.Trades {
					wrong = fmt.Sprintf("%s at %d: HTTP has %d trades, the channel had %d", mint, c.T, c.Trades, was.Trades)
				}
				if ok && was.Trades == 0 {
					emptied++
				}
			}
		}
		mu.Unlock()
		if emptied >= 3 && wrong == "" {
			return
		}
	}
	t.Errorf("after 30 s: %s, or too few candles lost their trades", cmp.Or(wrong, "nothing is wrong"))
}
