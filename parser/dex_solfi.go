package parser

// SolFi, a market maker that prices from its own oracle.
//
// The program publishes no layout. What is read here was told from mainnet
// transactions: which instruction moves the vaults, and which of its accounts
// they are by the balances before and after; read 2026-11. The first byte is the
// instruction:
//
//	7 swap    amount u64, least out u64, direction u8
//	          0 user, 1 pool, 2 and 3 vaults, 4 and 5 user, 6 token program,
//	          7 instructions sysvar
//	6         153 bytes, moves nothing: the oracle's update, never a swap
//
// There is no event: what moved is all, and neither price nor fee is shown.
// SolFi v2 is another program and not read.
func solfi() dex {
	return dex{
		name:    "solfi",
		program: "SoLFiHG9TfgtdUXUjWAxi3LtvYuFyDLVhBWxdMZxyCe",
		decode:  decodeSolfi,
	}
}

const (
	solfiSwap = 7

	solfiData     = 1 + 8 + 8 + 1
	solfiAccounts = 8
)

func decodeSolfi(c *call) (bool, reason) {
	if len(c.ix.Data) == 0 || c.ix.Data[0] != solfiSwap {
		return false, ""
	}
	if why := c.check(solfiData, solfiAccounts); why != "" {
		return true, why
	}
	_, why := c.exchange(venue{pool: c.account(1), vaultA: c.account(2), vaultB: c.account(3), dest: -1})
	return true, why
}
