package quote

import (
	"context"
	"math"
	"math/big"
	"net/http"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Pyth, by Hermes: GET /v2/updates/price/latest. An oracle's price is dollars for
// a token and nothing that anybody trades at: what it gives is an indication.
//
// Shapes from pyth-crosschain's apps/hermes/server (2026-07-23): price and conf are
// decimal strings, worth 10^expo each, publish_time Unix seconds. Where too few
// publish, the last price is carried forward with its old time, so the time decides.
// A key has been required since August 2026, as a bearer token; without one the
// answer is 401 and the text "unauthorized".
type pyth struct {
	*service
	opts     Pyth
	decimals func(solana.PublicKey) (uint8, bool)
}

// PythFeeds are the stable channel's feeds of common mints. The caller owns the
// map.
func PythFeeds() map[solana.PublicKey]string {
	return map[solana.PublicKey]string{
		swapcast.NativeMint(): "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d",
		swapcast.USDC():       "eaa020c61cc479712813461ce153894a96a6c00b21ed0cfc2798d1f9a9e9c94a",
		swapcast.USDT():       "2b89b9dc8fdf9f34709a5b106b472f0f39bb6ca9ce04b0fd7f2e971688e2e53b",
		solana.MPK("JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN"):  "0a0408d619e9380abad35060f9192039ed5042fa6f82301d0e48bb52be830996",
		solana.MPK("DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"): "72b021217ca3fe68922a19aaf990109cb9d84e9ad004b4d2025ad6f529314419",
	}
}

func newPyth(o Pyth, ref Reference, transport http.RoundTripper, now func() time.Time) (*pyth, error) {
	s, err := newService(o.URL, transport, now)
	if err != nil {
		return nil, err
	}
	if o.Key != "" {
		s.header.Set("Authorization", "Bearer "+o.Key)
	}
	p := &pyth{service: s, opts: o, decimals: builtinDecimals}
	if ref != nil {
		p.decimals = ref.Decimals
	}
	return p, nil
}

// builtinDecimals are those that need no market.
func builtinDecimals(mint solana.PublicKey) (uint8, bool) {
	switch mint {
	case swapcast.NativeMint():
		return 9, true
	case swapcast.USDC(), swapcast.USDT():
		return 6, true
	}
	return 0, false
}

// Name is Source's.
func (p *pyth) Name() string { return NamePyth }

// maxTokenDecimals bounds powers of ten; no mint that is traded has more.
const maxTokenDecimals = 18

// Quote is Source's.
func (p *pyth) Quote(ctx context.Context, r Request) (*Quote, error) {
	from, okFrom := p.opts.Feeds[r.InputMint]
	to, okTo := p.opts.Feeds[r.OutputMint]
	if !okFrom || !okTo {
		return nil, noRoute("no_feed", "there is no price feed for both mints")
	}
	decIn, okIn := p.decimals(r.InputMint)
	decOut, okOut := p.decimals(r.OutputMint)
	if !okIn || !okOut || max(decIn, decOut) > maxTokenDecimals {
		return nil, noRoute("no_decimals", "the decimals of the mints are not known")
	}
	rep, err := p.get(ctx, "/v2/updates/price/latest", "ids[]="+from+"&ids[]="+to+"&parsed=true&encoding=hex")
	if err != nil {
		return nil, err
	}
	switch {
	case rep.status == http.StatusNotFound:
		return nil, noRoute("no_feed", "Hermes does not know the feed")
	case rep.status != http.StatusOK:
		return nil, rep.refused(p.now())
	}
	var b pythBody
	if err := rep.decode(&b); err != nil {
		return nil, err
	}
	in, err := p.price(&b, from)
	if err != nil {
		return nil, err
	}
	out, err := p.price(&b, to)
	if err != nil {
		return nil, err
	}
	return p.quote(r, in, out, decIn, decOut)
}

type (
	pythBody struct {
		Parsed []struct {
			ID    string `json:"id"`
			Price struct {
				Price       string `json:"price"`
				Conf        amount `json:"conf"`
				Expo        int    `json:"expo"`
				PublishTime int64  `json:"publish_time"`
			} `json:"price"`
		} `json:"parsed"`
	}
	pythPrice struct {
		price     uint64
		expo      int
		certainty float64 // of age and width, 0.5 to 1
	}
)

// price finds a feed in the answer and refuses one that is stale or wide.
func (p *pyth) price(b *pythBody, feed string) (pythPrice, error) {
	for i := range b.Parsed {
		if b.Parsed[i].ID != feed {
			continue
		}
		f := &b.Parsed[i].Price
		var price amount
		if price.UnmarshalJSON([]byte(`"`+f.Price+`"`)) != nil || price == 0 || f.Expo > 0 || f.Expo < -maxTokenDecimals {
			return pythPrice{}, rejected("bad_price", "a price that is none")
		}
		age := p.now().Sub(time.Unix(f.PublishTime, 0))
		width := float64(f.Conf) / float64(price)
		switch {
		case age > p.opts.MaxAge || f.PublishTime <= 0:
			return pythPrice{}, disbelieved("stale_price", "the oracle's price is too old")
		case age < -p.opts.MaxAge:
			return pythPrice{}, disbelieved("future_price", "the oracle's price is of the future")
		case width > p.opts.MaxWidth:
			return pythPrice{}, disbelieved("wide_price", "the oracle is too unsure of its price")
		}
		fresh := 1 - 0.25*min(1, max(0, age.Seconds()/p.opts.MaxAge.Seconds()))
		return pythPrice{uint64(price), f.Expo, fresh * (1 - 0.25*width/p.opts.MaxWidth)}, nil
	}
	return pythPrice{}, rejected("other_feed", "the answer lacks a feed that was asked for")
}

// pythCertainty is what an oracle's word is worth as a quote at best: fees, spread
// and depth are not in it.
const pythCertainty = 0.5

// quote converts exactly: in units of the one to units of the other by both
// prices.
func (p *pyth) quote(r Request, in, out pythPrice, decIn, decOut uint8) (*Quote, error) {
	up := new(big.Int).SetUint64(r.Amount)
	up.Mul(up, new(big.Int).SetUint64(in.price))
	down := new(big.Int).SetUint64(out.price)
	shift := in.expo - out.expo + int(decOut) - int(decIn)
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(shift, -shift))), nil)
	if shift >= 0 {
		up.Mul(up, power)
	} else {
		down.Mul(down, power)
	}
	up.Quo(up, down)
	if !up.IsUint64() || up.Sign() == 0 {
		return nil, noRoute("amount_range", "the indicated amount fits in no token amount")
	}
	amountOut := up.Uint64()
	return &Quote{
		InputMint: r.InputMint, OutputMint: r.OutputMint, InAmount: r.Amount, OutAmount: amountOut,
		Threshold: threshold(amountOut, r.SlippageBps), SlippageBps: r.SlippageBps,
		Certainty: math.Min(in.certainty, out.certainty) * pythCertainty,
	}, nil
}
