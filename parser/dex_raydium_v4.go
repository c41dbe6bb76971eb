package parser

// Raydium AMM v4, a constant product pool whose instructions carry one byte as
// their discriminator.
//
// Layouts from raydium-io/raydium-amm, program/src/instruction.rs, processor.rs
// and log.rs as of 2026-07-23, and the accounts seen in mainnet transactions.
//
//	 9 swap_base_in, 11 swap_base_out: amount u64, limit u64; 18 accounts, or 17
//	   without the target orders account at 4:
//	   1 pool, 3 open orders, [4 target orders,] coin vault, pc vault, ...,
//	   last three: user source, user destination, user (signer)
//	16 swap_base_in_v2, 17 swap_base_out_v2: the same data; 8 accounts:
//	   1 pool, 3 coin vault, 4 pc vault, 5 user source, 6 destination, 7 user
//
// The program emits no event. It logs `ray_log: ` and base64 of: type u8 (3
// base in, 4 base out), amount u64, limit u64, direction u64 (1 pc to coin, 2
// coin to pc), user source u64, pool coin u64, pool pc u64, result u64; the pool
// amounts are the curve's before the swap, which is less than the vaults hold
// where profit is yet to be taken. What moved is the truth; the log, where it
// is there and agrees, gives the spot price. The fee is not shown.
func raydiumV4() dex {
	return dex{
		name:    "raydium-v4",
		program: "675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8",
		decode:  decodeRaydiumV4,
		logs:    true,
	}
}

const (
	rayV4BaseIn    = 9
	rayV4BaseOut   = 11
	rayV4BaseInV2  = 16
	rayV4BaseOutV2 = 17

	rayV4Data     = 1 + 8 + 8
	rayV4Accounts = 17 // one more with the target orders account
	rayV4V2       = 8

	rayV4LogIn   = 3
	rayV4LogOut  = 4
	rayV4LogSize = 1 + 7*8
)

func decodeRaydiumV4(c *call) (bool, reason) {
	if len(c.ix.Data) == 0 {
		return false, ""
	}
	var need, vaults int
	switch c.ix.Data[0] {
	case rayV4BaseIn, rayV4BaseOut:
		need, vaults = rayV4Accounts, 4
		if len(c.ix.Accounts) > rayV4Accounts {
			vaults = 5
		}
	case rayV4BaseInV2, rayV4BaseOutV2:
		need, vaults = rayV4V2, 3
	default:
		return false, ""
	}
	if why := c.check(rayV4Data, need); why != "" {
		return true, why
	}
	s, why := c.exchange(venue{
		pool: c.account(1), vaultA: c.account(vaults), vaultB: c.account(vaults + 1), dest: -1,
	})
	if why != "" {
		return true, why
	}
	log := c.logged(logRay, 0)
	if len(log) < rayV4LogSize || (log[0] != rayV4LogIn && log[0] != rayV4LogOut) {
		return true, ""
	}
	given, got := u64(log, 1), u64(log, 49)
	if log[0] == rayV4LogOut {
		given, got = u64(log, 49), u64(log, 9)
	}
	if given != s.AmountIn || got != s.AmountOut {
		return true, ""
	}
	in, out := u64(log, 41), u64(log, 33) // pc in, coin out
	if u64(log, 17) == 2 {
		in, out = out, in
	}
	spotOf(s, in, s.AmountIn, out, s.AmountOut)
	return true, ""
}
