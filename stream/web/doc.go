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
// What the page sees, stated so that nobody takes it for more: the chart shows
// the server's candles, the last 1,000 of an interval and what becomes of them;
// prices are asked for with window_ms=200, so the small trends in the list miss
// what happened within 200 ms, and begin with the trades that the server still
// has; "session" counts from when the page first saw a token, "24 h" from when
// the server did, where that is less long ago (its tooltip says since when). The
// switch over the trades changes what prices, trades, candles and balances are
// followed: processed ones, of which those that a fork takes back are struck out,
// or confirmed ones. The chart's past, and of processed trades the list's, come
// from the HTTP API, which knows processed ones only. A gap stands in the list of
// trades where it was told; what the HTTP API still has of it is put below.
package web
