// Package quote answers "what would this swap bring?" within a deadline, from
// several sources, one of which may fail, stall or lie at any time.
//
// # The plan of a request
//
// Engine.Quote asks Jupiter at once. A quote of Jupiter's that is trusted is
// returned at once. The fallbacks (DFlow, Hashflow, our own on-chain figures)
// start together as soon as Jupiter's quote is doubtful, Jupiter failed or was
// not asked (breaker open, no budget, off), or it has not answered after the hedge
// delay: the 90th percentile of its own last answers, between HedgeMin and
// HedgeMax. Once a trusted quote is there, others get Settle to bring a better
// one. Pyth is asked when all others have ended and nothing is trusted, or when
// nothing trusted is there at LastAfter. At the deadline the best of what has come
// is returned. Only when nothing has come is it a *NoQuoteError, which says why,
// source by source. What still runs is cancelled.
//
// # What counts
//
// An answer is checked before it counts (check.go): mints, amount, slippage and
// threshold as asked, a route that leads from the one mint to the other, and an
// amount that our market does not call absurd. One that fails is "rejected" and
// is never returned. One that passes may still be doubtful (doubt.go); it is
// returned only where nothing better came, with its warnings. score.go says what
// is better. The swap's threshold (otherAmountThreshold) protects the user in any
// case.
//
// Units: amounts are raw units and uint64 from the source's JSON, where they are
// decimal strings, to ours. PriceImpact and confidence are fractions, not
// percentages. Dollars are floats and only ever used to judge.
//
// # Policy
//
// No source retries, waits or counts (policy.go does, for all of them): a breaker
// that opens after 3 failures in a row for 5 s and then lets one probe through;
// retries with exponential backoff and full jitter for what can succeed, while
// the deadline allows it; Retry-After and x-ratelimit-reset; a rate budget; calls
// at once; a timeout for each try. The breaker is sony/gobreaker rather than a
// policy framework: what is asked of it fits on a screen, its generation counter
// ignores results of an earlier state, and an excluded result gives a probe's place
// back, which permit-counting breakers forget. Its listener, which runs under its
// lock, is not used.
//
// A failure, for the breaker, is what says that the source is unwell: no
// connection, a timeout, 5xx, 401, 403, 429, a body that cannot be read, an answer
// to another question. No failure: "no route" and other answers of 4xx, an amount
// that only our market disbelieves, a caller that left, and a try that was cut
// short before it had SlowAfter.
//
// # Merging
//
// Identical requests in flight share one plan. A caller that leaves takes only
// itself out; the last one to leave cancels the plan. The shared Answer must not be
// changed.
//
// # Concurrency
//
// An Engine may be used by any number of goroutines. Each plan runs in one
// goroutine, each source that it asks in another; Close cancels and waits for all.
// Secrets: keys are sent in headers and appear in no error, log, metric or answer.
package quote
