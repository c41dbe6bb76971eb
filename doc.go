// Package swapcast holds the words that every part of the program shares: a
// transaction as the chain reports it, the swaps and balance changes found in
// it, the prices and trades made from them.
//
// The data path reads in one direction:
//
//	geyser -> parser -> market -> stream (hub -> connection)
//
// Each of those packages imports this one and none of the others; only
// cmd/swapcast knows them all (see ARCHITECTURE.md and deps_test.go).
//
// Units, unless a field says otherwise: token amounts are unsigned raw units
// (lamports for SOL), never floats; prices are US dollars per whole token;
// times named *At are Unix nanoseconds, BlockTime is Unix seconds as the chain
// gives it. The zero PublicKey means "not known".
package swapcast
