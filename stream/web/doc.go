// Package web is the page at "/" and the JavaScript SDK at "/swapcast.js",
// embedded in the binary: there is no build step and nothing is fetched from
// elsewhere.
//
// The page follows a watchlist over the WebSocket at "ws", beside it, and reads
// what came before from the HTTP API at "v1/". All its addresses are relative,
// so it works behind a proxy that puts it under a path.
//
// The Handler keeps no state and is safe for concurrent use. It serves only
// what is embedded, compressed where the client takes gzip, with an ETag, and
// under a Content-Security-Policy that allows no inline script and no inline
// style.
//
// What the page sees, stated so that nobody takes it for more: prices are asked
// for with window_ms=200, so its candles miss what happened within 200 ms; its
// candles begin with the trades that the server still has; "session" counts
// from when the page first saw a token.
package web
