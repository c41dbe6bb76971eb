package parser

// ZeroFi, a market maker that prices from its own oracle.
//
// The program publishes no layout. What is read here was told from mainnet
// transactions: which instruction moves the vaults, and which of its accounts
// they are by the balances before and after; read 2026-11. The first byte is the
// instruction:
//
//	6 swap    amount u64, least out u64
//	          0 pool, 2 vault in, 4 vault out, 5 user in, 6 user out, 7 user,
//	          8 token program, 9 instructions sysvar
//	5         69 bytes, moves nothing: the oracle's update, never a swap
//
// One vault serves the pools of several pairs, so reserves are what all of them
// share; it owns itself. There is no event: what moved is all.
func zerofi() dex {
	return dex{
		name:    "zerofi",
		program: "ZERor4xhbUycZ6gb9ntrhqscUcZmAbQDjEAtCf4hbZY",
		decode:  decodeZerofi,
	}
}

const (
	zerofiSwap = 6

	zerofiData     = 1 + 8 + 8
	zerofiAccounts = 10
)

func decodeZerofi(c *call) (bool, reason) {
	if len(c.ix.Data) == 0 || c.ix.Data[0] != zerofiSwap {
		return false, ""
	}
	if why := c.check(zerofiData, zerofiAccounts); why != "" {
		return true, why
	}
	_, why := c.exchange(venue{
		pool: c.account(0), vaultA: c.account(2), vaultB: c.account(4), dest: int16(c.account(6)),
	})
	return true, why
}
