package parser

// Orca Whirlpool, concentrated liquidity.
//
// Layouts from the program's IDL as @orca-so/whirlpools-sdk 0.22.0 ships it,
// read 2026-11, and the accounts seen in mainnet transactions. Data after the 8
// bytes of the discriminator: amount u64, other threshold u64, sqrt price limit
// u128, amount is input bool, a to b bool; the two-hop ones: amount, threshold,
// amount is input, a to b one, a to b two, two limits.
//
//	swap             2 pool, 4 vault a, 6 vault b
//	swap_v2          4 pool, 8 vault a, 10 vault b
//	two_hop_swap     2 pool one, 5 and 7 its vaults, 3 pool two, 9 and 11 its vaults
//	two_hop_swap_v2  0 pool one, 1 pool two, 9 vault one in, 10 vault one out,
//	                 11 vault two in, 12 vault two out; the middle token goes from
//	                 vault to vault
//
// A two-hop swap is two swaps of one trader. The Traded event is only logged:
// pool 32, a to b bool, sqrt price before u128, after u128, input u64, output
// u64, input transfer fee u64, output transfer fee u64, lp fee u64, protocol
// fee u64. Input and output are what left the trader and the pool, transfer
// fees included. What moved is the truth; the event, where it is there and
// agrees, gives spot price and fee.
func orcaWhirlpool() dex {
	return dex{
		name:     "orca-whirlpool",
		program:  "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc",
		decode:   decodeWhirlpool,
		notSwaps: []uint64{whirlpoolReposition},
		logs:     true,
	}
}

const (
	whirlpoolSwap     = 0xf8c69e91e17587c8
	whirlpoolSwapV2   = 0x2b04ed0b1ac91e62
	whirlpoolTwoHop   = 0xc360ed6c44a2dbe6
	whirlpoolTwoHopV2 = 0xba8fd11dfe02c275
	whirlpoolTraded   = 0xe1ca49af932ba096

	// A position moved to another range may add one token and take the other.
	whirlpoolReposition = 0xbfa9e00b83139efd

	whirlpoolData       = 8 + 8 + 8 + 16 + 1 + 1
	whirlpoolTwoHopData = 8 + 8 + 8 + 1 + 1 + 1 + 16 + 16
	whirlpoolTradedSize = 32 + 1 + 16 + 16 + 6*8
)

func decodeWhirlpool(c *call) (bool, reason) {
	switch discriminator(c.ix.Data) {
	case whirlpoolSwap:
		return true, c.whirlpoolOne(11, 2, 4, 6)
	case whirlpoolSwapV2:
		return true, c.whirlpoolOne(15, 4, 8, 10)
	case whirlpoolTwoHop:
		return true, c.whirlpoolTwo(20, [2][3]int{{2, 5, 7}, {3, 9, 11}})
	case whirlpoolTwoHopV2:
		return true, c.whirlpoolTwo(24, [2][3]int{{0, 9, 10}, {1, 11, 12}})
	}
	return false, ""
}

func (c *call) whirlpoolOne(accounts, pool, vaultA, vaultB int) reason {
	if why := c.check(whirlpoolData, accounts); why != "" {
		return why
	}
	return c.whirlpoolHop(pool, vaultA, vaultB, 0)
}

func (c *call) whirlpoolTwo(accounts int, hops [2][3]int) reason {
	if why := c.check(whirlpoolTwoHopData, accounts); why != "" {
		return why
	}
	for n, h := range hops {
		if why := c.whirlpoolHop(h[0], h[1], h[2], n); why != "" {
			return why
		}
	}
	swaps := c.p.out.Swaps
	// The second hop may be paid by the first pool's vault.
	swaps[len(swaps)-1].Trader = swaps[len(swaps)-2].Trader
	return ""
}

func (c *call) whirlpoolHop(pool, vaultA, vaultB, n int) reason {
	s, why := c.exchange(venue{
		pool: c.account(pool), vaultA: c.account(vaultA), vaultB: c.account(vaultB), dest: -1,
	})
	if why != "" {
		return why
	}
	e := c.loggedEvent(whirlpoolTraded, n)
	if len(e) < whirlpoolTradedSize || [32]byte(e[:32]) != s.Pool {
		return ""
	}
	if given, got := u64(e, 65), u64(e, 73); given != s.AmountIn+u64(e, 81) || got != s.AmountOut {
		return ""
	}
	spotOfSqrt(s, u64(e, 49), u64(e, 57), e[32] != 0)
	feeOf(s, u64(e, 97), u64(e, 105))
	return ""
}
