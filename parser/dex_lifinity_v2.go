package parser

// Lifinity v2, a market maker led by an oracle.
//
// No published layout was at hand. What is read here was told from mainnet
// transactions, read 2026-11: which of the instruction's accounts are vaults by
// the balances before and after, the others by what the transfers name. Data
// after the discriminator: two u64, the first the amount.
//
//	swap
//	    0 authority, 1 pool, 2 user, 3 user in, 4 user out, 5 vault in, 6 vault out,
//	    7 pool mint, 8 fee account, 9 token program, 10 and 11 oracles, 12 config
//
// The fee is minted as pool tokens to the fee account, so no token of either side
// shows it. There is no event: what moved is all. The two other instructions of
// the corpus (a2b04f56d0d968f6) set the pool's parameters.
func lifinityV2() dex {
	return dex{
		name:    "lifinity-v2",
		program: "2wT8Yq49kHgDzXuPxZSaeLaH1qbmGXtEyPy64bL7aD3c",
		decode:  decodeLifinityV2,
	}
}

const (
	lifinitySwap = 0xf8c69e91e17587c8

	lifinityData     = 8 + 8 + 8
	lifinityAccounts = 13
)

func decodeLifinityV2(c *call) (bool, reason) {
	if discriminator(c.ix.Data) != lifinitySwap {
		return false, ""
	}
	if why := c.check(lifinityData, lifinityAccounts); why != "" {
		return true, why
	}
	_, why := c.exchange(venue{
		pool: c.account(1), vaultA: c.account(5), vaultB: c.account(6), dest: int16(c.account(4)),
	})
	return true, why
}
