// Package swap turns a quote into an unsigned transaction and checks it before a
// user sees it, and finds private keys in what clients send.
//
// A Builder asks the quote's own source (Jupiter, DFlow) for the transaction. Check
// holds it against the quote, without a network:
//
//   - it is whole, at most 1,232 bytes, legacy or v0, and nobody has signed it;
//   - the user pays the fee and is the only one who must sign;
//   - outer instructions call the source's router, once (and to make a token account for
//     the user), and beside it only compute budget, token accounts and the wrapping of
//     SOL, each in a form that gives nothing away: lamports go to the user's own wrapped SOL account alone, no more
//     of them than the quote takes; token programs transfer and approve nothing;
//   - the router is given the user's own token account of the output mint, at its
//     place where the instruction's form is known (Jupiter);
//   - amount and threshold in the router's instruction are the quote's, and there is no
//     platform fee, where the form is known. Proved is that of Jupiter's route_v2 and
//     shared_accounts_route_v2, whose amounts stand at fixed places. Those of route,
//     shared_accounts_route and of DFlow's swap and swap2 end the instruction, behind a
//     route of unknown length: what contradicts the quote there is refused, and what
//     agrees is told as not checked. DFlow's input amount is in the route itself;
//   - compute units and priority fee are bounded.
//
// What a router does inside cannot be told from its instruction. Simulate runs the
// transaction on an RPC node's bank and tells what the user's balances would be; it
// is one node's answer, not a promise.
//
// A Tracker follows what was sent on the server's own stream until it is confirmed or
// can be no more.
//
// No private key belongs here: the server neither needs nor takes one. Secret finds
// them, so that a body with one is refused before anything else looks at it.
//
// Check and Secret are pure functions. A Builder and a Tracker may be used by any
// number of goroutines; none is started.
package swap
