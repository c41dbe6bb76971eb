package parser

// FluxBeam, spl-token-swap with Token-2022: constant product and other curves
// under one layout. Instructions carry one byte as their discriminator.
//
// Layouts from solana-labs/solana-program-library, token-swap/program, and
// FluxBeam's longer list of accounts as sevenlabs-hq/carbon's decoder holds it
// (2026-04-30), read 2026-11, and the accounts of mainnet transactions.
//
//	1 swap: amount in u64, minimum out u64
//	    0 pool, 1 authority, 2 user, 3 user in, 4 vault in, 5 vault out, 6 user
//	    out, 7 pool mint, 8 pool fee, then one token program, or for FluxBeam 9
//	    mint in, 10 mint out, 11 to 13 token programs; a host's fee account may
//	    follow
//
// The program states nothing: no event, no log. The owner's fee is paid in pool
// tokens that are minted to it. What moved is the truth; price and fee are
// unknown, since the curve is not shown.
func fluxBeam() dex {
	return dex{
		name:    "fluxbeam",
		program: "FLUXubRmkEi2q6K3Y9kBPg9248ggaZVsoSFhtJHSrm1X",
		decode:  decodeFluxBeam,
	}
}

const (
	tokenSwapSwap     = 1
	tokenSwapData     = 1 + 8 + 8
	tokenSwapAccounts = 10
	fluxBeamAccounts  = 14
)

func decodeFluxBeam(c *call) (bool, reason) { return c.tokenSwap(fluxBeamAccounts) }

func decodeTokenSwap(c *call) (bool, reason) { return c.tokenSwap(tokenSwapAccounts) }

// tokenSwap reads spl-token-swap's one instruction that trades.
func (c *call) tokenSwap(accounts int) (bool, reason) {
	if len(c.ix.Data) == 0 || c.ix.Data[0] != tokenSwapSwap {
		return false, ""
	}
	if why := c.check(tokenSwapData, accounts); why != "" {
		return true, why
	}
	_, why := c.exchange(venue{
		pool: c.account(0), vaultA: c.account(4), vaultB: c.account(5), dest: int16(c.account(6)),
	})
	return true, why
}
