// Command drill is the proof that nothing is lost and nothing told twice: it runs
// `swapcast serve` as a user would, against endpoints that do everything that
// providers do wrong, and judges from outside what clients were told.
//
// # What runs
//
// One chain (the built-in market, bent by the script's faults of the chain), two
// Yellowstone endpoints and two JSON-RPC nodes of it on loopback ports in this
// process, `bin/swapcast serve` in a process of its own, and four clients: at
// processed and at confirmed, each once left alone and once cut every few seconds.
// They follow trades, prices, candles (1s, 1m) of all tokens and balances of some
// wallets. A token that launches is followed once its first trade has been played,
// from the beginning of its history (since seq 0), so that all swaps count.
//
// # What is compared
//
// The truth is the surviving chain's own: the market says which swaps and balances
// there were, the script which transactions landed and where. A reference market
// that is fed with them, in order of slot and index, says how candles must be.
// Each client's book of what it was told, less what was taken back, must be that
// truth: trade by trade, candle by candle, balance by balance. The books know
// nothing of our own client and server code but the messages.
//
// What is kept of a trade is a hash of 64 bits: that two of two million share one
// has a chance of one in five million.
//
// Everything here is simulated.
package main
