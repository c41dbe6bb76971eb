package quotetest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// What each takes off the market's price, and how much of the market's depth it
// reaches: Jupiter is best.
const (
	jupiterSpread  = 0.0005
	hashflowSpread = 0.0008
	dflowSpread    = 0.001

	jupiterReach  = 1
	hashflowReach = 0.9
	dflowReach    = 0.8
)

// ask is a request for a quote as Jupiter and DFlow take it.
type ask struct {
	in, out  solana.PublicKey
	amount   uint64
	slippage uint64
}

func readAsk(r *http.Request) (a ask, why string) {
	q := r.URL.Query()
	var err error
	if a.in, err = swapcast.ParseKey(q.Get("inputMint")); err != nil {
		return a, "invalid inputMint"
	}
	if a.out, err = swapcast.ParseKey(q.Get("outputMint")); err != nil {
		return a, "invalid outputMint"
	}
	if a.in == a.out {
		return a, "input and output mints are the same"
	}
	if a.amount, err = strconv.ParseUint(q.Get("amount"), 10, 64); err != nil || a.amount == 0 {
		return a, "invalid amount"
	}
	a.slippage = 50
	if v := q.Get("slippageBps"); v != "" {
		if a.slippage, err = strconv.ParseUint(v, 10, 16); err != nil || a.slippage > 10_000 {
			return a, "invalid slippageBps"
		}
	}
	return a, ""
}

// bent is an amount as the fault wants it, in the JSON's form.
func bent(amount uint64, f Fault) (v uint64, text string) {
	switch f {
	case TooGood:
		amount *= 10
	case TooBad:
		amount /= 10
	case BelowMarket:
		amount -= amount / 25
	case Zero:
		amount = 0
	case Negative:
		return amount, "-" + strconv.FormatUint(amount, 10)
	}
	return amount, strconv.FormatUint(amount, 10)
}

// fraction is a price impact in the JSON's form.
func fraction(v float64) string { return strconv.FormatFloat(v, 'f', 6, 64) }

// Jupiter answers GET .../swap/v2/quote and .../swap/v1/quote, and POST .../swap/v2/swap
// and .../swap/v1/swap.
func Jupiter(m Market) *Service {
	s := newService("jupiter", m, NoRoute, NotTradable, OldSlot, SixHops, Split, NullPercent, ExtraFields, LimitedAs400, BelowMarket, Impact)
	s.answer = func(r *http.Request, body []byte, f Fault) reply {
		if r.Method == http.MethodPost {
			layout, user := routeV2, "taker"
			if strings.Contains(r.URL.Path, "/v1/") {
				layout, user = route, "userPublicKey"
			}
			return swapReply(m, layout, user, body, f, func(why string) reply { return problem(why, "INVALID_PARAMETER") })
		}
		switch f {
		case NoRoute:
			return problem("Could not find any route", "COULD_NOT_FIND_ANY_ROUTE")
		case NotTradable:
			return problem("The token is not tradable", "TOKEN_NOT_TRADABLE")
		case LimitedAs400:
			return reply{status: http.StatusBadRequest, body: map[string]any{"code": 429, "message": "Too many requests"}}
		}
		a, why := readAsk(r)
		if why != "" {
			return problem(why, "INVALID_PARAMETER")
		}
		out, ok := convert(m, a.in, a.out, a.amount, jupiterSpread, jupiterReach)
		if !ok {
			return problem("Could not find any route", "COULD_NOT_FIND_ANY_ROUTE")
		}
		return reply{status: http.StatusOK, body: jupiterQuote(a, out, m.Slot(), f)}
	}
	return s
}

func problem(text, code string) reply {
	return reply{status: http.StatusBadRequest, body: map[string]any{"error": text, "errorCode": code}}
}

func jupiterQuote(a ask, got offer, slot uint64, f Fault) map[string]any {
	value, text := bent(got.out, f)
	in, mint := a.amount, a.in
	switch f {
	case OtherAmount:
		in++
	case OtherMint:
		mint = poolKey("another mint")
	case OldSlot:
		slot -= min(slot, 500)
	}
	impact := fraction(got.impact)
	if f == Impact {
		impact = "0.12"
	}
	v := map[string]any{
		"inputMint": mint.String(), "inAmount": strconv.FormatUint(in, 10),
		"outputMint": a.out.String(), "outAmount": text,
		"otherAmountThreshold": strconv.FormatUint(value-value*a.slippage/10_000, 10),
		"swapMode":             "ExactIn", "slippageBps": a.slippage, "platformFee": nil, "priceImpactPct": impact,
		"routePlan": jupiterRoute(a, value, f), "contextSlot": slot, "timeTaken": 0.0152,
	}
	if f == ExtraFields {
		v["mostReliableAmmsQuoteReport"] = map[string]any{"info": map[string]any{"x": "1"}}
		v["swapUsdValue"] = "16.21"
		v["somethingNew"] = []any{nil, 1.5, map[string]any{}}
	}
	return v
}

func jupiterRoute(a ask, out uint64, f Fault) []map[string]any {
	step := func(label string, from, to solana.PublicKey, in, out uint64, bps int) map[string]any {
		s := map[string]any{
			"swapInfo": map[string]any{
				"ammKey": poolKey(label).String(), "label": label, "inputMint": from.String(), "outputMint": to.String(),
				"inAmount": strconv.FormatUint(in, 10), "outAmount": strconv.FormatUint(out, 10),
			},
			"percent": float64(bps) / 100, "bps": bps,
		}
		if f == NullPercent {
			s["percent"] = nil
		}
		return s
	}
	switch f {
	case SixHops:
		var steps []map[string]any
		from := a.in
		for i := range 6 {
			to := poolKey("between " + strconv.Itoa(i))
			if i == 5 {
				to = a.out
			}
			steps = append(steps, step("Hop "+strconv.Itoa(i), from, to, a.amount, out, 10_000))
			from = to
		}
		return steps
	case Split:
		third, thirdOut := a.amount/3, out/3
		return []map[string]any{
			step("Raydium", a.in, a.out, third, thirdOut, 3_333),
			step("Whirlpool", a.in, a.out, third, thirdOut, 3_333),
			step("Meteora DLMM", a.in, a.out, a.amount-2*third, out-2*thirdOut, 3_334),
		}
	}
	return []map[string]any{step("Meteora DLMM", a.in, a.out, a.amount, out, 10_000)}
}

// DFlow answers GET .../quote and POST .../swap.
func DFlow(m Market) *Service {
	s := newService("dflow", m, NoRoute, ImpactTooHigh, MapLagging, OldSlot)
	refuse := func(status int, code string) reply {
		return reply{status: status, body: map[string]any{"msg": "refused: " + code, "code": code, "contextSlot": m.Slot(), "routingSlot": nil}}
	}
	s.answer = func(r *http.Request, body []byte, f Fault) reply {
		if r.Method == http.MethodPost {
			return swapReply(m, dflowSwap2, "userPublicKey", body, f, func(string) reply { return refuse(http.StatusBadRequest, "invalid_quote_response") })
		}
		switch f {
		case NoRoute:
			return refuse(http.StatusBadRequest, "route_not_found")
		case ImpactTooHigh:
			return refuse(http.StatusBadRequest, "price_impact_too_high")
		case MapLagging:
			return refuse(http.StatusServiceUnavailable, "amm_map_lagging")
		}
		a, why := readAsk(r)
		if why != "" {
			return refuse(http.StatusBadRequest, "invalid_input_mint")
		}
		out, ok := convert(m, a.in, a.out, a.amount, dflowSpread, dflowReach)
		if !ok {
			return refuse(http.StatusBadRequest, "route_not_found")
		}
		return reply{status: http.StatusOK, body: dflowQuote(a, out, m.Slot(), f)}
	}
	return s
}

func dflowQuote(a ask, got offer, slot uint64, f Fault) map[string]any {
	value, text := bent(got.out, f)
	in, mint, routing := a.amount, a.in, slot
	switch f {
	case OtherAmount:
		in++
	case OtherMint:
		mint = poolKey("another mint")
	case OldSlot:
		routing -= min(slot, 500)
	}
	least := strconv.FormatUint(value-value*a.slippage/10_000, 10)
	return map[string]any{
		"inputMint": mint.String(), "inAmount": strconv.FormatUint(in, 10),
		"outputMint": a.out.String(), "outAmount": text,
		"otherAmountThreshold": least, "minOutAmount": least, "slippageBps": a.slippage, "priceImpactPct": fraction(got.impact),
		"routePlan": []map[string]any{{
			"venue": "Raydium CLMM", "marketKey": poolKey("dflow").String(), "inputMint": a.in.String(), "outputMint": a.out.String(),
			"inAmount": strconv.FormatUint(a.amount, 10), "outAmount": strconv.FormatUint(value, 10),
			"inputMintDecimals": 9, "outputMintDecimals": 6,
		}},
		"contextSlot": slot, "routingSlot": routing, "requestId": "00000000-0000-4000-8000-000000000000",
		"platformFee": nil, "simulated": true, "time": time.Now().UnixMilli(),
	}
}
