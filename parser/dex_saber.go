package parser

// Saber, stable pools of two tokens. Instructions carry one byte as their
// discriminator.
//
// Layout from @saberhq/stableswap-sdk 3.0.0, read 2026-11. No real transaction
// of the program was at hand, only the public log of one, which shows the three
// transfers: its fixtures are our own.
//
//	1 swap: amount in u64, minimum out u64
//	    0 pool, 1 authority, 2 user, 3 user in, 4 vault in, 5 vault out, 6 user
//	    out, 7 admin's fee account, 8 token program; a clock may follow
//
// The admin's part of the fee leaves the vault that pays, so AmountOut is more
// than UserAmountOut. What moved is the truth. The whole fee and the price are
// unknown: the stable curve's amplification is not in the transaction.
func saber() dex {
	return dex{
		name:    "saber",
		program: "SSwpkEEcbUqx4vtoEByFjSkhKdCT862DNVb52nZg1UZ",
		decode:  decodeSaber,
	}
}

const saberAccounts = 9

// decodeSaber: the accounts that count stand where spl-token-swap has them.
func decodeSaber(c *call) (bool, reason) { return c.tokenSwap(saberAccounts) }
