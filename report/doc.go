// Package report tells a Sentry server what happens: transactions with their
// spans, messages, faults and panics, each with the scope of whom it is about.
//
//	Report (never blocks) -> budget -> queue -> a few workers: build, scrub, post
//
// # What callers may rely on
//
// Report returns at once, whatever the server does: it takes a token of a budget
// and puts a function into a queue. The record itself is built by a worker, so that
// what is not sent costs next to nothing. A nil *Reporter does nothing, and is what
// a program without a DSN has.
//
// Nothing is lost silently: each record is counted as sent or as dropped with a
// reason. Reasons: budget (more a second than Options.PerSecond, or faults of our
// own than the reserve for those), repeated (the caller has told this already),
// queue_full, rate_limited (the server asked to be left alone), network, refused
// (the server answered with an error), unfit (it cannot be encoded), shutdown.
//
// # Sampling
//
// What carries a test id is told in full, up to the budget; beyond that as much as
// the budget allows, which then is a sample. Of everything else Options.SampleRate
// is. Faults of the server's own, panics above all, have a reserve of their own: no
// flood of the rest keeps them back.
//
// # What never leaves
//
// Every text of an event goes through a scrubber before it is sent: the secrets that
// the program was configured with, whatever looks like a credential, the paths and
// queries of addresses, and private keys are replaced. No headers, no queries, no
// bodies and no client addresses are put into events to begin with.
//
// # Goroutines
//
// Start starts the workers, Close waits for them. sentry-go has two idle ones of
// its own for each client, which end with it. Nothing of sentry-go's global state
// is used.
package report
