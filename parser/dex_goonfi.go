package parser

// GoonFi, a market maker that prices from its own oracle.
//
// The program publishes no layout. No real swap of it was at hand: what is read
// here is what public routers send it, read 2026-11, and our own fixtures. The
// first byte is the instruction:
//
//	2 swap    buys base bool, bump u8, amount u64, least out u64
//	          0 user, 1 pool, 2 user base, 3 user quote, 4 base vault, 5 quote
//	          vault, 6 blacklist, 7 instructions sysvar, 8 token program
//	1         42 bytes, two accounts, moves nothing: the oracle's update (seen in
//	          mainnet transactions), never a swap
//
// There is no event: what moved is all. GoonFi v2 is another program and not
// read.
func goonfi() dex {
	return dex{
		name:    "goonfi",
		program: "goonERTdGsjnkZqWuVjs73BZ3Pb9qoCUdBUL17BnS5j",
		decode:  decodeGoonfi,
	}
}

const (
	goonfiSwap = 2

	goonfiData     = 1 + 1 + 1 + 8 + 8
	goonfiAccounts = 9
)

func decodeGoonfi(c *call) (bool, reason) {
	if len(c.ix.Data) == 0 || c.ix.Data[0] != goonfiSwap {
		return false, ""
	}
	if why := c.check(goonfiData, goonfiAccounts); why != "" {
		return true, why
	}
	_, why := c.exchange(venue{pool: c.account(1), vaultA: c.account(4), vaultB: c.account(5), dest: -1})
	return true, why
}
