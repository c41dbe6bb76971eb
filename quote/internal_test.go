package quote

import (
	"bytes"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
)

func anyAmount() *rapid.Generator[uint64] {
	return rapid.OneOf(rapid.Uint64(), rapid.Uint64Max(1<<20), rapid.Uint64Min(1<<63))
}

func bigOf(v uint64) *big.Int { return new(big.Int).SetUint64(v) }

// TestArithmetic holds the 128-bit forms against math/big.
func TestArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, c := anyAmount().Draw(t, "a"), max(1, anyAmount().Draw(t, "c"))
		b := anyAmount().Draw(t, "b")
		product := new(big.Int).Mul(bigOf(a), bigOf(b))
		down, rest := new(big.Int).QuoRem(product, bigOf(c), new(big.Int))
		up := new(big.Int).Set(down)
		if rest.Sign() > 0 {
			up.Add(up, big.NewInt(1))
		}
		capped := func(v *big.Int) uint64 {
			if v.IsUint64() {
				return v.Uint64()
			}
			return 1<<64 - 1
		}
		if got := mulDiv(a, b, c); got != capped(down) {
			t.Fatalf("%d*%d/%d = %d, not %v", a, b, c, got, down)
		}
		if got := mulDivUp(a, b, c); got != capped(up) {
			t.Fatalf("%d*%d/%d up = %d, not %v", a, b, c, got, up)
		}
		d := anyAmount().Draw(t, "d")
		sum := new(big.Int).Add(bigOf(c), bigOf(d))
		if bigOf(b).Cmp(sum) <= 0 {
			want := new(big.Int).Quo(product, sum)
			if got := mulDivSum(a, b, c, d); got != want.Uint64() {
				t.Fatalf("%d*%d/(%d+%d) = %d, not %v", a, b, c, d, got, want)
			}
		}
	})
}

// TestPoolNeverLoses: whatever is traded, a pool's product does not shrink, it pays
// less than it has, more for more, and nothing for a round trip.
func TestPoolNeverLoses(t *testing.T) {
	a, b := solana.PublicKey{1}, solana.PublicKey{2}
	rapid.Check(t, func(t *rapid.T) {
		p := Pool{
			MintA: a, MintB: b,
			ReserveA: rapid.Uint64Range(1, 1<<62).Draw(t, "ra"), ReserveB: rapid.Uint64Range(1, 1<<62).Draw(t, "rb"),
			FeeBps: uint16(rapid.IntRange(0, 9_999).Draw(t, "fee")), FeeOnB: rapid.Bool().Draw(t, "on b"),
		}
		in := rapid.Uint64Range(1, 1<<62).Draw(t, "in")
		mint, other := a, b
		if rapid.Bool().Draw(t, "sell b") {
			mint, other = b, a
		}
		out := p.swap(mint, in)
		rIn, rOut := p.ReserveA, p.ReserveB
		if mint == b {
			rIn, rOut = rOut, rIn
		}
		if out >= rOut {
			t.Fatalf("paid %d of %d", out, rOut)
		}
		before := new(big.Int).Mul(bigOf(rIn), bigOf(rOut))
		after := new(big.Int).Mul(bigOf(rIn+in), bigOf(rOut-out))
		if after.Cmp(before) < 0 {
			t.Fatalf("the product shrank: %v to %v", before, after)
		}
		if more := p.swap(mint, in+1); more < out {
			t.Fatalf("%d brings %d, %d brings %d", in, out, in+1, more)
		}
		q := p
		if mint == a {
			q.ReserveA, q.ReserveB = rIn+in, rOut-out
		} else {
			q.ReserveB, q.ReserveA = rIn+in, rOut-out
		}
		if back := q.swap(other, out); back > in {
			t.Fatalf("%d came back as %d", in, back)
		}
	})
}

// TestLongestPath has the routes of which hops are easily miscounted.
func TestLongestPath(t *testing.T) {
	mint := func(b byte) solana.PublicKey { return solana.PublicKey{b} }
	route := func(pairs ...byte) (legs []Leg) {
		for i := 0; i < len(pairs); i += 2 {
			legs = append(legs, Leg{InputMint: mint(pairs[i]), OutputMint: mint(pairs[i+1])})
		}
		return legs
	}
	for name, c := range map[string]struct {
		legs []Leg
		hops int
		ok   bool
	}{
		"direct":                       {route(1, 9), 1, true},
		"three parts of one hop":       {route(1, 9, 1, 9, 1, 9), 1, true},
		"two hops":                     {route(1, 2, 2, 9), 2, true},
		"two hops, the second split":   {route(1, 2, 2, 9, 2, 9), 2, true},
		"a part of it goes on further": {route(1, 2, 2, 9, 2, 3, 3, 9), 3, true},
		"not in order":                 {route(2, 9, 1, 2), 2, true},
		"elsewhere":                    {route(1, 2, 2, 3), 0, false},
		"from elsewhere":               {route(2, 9), 0, false},
		"round and round":              {route(1, 2, 2, 3, 3, 2, 3, 9), 0, false},
		"to itself":                    {route(1, 1, 1, 9), 0, false},
		"nothing":                      {nil, 0, false},
		"five":                         {route(1, 2, 2, 3, 3, 4, 4, 5, 5, 9), 5, true},
		"too long":                     {make([]Leg, maxLegs+1), 0, false},
	} {
		hops, ok := longestPath(c.legs, mint(1), mint(9))
		if ok != c.ok || ok && hops != c.hops {
			t.Errorf("%s: %d, %v", name, hops, ok)
		}
	}
}

func TestAmount(t *testing.T) {
	for text, want := range map[string]uint64{`"0"`: 0, `"1"`: 1, `"18446744073709551615"`: 1<<64 - 1, `"007"`: 7} {
		var a amount
		if err := a.UnmarshalJSON([]byte(text)); err != nil || uint64(a) != want {
			t.Errorf("%s: %d, %v", text, a, err)
		}
	}
	for _, text := range []string{
		`1`, `"-1"`, `"+1"`, `"1.0"`, `"1e3"`, `""`, `null`, `"18446744073709551616"`, `"99999999999999999999"`, `" 1"`, `"0x1"`, `true`, `{}`, `"`,
	} {
		var a amount
		if err := a.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s was read as %d", text, a)
		}
	}
}

func TestWaitHeaders(t *testing.T) {
	now := time.Unix(1_795_500_000, 0)
	for _, c := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "7", 7 * time.Second},
		{"Retry-After", now.Add(3 * time.Second).UTC().Format(http.TimeFormat), 3 * time.Second},
		{"Retry-After", "-1", 0},
		{"Retry-After", "soon", 0},
		{"X-Ratelimit-Reset", "1795500002", 2 * time.Second},
		{"X-Ratelimit-Reset", "1", 0},
		{"X-Ratelimit-Reset", "x", 0},
	} {
		r := reply{status: http.StatusTooManyRequests, header: http.Header{c.name: {c.value}}}
		if got := r.wait(now); got != c.want {
			t.Errorf("%s: %s: %v", c.name, c.value, got)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\x00b\nc": "a b c", "\xff\xfe": "?", strings.Repeat("x", 300): strings.Repeat("x", maxEcho) + "...",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// asked is the request that fuzzed answers are held against.
func asked() Request {
	return Request{InputMint: swapcast.NativeMint(), OutputMint: swapcast.USDC(), Amount: 1e9, SlippageBps: 50}
}

// believed checks what must hold of any answer that passed.
func believed(t *testing.T, q *Quote, err error) {
	if err != nil || q == nil {
		return
	}
	r := asked()
	j := judge{limits: Limits{}.withDefaults(), now: time.Now}
	if j.check(r, q) != nil {
		return
	}
	if q.InputMint != r.InputMint || q.OutputMint != r.OutputMint || q.InAmount != r.Amount || q.OutAmount == 0 || q.Threshold > q.OutAmount {
		t.Fatalf("believed: %+v", q)
	}
	if n := hops(q); n < 1 || n > maxLegs {
		t.Fatalf("%d hops", n)
	}
	v := j.judge(q)
	if v.confidence < 0 || v.confidence > 1_000 {
		t.Fatalf("confidence %d", v.confidence)
	}
	a := Answer{Quote: q, Warnings: v.warnings}
	if _, err := a.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
}

func jsonReply(body []byte) *reply {
	return &reply{http.StatusOK, http.Header{"Content-Type": {"application/json"}}, body}
}

const jupiterSample = `{"inputMint":"So11111111111111111111111111111111111111112","inAmount":"1000000000",
"outputMint":"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v","outAmount":"149925000","otherAmountThreshold":"149175375",
"swapMode":"ExactIn","slippageBps":50,"platformFee":null,"priceImpactPct":"0","routePlan":[{"swapInfo":{
"ammKey":"5BKxfWMbmYBAEWvyPZS9esPducUba9GqyMjtLCfbaqyF","label":"Meteora DLMM","inputMint":"So11111111111111111111111111111111111111112",
"outputMint":"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v","inAmount":"1000000000","outAmount":"149925000"},"percent":100,"bps":10000}],
"contextSlot":299283763,"timeTaken":0.0152}`

func FuzzJupiter(f *testing.F) {
	f.Add([]byte(jupiterSample))
	f.Add([]byte(`{"error":"Could not find any route","errorCode":"COULD_NOT_FIND_ANY_ROUTE"}`))
	f.Add([]byte(strings.Replace(jupiterSample, `"percent":100,"bps":10000`, `"percent":null,"bps":65535`, 1)))
	f.Fuzz(func(t *testing.T, body []byte) {
		var b jupiterBody
		if jsonReply(body).decode(&b) == nil {
			q, err := b.quote(body)
			believed(t, q, err)
		}
		for _, status := range []int{400, 404, 429, 500} {
			if e := jupiterRefusal(&reply{status, http.Header{}, body}, time.Now()); e.Outcome == OutcomeOK || len(e.Detail) > maxEcho+3 || len(e.Reason) > 48 {
				t.Fatalf("%+v", e)
			}
		}
	})
}

// FuzzChosen: whatever a caller brings as a quote that it has chosen, what counts
// passes the engine's own checks.
func FuzzChosen(f *testing.F) {
	f.Add("jupiter", []byte(jupiterSample))
	f.Add("dflow", []byte(jupiterSample))
	f.Add("pyth", []byte("{}"))
	f.Add("jupiter", []byte(strings.Replace(jupiterSample, "149175375", "149175", 1)))
	e := newEngine(Options{}.withDefaults(), nil, nil)
	f.Fuzz(func(t *testing.T, source string, raw []byte) {
		a, err := e.Chosen(source, raw)
		if err != nil {
			return
		}
		if a.InAmount == 0 || a.OutAmount == 0 || a.Threshold > a.OutAmount || a.InputMint == a.OutputMint || a.Source != source || len(a.Sources) != 1 {
			t.Fatalf("%+v", a)
		}
	})
}

func FuzzDFlow(f *testing.F) {
	f.Add([]byte(`{"inputMint":"So11111111111111111111111111111111111111112","inAmount":"1000000000",
"outputMint":"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v","outAmount":"147480000","otherAmountThreshold":"146742600",
"minOutAmount":"146742600","slippageBps":50,"priceImpactPct":"0.0001","routePlan":[{"venue":"Raydium CLMM",
"marketKey":"5BKxfWMbmYBAEWvyPZS9esPducUba9GqyMjtLCfbaqyF","inputMint":"So11111111111111111111111111111111111111112",
"outputMint":"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v","inAmount":"1000000000","outAmount":"147480000"}],
"contextSlot":348004023,"routingSlot":348004022}`))
	f.Add([]byte(`{"msg":"no","code":"route_not_found","contextSlot":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var b dflowBody
		if jsonReply(body).decode(&b) == nil {
			q, err := b.quote(body)
			believed(t, q, err)
		}
		for _, status := range []int{400, 429, 503} {
			if e := dflowRefusal(&reply{status, http.Header{}, body}, time.Now()); e.Outcome == OutcomeOK || len(e.Detail) > maxEcho+3 || len(e.Reason) > 48 {
				t.Fatalf("%+v", e)
			}
		}
	})
}

func FuzzHashflow(f *testing.F) {
	f.Add([]byte(`{"status":"success","rfqId":"1","quotes":[{"quoteData":{"baseToken":"So11111111111111111111111111111111111111112",
"quoteToken":"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v","baseTokenAmount":"1000000000","quoteTokenAmount":"147400000","quoteExpiry":4000000000}}]}`))
	f.Add([]byte(`{"status":"fail","error":{"code":82,"message":"No maker supports this request"}}`))
	f.Add([]byte(`{"status":"fail","error":"text"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var b hashflowBody
		if jsonReply(body).decode(&b) != nil {
			return
		}
		if b.Status != "success" {
			if e := hashflowRefusal(b.Error); e.Outcome == OutcomeOK || len(e.Detail) > maxEcho+3 {
				t.Fatalf("%+v", e)
			}
			return
		}
		q, err := b.quote(asked(), body)
		believed(t, q, err)
	})
}

func FuzzPyth(f *testing.F) {
	feeds := PythFeeds()
	sol, usdc := feeds[swapcast.NativeMint()], feeds[swapcast.USDC()]
	f.Add([]byte(`{"parsed":[{"id":"` + sol + `","price":{"price":"14748231500","conf":"7123456","expo":-8,"publish_time":1763900000}},
{"id":"` + usdc + `","price":{"price":"99990000","conf":"71234","expo":-8,"publish_time":1763900000}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p := &pyth{
			service: &service{now: func() time.Time { return time.Unix(1_763_900_003, 0) }},
			opts:    Pyth{MaxAge: 10 * time.Second, MaxWidth: 0.02},
		}
		var b pythBody
		if jsonReply(body).decode(&b) != nil {
			return
		}
		in, err := p.price(&b, sol)
		if err != nil {
			return
		}
		out, err := p.price(&b, usdc)
		if err != nil {
			return
		}
		q, err := p.quote(asked(), in, out, 9, 6)
		believed(t, q, err)
		if err == nil && q.Executable {
			t.Fatal("an oracle's price is executable")
		}
	})
}

// TestDepth: nesting is measured outside of strings, before anything is built.
func TestDepth(t *testing.T) {
	deep := func(n int) []byte { return append(bytes.Repeat([]byte("["), n), bytes.Repeat([]byte("]"), n)...) }
	if tooDeep(deep(maxDepth)) || !tooDeep(deep(maxDepth+1)) {
		t.Error("the bound is off")
	}
	if tooDeep([]byte(`"` + strings.Repeat("[", 100) + `\"` + strings.Repeat("{", 100) + `"`)) {
		t.Error("brackets in a string count")
	}
}

// TestBackoff: 100 to 200 ms after the first try, twice that after each further one,
// a second at most.
func TestBackoff(t *testing.T) {
	o := Options{}.withDefaults()
	g := &guard{policy: o.Jupiter.Policy}
	for tries, bounds := range map[int][2]time.Duration{
		1: {100, 200}, 2: {200, 400}, 3: {400, 800}, 4: {800, 1000}, 5: {1000, 1000}, 60: {1000, 1000},
	} {
		least, most := time.Hour, time.Duration(0)
		for range 2_000 {
			d := g.backoff(tries)
			least, most = min(least, d), max(most, d)
		}
		if least < bounds[0]*time.Millisecond || most > bounds[1]*time.Millisecond {
			t.Errorf("after %d tries %v to %v", tries, least, most)
		}
		if spread := bounds[1] - bounds[0]; spread > 0 && most-least < spread*time.Millisecond/2 {
			t.Errorf("after %d tries no jitter: %v to %v", tries, least, most)
		}
	}
}
