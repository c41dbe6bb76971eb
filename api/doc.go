// Package api answers the HTTP side of the contract: prices, tokens, trades,
// candles, quotes, wallets and status under /v1, the two API documents, liveness and readiness. It reads
// what others keep and owns no data, no goroutine and no queue.
//
// Promises:
//   - A price, a trade and a candle have the very JSON that WebSocket clients see: the
//     encoders of stream/wire make both.
//   - What is not known is null or left out, never 0 and never a guess.
//   - Every error is application/problem+json (RFC 9457) with a stable "code";
//     the codes are listed in problem.go and in the OpenAPI document.
//   - Paths that the contract names and this version does not serve yet answer
//     501 not_implemented; they are not in the OpenAPI document.
//   - Answers with data are never cached (Cache-Control: no-store). The two
//     documents carry an ETag.
//
// Limits: 100 assets a request for prices, 1,000 trades or candles and 200 tokens
// a request. Only POST /v1/swap and /v1/transactions read a body, 16 KiB at most; one
// that holds what looks like a private key is refused whole, repeated nowhere and
// logged nowhere.
//
// The handler may be called from many goroutines at once; the functions in
// Options must allow that.
package api
