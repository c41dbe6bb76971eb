package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

func key(b byte) solana.PublicKey { return solana.PublicKey{0, b, 31: b} }

// The expected texts are written by hand from the contract's examples, with
// addresses as solana-go prints them.
func TestMessages(t *testing.T) {
	t.Parallel()
	sol, sig := swapcast.NativeMint(), solana.Signature{1, 2, 3, 63: 9}
	p := swapcast.Price{
		Mint: sol, USD: 147.231, Known: true, SOL: 1, SOLKnown: true, Confidence: 0.97, LiquidityUSD: 81234567.1, DEX: "raydium-clmm",
		Pool: key(3), Slot: 371234567, Commitment: swapcast.Processed, Signature: sig, BlockTime: 1764000000, ReceivedAt: 1,
	}
	corrected := p
	corrected.Corrects = 371234560
	tr := swapcast.Trade{
		Mint: sol, Side: swapcast.Buy, Amount: 1500000000, Decimals: 9, USD: 147.2, AmountUSD: 220.8, Known: true, Trader: key(4),
		DEX: "pumpswap", Pool: key(3), Slot: 5, Signature: sig, Index: 2, BlockTime: 7,
	}
	candle := swapcast.Candle{
		Mint: key(1), Interval: swapcast.Interval15s, Start: 1764000000, Open: 1.5, High: 2, Low: 0.000001, Close: 1.75, VolumeUSD: 1234.5, Trades: 3, Final: true,
	}
	unknown := tr
	unknown.Known = false
	address := swapcast.NativeMintAddress
	common := `,"confidence":0.97,"liquidityUsd":81234567.1,"source":"raydium-clmm","pool":"` + key(3).String() +
		`","slot":371234567,"commitment":"processed","signature":"` + sig.String() + `","blockTime":1764000000,"seq":1841,"ts":1764000000123`
	head := `{"type":"price","assetId":"` + address + `","price":147.231,"priceSol":1`
	live := AppendPrice(nil, &p, Meta{Seq: 1841, TS: 1764000000123})
	settled := tr
	settled.Commitment = swapcast.Confirmed
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"price": {live, head + common + `}`},
		"price, simulated, snapshot": {
			AppendPrice(nil, &p, Meta{Seq: 1841, TS: 1764000000123, Feed: swapcast.FeedSimulated, Snapshot: true}),
			head + common + `,"feed":"simulated","snapshot":true}`,
		},
		"price as a snapshot":        {AppendAsSnapshot(nil, live, 1841), head + common + `,"snapshot":true}`},
		"snapshot of a later number": {AppendAsSnapshot(nil, AppendAsSnapshot(nil, live, 2), 12345), head + strings.Replace(common, "1841", "12345", 1) + `,"snapshot":true}`},
		"price that corrects":        {AppendPrice(nil, &corrected, Meta{Seq: 1841, TS: 1764000000123}), head + common + `,"corrects":371234560}`},
		"no price": {
			AppendPrice(nil, &swapcast.Price{Mint: sol}, Meta{TS: 5, Snapshot: true}),
			`{"type":"price","assetId":"` + address + `","price":null,"priceSol":null,"confidence":0,"liquidityUsd":0,"source":"","pool":"","slot":0,` +
				`"commitment":"processed","signature":"","blockTime":0,"seq":0,"ts":5,"snapshot":true}`,
		},
		"trade": {
			AppendTrade(nil, &tr, Meta{Seq: 3, TS: 4}),
			`{"type":"trade","assetId":"` + address + `","side":"buy","price":147.2,"amount":"1500000000","decimals":9,"amountUsd":220.8,"trader":"` + key(4).String() +
				`","source":"pumpswap","pool":"` + key(3).String() + `","slot":5,"signature":"` + sig.String() + `","index":2,"blockTime":7,"seq":3,"ts":4}`,
		},
		"trade without a price, replayed": {
			AppendTrade(nil, &unknown, Meta{Seq: 3, TS: 4, Feed: swapcast.FeedReplay}),
			`{"type":"trade","assetId":"` + address + `","side":"buy","price":null,"amount":"1500000000","decimals":9,"amountUsd":null,"trader":"` + key(4).String() +
				`","source":"pumpswap","pool":"` + key(3).String() + `","slot":5,"signature":"` + sig.String() + `","index":2,"blockTime":7,"seq":3,"ts":4,"feed":"replay"}`,
		},
		"subscribed": {
			AppendSubscribed(nil, &Subscribed{ID: `"7"`, Channel: "prices", Assets: []string{"a", "b"}, Epoch: "k3x9", Errors: []AssetError{{AssetID: "x\"", Code: InvalidAsset}, {AssetID: "y", Code: RateLimited}}}),
			`{"type":"subscribed","id":"7","channel":"prices","assets":["a","b"],"epoch":"k3x9","recovered":false,"errors":[{"assetId":"x\"","code":"invalid_asset"},{"assetId":"y","code":"rate_limited"}]}`,
		},
		"candle": {
			AppendCandle(nil, &candle, Meta{Seq: 7, TS: 1764000000123}),
			`{"type":"candle","assetId":"` + key(1).String() + `","interval":"15s","t":1764000000,"o":1.5,"h":2,"l":0.000001,"c":1.75,"volumeUsd":1234.5,"trades":3,"final":true,"seq":7,"ts":1764000000123}`,
		},
		"candle, as a snapshot of a simulated feed": {
			AppendAsSnapshot(nil, AppendCandle(nil, &swapcast.Candle{Mint: key(1)}, Meta{Seq: 7, TS: 8, Feed: swapcast.FeedSimulated}), 7),
			string(AppendCandle(nil, &swapcast.Candle{Mint: key(1)}, Meta{Seq: 7, TS: 8, Feed: swapcast.FeedSimulated, Snapshot: true})),
		},
		"candles subscribed": {
			AppendSubscribed(nil, &Subscribed{ID: `"7"`, Channel: "candles", Interval: "1m", Assets: []string{"a"}, Epoch: "k3x9"}),
			`{"type":"subscribed","id":"7","channel":"candles","interval":"1m","assets":["a"],"epoch":"k3x9","recovered":false,"errors":[]}`,
		},
		"gap of candles": {
			AppendGap(nil, &Gap{Channel: "candles", Interval: "1s", AssetID: "x", FromSeq: 1, ToSeq: 2, Reason: GapOverload}),
			`{"type":"gap","channel":"candles","interval":"1s","assetId":"x","fromSeq":1,"toSeq":2,"reason":"overload"}`,
		},
		"status that is known to nobody": {
			AppendStatus(nil, &Status{Feed: "disconnected", Degraded: true, Message: "<no>"}, Meta{TS: 5, Snapshot: true}),
			`{"type":"status","feed":"disconnected","slot":0,"lagMs":null,"degraded":true,"message":"\u003cno>","ts":5,"snapshot":true}`,
		},
		"confirmed trade": {
			AppendTrade(nil, &settled, Meta{Seq: 3, TS: 4}),
			strings.Replace(string(AppendTrade(nil, &tr, Meta{Seq: 3, TS: 4})), `,"seq"`, `,"commitment":"confirmed","seq"`, 1),
		},
		"confirmed candle": {
			AppendCandle(nil, &swapcast.Candle{Mint: key(1), Commitment: swapcast.Confirmed}, Meta{Seq: 7, TS: 8}),
			strings.Replace(string(AppendCandle(nil, &swapcast.Candle{Mint: key(1)}, Meta{Seq: 7, TS: 8})), `,"seq"`, `,"commitment":"confirmed","seq"`, 1),
		},
		"balance": {
			AppendBalance(nil, &swapcast.Balance{Owner: key(4), Mint: key(1), Amount: math.MaxUint64, Decimals: 6, Slot: 5, Signature: sig}, Meta{Seq: 3, TS: 4}),
			`{"type":"balance","wallet":"` + key(4).String() + `","assetId":"` + key(1).String() + `","amount":"18446744073709551615","decimals":6,"slot":5,"signature":"` + sig.String() + `","seq":3,"ts":4}`,
		},
		"lamports that correct, as a snapshot": {
			AppendBalance(nil, &swapcast.Balance{Owner: key(4), Mint: sol, Native: true, Decimals: 9, Slot: 5, Commitment: swapcast.Confirmed, Corrects: 4}, Meta{TS: 4, Feed: swapcast.FeedReplay, Snapshot: true}),
			`{"type":"balance","wallet":"` + key(4).String() + `","assetId":"` + address + `","amount":"0","decimals":9,"native":true,"slot":5,"signature":"","commitment":"confirmed","seq":0,"ts":4,"feed":"replay","snapshot":true,"corrects":4}`,
		},
		"retract": {
			AppendRetract(nil, &swapcast.Retract{Mint: key(1), Slot: 5, Signatures: []solana.Signature{sig, sig}, Commitment: swapcast.Confirmed}, Meta{Seq: 3, TS: 4}),
			`{"type":"retract","channel":"trades","assetId":"` + key(1).String() + `","slot":5,"signatures":["` + sig.String() + `","` + sig.String() + `"],"commitment":"confirmed","seq":3,"ts":4}`,
		},
		"gap in the slots": {
			AppendGap(nil, &Gap{Channel: "trades", Commitment: swapcast.Confirmed, AssetID: "x", Reason: GapUpstream, FromSlot: 7, ToSlot: 9, Detail: "out_of_range"}),
			`{"type":"gap","channel":"trades","commitment":"confirmed","assetId":"x","fromSeq":0,"toSeq":0,"reason":"upstream","fromSlot":7,"toSlot":9,"detail":"out_of_range"}`,
		},
		"gap of balances": {
			AppendGap(nil, &Gap{Channel: "balances", AssetID: "x", FromSeq: 1, ToSeq: 2, Reason: GapNoHistory}),
			`{"type":"gap","channel":"balances","wallet":"x","fromSeq":1,"toSeq":2,"reason":"no_history"}`,
		},
		"subscribed to trades": {
			AppendSubscribed(nil, &Subscribed{ID: `"7"`, Channel: "trades", Commitment: swapcast.Confirmed, Assets: []string{"a", "b"}, Epoch: "k3x9", Recovered: true, Seqs: []Position{{"a", 7}, {"b", 0}}}),
			`{"type":"subscribed","id":"7","channel":"trades","commitment":"confirmed","assets":["a","b"],"epoch":"k3x9","recovered":true,"seqs":{"a":7,"b":0},"errors":[]}`,
		},
		"subscribed to balances": {
			AppendSubscribed(nil, &Subscribed{ID: `"7"`, Channel: "balances", Wallets: []string{"w"}, Epoch: "k3x9", Seqs: []Position{{"w", 7}}, Errors: []AssetError{{AssetID: "", Code: InvalidWallet, Wallet: true}}}),
			`{"type":"subscribed","id":"7","channel":"balances","assets":[],"wallets":["w"],"epoch":"k3x9","recovered":false,"seqs":{"w":7},"errors":[{"wallet":"","code":"invalid_wallet"}]}`,
		},
		"error of a wallet":              {AppendError(nil, &Error{Code: InvalidWallet, Message: "no", AssetID: "x", Wallet: true}), `{"type":"error","code":"invalid_wallet","message":"no","wallet":"x"}`},
		"unsubscribed":                   {AppendUnsubscribed(nil, `"8"`), `{"type":"unsubscribed","id":"8"}`},
		"pong":                           {AppendPong(nil, "9"), `{"type":"pong","id":9}`},
		"pong without id":                {AppendPong(nil, ""), `{"type":"pong"}`},
		"error":                          {AppendError(nil, &Error{ID: `"7"`, Code: InvalidAsset, Message: "no", AssetID: "x"}), `{"type":"error","id":"7","code":"invalid_asset","message":"no","assetId":"x"}`},
		"error, as little":               {AppendError(nil, &Error{Code: BadJSON, Message: "no"}), `{"type":"error","code":"bad_json","message":"no"}`},
		"gap":                            {AppendGap(nil, &Gap{Channel: "trades", AssetID: "x", FromSeq: 1, ToSeq: 2, Reason: GapOverload}), `{"type":"gap","channel":"trades","assetId":"x","fromSeq":1,"toSeq":2,"reason":"overload"}`},
		"status":                         {AppendStatus(nil, &Status{Feed: "healthy", Slot: 371234567, LagMS: 84, LagKnown: true}, Meta{TS: 5}), `{"type":"status","feed":"healthy","slot":371234567,"lagMs":84,"degraded":false,"message":"","ts":5}`},
		"when to come back, as an event": {AppendRetry(nil, string(AppendReconnectHint(nil, 1234))), "retry: 1234\n\n"},
		"when to come back":              {AppendReconnectHint(nil, 1234), `{"reconnectMs":1234}`},
	} {
		if string(c.got) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, c.got, c.want)
		}
		if !json.Valid(c.got) && !strings.HasPrefix(c.want, "retry") {
			t.Errorf("%s: not JSON: %s", name, c.got)
		}
	}
}

func TestPriceIsNeverZeroOrNoNumber(t *testing.T) {
	t.Parallel()
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1} {
		p := swapcast.Price{USD: v, Known: true, SOL: v, SOLKnown: true}
		tr := swapcast.Trade{USD: v, Known: true}
		for _, text := range [][]byte{AppendPrice(nil, &p, Meta{}), AppendTrade(nil, &tr, Meta{})} {
			if !bytes.Contains(text, []byte(`"price":null`)) || !json.Valid(text) {
				t.Errorf("%v: %s", v, text)
			}
		}
	}
	p := swapcast.Price{Confidence: math.NaN(), LiquidityUSD: math.Inf(1)}
	if text := AppendPrice(nil, &p, Meta{}); !json.Valid(text) {
		t.Errorf("%s", text)
	}
}

func FuzzFloat(f *testing.F) {
	for _, v := range []float64{0, 1, -1, 147.231, 1e-6, 9.9e-7, 1e21, 1e20, 5e-324, math.MaxFloat64, 0.1 + 0.2} {
		f.Add(math.Float64bits(v))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		v := math.Float64frombits(bits)
		text := string(appendFloat(nil, v))
		if math.IsNaN(v) || math.IsInf(v, 0) {
			if text != "null" {
				t.Errorf("%v: %s", v, text)
			}
			return
		}
		back, err := strconv.ParseFloat(text, 64)
		if err != nil || back != v || !json.Valid([]byte(text)) {
			t.Errorf("%v: %s reads back as %v, %v", v, text, back, err)
		}
		if std, err := json.Marshal(v); err != nil || len(text) > len(std)+1 { // the library writes 1e-7 where strconv has 1e-07
			t.Errorf("%v: %s, the library has %s", v, text, std)
		}
	})
}

func FuzzString(f *testing.F) {
	for _, s := range []string{"", "raydium-v4", "\"\\\x00\n<script>", "\xff\xfe", "\u2028\u2029", "é漢字🙂", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := appendString(nil, s)
		var back string
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%q: %s: %v", s, text, err)
		}
		if want := strings.ToValidUTF8(s, "\x00"); !equalButBad(want, back) {
			t.Errorf("%q comes back as %q", s, back)
		}
	})
}

// equalButBad compares with each run of bad bytes, which want has as one zero
// byte or a real one, standing for any number of U+FFFD.
func equalButBad(want, got string) bool {
	squeeze := func(s, bad string) string {
		for strings.Contains(s, bad+bad) {
			s = strings.ReplaceAll(s, bad+bad, bad)
		}
		return s
	}
	const mark = "\uFFFD"
	want = squeeze(strings.ReplaceAll(want, "\x00", mark), mark)
	got = squeeze(strings.ReplaceAll(got, "\x00", mark), mark)
	return want == got
}

func FuzzBase58(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Add(append(make([]byte, 31), 1))
	f.Add([]byte(strings.Repeat("swap", 16)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var k solana.PublicKey
		copy(k[:], b)
		if got := string(AppendBase58(nil, k[:])); got != k.String() {
			t.Errorf("%x: %s, want %s", k[:], got, k)
		}
		var s solana.Signature
		copy(s[:], b)
		if got := string(AppendBase58(nil, s[:])); got != s.String() {
			t.Errorf("%x: %s, want %s", s[:], got, s)
		}
	})
}

func TestCloseCodesHaveNames(t *testing.T) {
	t.Parallel()
	for _, c := range []CloseCode{1000, 1001, 1002, 1005, 1006, 1008, 1009, 1011, 1013, 4400, 4401, 4408} {
		if c.String() != strconv.Itoa(int(c)) {
			t.Errorf("%d is %q", c, c)
		}
	}
	for _, c := range []CloseCode{0, 3000, 4999} {
		if c.String() != "other" {
			t.Errorf("%d is %q", c, c)
		}
	}
}

func BenchmarkAppendPrice(b *testing.B) {
	var k solana.PublicKey
	var sig solana.Signature
	for i := range sig {
		sig[i] = byte(i*37 + 11)
	}
	copy(k[:], sig[20:])
	p := swapcast.Price{
		Mint: swapcast.NativeMint(), USD: 147.231, Known: true, SOL: 1, SOLKnown: true, Confidence: 0.97, LiquidityUSD: 81234567.1,
		DEX: "raydium-clmm", Pool: k, Slot: 371234567, Signature: sig, BlockTime: 1764000000,
	}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendPrice(buf[:0], &p, Meta{Seq: 1841, TS: 1764000000123, Feed: swapcast.FeedSimulated})
	}
	b.SetBytes(int64(len(buf)))
}

// FuzzCandle holds the encoder against the standard library: whatever the
// figures are, a candle is JSON that reads back as the same.
func FuzzCandle(f *testing.F) {
	f.Add(uint8(0), int64(1764000000), math.Float64bits(1.5), math.Float64bits(0), uint64(3), true)
	f.Add(uint8(255), int64(-1), math.Float64bits(math.Inf(1)), math.Float64bits(math.NaN()), uint64(math.MaxUint64), false)
	f.Fuzz(func(t *testing.T, interval uint8, start int64, price, volume, trades uint64, final bool) {
		c := swapcast.Candle{
			Mint: key(1), Interval: swapcast.Interval(interval), Start: start, Open: math.Float64frombits(price), High: math.Float64frombits(price),
			Low: math.Float64frombits(price), Close: math.Float64frombits(price), VolumeUSD: math.Float64frombits(volume), Trades: trades, Final: final,
		}
		var back struct {
			T         int64
			O, H, L   float64
			C         *float64
			VolumeUSD float64
			Trades    uint64
			Final     bool
			Interval  string
		}
		text := AppendCandle(nil, &c, Meta{Seq: trades, TS: start, Snapshot: final})
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%+v: %s: %v", c, text, err)
		}
		known := !math.IsNaN(c.Close) && !math.IsInf(c.Close, 0)
		if back.T != start || back.Trades != trades || back.Final != final || back.Interval != c.Interval.String() || (back.C != nil) != known || known && *back.C != c.Close {
			t.Errorf("%+v reads back as %+v (%s)", c, back, text)
		}
	})
}
