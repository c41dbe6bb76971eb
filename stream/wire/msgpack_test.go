package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"
	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
)

// Another decoder reads out of the MessagePack of every kind of message the very
// fields, values and order that encoding/json reads out of its JSON.
func TestMsgpackHasTheFieldsOfJSON(t *testing.T) {
	t.Parallel()
	for kind, draw := range drawers() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				message := draw(t)
				if !json.Valid(message) {
					t.Fatalf("no JSON: %s", message)
				}
				packed := AppendMsgpack([]byte("before"), message)[len("before"):]
				decode := msgpack.NewDecoder(bytes.NewReader(packed))
				d := json.NewDecoder(bytes.NewReader(message))
				d.UseNumber()
				if err := compare(d, decode, ""); err != "" {
					t.Fatalf("%s\n%s\n%x", err, message, packed)
				}
				if decode.Buffered().(*bytes.Reader).Len() != 0 {
					t.Fatalf("bytes are left of %x", packed)
				}
				back, err := AppendJSON(nil, packed)
				if err != nil || !sameJSON(back, message) {
					t.Fatalf("back: %v\n%s\n%s", err, message, back)
				}
			})
		})
	}
}

// compare walks over both forms of one value and says where they differ.
func compare(d *json.Decoder, p *msgpack.Decoder, name string) string {
	token, err := d.Token()
	if err != nil {
		return err.Error()
	}
	switch v := token.(type) {
	case json.Delim:
		length := p.DecodeArrayLen
		if v == '{' {
			length = p.DecodeMapLen
		}
		n, err := length()
		if err != nil {
			return name + ": " + err.Error()
		}
		for ; d.More(); n-- {
			key := name + "[]"
			if v == '{' {
				field, err := d.Token()
				if err != nil {
					return err.Error()
				}
				if key, err = p.DecodeString(); err != nil || key != field {
					return key + " in place of " + field.(string)
				}
			}
			if problem := compare(d, p, key); problem != "" {
				return problem
			}
		}
		if n != 0 {
			return name + ": the length is wrong by " + strconv.Itoa(n)
		}
		_, err = d.Token()
		if err != nil {
			return err.Error()
		}
		return ""
	case json.Number:
		return compareNumber(v, p, name)
	default:
		got, err := p.DecodeInterface()
		if err != nil || !reflect.DeepEqual(got, token) {
			return name + ": the values differ"
		}
		return ""
	}
}

func compareNumber(want json.Number, p *msgpack.Decoder, name string) string {
	got, err := p.DecodeInterfaceLoose()
	if err != nil {
		return name + ": " + err.Error()
	}
	same := false
	switch v := got.(type) {
	case float64:
		f, err := want.Float64()
		same = err == nil && f == v && fraction([]byte(name))
	case int64:
		same = strconv.FormatInt(v, 10) == want.String() && !fraction([]byte(name))
	case uint64:
		same = strconv.FormatUint(v, 10) == want.String() && !fraction([]byte(name))
	}
	if !same {
		return name + ": " + want.String() + " has become another number"
	}
	return ""
}

// sameJSON compares values, however numbers and strings are written.
func sameJSON(a, b []byte) bool {
	var x, y any
	da, db := json.NewDecoder(bytes.NewReader(a)), json.NewDecoder(bytes.NewReader(b))
	da.UseNumber()
	db.UseNumber()
	return da.Decode(&x) == nil && db.Decode(&y) == nil && same(x, y)
}

func same(x, y any) bool {
	switch x := x.(type) {
	case json.Number:
		z, ok := y.(json.Number)
		f, _ := x.Float64()
		g, _ := z.Float64()
		return ok && (x == z || (f == g && strings.ContainsAny(string(x+z), ".eE-")))
	case []any:
		z, ok := y.([]any)
		return ok && slices.EqualFunc(x, z, same)
	case map[string]any:
		z, ok := y.(map[string]any)
		return ok && maps.EqualFunc(x, z, same)
	default:
		return x == y
	}
}

// drawers draw a message of each kind.
func drawers() map[string]func(t *rapid.T) []byte {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "raydium-clmm", "\"\\\n<\u2028", strings.Repeat("é", 40), strings.Repeat("x", 300)}))
	number := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Int64(), func(n int64) float64 { return float64(n) }), rapid.SampledFrom([]float64{0, 147, 1e-9, math.NaN(), math.Inf(1)}))
	list := rapid.SliceOfN(rapid.String(), 0, 40)
	whole := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 300))
	signed := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-200, 200))
	commitment := rapid.Map(rapid.Bool(), func(b bool) swapcast.Commitment {
		if b {
			return swapcast.Confirmed
		}
		return swapcast.Processed
	})
	ids := rapid.OneOf(rapid.Just(ID("")), rapid.Map(signed, func(n int64) ID { return ID(strconv.FormatInt(n, 10)) }), rapid.Map(text, func(s string) ID { return ID(appendString(nil, s)) }))
	drawKey := func(t *rapid.T) (k solana.PublicKey) {
		copy(k[:], rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "key"))
		return k
	}
	meta := func(t *rapid.T) Meta {
		return Meta{
			Seq: whole.Draw(t, "seq"), TS: signed.Draw(t, "ts"), Snapshot: rapid.Bool().Draw(t, "snapshot"),
			Feed: rapid.SampledFrom([]swapcast.Feed{swapcast.FeedLive, swapcast.FeedSimulated}).Draw(t, "feed"),
		}
	}
	return map[string]func(t *rapid.T) []byte{
		"price": func(t *rapid.T) []byte {
			return AppendPrice(nil, &swapcast.Price{
				Mint: drawKey(t), USD: number.Draw(t, "usd"), Known: rapid.Bool().Draw(t, "known"), SOL: number.Draw(t, "sol"), SOLKnown: rapid.Bool().Draw(t, "sol known"),
				Confidence: number.Draw(t, "confidence"), LiquidityUSD: number.Draw(t, "liquidity"), DEX: text.Draw(t, "dex"), Pool: drawKey(t), Slot: whole.Draw(t, "slot"),
				Commitment: commitment.Draw(t, "commitment"), BlockTime: signed.Draw(t, "time"), Corrects: whole.Draw(t, "corrects"),
			}, meta(t))
		},
		"price as a snapshot": func(t *rapid.T) []byte {
			return AppendAsSnapshot(nil, AppendPrice(nil, &swapcast.Price{Mint: drawKey(t), USD: number.Draw(t, "usd"), Known: true}, Meta{Seq: whole.Draw(t, "seq")}), whole.Draw(t, "later seq"))
		},
		"trade": func(t *rapid.T) []byte {
			return AppendTrade(nil, &swapcast.Trade{
				Mint: drawKey(t), Side: rapid.SampledFrom([]swapcast.Side{swapcast.Buy, swapcast.Sell}).Draw(t, "side"), Amount: whole.Draw(t, "amount"), Decimals: rapid.Byte().Draw(t, "decimals"),
				USD: number.Draw(t, "usd"), AmountUSD: number.Draw(t, "amount usd"), Known: rapid.Bool().Draw(t, "known"), Trader: drawKey(t), DEX: text.Draw(t, "dex"),
				Slot: whole.Draw(t, "slot"), Index: rapid.IntRange(-1, 1<<20).Draw(t, "index"), BlockTime: signed.Draw(t, "time"), Commitment: commitment.Draw(t, "commitment"),
			}, meta(t))
		},
		"retract": func(t *rapid.T) []byte {
			return AppendRetract(nil, &swapcast.Retract{
				Mint: drawKey(t), Slot: whole.Draw(t, "slot"), Commitment: commitment.Draw(t, "commitment"),
				Signatures: make([]solana.Signature, rapid.IntRange(0, MaxRetracted).Draw(t, "signatures")),
			}, meta(t))
		},
		"candle": func(t *rapid.T) []byte {
			return AppendCandle(nil, &swapcast.Candle{
				Mint: drawKey(t), Interval: swapcast.Interval15s, Start: signed.Draw(t, "start"), Open: number.Draw(t, "o"), High: number.Draw(t, "h"), Low: number.Draw(t, "l"),
				Close: number.Draw(t, "c"), VolumeUSD: number.Draw(t, "volume"), Trades: whole.Draw(t, "trades"), Final: rapid.Bool().Draw(t, "final"), Commitment: commitment.Draw(t, "commitment"),
			}, meta(t))
		},
		"balance": func(t *rapid.T) []byte {
			return AppendBalance(nil, &swapcast.Balance{
				Owner: drawKey(t), Mint: drawKey(t), Amount: whole.Draw(t, "amount"), Native: rapid.Bool().Draw(t, "native"), Slot: whole.Draw(t, "slot"), Corrects: whole.Draw(t, "corrects"),
			}, meta(t))
		},
		"gap": func(t *rapid.T) []byte {
			return AppendGap(nil, &Gap{
				Channel: rapid.SampledFrom([]string{ChannelTrades, ChannelCandles, ChannelBalances}).Draw(t, "channel"), Interval: text.Draw(t, "interval"), Commitment: commitment.Draw(t, "commitment"),
				AssetID: text.Draw(t, "asset"), FromSeq: whole.Draw(t, "from"), ToSeq: whole.Draw(t, "to"), Reason: text.Draw(t, "reason"), ToSlot: whole.Draw(t, "slot"), Detail: text.Draw(t, "detail"),
			})
		},
		"status": func(t *rapid.T) []byte {
			return AppendStatus(nil, &Status{
				Feed: text.Draw(t, "feed"), Slot: whole.Draw(t, "slot"), LagMS: signed.Draw(t, "lag"), LagKnown: rapid.Bool().Draw(t, "known"), Degraded: rapid.Bool().Draw(t, "degraded"), Message: text.Draw(t, "message"),
			}, meta(t))
		},
		"subscribed": func(t *rapid.T) []byte {
			s := Subscribed{ID: ids.Filter(func(id ID) bool { return id != "" }).Draw(t, "id"), Channel: text.Draw(t, "channel"), Assets: list.Draw(t, "assets"), Wallets: list.Draw(t, "wallets"), Epoch: text.Draw(t, "epoch")}
			for i := range rapid.IntRange(0, 40).Draw(t, "seqs") {
				s.Seqs = append(s.Seqs, Position{ID: strconv.Itoa(i), Seq: whole.Draw(t, "seq")})
			}
			for _, id := range list.Draw(t, "errors") {
				s.Errors = append(s.Errors, AssetError{AssetID: id, Code: InvalidAsset, Wallet: rapid.Bool().Draw(t, "wallet")})
			}
			return AppendSubscribed(nil, &s)
		},
		"unsubscribed": func(t *rapid.T) []byte {
			return AppendUnsubscribed(nil, ids.Filter(func(id ID) bool { return id != "" }).Draw(t, "id"))
		},
		"pong": func(t *rapid.T) []byte { return AppendPong(nil, ids.Draw(t, "id")) },
		"error": func(t *rapid.T) []byte {
			return AppendError(nil, &Error{ID: ids.Draw(t, "id"), Code: InvalidAsset, Message: text.Draw(t, "message"), AssetID: text.Draw(t, "asset"), Wallet: rapid.Bool().Draw(t, "wallet")})
		},
	}
}

// The lengths at which the formats of MessagePack change, by their bytes as the
// specification has them.
func TestMsgpackFormats(t *testing.T) {
	t.Parallel()
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("0,", n), ",") + "]" }
	object := func(n int) string {
		fields := make([]string, n)
		for i := range fields {
			fields[i] = strconv.Quote(strconv.Itoa(i)) + ":1"
		}
		return "{" + strings.Join(fields, ",") + "}"
	}
	text := func(n int) string { return `"` + strings.Repeat("a", n) + `"` }
	for in, want := range map[string][]byte{
		`null`: {0xc0}, `false`: {0xc2}, `true`: {0xc3}, `{}`: {0x80}, `[]`: {0x90}, `""`: {0xa0},
		`127`: {0x7f}, `128`: {0xcc, 0x80}, `256`: {0xcd, 1, 0}, `65536`: {0xce, 0, 1, 0, 0}, `4294967296`: {0xcf, 0, 0, 0, 1, 0, 0, 0, 0},
		`18446744073709551615`: {0xcf, 255, 255, 255, 255, 255, 255, 255, 255},
		`-1`:                   {0xff}, `-32`: {0xe0}, `-33`: {0xd0, 0xdf}, `-129`: {0xd1, 0xff, 0x7f}, `-32769`: {0xd2, 0xff, 0xff, 0x7f, 0xff},
		`-2147483649`: {0xd3, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff},
		`1.5`:         {0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0}, `1e3`: {0xcb, 0x40, 0x8f, 0x40, 0, 0, 0, 0, 0},
		`{"price":1}`: {0x81, 0xa5, 'p', 'r', 'i', 'c', 'e', 0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0},
		`{"t":1}`:     {0x81, 0xa1, 't', 1}, `"é\u003c"`: {0xa3, 0xc3, 0xa9, '<'},
		text(31): {0xbf, 'a'}, text(32): {0xd9, 32, 'a'}, text(256): {0xda, 1, 0, 'a'}, text(65536): {0xdb, 0, 1, 0, 0, 'a'},
		list(15): {0x9f, 0}, list(16): {0xdc, 0, 16, 0}, list(65536): {0xdd, 0, 1, 0, 0, 0},
		object(15): {0x8f, 0xa1, '0', 1}, object(16): {0xde, 0, 16, 0xa1, '0', 1}, object(65536): {0xdf, 0, 1, 0, 0, 0xa1, '0', 1},
	} {
		got := AppendMsgpack([]byte{7}, []byte(in))[1:]
		if !bytes.HasPrefix(got, want) {
			t.Errorf("%.30s is %.20x, and not %x", in, got, want)
		}
		back, err := AppendJSON(nil, got)
		if err != nil || !sameJSON(back, []byte(in)) {
			t.Errorf("%.30s comes back as %.30s, %v", in, back, err)
		}
	}
	if got := AppendArrayHeader(nil, 17); !bytes.Equal(got, []byte{0xdc, 0, 17}) {
		t.Errorf("%x", got)
	}
}

func TestAppendJSONRefuses(t *testing.T) {
	t.Parallel()
	deep := bytes.Repeat([]byte{0x91}, maxDepth+1)
	for name, in := range map[string][]byte{
		"nothing": {}, "a string cut off": {0xa3, 'a'}, "a long string cut off": {0xdb, 255, 255, 255, 255, 'a'}, "a list cut off": {0x92, 1},
		"a huge list": {0xdd, 255, 255, 255, 255}, "a huge map": {0xdf, 255, 255, 255, 255, 0xa0, 0}, "binary": {0xc4, 1, 1}, "an extension": {0xd4, 1, 1},
		"an unused byte": {0xc1}, "a key that is a number": {0x81, 1, 1}, "two values": {1, 1}, "a string that is no UTF-8": {0xa1, 0xff}, "a number cut off": {0xcf, 1},
		"nested too deeply": append(deep, 1),
	} {
		if got, err := AppendJSON([]byte("x"), in); err == nil || string(got) != "x" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	got, err := AppendJSON(nil, binary.BigEndian.AppendUint64([]byte{0x92, 0xca, 0x3f, 0xc0, 0, 0, 0xcb}, math.Float64bits(math.NaN())))
	if err != nil || string(got) != "[1.5,null]" {
		t.Errorf("floats: %s, %v", got, err)
	}
}

// Whatever comes, what is read is JSON that means what another decoder reads.
func FuzzAppendJSON(f *testing.F) {
	f.Add(AppendMsgpack(nil, []byte(`{"action":"subscribe","assets":["a","b"],"id":7,"since":{"seqs":{"a":-1}},"x":1.5,"y":[null,true]}`)))
	f.Add([]byte{0xdd, 0, 0, 0, 1, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, packed []byte) {
		got, err := AppendJSON(nil, packed)
		if err != nil {
			return
		}
		if !json.Valid(got) {
			t.Fatalf("no JSON: %q", got)
		}
		var v any
		if err := msgpack.Unmarshal(packed, &v); err != nil && !strings.Contains(err.Error(), "decoding") {
			t.Fatalf("another decoder refuses it: %v", err)
		}
		if back, err := AppendJSON(nil, AppendMsgpack(nil, got)); err != nil || !sameJSON(back, got) {
			t.Fatalf("%s comes back as %s, %v", got, back, err)
		}
	})
}

// FuzzAppendMsgpack: what no encoder made gives no panic and no endless walk.
func FuzzAppendMsgpack(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":null}],"c":"\u00e9"}`))
	f.Add([]byte(`{"a" 1`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := len(AppendMsgpack(nil, data)); n > 10*len(data)+10 {
			t.Fatalf("%d bytes of %d", n, len(data))
		}
	})
}

// A field is a fraction exactly where the AsyncAPI document calls it a number, so
// that a new one cannot be forgotten here.
func TestFractionsAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	var document any
	if err := json.Unmarshal(AsyncAPI(), &document); err != nil {
		t.Fatal(err)
	}
	numbers := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if fields, ok := v["properties"].(map[string]any); ok {
				for name, field := range fields {
					f, ok := field.(map[string]any)
					if !ok {
						continue
					}
					types, list := f["type"].([]any)
					is := f["type"] == "number"
					for _, one := range types {
						is = is || (list && one == "number")
					}
					if is {
						numbers[name] = true
					}
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(document)
	if len(numbers) < 8 {
		t.Fatalf("the document has few numbers: %v", numbers)
	}
	for name := range numbers {
		if !fraction([]byte(name)) {
			t.Errorf("%s is a number in the document, and may be an integer in MessagePack", name)
		}
	}
}

func BenchmarkAppendMsgpack(b *testing.B) {
	p := swapcast.Price{
		Mint: swapcast.NativeMint(), USD: 147.231, Known: true, SOL: 1, SOLKnown: true, Confidence: 0.97, LiquidityUSD: 81234567.1, DEX: "raydium-clmm",
		Pool: key(3), Slot: 371234567, Signature: solana.Signature{1, 2, 3, 63: 9}, BlockTime: 1764000000,
	}
	message := AppendPrice(nil, &p, Meta{Seq: 1841, TS: 1764000000123})
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendMsgpack(dst[:0], message)
	}
	b.ReportMetric(float64(len(dst)), "bytes")
	b.ReportMetric(float64(len(message)), "bytes-of-json")
}
