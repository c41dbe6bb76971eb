package api_test

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/stream/wire"
)

// schemas compiles the schemas of one of the two documents.
type schemas struct {
	compiler *jsonschema.Compiler
	document map[string]any
	url      string
}

// readSchemas loads a document for checking what the code really writes. The
// published schemas let messages grow; here every object is closed, so that a
// field which the document does not name is found.
func readSchemas(t *testing.T, url string, text []byte) schemas {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(document)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource(url, document); err != nil {
		t.Fatal(err)
	}
	return schemas{compiler: compiler, document: document.(map[string]any), url: url}
}

func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, child := range v {
			closeObjects(child)
		}
	case []any:
		for _, child := range v {
			closeObjects(child)
		}
	}
}

// check validates a JSON text against the schema at a JSON pointer.
func (s schemas) check(pointer string, text []byte) error {
	schema, err := s.compiler.Compile(s.url + "#" + pointer)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func fullPrice() swapcast.Price {
	return swapcast.Price{
		Mint: swapcast.NativeMint(), USD: 147.231, Known: true, SOL: 1, SOLKnown: true, Confidence: 0.97, LiquidityUSD: 1e7,
		DEX: "raydium-clmm", Pool: key(1), Slot: 9, Commitment: swapcast.Confirmed, Signature: solana.Signature{1}, BlockTime: 5, Corrects: 8,
	}
}

func fullTrade() swapcast.Trade {
	return swapcast.Trade{
		Mint: swapcast.NativeMint(), Side: swapcast.Sell, Amount: math.MaxUint64, Decimals: 9, USD: 1e-9, AmountUSD: 1e22, Known: true,
		Trader: key(2), DEX: "pumpswap", Pool: key(3), Slot: 9, Signature: solana.Signature{1}, Index: 3, BlockTime: 5,
	}
}

// TestAsyncAPIMatchesTheWire validates what the encoders write against the
// schemas that clients are told.
func TestAsyncAPIMatchesTheWire(t *testing.T) {
	s := readSchemas(t, "https://swapcast.example/asyncapi.json", wire.AsyncAPI())
	price, trade := fullPrice(), fullTrade()
	full := wire.Meta{Seq: 7, TS: 1764000000123, Feed: swapcast.FeedSimulated, Snapshot: true}
	mint := swapcast.NativeMintAddress
	codes := []wire.Code{
		wire.BadJSON, wire.UnknownAction, wire.UnknownChannel, wire.UnsupportedCommitment, wire.InvalidAsset,
		wire.InvalidInterval, wire.InvalidWallet, wire.TooManySubscriptions, wire.RateLimited,
		wire.SlowConsumer, wire.BadKey, wire.PolicyViolation, wire.Overloaded, wire.InternalError,
	}
	var refused []wire.AssetError
	for _, code := range codes {
		refused = append(refused, wire.AssetError{AssetID: "\xff\"", Code: code})
	}
	for _, c := range []struct {
		name, message string
		text          []byte
	}{
		{"price, every field", "price", wire.AppendPrice(nil, &price, full)},
		{"price, live", "price", wire.AppendPrice(nil, &price, wire.Meta{Seq: 1, TS: 1})},
		{"price, replay", "price", wire.AppendPrice(nil, &price, wire.Meta{Feed: swapcast.FeedReplay})},
		{"price, nothing known", "price", wire.AppendPrice(nil, &swapcast.Price{Mint: key(9)}, wire.Meta{Snapshot: true})},
		{"price, not a number", "price", wire.AppendPrice(nil, &swapcast.Price{Mint: key(9), USD: math.NaN(), Known: true}, wire.Meta{})},
		{"trade, every field", "trade", wire.AppendTrade(nil, &trade, wire.Meta{Seq: 7, TS: 1, Feed: swapcast.FeedReplay})},
		{"trade, nothing known", "trade", wire.AppendTrade(nil, &swapcast.Trade{Mint: key(9)}, wire.Meta{})},
		{"candle", "candle", wire.AppendCandle(nil, &swapcast.Candle{Mint: key(9), Interval: swapcast.Interval4h, Start: 5, Open: 1e-18, High: 1e12}, full)},
		{"candle, live", "candle", wire.AppendCandle(nil, &swapcast.Candle{Mint: key(9), Final: true}, wire.Meta{Seq: 1, TS: 1})},
		{"candles subscribed", "subscribed", wire.AppendSubscribed(nil, &wire.Subscribed{ID: "7", Channel: wire.ChannelCandles, Interval: "1d", Assets: []string{mint}})},
		{"gap of candles", "gap", wire.AppendGap(nil, &wire.Gap{Channel: wire.ChannelCandles, Interval: "1s", AssetID: mint, Reason: wire.GapOverload})},
		{"subscribed", "subscribed", wire.AppendSubscribed(nil, &wire.Subscribed{ID: `"7"`, Channel: wire.ChannelTrades, Assets: []string{mint}, Epoch: "k3x9"})},
		{"subscribed, every code", "subscribed", wire.AppendSubscribed(nil, &wire.Subscribed{ID: "7", Channel: wire.ChannelPrices, Recovered: true, Errors: refused})},
		{"unsubscribed", "unsubscribed", wire.AppendUnsubscribed(nil, `"8"`)},
		{"pong", "pong", wire.AppendPong(nil, "9")},
		{"pong without id", "pong", wire.AppendPong(nil, "")},
		{"gap, slow", "gap", wire.AppendGap(nil, &wire.Gap{Channel: wire.ChannelTrades, AssetID: mint, FromSeq: 1, ToSeq: 2, Reason: wire.GapSlowConsumer})},
		{"gap, overload", "gap", wire.AppendGap(nil, &wire.Gap{Channel: wire.ChannelPrices, AssetID: mint, Reason: wire.GapOverload})},
		{"gap, upstream", "gap", wire.AppendGap(nil, &wire.Gap{Channel: wire.ChannelTrades, Commitment: swapcast.Confirmed, AssetID: mint, Reason: wire.GapUpstream, FromSlot: 1, ToSlot: 2, Detail: "x"})},
		{"gap, forgotten", "gap", wire.AppendGap(nil, &wire.Gap{Channel: wire.ChannelBalances, AssetID: mint, FromSeq: 1, ToSeq: 2, Reason: wire.GapNoHistory})},
		{"gap, restarted", "gap", wire.AppendGap(nil, &wire.Gap{Channel: wire.ChannelTrades, AssetID: mint, Reason: wire.GapNewEpoch})},
		{"trade, confirmed", "trade", wire.AppendTrade(nil, &swapcast.Trade{Mint: key(9), Commitment: swapcast.Confirmed}, wire.Meta{})},
		{"candle, confirmed", "candle", wire.AppendCandle(nil, &swapcast.Candle{Mint: key(9), Commitment: swapcast.Confirmed}, wire.Meta{})},
		{"balance, every field", "balance", wire.AppendBalance(nil, &swapcast.Balance{Owner: key(8), Mint: key(9), Native: true, Amount: math.MaxUint64, Commitment: swapcast.Confirmed, Corrects: 3}, full)},
		{"balance", "balance", wire.AppendBalance(nil, &swapcast.Balance{Owner: key(8), Mint: key(9), Signature: solana.Signature{1}}, wire.Meta{Seq: 1, TS: 1})},
		{"retract, every field", "retract", wire.AppendRetract(nil, &swapcast.Retract{Mint: key(9), Slot: 5, Signatures: []solana.Signature{{1}, {2}}, Commitment: swapcast.Confirmed}, full)},
		{"retract", "retract", wire.AppendRetract(nil, &swapcast.Retract{Mint: key(9), Signatures: []solana.Signature{{1}}}, wire.Meta{})},
		{"status", "status", wire.AppendStatus(nil, &wire.Status{Feed: wire.FeedHealthy, Slot: 5, LagMS: 7, LagKnown: true}, wire.Meta{TS: 1})},
		{"status, unknown", "status", wire.AppendStatus(nil, &wire.Status{Feed: wire.FeedDisconnected, Degraded: true, Message: "m"}, full)},
		{"trades resumed", "subscribed", wire.AppendSubscribed(nil, &wire.Subscribed{ID: "7", Channel: wire.ChannelTrades, Commitment: swapcast.Confirmed, Assets: []string{mint}, Recovered: true, Seqs: []wire.Position{{ID: mint, Seq: 3}}})},
		{"balances subscribed", "subscribed", wire.AppendSubscribed(nil, &wire.Subscribed{ID: "7", Channel: wire.ChannelBalances, Wallets: []string{mint}, Errors: []wire.AssetError{{AssetID: "", Code: wire.InvalidWallet, Wallet: true}}})},
		{"status subscribed", "subscribed", wire.AppendSubscribed(nil, &wire.Subscribed{ID: "7", Channel: wire.ChannelStatus})},
		{"error of a wallet", "error", wire.AppendError(nil, &wire.Error{Code: wire.InvalidWallet, Message: "m", AssetID: "x", Wallet: true})},
		{"error", "error", wire.AppendError(nil, &wire.Error{ID: `"7"`, Code: wire.InvalidAsset, Message: "m", AssetID: "\xff"})},
		{"error, bare", "error", wire.AppendError(nil, &wire.Error{Code: wire.BadJSON, Message: "m"})},
		{"batch", "batch", []byte(`[` + string(wire.AppendTrade(nil, &trade, wire.Meta{})) + `]`)},
	} {
		if err := s.check("/components/messages/"+c.message+"/payload", c.text); err != nil {
			t.Errorf("%s: %v\n%s", c.name, err, c.text)
		}
	}
}

// TestSchemasBite makes sure that a wrong message is told from a right one.
func TestSchemasBite(t *testing.T) {
	s := readSchemas(t, "https://swapcast.example/asyncapi.json", wire.AsyncAPI())
	price := fullPrice()
	good := string(wire.AppendPrice(nil, &price, wire.Meta{Seq: 1, TS: 1}))
	for name, bad := range map[string]string{
		"price as text":    strings.Replace(good, `"price":147.231`, `"price":"147.231"`, 1),
		"price zero":       strings.Replace(good, `"price":147.231`, `"price":0`, 1),
		"field renamed":    strings.Replace(good, `"assetId"`, `"asset"`, 1),
		"field added":      strings.Replace(good, `{`, `{"extra":1,`, 1),
		"field missing":    strings.Replace(good, `"priceSol":1,`, ``, 1),
		"wrong commitment": strings.Replace(good, `"confirmed"`, `"sure"`, 1),
	} {
		if bad == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if err := s.check("/components/messages/price/payload", []byte(bad)); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if err := s.check("/components/messages/price/payload", []byte(good)); err != nil {
		t.Error(err)
	}
}

// TestAsyncAPIExamples validates the document's own examples, and that what it
// tells clients to send is what the server's reader takes.
func TestAsyncAPIExamples(t *testing.T) {
	s := readSchemas(t, "https://swapcast.example/asyncapi.json", wire.AsyncAPI())
	var document struct {
		Components struct {
			Messages map[string]struct {
				Examples []struct {
					Name    string
					Payload json.RawMessage
				}
			}
		}
	}
	if err := json.Unmarshal(wire.AsyncAPI(), &document); err != nil {
		t.Fatal(err)
	}
	for name, message := range document.Components.Messages {
		if len(message.Examples) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, example := range message.Examples {
			if err := s.check("/components/messages/"+name+"/payload", example.Payload); err != nil {
				t.Errorf("%s, example %q: %v", name, example.Name, err)
			}
			switch name {
			case "subscribe", "unsubscribe", "ping":
				request, err := wire.ParseRequest(example.Payload)
				if err != nil || request.Action != name {
					t.Errorf("%s, example %q: read as %+v, %v", name, example.Name, request, err)
				}
			}
		}
	}
}

// TestOpenAPIMatchesTheAnswers validates real answers of the handler, and that
// the document and the handler know the same paths.
func TestOpenAPIMatchesTheAnswers(t *testing.T) {
	s := readSchemas(t, "https://swapcast.example/openapi.json", api.OpenAPI())
	o := options()
	o.Quote = newQuoteWorld(t, nil).quote
	o.Wallets = fakeWallets{}
	h := api.New(o)
	sol := swapcast.NativeMintAddress
	covered := map[string]bool{}
	for _, c := range []struct{ path, target, status string }{
		{"/v1/prices", "/v1/prices", "200"},
		{"/v1/prices", "/v1/prices?assets=" + sol + "," + unpriced.String() + "," + unseen.String() + ",nope", "200"},
		{"/v1/prices", "/v1/prices?assets=", "400"},
		{"/v1/tokens", "/v1/tokens?sort=new&limit=7", "200"},
		{"/v1/tokens", "/v1/tokens?sort=old", "400"},
		{"/v1/tokens/{mint}", "/v1/tokens/" + sol, "200"},
		{"/v1/tokens/{mint}", "/v1/tokens/" + launched.String(), "200"},
		{"/v1/tokens/{mint}", "/v1/tokens/" + unpriced.String(), "200"},
		{"/v1/tokens/{mint}", "/v1/tokens/nope", "400"},
		{"/v1/tokens/{mint}", "/v1/tokens/" + unseen.String(), "404"},
		{"/v1/trades/{mint}", "/v1/trades/" + sol, "200"},
		{"/v1/trades/{mint}", "/v1/trades/" + unseen.String(), "200"},
		{"/v1/trades/{mint}", "/v1/trades/" + sol + "?limit=0", "400"},
		{"/v1/candles/{mint}", "/v1/candles/" + sol + "?limit=3", "200"},
		{"/v1/candles/{mint}", "/v1/candles/" + unseen.String(), "200"},
		{"/v1/candles/{mint}", "/v1/candles/" + sol + "?interval=2m", "400"},
		{"/v1/quote", quoteTarget(""), "200"},
		{"/v1/quote", quoteTarget("&slippageBps=x"), "400"},
		{"/v1/quote", "/v1/quote?inputMint=" + sol + "&outputMint=" + unseen.String() + "&amount=5", "502"},
		{"/v1/wallets/{owner}/balances", "/v1/wallets/" + knownOwner.String() + "/balances", "200"},
		{"/v1/wallets/{owner}/balances", "/v1/wallets/" + sol + "/balances", "200"},
		{"/v1/wallets/{owner}/balances", "/v1/wallets/nope/balances", "400"},
		{"/v1/wallets/{owner}/balances", "/v1/wallets/" + fullOwner.String() + "/balances", "503"},
		{"/v1/wallets/{owner}/portfolio", "/v1/wallets/" + knownOwner.String() + "/portfolio", "200"},
		{"/v1/wallets/{owner}/portfolio", "/v1/wallets/" + sol + "/portfolio", "200"},
		{"/v1/wallets/{owner}/portfolio", "/v1/wallets/nope/portfolio", "400"},
		{"/v1/wallets/{owner}/pnl", "/v1/wallets/" + knownOwner.String() + "/pnl", "200"},
		{"/v1/wallets/{owner}/pnl", "/v1/wallets/" + sol + "/pnl", "200"},
		{"/v1/wallets/{owner}/pnl", "/v1/wallets/" + fullOwner.String() + "/pnl", "503"},
		{"/v1/status", "/v1/status", "200"},
		{"/healthz", "/healthz", "200"},
		{"/readyz", "/readyz", "200"},
		{"/openapi.json", "/openapi.json", "200"},
		{"/asyncapi.json", "/asyncapi.json", "200"},
	} {
		covered[c.path] = true
		response, body := do(t, h, http.MethodGet, c.target)
		kind := "application/json"
		if c.status != "200" {
			kind = "application/problem+json"
		}
		if response.Header.Get("Content-Type") != kind {
			t.Errorf("%s: content type %q", c.target, response.Header.Get("Content-Type"))
		}
		at := "/paths/" + escapePointer(c.path) + "/get/responses/" + c.status
		if found := s.at(t, at); found["$ref"] != nil {
			at = strings.TrimPrefix(found["$ref"].(string), "#")
		}
		if err := s.check(at+"/content/"+escapePointer(kind)+"/schema", body); err != nil {
			t.Errorf("%s: %v\n%s", c.target, err, body)
		}
	}
	checkSwapAnswers(t, s, covered)
	covered["/v1/stream"] = true // package stream serves it: see TestStreamIsAsDocumented of cmd/swapcast
	for path := range s.document["paths"].(map[string]any) {
		if !covered[path] {
			t.Errorf("%s is in the document and not checked here", path)
		}
	}
}

// at follows a JSON pointer to an object.
func (s schemas) at(t *testing.T, pointer string) map[string]any {
	t.Helper()
	node := s.document
	for _, part := range strings.Split(pointer, "/")[1:] {
		part = strings.NewReplacer("~1", "/", "~0", "~", "%7B", "{", "%7D", "}").Replace(part)
		next, ok := node[part].(map[string]any)
		if !ok {
			t.Fatalf("the document has no %s (at %q)", pointer, part)
		}
		node = next
	}
	return node
}

// escapePointer makes s one part of a JSON pointer within a URL fragment.
func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}

// TestSharedSchemas keeps the two documents from drifting apart: a price, a trade
// and a candle are the same in both.
func TestSharedSchemas(t *testing.T) {
	type document struct {
		Components struct{ Schemas map[string]any }
	}
	var open, async document
	for text, d := range map[*document][]byte{&open: api.OpenAPI(), &async: wire.AsyncAPI()} {
		if err := json.Unmarshal(d, text); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"Price", "Trade", "Candle"} {
		if open.Components.Schemas[name] == nil || !reflect.DeepEqual(open.Components.Schemas[name], async.Components.Schemas[name]) {
			t.Errorf("schema %s differs between openapi.json and asyncapi.json", name)
		}
	}
}
