package parser

// TesseraV, a market maker that prices from its own oracle.
//
// The program publishes no layout. No real swap of it was at hand: what is read
// here is what public routers send it, read 2026-11, and our own fixtures. The
// first byte is the instruction:
//
//	16 swap    side u8, amount u64, least out u64
//	           0 global state, 1 pool, 2 user, 3 base vault, 4 quote vault, 5 user
//	           base, 6 user quote, 7 and 8 mints, 9 and 10 token programs,
//	           11 instructions sysvar
//	13         185 bytes and more, three accounts, moves nothing: the oracle's
//	           update (seen in mainnet transactions), never a swap
//
// Public queries count 17 as a swap as well, without its accounts: it is not
// guessed at, and reported as unknown where it moves two vaults of one owner.
// The program's own log line is not read: what moved is all.
func tessera() dex {
	return dex{
		name:    "tessera",
		program: "TessVdML9pBGgG9yGks7o4HewRaXVAMuoVj4x83GLQH",
		decode:  decodeTessera,
	}
}

const (
	tesseraSwap = 16

	tesseraData     = 1 + 1 + 8 + 8
	tesseraAccounts = 12
)

func decodeTessera(c *call) (bool, reason) {
	if len(c.ix.Data) == 0 || c.ix.Data[0] != tesseraSwap {
		return false, ""
	}
	if why := c.check(tesseraData, tesseraAccounts); why != "" {
		return true, why
	}
	_, why := c.exchange(venue{pool: c.account(1), vaultA: c.account(3), vaultB: c.account(4), dest: -1})
	return true, why
}
