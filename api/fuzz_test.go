package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/swap"
)

// FuzzRequests sends any path and query: never a panic, always JSON, never a
// status that the OpenAPI document does not know, and never more prices
// or tokens than the limits say.
func FuzzRequests(f *testing.F) {
	for _, seed := range []struct{ path, query string }{
		{"/v1/prices", "assets=" + swapcast.NativeMintAddress},
		{"/v1/prices", "assets=,&assets=%00"},
		{"/v1/trades/" + swapcast.NativeMintAddress, "limit=1000"},
		{"/v1/trades/x", "limit=+1"},
		{"/v1/candles/" + swapcast.NativeMintAddress, "interval=1h&limit=7"},
		{"/v1/tokens/\xff", "%"},
		{"/v1/tokens", "sort=new&limit=200"},
		{"/v1/wallets/a/pnl", ";"},
	} {
		f.Add(seed.path, seed.query)
	}
	h := api.New(options())
	f.Fuzz(func(t *testing.T, path, query string) {
		request := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		request.URL.Path, request.URL.RawQuery = "/"+strings.TrimPrefix(path, "/"), query
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, request)
		switch recorder.Code {
		case 200, 400, 404, 405, 501: // 405: a path that takes POST alone
		case 301, 307, 308: // the path had . or .. or // in it
			return
		default:
			t.Fatalf("status %d", recorder.Code)
		}
		var got list
		if !json.Valid(recorder.Body.Bytes()) {
			t.Fatalf("no JSON: %q", recorder.Body)
		}
		if recorder.Code == 200 && strings.HasPrefix(request.URL.Path, "/v1/prices") {
			if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Prices)+len(got.Errors) > api.MaxAssets {
				t.Fatalf("%d prices and %d errors", len(got.Prices), len(got.Errors))
			}
		}
		if recorder.Code == 200 && request.URL.Path == "/v1/tokens" {
			var list struct{ Tokens []any }
			if err := json.Unmarshal(recorder.Body.Bytes(), &list); err != nil || len(list.Tokens) > api.MaxTokens {
				t.Fatalf("%d tokens: %v", len(list.Tokens), err)
			}
		}
	})
}

// FuzzPosts sends any body where one is taken: never a panic, always JSON, a status that
// the OpenAPI document knows, and nothing served for a body that is none.
func FuzzPosts(f *testing.F) {
	for _, body := range []string{
		swapRequest(`"100000000"`), swapRequest(`1e3`), chosenRequest("jupiter", `{"inAmount":"1"}`), chosenRequest("dflow", "[]"),
		`{"transaction":"AQAAAA==","lastValidBlockHeight":"9"}`, `{"transaction":"%"}`, "{", "null", `{"userPublicKey":null,"quote":[]}`,
	} {
		f.Add(true, []byte(body))
		f.Add(false, []byte(body))
	}
	o := options()
	o.Swap = func(context.Context, api.Wish) (*api.Swap, error) { return nil, swap.ErrNoBuilder }
	o.Send = func(context.Context, []byte, swap.State) (swap.State, error) { return swap.State{}, api.ErrTooMany }
	h := api.New(o)
	f.Fuzz(func(t *testing.T, swaps bool, body []byte) {
		target := "/v1/transactions"
		if swaps {
			target = "/v1/swap"
		}
		request := httptest.NewRequest(http.MethodPost, target, bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, request)
		switch recorder.Code {
		case 400, 413, 502, 503:
		default:
			t.Fatalf("status %d", recorder.Code)
		}
		if !json.Valid(recorder.Body.Bytes()) {
			t.Fatalf("no JSON: %q", recorder.Body)
		}
	})
}
