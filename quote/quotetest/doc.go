// Package quotetest has stand-ins for the services that quotes come from: Jupiter,
// DFlow, Hashflow and Pyth's Hermes. They answer over HTTP with the real services'
// shapes, at the prices of a Market that the caller gives, and misbehave on
// request.
//
// A Service is an http.Handler for one of them. What it does is a Fault: the one
// that Set put in place, or, while a script lasts, the next one of Script. Each
// request counts, whatever is done with it. New makes all four, Handler serves them
// under one address ("/jupiter", "/dflow", "/hashflow", "/hermes"), which is what
// quote.Options wants as URLs.
//
// Everything is made up: prices follow the Market with a spread, pools have keys
// that nobody has, signatures are missing. Only what the quote engine asks for is
// there; Hermes' streams and Hashflow's price levels are not.
//
// A Service may be used by any number of goroutines. Requests that a fault holds up
// end when their client leaves.
package quotetest
