// Package rpcpool asks several Solana JSON-RPC endpoints in turn.
//
// A Pool holds the endpoints in order of preference, each with a client of
// solana-go's rpc package. Do runs one request: at the first endpoint that may be
// asked now, and where that one fails at the next, until one answers or the
// attempts are used up.
//
// # What is promised
//
// Limits: an endpoint is asked at most PerSecond times a second with bursts of
// Burst, whoever asks: parts that share endpoints share one Pool, for providers
// count by address. What nobody waits for (Call.Spare) leaves half of the burst to
// what somebody waits for. An answer is read up to MaxBody bytes, decompressed.
//
// Failures: a rate limit (HTTP 429, or its forms in JSON), a server error, a
// timeout, a refused connection, bytes that are no JSON-RPC answer, a node that
// says it is unhealthy or behind: each makes the endpoint wait, for as long as
// Retry-After says or, growing with the number of failures in a row, a random
// time (full jitter, so that several processes do not come back together). After
// BreakAfter failures in a row the endpoint's breaker is open: once its wait is
// over a single request tries it, and only when that succeeds do the others
// follow. Any other error in JSON-RPC form is an answer and is given to the
// caller, who knows what it means for the method; it may name codes for which
// the other endpoints are asked first (Call.Elsewhere).
//
// Secrets: URLs hold keys. Nothing that this package returns, logs or counts
// holds more of one than its host; texts of servers are cut, stripped of control
// characters and of every part of the URL that may be a key.
//
// Concurrency: a Pool may be used by any number of goroutines. It starts none.
package rpcpool
