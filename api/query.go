package api

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Limits of one request.
const (
	// MaxAssets is the most assets of one request for prices.
	MaxAssets = 100
	// MaxTrades is the most trades of one request.
	MaxTrades = 1000
	// MaxCandles is the most candles of one request.
	MaxCandles = 1000
	// MaxTokens is the most tokens of one request.
	MaxTokens = 200
	// topPrices is how many prices a request without assets gets.
	topPrices = 25
	// defaultTrades is the limit of a request for trades without one.
	defaultTrades = 100
	// defaultCandles is the limit of a request for candles without one.
	defaultCandles = 500
	// defaultTokens is the limit of a request for tokens without one.
	defaultTokens = 50
)

// assetError is one asset of a list that was refused; the others are served.
type assetError struct {
	AssetID string `json:"assetId"` // as sent, cut to 64 bytes
	Code    string `json:"code"`
}

// readQuery parses a query string. Unlike url.Values from a request it reports
// a malformed one rather than dropping part of it.
func readQuery(raw string) (url.Values, *problem) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, newProblem(CodeBadParameter, "", "the query string is malformed")
	}
	return values, nil
}

// readAssets reads the parameter "assets": mints separated by commas, or the
// parameter repeated, or both. An asset named twice is answered once. present
// is false where the parameter is absent. A bad asset is an entry of refused,
// not a problem; an empty list or one over MaxAssets is a problem.
func readAssets(values url.Values) (mints []solana.PublicKey, refused []assetError, present bool, p *problem) {
	lists, present := values["assets"]
	if !present {
		return nil, nil, false, nil
	}
	joined := strings.Join(lists, ",")
	if joined == "" {
		return nil, nil, true, newProblem(CodeBadParameter, "assets", "assets is empty: leave it out for the most liquid ones")
	}
	if n := strings.Count(joined, ",") + 1; n > MaxAssets {
		return nil, nil, true, newProblem(CodeTooManyAssets, "assets", fmt.Sprintf("%d assets in one request; at most %d are served", n, MaxAssets))
	}
	seen := make(map[solana.PublicKey]bool)
	for text := range strings.SplitSeq(joined, ",") {
		mint, err := swapcast.ParseKey(text)
		if err != nil {
			refused = append(refused, assetError{AssetID: echo(text), Code: CodeInvalidAsset})
			continue
		}
		if !seen[mint] {
			seen[mint] = true
			mints = append(mints, mint)
		}
	}
	return mints, refused, true, nil
}

// readLimit reads the parameter "limit", a whole number from 1 to most.
func readLimit(values url.Values, most, absent int) (int, *problem) {
	texts, ok := values["limit"]
	if !ok {
		return absent, nil
	}
	if len(texts) > 1 {
		return 0, newProblem(CodeBadParameter, "limit", "limit is given more than once")
	}
	n, err := strconv.ParseUint(texts[0], 10, 32)
	if err != nil || n < 1 || n > uint64(most) {
		return 0, newProblem(CodeBadParameter, "limit", fmt.Sprintf("limit %q is not a whole number from 1 to %d", echo(texts[0]), most))
	}
	return int(n), nil
}

// readSort reads the parameter "sort", which is "new" where it is absent.
func readSort(values url.Values) *problem {
	texts, ok := values["sort"]
	switch {
	case !ok:
		return nil
	case len(texts) > 1:
		return newProblem(CodeBadParameter, "sort", "sort is given more than once")
	case texts[0] != "new":
		return newProblem(CodeBadParameter, "sort", fmt.Sprintf("sort %q is not \"new\"", echo(texts[0])))
	}
	return nil
}

// readInterval reads the parameter "interval".
func readInterval(values url.Values) (swapcast.Interval, *problem) {
	texts, ok := values["interval"]
	switch {
	case !ok:
		return swapcast.DefaultInterval, nil
	case len(texts) > 1:
		return 0, newProblem(CodeBadParameter, "interval", "interval is given more than once")
	}
	interval, ok := swapcast.ParseInterval(texts[0])
	if !ok {
		return 0, newProblem(CodeBadParameter, "interval", fmt.Sprintf("interval %q is none of 1s, 5s, 15s, 1m, 5m, 15m, 1h, 4h and 1d", echo(texts[0])))
	}
	return interval, nil
}

// readMint reads a mint from a path.
func readMint(text string) (solana.PublicKey, *problem) {
	mint, err := swapcast.ParseKey(text)
	if err != nil {
		return mint, newProblem(CodeInvalidAsset, "mint", fmt.Sprintf("%q is not the base58 address of a mint", echo(text)))
	}
	return mint, nil
}
