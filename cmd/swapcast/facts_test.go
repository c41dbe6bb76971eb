package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/rpctest"
)

// With --rpc-url a token's supply comes from its mint, and its market value with
// it.
func TestServeTokenFactsOverRPC(t *testing.T) {
	token := sim.Tokens()[len(sim.Tokens())-1]
	chain := rpctest.NewRecorder(rpctest.RecorderOptions{})
	const supply = 123_456_789_000_000
	if err := chain.PutMint(rpctest.Mint{Key: token.Mint, Decimals: token.Decimals, Supply: supply, Name: "Fact", Symbol: "FACT", Form: rpctest.Metaplex}); err != nil {
		t.Fatal(err)
	}
	rpc, err := rpctest.New(rpctest.Options{Store: chain})
	if err != nil {
		t.Fatal(err)
	}
	endpoint := httptest.NewServer(rpc)
	defer endpoint.Close()
	s := serveForTest(t, "--rpc-url", endpoint.URL)
	url := "http://" + s.public.Addr().String() + "/v1/tokens/" + token.Mint.String()
	var got struct {
		Supply       *string
		MarketCapUSD *float64
	}
	for deadline := time.Now().Add(30 * time.Second); got.Supply == nil || got.MarketCapUSD == nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no facts of %s within 30 s: %+v", token.Mint, got)
		}
		response, err := http.Get(url) //nolint:noctx // of this process, and short
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode == http.StatusOK {
			err = json.NewDecoder(response.Body).Decode(&got)
		}
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	if *got.Supply != "123456789000000" || *got.MarketCapUSD <= 0 {
		t.Fatalf("supply %s, market value %v", *got.Supply, *got.MarketCapUSD)
	}
}
