package parser

// Obric v2, a market maker led by an oracle.
//
// The program publishes no layout any more. What is read here comes from one
// mainnet swap, its token transfers and vault balances, and from public clients
// that build both instructions with the same accounts, read 2026-11. Data after
// the discriminator: x to y bool, amount u64, least out u64.
//
//	swap, swap2
//	    0 pool, 3 vault x, 4 vault y, 5 user x, 6 user y, 8 and 9 price feeds,
//	    10 user, 11 token program
//
// Only swap was seen on the chain. There is no event: what moved is all.
func obricV2() dex {
	return dex{
		name:    "obric-v2",
		program: "obriQD1zbpyLz95G5n7nJe6a4DPjpFwa5XYPoNm113y",
		decode:  decodeObricV2,
	}
}

const (
	obricSwap  = 0xf8c69e91e17587c8
	obricSwap2 = 0x414b3f4ceb5b5b88

	obricData     = 8 + 1 + 8 + 8
	obricAccounts = 12
)

func decodeObricV2(c *call) (bool, reason) {
	switch discriminator(c.ix.Data) {
	case obricSwap, obricSwap2:
	default:
		return false, ""
	}
	if why := c.check(obricData, obricAccounts); why != "" {
		return true, why
	}
	_, why := c.exchange(venue{pool: c.account(0), vaultA: c.account(3), vaultB: c.account(4), dest: -1})
	return true, why
}
