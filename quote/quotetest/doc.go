// Package quotetest has stand-ins for the services that quotes come from: Jupiter,
// DFlow, Hashflow and Pyth's Hermes, and for the Solana RPC node on which a swap is
// tried. They answer over HTTP with the real services' shapes, at the prices of a
// Market that the caller gives, and misbehave on request.
//
// A Service is an http.Handler for one of them. What it does is a Fault: the one
// that Set put in place, or, while a script lasts, the next one of Script. Each
// request counts, whatever is done with it. New makes all of them, Handler serves
// them under one address ("/jupiter", "/dflow", "/hashflow", "/hermes", "/rpc"), which
// is what quote.Options and rpcpool.Options want as URLs.
//
// Everything is made up: prices follow the Market with a spread and with the impact
// of one constant-product pool as deep as the Market says; pools have keys that nobody
// has; signatures are missing. Jupiter and DFlow make transactions of their own quotes
// in the form of the real routers' instructions, whose routes lead nowhere, so that no
// real chain would carry them out. The node's wallets own much of everything, and it
// runs these very transactions and no others. Only what the quote engine and package
// swap ask for is there; Hermes' streams and Hashflow's price levels are not.
//
// A Service may be used by any number of goroutines. Requests that a fault holds up
// end when their client leaves.
package quotetest
