package parser

// Raydium CLMM, concentrated liquidity.
//
// Layouts from raydium-io/raydium-clmm (programs/amm/src, 2026-07-16) and its IDL
// in raydium-io/raydium-idl, read 2026-11, and the accounts seen in mainnet
// transactions. Data after the discriminator: amount u64, other threshold u64,
// sqrt price limit u128, is base input bool; for the router two u64.
//
//	swap     2 pool, 3 user in, 4 user out, 5 vault in, 6 vault out
//	swap_v2  the same, with both token programs, memo and the mints after it
//	swap_router_base_in
//	    0 user, 1 user in, 2 mint in, 3 to 5 programs, then for each hop: config,
//	    pool, user out, vault in, vault out, mint out, observation, and any number
//	    of tick arrays. The program works the hops itself, without calling itself.
//
// SwapEvent is only logged: pool 32, sender 32, token account 0 32, token account
// 1 32, amount 0 u64, transfer fee 0 u64, amount 1 u64, transfer fee 1 u64, zero
// for one bool, sqrt price u128, liquidity u128, tick i32; since mid 2026 also
// trade fee 0 u64, trade fee 1 u64. The amount in is what the vault received and
// the amount out what reached the trader, both without transfer fees. What moved
// is the truth; the event, where it is there and agrees, gives the spot price
// and, in its longer form, the fee.
func raydiumCLMM() dex {
	return dex{
		name:    "raydium-clmm",
		program: "CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK",
		decode:  decodeRaydiumCLMM,
		logs:    true,
	}
}

const (
	clmmSwap      = 0xf8c69e91e17587c8
	clmmSwapV2    = 0x2b04ed0b1ac91e62
	clmmRouter    = 0x457d73daf5baf2c4
	clmmSwapEvent = 0x40c6cde8260871e2

	clmmData       = 8 + 8 + 8 + 16 + 1
	clmmRouterData = 8 + 8 + 8
	clmmRouterHead = 6 // accounts before the first hop
	clmmHop        = 7 // accounts of a hop before its tick arrays
	clmmEventSize  = 4*32 + 4*8 + 1 + 16 + 16 + 4
	clmmEventLong  = clmmEventSize + 8 + 8
)

func decodeRaydiumCLMM(c *call) (bool, reason) {
	accounts := 10
	switch discriminator(c.ix.Data) {
	case clmmRouter:
		return true, c.clmmHops()
	case clmmSwap:
	case clmmSwapV2:
		accounts = 13
	default:
		return false, ""
	}
	if why := c.check(clmmData, accounts); why != "" {
		return true, why
	}
	return true, c.clmmSwap(venue{
		pool: c.account(2), vaultA: c.account(5), vaultB: c.account(6), dest: int16(c.account(4)),
	}, c.tokens, 0)
}

// clmmSwap reads one pool's exchange, the n-th of the instruction.
func (c *call) clmmSwap(v venue, moved []transfer, n int) reason {
	s, why := c.exchangeOf(v, moved)
	if why != "" {
		return why
	}
	e := c.loggedEvent(clmmSwapEvent, n)
	if len(e) < clmmEventSize || [32]byte(e[:32]) != s.Pool {
		return ""
	}
	zeroIn := e[160] != 0
	in, out := u64(e, 128), u64(e, 144)
	if !zeroIn {
		in, out = out, in
	}
	if in != s.AmountIn || (out != s.UserAmountOut && out != s.AmountOut) {
		return ""
	}
	spotOfSqrt(s, u64(e, 161), u64(e, 169), zeroIn)
	if len(e) >= clmmEventLong {
		feeIn, feeOut := u64(e, 197), u64(e, 205)
		if !zeroIn {
			feeIn, feeOut = feeOut, feeIn
		}
		feeOf(s, feeIn)
		feeOfOut(s, feeOut)
	}
	return ""
}

// clmmHops reads the router: every hop made two transfers, and the accounts of
// a hop are those from which its two vaults stand three and four places on.
func (c *call) clmmHops() reason {
	if why := c.check(clmmRouterData, max(len(c.ix.Accounts), clmmRouterHead+clmmHop)); why != "" {
		return why
	}
	if len(c.tokens) == 0 || len(c.tokens)%2 != 0 {
		return noTransfers
	}
	at := clmmRouterHead
	for n := 0; n < len(c.tokens); n += 2 {
		moved := c.tokens[n : n+2]
		if at = c.clmmFind(at, moved); at < 0 {
			return noTransfers
		}
		v := venue{
			pool: c.account(at + 1), vaultA: c.account(at + 3), vaultB: c.account(at + 4), dest: int16(c.account(at + 2)),
		}
		if why := c.clmmSwap(v, moved, n/2); why != "" {
			return why
		}
		at += clmmHop
	}
	return ""
}

// clmmFind finds the next hop's accounts by its two transfers, or -1.
func (c *call) clmmFind(at int, moved []transfer) int {
	for ; at+clmmHop <= len(c.ix.Accounts); at++ {
		in, out := c.account(at+3), c.account(at+4)
		if (moved[0].to == in && moved[1].from == out) || (moved[1].to == in && moved[0].from == out) {
			return at
		}
	}
	return -1
}
