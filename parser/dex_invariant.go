package parser

// Invariant, concentrated liquidity.
//
// Layouts from the program's IDL as @invariant-labs/sdk 0.9.72 ships it, read 2026-11,
// and a mainnet transaction. Data after the discriminator: x to y bool, amount
// u64, by amount in bool, square root of the limit u128. Ticks follow as further
// accounts.
//
//	swap
//	    0 state, 1 pool, 2 tickmap, 3 user x, 4 user y, 5 reserve x, 6 reserve y,
//	    7 owner, 8 program authority, 9 token program
//
// There is no event: what moved is all, and neither price nor fee is shown.
func invariant() dex {
	return dex{
		name:    "invariant",
		program: "HyaB3W9q6XdA5xwpU4XnSZV94htfmbmqJXZcEbRaJutt",
		decode:  decodeInvariant,
	}
}

const (
	invariantSwap = 0xf8c69e91e17587c8

	invariantData     = 8 + 1 + 8 + 1 + 16
	invariantAccounts = 10
)

func decodeInvariant(c *call) (bool, reason) {
	if discriminator(c.ix.Data) != invariantSwap {
		return false, ""
	}
	if why := c.check(invariantData, invariantAccounts); why != "" {
		return true, why
	}
	_, why := c.exchange(venue{pool: c.account(1), vaultA: c.account(5), vaultB: c.account(6), dest: -1})
	return true, why
}
