// Package secondopinion sets a swap parser that this project did not write,
// solana-dex-parser of npm (MIT), beside ours over the corpus, and judges every
// difference. It holds tests only.
//
// trades.mjs runs the library over the corpus's files and prints its trades.
// Both sides are compared leg by leg and in raw units, no tolerance: program,
// mints and both amounts must be the same, where either amount may be what the
// pool's vault gained or paid, or what the trader paid or got. The legs that the
// library reads from Jupiter's events are compared with our swaps in the same
// way, whatever the exchange.
//
// What differs stands in testdata/differences.tsv, one line each: what they say,
// what we say, who is right, why, and what the vaults did, which the test works
// out from the balances before and after the transaction. A line that is missing
// or no longer true fails the test, and so does the verdict "ours" where the
// vaults do not bear our amounts out. The trades that the library finds in failed
// transactions are counted as one class: a failed transaction moved nothing.
package secondopinion
