package quotetest

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// quoteLife is how long a stand-in for a market maker keeps its word.
const quoteLife = 30 * time.Second

// Hashflow answers POST .../rfq.
func Hashflow(m Market) *Service {
	s := newService("hashflow", m, NoRoute, Fail42, FailString, Expired, NoQuotes, Restricted)
	s.answer = func(_ *http.Request, body []byte, f Fault) reply {
		fail := func(e any) reply {
			return reply{status: http.StatusOK, body: map[string]any{"status": "fail", "rfqId": "rfq-0", "error": e}}
		}
		coded := func(code int, text string) reply { return fail(map[string]any{"code": code, "message": text}) }
		switch f {
		case NoRoute:
			return coded(82, "No maker supports this request")
		case Fail42:
			return coded(42, "Invalid chainId: 130")
		case FailString:
			return fail("No maker supports this request")
		case Restricted:
			return coded(76, "Trader is restricted")
		case NoQuotes:
			return reply{status: http.StatusOK, body: map[string]any{"status": "success", "rfqId": "rfq-0", "quotes": []any{}}}
		}
		in, out, amount, ok := readRFQ(body)
		if !ok {
			return coded(42, "Invalid request")
		}
		got, ok := convert(m, in, out, amount, hashflowSpread, hashflowReach)
		if !ok {
			return coded(82, "No maker supports this request")
		}
		return reply{status: http.StatusOK, body: rfqAnswer(in, out, amount, got.out, f)}
	}
	return s
}

func readRFQ(body []byte) (in, out solana.PublicKey, amount uint64, ok bool) {
	var b struct {
		RFQs []struct {
			BaseToken       string `json:"baseToken"`
			QuoteToken      string `json:"quoteToken"`
			BaseTokenAmount string `json:"baseTokenAmount"`
		} `json:"rfqs"`
	}
	if json.Unmarshal(body, &b) != nil || len(b.RFQs) != 1 {
		return in, out, 0, false
	}
	in, errIn := swapcast.ParseKey(b.RFQs[0].BaseToken)
	out, errOut := swapcast.ParseKey(b.RFQs[0].QuoteToken)
	amount, err := strconv.ParseUint(b.RFQs[0].BaseTokenAmount, 10, 64)
	return in, out, amount, errIn == nil && errOut == nil && err == nil
}

func rfqAnswer(in, out solana.PublicKey, amount, got uint64, f Fault) map[string]any {
	_, text := bent(got, f)
	expiry := time.Now().Add(quoteLife)
	base := in
	switch f {
	case Expired:
		expiry = time.Now().Add(-5 * time.Second)
	case OtherAmount:
		amount++
	case OtherMint:
		base = poolKey("another mint")
	}
	chain := map[string]any{"chainType": "solana", "chainId": 1000001}
	return map[string]any{
		"status": "success", "rfqId": "rfq-0", "internalRfqIds": []string{"0"},
		"quotes": []map[string]any{{
			"quoteData": map[string]any{
				"baseChain": chain, "quoteChain": chain, "baseToken": base.String(), "quoteToken": out.String(),
				"baseTokenAmount": strconv.FormatUint(amount, 10), "quoteTokenAmount": text,
				"pool": poolKey("hashflow").String(), "txid": "0x00", "nonce": expiry.UnixMilli(), "quoteExpiry": expiry.Unix(),
			},
			"signature": "", "targetContract": "", "value": "0",
		}},
	}
}

// Hermes answers GET .../v2/updates/price/latest for feeds of mints.
func Hermes(m Market, feeds map[solana.PublicKey]string) *Service {
	s := newService("hermes", m, UnknownFeed, StalePrice, WidePrice, MissingFeed)
	byFeed := make(map[string]solana.PublicKey, len(feeds))
	for mint, id := range feeds {
		byFeed[id] = mint
	}
	s.answer = func(r *http.Request, _ []byte, f Fault) reply {
		ids := r.URL.Query()["ids[]"]
		parsed := make([]map[string]any, 0, len(ids))
		for i, id := range ids {
			id = strings.TrimPrefix(id, "0x")
			mint, ok := byFeed[id]
			usd, _, priced := m.Price(mint)
			if !ok || !priced || f == UnknownFeed {
				return reply{status: http.StatusNotFound, text: "Price ids not found: " + id}
			}
			if f == MissingFeed && i == 0 {
				continue
			}
			parsed = append(parsed, feedAnswer(id, usd, i == 0, f))
		}
		return reply{status: http.StatusOK, body: map[string]any{
			"binary": map[string]any{"encoding": "hex", "data": []string{"504e4155"}}, "parsed": parsed,
		}}
	}
	return s
}

func feedAnswer(id string, usd float64, first bool, f Fault) map[string]any {
	price := uint64(math.Round(usd * 1e8))
	conf := price / 2_000
	published := time.Now().Unix()
	switch f {
	case StalePrice:
		published -= 120
	case WidePrice:
		conf = price / 10
	case OtherMint, OtherAmount:
		id = strings.Repeat("0", 64)
	}
	text := strconv.FormatUint(price, 10)
	if first {
		_, text = bent(price, f)
	}
	value := map[string]any{"price": text, "conf": strconv.FormatUint(conf, 10), "expo": -8, "publish_time": published}
	return map[string]any{
		"id": id, "price": value, "ema_price": value,
		"metadata": map[string]any{"slot": 138881186, "proof_available_time": published + 1, "prev_publish_time": published - 1},
	}
}
